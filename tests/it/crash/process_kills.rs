//! Kills and stops processes in the middle of their work. Each logs its answers, and the file must agree with the logs.
//!
//! `TRACKER_KILLS=n` kills n times instead of 30.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command},
    thread,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tracker_core::{
    Error, ErrorKind, Execution, TrackedTask, Tracker,
    file::Sharing,
    redb_store::{TransactionExt, redb::TableDefinition},
};

use crate::support::{
    child_process,
    kinds::Status,
    random::{Random, setting},
};

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "job", status = Status, max_crashes = 4, lease = "400ms")]
struct Job {
    #[task(id)]
    name: String,
    /// The fence of the execution that finished it.
    done_by: u64,
}

fn job(name: impl Into<String>) -> Job {
    Job { name: name.into(), done_by: 0 }
}

/// A task that crashes in every process that is killed must not be given up for it here.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "tough", status = Status, max_crashes = 100_000, lease = "400ms")]
struct Tough {
    #[task(id)]
    name: String,
    done_by: u64,
}

/// The files of a test: the tracker file, and a log that all processes append to.
struct Place {
    _folder: tempfile::TempDir,
    file: PathBuf,
}

/// The printed lines: a word, a task, a fence.
fn say(file: &Path, word: &str, task: &str, fence: u64) {
    let mut said = OpenOptions::new().create(true).append(true).open(file.with_extension("said")).unwrap();
    said.write_all(format!("{word} {task} {fence}\n").as_bytes()).unwrap();
}

