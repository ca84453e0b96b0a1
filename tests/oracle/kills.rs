//! Kills processes that submit, claim, end and cancel tasks of three kinds, in each sharing mode. After each kill the
//! file is opened, verified and read.

use std::{
    ops::Range,
    path::{Path, PathBuf},
    process::Child,
    thread,
    time::Duration,
};

use tracker_core::file::Sharing;

use crate::{
    checker::{self, Figures},
    child,
    client::{AllTasks, Client, Held, Plan},
    log::{self, Event, Log},
    random::{Random, seed, setting},
};

/// Kills after which a new file begins.
const KILLS_PER_FILE: u64 = 10;
/// New tasks of each kind in each process.
const NEW_TASKS: u32 = 12;
/// Bytes of the log, at most, between two kills.
const LOG_PER_KILL: usize = 40_000;
const THREADS: u64 = 3;

fn sharing(mode: &str) -> Sharing {
    match mode {
        "exclusive" => Sharing::Exclusive,
        "readers" => Sharing::Readers,
        _ => Sharing::Writers,
    }
}

/// Leases of killed processes end when the file is opened, except in the writers mode: there they must run out.
fn lease(mode: &str) -> Duration {
    if mode == "writers" { Duration::from_millis(250) } else { Duration::from_secs(60) }
}

fn number_of(process: &str) -> u32 {
    process[1..].parse().unwrap()
}

/// The tasks that a process of this number may use: those of its own, and of the two before it.
fn tasks_of(process: u32) -> Range<u32> {
    process.saturating_sub(2) * NEW_TASKS..(process + 1) * NEW_TASKS
}

pub fn run_child(name: &str, file: &Path, mode: &str) {
    let log = Log::file(&file.with_extension("log"));
    let tracker = child::open(file, sharing(mode));
    let tasks = AllTasks::open(&tracker).unwrap();
    let number = number_of(name);
    let range = tasks_of(number);
    let plan = Plan { first: range.start, tasks: range.end - range.start, lease: lease(mode), contended: false };
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (log, tasks, plan) = (&log, &tasks, &plan);
            scope.spawn(move || {
                let random = Random::new(seed() << 32 | u64::from(number) << 8 | thread);
                let mut client = Client { log, name: format!("{name}.{thread}"), random };
                let mut held = Held::default();
                loop {
                    client.step(tasks, &mut held, plan);
                }
            });
        }
    });
}

/// A file, and the processes that work on it.
struct Site {
    _folder: tempfile::TempDir,
    file: PathBuf,
    log: PathBuf,
    mode: &'static str,
    started: u32,
}

impl Site {
    fn new(mode: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tasks.redb");
        Self { _folder: folder, log: file.with_extension("log"), file, mode, started: 0 }
    }

    fn start(&mut self) -> (String, Child) {
        let name = format!("p{}", self.started);
        self.started += 1;
        let child = child::start(&format!("kills {}", self.mode), &name, &self.file);
        (name, child)
    }

    fn kill(&self, name: &str, child: &mut Child) {
        let log = Log::file(&self.log);
        log.write(Event::Dying { process: name.to_owned() });
        child.kill().unwrap();
        child.wait().unwrap();
        log.write(Event::Dead { process: name.to_owned() });
    }

    /// Opens the file as process `name`, verifies it, and reads all tasks.
    fn compare(&self, name: &str, only_process: bool) {
        let log = Log::file(&self.log);
        let tracker = child::open(&self.file, sharing(self.mode));
        let tasks = AllTasks::open(&tracker).unwrap();
        assert_eq!(tracker.verify().unwrap(), []);
        let client = Client { log: &log, name: format!("{name}.0"), random: Random::new(0) };
        client.get_all(&tasks, 0..self.started * NEW_TASKS);
        if only_process && self.mode != "writers" {
            let seen = log::read(&self.log);
            let last = seen.iter().rev().take_while(|entry| !matches!(entry.event, Event::Dead { .. }));
            let leased = last.filter(|entry| is_leased(entry)).count();
            assert_eq!(leased, 0, "leases of dead processes");
        }
        drop(tasks);
        tracker.close().unwrap();
    }
}

fn is_leased(entry: &log::Entry) -> bool {
    matches!(&entry.event, Event::Answered { answer: log::Answer::Record(Some(seen)), .. } if seen.fence.is_some())
}

/// Kills so many times in one file, each time after up to so many bytes of the log. Returns the log.
fn attack(mode: &'static str, kills: u64, bytes: usize, random: &mut Random) -> Vec<log::Entry> {
    let mut site = Site::new(mode);
    let together = if mode == "writers" { 2 } else { 1 };
    let mut processes: Vec<_> = (0..together).map(|_| site.start()).collect();
    for kill in 0..kills {
        let target = random.below(processes.len());
        let bytes = log::length(&site.log) + 1 + random.below(bytes) as u64;
        let (name, child) = &mut processes[target];
        assert!(child::wait_for_log(&site.file, bytes, child), "a process ended: {}", child::errors(&site.file));
        thread::sleep(Duration::from_micros(random.number() % 2_000));
        let name = name.clone();
        site.kill(&name, child);
        processes.swap_remove(target);
        site.compare(&format!("c{kill}"), processes.is_empty());
        if kill + 1 < kills {
            processes.push(site.start());
        }
    }
    for (name, mut child) in processes {
        site.kill(&name, &mut child);
    }
    site.compare("last", true);
    log::read(&site.log)
}

fn attack_all(mode: &'static str) {
    let kills = setting("TRACKER_KILLS", 6);
    let mut random = Random::new(seed() ^ mode.len() as u64);
    let (mut figures, mut left, mut files) = (Figures::default(), kills, 0);
    while left > 0 {
        let some = left.min(KILLS_PER_FILE);
        let entries = attack(mode, some, LOG_PER_KILL, &mut random);
        match checker::check(&entries) {
            Ok(checked) => figures += checked,
            Err(what) => panic!("{mode}, seed {}, file {files}: {what}{}", seed(), log::kept(&entries)),
        }
        left -= some;
        files += 1;
    }
    println!("{mode}: {kills} kills in {files} files: {figures:?}");
    assert!(figures.open >= kills / 2 && figures.successes > kills, "the kills hit nothing: {figures:?}");
}

#[test]
fn kills_in_exclusive_mode_lose_nothing_acknowledged() {
    attack_all("exclusive");
}

#[test]
fn kills_in_readers_mode_lose_nothing_acknowledged() {
    attack_all("readers");
}

#[test]
fn kills_in_writers_mode_lose_nothing_acknowledged() {
    attack_all("writers");
}

/// The log of a short attack, for the controls.
pub fn log_of_an_attack(seed: u64) -> Vec<log::Entry> {
    attack("exclusive", 3, 3 * LOG_PER_KILL, &mut Random::new(seed))
}
