//! Tests files with a redo log: after a crash they are opened, recovered, inspected and backed up, and hold the same tasks as files without a log.

use std::{fs, path::Path};

use tracker_core::{Tracker, file::Sharing, time::ManualClock};

use crate::support::{
    kinds::{Job, job, sound},
    script::{SCRIPT, Script},
    snapshot::Snapshot,
    test_disk::Disk,
};

/// Where the descriptor of a log is, and how it begins.
const DESCRIPTOR: usize = 512;
const MAGIC: &[u8] = b"trk.redo";

fn has_log(bytes: &[u8]) -> bool {
    bytes[DESCRIPTOR..].starts_with(MAGIC)
}

/// The length of redb's part of a file with a log.
fn start_of_log(bytes: &[u8]) -> usize {
    let number = bytes[DESCRIPTOR + 16..DESCRIPTOR + 24].try_into().unwrap();
    usize::try_from(u64::from_le_bytes(number)).unwrap()
}

fn submit(tracker: &Tracker, numbers: std::ops::Range<u32>) {
    let jobs = tracker.tasks::<Job>().unwrap();
    for number in numbers {
        jobs.submit(&job(&format!("job {number}"))).unwrap();
    }
}

fn assert_has(tracker: &Tracker, count: u32) {
    assert_eq!(tracker.tasks::<Job>().unwrap().counts().unwrap().total(), u64::from(count));
    assert_eq!(tracker.verify().unwrap(), []);
}

/// The descriptor and the epoch of the first record.
fn log_of(bytes: &[u8]) -> [&[u8]; 2] {
    let start = start_of_log(bytes);
    [&bytes[DESCRIPTOR..DESCRIPTOR + 48], &bytes[start + 8..start + 16]]
}

/// Returns a file after a power loss that kept the whole log, and of the pages only those of an earlier moment. Also returns how many tasks there
/// were at that moment, and how many are acknowledged.
fn lost_pages(folder: &Path, sharing: Sharing) -> (Vec<u8>, u32, u32) {
    let path = folder.join("in use.redb");
    let tracker = Tracker::options().sharing(sharing).redo_log(true).open(&path).unwrap();
    submit(&tracker, 0..40);
    let mut count = 40;
    let image = loop {
        let earlier = fs::read(&path).unwrap();
        submit(&tracker, count..count + 10);
        count += 10;
        let later = fs::read(&path).unwrap();
        // A log that has begun anew meanwhile would need pages that the earlier file has not.
        if has_log(&earlier) && has_log(&later) && log_of(&earlier) == log_of(&later) {
            let start = start_of_log(&later);
            break [&earlier[..start], &later[start..]].concat();
        }
        assert!(count < 400, "the log begins anew all the time");
    };
    let start = start_of_log(&image);
    tracker.close().unwrap();
    let closed = fs::read(&path).unwrap();
    assert!(!has_log(&closed) && closed.len() <= start, "a closed file has a log");
    fs::remove_file(&path).unwrap();
    (image, count - 10, count)
}

#[test]
fn log_holds_the_commits_whose_pages_are_lost() {
    for sharing in [Sharing::Exclusive, Sharing::Readers] {
        let folder = tempfile::tempdir().unwrap();
        let (image, _, count) = lost_pages(folder.path(), sharing);
        let write = |name: &str| {
            let path = folder.path().join(name);
            fs::write(&path, &image).unwrap();
            path
        };
        for redo_log in [false, true] {
            let path = write("reopened.redb");
            let reopened = Tracker::options().sharing(sharing).redo_log(redo_log).open(&path).unwrap();
            assert_has(&reopened, count);
            sound(&reopened);
            assert_eq!(has_log(&fs::read(&path).unwrap()), redo_log);
        }
        // Several writers have no log.
        let shared = write("shared.redb");
        let tracker = Tracker::options().sharing(Sharing::Writers).redo_log(true).open(&shared).unwrap();
        assert_has(&tracker, count);
        assert!(!has_log(&fs::read(&shared).unwrap()));
        let inspected = Tracker::options().sharing(sharing).inspect(write("inspected.redb")).unwrap();
        assert_has(&inspected, count);
        let (damaged, recovered) = (write("damaged.redb"), folder.path().join("recovered.redb"));
        Tracker::recover(&damaged, &recovered).unwrap();
        assert_has(&Tracker::open(&recovered).unwrap(), count);
    }
}

#[test]
fn without_its_log_the_same_file_has_lost_them() {
    let folder = tempfile::tempdir().unwrap();
    let (image, earlier, _) = lost_pages(folder.path(), Sharing::Readers);
    let path = folder.path().join("without.redb");
    let mut bytes = image[..start_of_log(&image)].to_vec();
    bytes[DESCRIPTOR..DESCRIPTOR + MAGIC.len()].fill(0);
    fs::write(&path, bytes).unwrap();
    assert_has(&Tracker::open(&path).unwrap(), earlier);
}

#[test]
fn file_has_no_log_unless_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    let tracker = Tracker::open(&path).unwrap();
    submit(&tracker, 0..60);
    assert!(!has_log(&fs::read(&path).unwrap()));
}

#[test]
fn backup_of_a_file_with_a_log_has_none() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("jobs.redb"), folder.path().join("copy.redb"));
    let tracker = Tracker::options().redo_log(true).open(&path).unwrap();
    submit(&tracker, 0..60);
    assert!(has_log(&fs::read(&path).unwrap()));
    tracker.backup(&copy).unwrap();
    assert!(!has_log(&fs::read(&copy).unwrap()));
    assert_has(&Tracker::inspect(&copy).unwrap(), 60);
    assert_has(&Tracker::inspect(&path).unwrap(), 60);
}

/// The simple form is a storage without a log, with as many flushes as redb asks for.
#[test]
fn file_with_a_log_holds_the_same_as_one_without() {
    for sharing in [Sharing::Exclusive, Sharing::Readers] {
        let logs = [None, Some(64 << 10), Some(384 << 10), Some(8 << 20)];
        let mut files = logs.map(|log| {
            let (disk, clock) = (Disk::default().with_log(log), ManualClock::new());
            let script = Script::open(&disk, sharing, &clock).unwrap();
            (disk, clock, script)
        });
        for step in SCRIPT {
            let looks = files.each_mut().map(|(_, _, script)| {
                (step.act)(script).unwrap();
                script.look().unwrap()
            });
            assert!(looks.iter().all(|look| *look == looks[0]), "{}, {sharing:?}", step.name);
        }
        let later = files[0].2.is_later();
        let crashed = files.each_ref().map(|(disk, clock, _)| {
            let image = Disk::with_bytes(disk.bytes());
            Snapshot::at(&image, sharing, clock, later).unwrap()
        });
        assert!(crashed.iter().all(|look| *look == crashed[0]), "{sharing:?}");
    }
}