fn heard(file: &Path) -> Vec<(String, String, u64)> {
    let text = fs::read_to_string(file.with_extension("said")).unwrap_or_default();
    // A process may be inside its write: a line counts once its end is there.
    let complete = text.rfind('\n').map_or("", |end| &text[..end]);
    let lines = complete.lines().map(|line| {
        let parts: Vec<_> = line.split(' ').collect();
        (parts[0].to_owned(), parts[1].to_owned(), parts[2].parse().unwrap())
    });
    lines.collect()
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("jobs.redb");
        Self { _folder: folder, file }
    }

    fn start(&self, role: &str) -> Child {
        child_process::start(&[], role, &self.file)
    }

    fn errors(&self) -> String {
        child_process::errors(&self.file)
    }

    /// Waits until so many lines were said.
    fn wait_for(&self, lines: usize, children: &mut [Child]) {
        while heard(&self.file).len() < lines {
            for child in children.iter_mut() {
                assert!(child.try_wait().unwrap().is_none(), "a process ended by itself: {}", self.errors());
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// The work of the other processes.
pub fn play(role: &str, file: &Path) {
    match role {
        "toil alone" => toil(file, Sharing::Exclusive),
        "toil together" => toil(file, Sharing::Writers),
        "hold the lock" => hold_the_lock(file),
        "run poison" => run_poison(file),
        other => panic!("{other}?"),
    }
}

fn open(file: &Path, sharing: Sharing) -> Tracker {
    let options = || Tracker::options().sharing(sharing).busy_timeout(Duration::from_secs(30));
    loop {
        match options().open(file) {
            Ok(tracker) => return tracker,
            // The last process is not gone yet.
            Err(error) if error.kind() == ErrorKind::Busy => thread::sleep(Duration::from_millis(1)),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Submits and works, with three threads, for ever.
fn toil(file: &Path, sharing: Sharing) {
    let tracker = open(file, sharing);
    let jobs = tracker.tasks::<Tough>().unwrap();
    thread::scope(|scope| {
        for thread in 0..3 {
            let jobs = &jobs;
            scope.spawn(move || {
                for number in 0_u64.. {
                    if number.is_multiple_of(2) {
                        let name = format!("{}-{thread}-{number}", std::process::id());
                        jobs.submit(&Tough { name: name.clone(), done_by: 0 }).unwrap();
                        say(file, "submitted", &name, 0);
                    }
                    let Some(mut hand) = jobs.claim().unwrap() else { continue };
                    say(file, "claimed", &hand.name.clone(), hand.fence());
                    hand.done_by = hand.fence();
                    match hand.succeed() {
                        Ok(()) => say(file, "succeeded", &hand.name.clone(), hand.fence()),
                        Err(error) if error.kind() == ErrorKind::LeaseLost => {
                            say(file, "lost", &hand.name.clone(), hand.fence());
                        }
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
    });
}

/// The file holds everything that was printed, and no two processes did one task.
fn check(file: &Path, sharing: Sharing) {
    let said = heard(file);
    let tracker = open(file, sharing);
    assert_eq!(tracker.verify().unwrap(), []);
    let records = tracker.tasks::<Tough>().unwrap().query().fetch().unwrap();
    let records: BTreeMap<_, _> = records.into_iter().map(|record| (record.task.name.clone(), record)).collect();
    let (mut fences, mut claims, mut winners) = (BTreeSet::new(), BTreeMap::new(), BTreeMap::new());
    for (word, name, fence) in &said {
        let record = records.get(name).unwrap_or_else(|| panic!("{name} was {word} and is gone"));
        match word.as_str() {
            "claimed" => {
                assert!(fences.insert(*fence), "two claims have the fence {fence}");
                *claims.entry(name).or_insert(0) += 1;
            }
            "succeeded" => {
                assert_eq!(winners.insert(name, *fence), None, "{name} has succeeded twice");
                assert_eq!(record.status, Status::Succeeded, "the success of {name} is lost");
                assert_eq!(record.task.done_by, *fence, "{name} was overwritten");
            }
            "lost" => assert_ne!(record.task.done_by, *fence, "{name} holds what was refused"),
            _ => {}
        }
    }
    for (name, record) in &records {
        let claims = claims.get(name).copied().unwrap_or(0);
        assert!(record.attempts >= claims, "{name} was claimed {claims} times and counts {}", record.attempts);
        assert_ne!(record.status, Status::Exhausted, "{name}");
    }
}

fn kills() -> u64 {
    setting("TRACKER_KILLS").unwrap_or(30)
}

#[test]
fn killed_program_loses_nothing_and_repeats_nothing() {
    let place = Place::new();
    let seed = setting("TRACKER_SEED").unwrap_or(1);
    let mut random = Random::new(seed);
    for kill in 1..=kills() {
        let mut child = place.start("toil alone");
        place.wait_for(heard(&place.file).len() + 1 + random.below(40), std::slice::from_mut(&mut child));
        thread::sleep(Duration::from_micros(random.number() % 2_000));
        child.kill().unwrap();
        child.wait().unwrap();
        if kill % 5 == 0 {
            check(&place.file, Sharing::Exclusive);
        }
    }
    check(&place.file, Sharing::Exclusive);
    println!("{} kills, {} lines", kills(), heard(&place.file).len());
}

#[test]
fn shared_file_survives_kills_and_stops_past_the_lease() {
    let place = Place::new();
    let mut random = Random::new(setting("TRACKER_SEED").unwrap_or(2));
    let mut children: Vec<_> = (0..3).map(|_| place.start("toil together")).collect();
    for _ in 0..kills().div_ceil(3) {
        place.wait_for(heard(&place.file).len() + 1 + random.below(60), &mut children);
        let one = random.below(children.len());
        if random.below(3) == 0 {
            // Beyond its leases. The others go on unless it was stopped in a commit: then they wait for it.
            signal(&children[one], "STOP");
            thread::sleep(Duration::from_millis(600));
            signal(&children[one], "CONT");
        } else {
            children[one].kill().unwrap();
            children[one].wait().unwrap();
            children[one] = place.start("toil together");
        }
    }
    for child in &mut children {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    check(&place.file, Sharing::Writers);
}

const NOTES: TableDefinition<&str, u64> = TableDefinition::new("notes");

/// Begins a transaction, logs that, and never ends it.
fn hold_the_lock(file: &Path) {
    let tracker = open(file, Sharing::Writers);
    let held: Result<(), Error> = tracker.transaction(|tx| {
        tx.table(NOTES)?.insert("held", 1)?;
        say(file, "holds", "the-lock", 0);
        loop {
            thread::park();
        }
    });
    held.unwrap();
}

#[test]
fn stopped_holder_of_the_write_lock_makes_others_busy() {
    let place = Place::new();
    let tracker =
        Tracker::options().sharing(Sharing::Writers).busy_timeout(Duration::from_millis(50)).open(&place.file).unwrap();
    let jobs = tracker.tasks::<Job>().unwrap();
    jobs.submit(&job("before")).unwrap();
    let mut holder = place.start("hold the lock");
    place.wait_for(1, std::slice::from_mut(&mut holder));
    assert_eq!(jobs.submit(&job("meanwhile")).unwrap_err().kind(), ErrorKind::Busy);
    signal(&holder, "STOP");
    assert_eq!(jobs.claim().unwrap_err().kind(), ErrorKind::Busy);
    assert!(jobs.get("before").unwrap().is_some(), "reading needs no lock");
    holder.kill().unwrap();
    holder.wait().unwrap();
    jobs.submit(&job("after")).unwrap();
    jobs.claim().unwrap().unwrap().succeed().unwrap();
    assert!(jobs.get("meanwhile").unwrap().is_none(), "what was refused is not there");
    tracker
        .transaction(|tx| {
            assert!(tracker_core::redb_store::redb::ReadableTable::get(&tx.table(NOTES)?, "held")?.is_none());
            Ok::<_, Error>(())
        })
        .unwrap();
    assert_eq!(tracker.verify().unwrap(), []);
}

/// A worker with three threads, one of whose tasks ends the process as soon as others are at work.
fn run_poison(file: &Path) {
    let tracker = open(file, Sharing::Exclusive);
    let jobs = tracker.tasks::<Job>().unwrap();
    let summary = jobs.worker().threads(3).run(|job: &mut Execution<Job>| {
        say(file, "claimed", &job.name.clone(), job.fence());
        if job.name == "poison" {
            std::process::abort();
        }
        // The neighbours are still at work when the poison works.
        thread::sleep(Duration::from_millis(2));
        Ok::<_, std::io::Error>(())
    });
    summary.unwrap();
}

#[test]
fn worker_isolates_a_task_that_kills_its_process() {
    let place = Place::new();
    let tracker = open(&place.file, Sharing::Exclusive);
    let names = ["a", "b", "poison", "c", "d", "e", "f", "g"];
    tracker.tasks::<Job>().unwrap().submit_all(names.map(job)).unwrap();
    tracker.close().unwrap();
    let mut deaths = 0;
    while !place.start("run poison").wait().unwrap().success() {
        deaths += 1;
        assert!(deaths < 10, "it goes on for ever: {}", place.errors());
    }
    let tracker = open(&place.file, Sharing::Exclusive);
    for name in names {
        let record = tracker.tasks::<Job>().unwrap().get(name).unwrap().unwrap();
        if name == "poison" {
            assert_eq!((record.status, record.crashes), (Status::Exhausted, 4));
        } else {
            assert_eq!(record.status, Status::Succeeded, "{name}");
        }
    }
    assert_eq!(deaths, 4);
    assert_eq!(tracker.verify().unwrap(), []);
}
