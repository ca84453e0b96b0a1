//! Child processes that write to a damaged file.

use std::{fs, path::Path};

use tracker_core::{ErrorKind, Tracker, status::Role};

use super::damaged_files::{Job, Whole, job, open, seed, variants};
use crate::support::{child_process, random::Random, test_disk::Disk};

/// Works on the file as a program that trusts it: each call is answered or refused.
fn trust(bytes: Vec<u8>) {
    let Ok(tracker) = open(&Disk::with_bytes(bytes), false) else { return };
    let Ok(jobs) = tracker.tasks::<Job>() else { return };
    let _ = jobs.submit(&job(1_000));
    for _ in 0..4 {
        if let Ok(Some(mut hand)) = jobs.claim() {
            let _ = hand.checkpoint();
            let _ = hand.succeed();
        }
    }
    for number in [1, 6, 12, 17, 60] {
        let name = job(number).name;
        let _ = jobs.requeue(&name);
        let _ = jobs.update(&name, |job| job.host = 9);
        let _ = jobs.cancel(&name);
        let _ = jobs.remove(&name);
    }
    let _ = jobs.query().role(Role::Pending).fetch();
    let _ = jobs.counts();
    let _ = tracker.rescue();
    let _ = tracker.transaction(|tx| tx.submit(&jobs, &job(1_001)));
    let _ = jobs.prune();
    let _ = tracker.verify();
    drop(jobs);
    let _ = tracker.close();
}

/// The parts of this file's tests in processes of their own.
pub fn play(role: &str, path: &Path) {
    match role {
        "trust" => {
            let files = [true, false].map(Whole::file);
            let first = fs::read_to_string(path).unwrap().trim().parse().unwrap();
            for variant in first..variants() {
                fs::write(path, variant.to_string()).unwrap();
                let mut random = Random::new(seed() << 32 | variant);
                trust(files[random.below(2)].flipped(&mut random));
            }
            fs::write(path, "done").unwrap();
        }
        "read-only" => {
            let error = Tracker::open(path).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Io);
            assert!(error.to_string().contains("read-only"), "{error}");
            assert!(Tracker::open(path.with_file_name("new.redb")).unwrap_err().to_string().contains("read-only"));
            let looked = Tracker::inspect(path).unwrap();
            assert_eq!(looked.verify().unwrap(), []);
            let unclean = Tracker::inspect(path.with_file_name("unclean.redb")).unwrap_err();
            assert!(unclean.to_string().contains("opened for writing once"), "{unclean}");
        }
        "no permission" => {
            let error = Tracker::open(path).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Io);
            assert!(error.to_string().contains("no permission"), "{error}");
            assert!(Tracker::open(path.with_file_name("new.redb")).unwrap_err().to_string().contains("no permission"));
            assert_eq!(Tracker::inspect(path).unwrap().verify().unwrap(), []);
            assert!(Tracker::inspect(path.with_file_name("secret.redb")).is_err());
        }
        other => panic!("{other}?"),
    }
}

#[test]
fn writer_survives_a_damaged_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("variant.txt");
    let mut next = 0;
    let mut aborts = Vec::new();
    loop {
        fs::write(&path, next.to_string()).unwrap();
        let mut child = child_process::start(&[], "hostile: trust", &path);
        let status = child.wait().unwrap();
        let reached = fs::read_to_string(&path).unwrap();
        if reached == "done" {
            assert!(status.success());
            break;
        }
        aborts.push(reached.clone());
        next = reached.parse::<u64>().unwrap() + 1;
    }
    println!("{} variants, {} ended the process: {aborts:?}", variants(), aborts.len());
    assert!(
        aborts.is_empty(),
        "{}",
        child_process::errors(&path).lines().rev().take(40).collect::<Vec<_>>().join("\n")
    );
}
