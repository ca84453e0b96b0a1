//! Processes and threads claim, steal, renew and end the same few tasks under short leases.

use std::{path::Path, thread, time::Duration};

use tracker_core::{
    Tracker,
    file::Sharing,
    time::{Clock, ManualClock},
};

use crate::{
    checker::{self, Figures},
    client::{AllTasks, Client, Held, Plan},
    kinds::Task,
    log::{self, Log},
    random::{Random, seed, setting},
};

const TASKS: u32 = 2;

fn rounds() -> u64 {
    setting("TRACKER_ROUNDS", 150)
}

fn plan(lease: Duration) -> Plan {
    Plan { first: 0, tasks: TASKS, lease, contended: true }
}

fn submit_all(client: &mut Client<'_>, tasks: &AllTasks) {
    fn submit<T: Task>(client: &mut Client<'_>, tasks: &tracker_core::Tasks<T>) {
        (0..TASKS).for_each(|task| client.submit(tasks, task));
    }
    submit(client, &tasks.short);
    submit(client, &tasks.named);
    submit(client, &tasks.endless);
}

fn judge(what: &str, entries: &[log::Entry]) -> Figures {
    let figures = checker::check(entries)
        .unwrap_or_else(|contradiction| panic!("{what}, seed {}: {contradiction}{}", seed(), log::kept(entries)));
    println!("{what}: {figures:?}");
    assert!(figures.stale > 0 && figures.attempts > 40, "there was no contention: {figures:?}");
    figures
}

/// Contention of threads on a clock that they move. Returns the log.
pub fn log_of_threads(rounds: u64) -> Vec<log::Entry> {
    const THREADS: u64 = 6;
    let clock = ManualClock::new();
    let time = clock.clone();
    let log = Log::memory(move || time.now().wall.timestamp_micros());
    let tracker = Tracker::options().clock(clock.clone()).in_memory().unwrap();
    let tasks = AllTasks::open(&tracker).unwrap();
    let mut first = Client { log: &log, name: "main.0".to_owned(), random: Random::new(seed()) };
    submit_all(&mut first, &tasks);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (log, tasks, clock) = (&log, &tasks, &clock);
            scope.spawn(move || {
                let random = Random::new(seed() << 16 | thread);
                let mut client = Client { log, name: format!("p.{thread}"), random };
                let mut held = Held::default();
                for _ in 0..rounds {
                    client.step(tasks, &mut held, &plan(Duration::from_secs(1)));
                    if client.random.below(8) == 0 {
                        clock.advance(Duration::from_millis(client.random.number() % 400));
                    }
                }
                client.release_all(held);
            });
        }
    });
    first.get_all(&tasks, 0..TASKS);
    assert_eq!(tracker.verify().unwrap(), []);
    log.entries()
}

#[test]
fn owners_on_many_threads_exclude_each_other() {
    judge("threads", &log_of_threads(rounds()));
}

#[cfg(unix)]
pub fn run_child(name: &str, file: &Path) {
    let log = Log::file(&file.with_extension("log"));
    let tracker = crate::child::open(file, Sharing::Writers);
    let tasks = AllTasks::open(&tracker).unwrap();
    thread::scope(|scope| {
        for thread in 0..2 {
            let (log, tasks) = (&log, &tasks);
            scope.spawn(move || {
                let process: u64 = name[1..].parse().unwrap();
                let random = Random::new(seed() << 16 | process << 8 | thread);
                let mut client = Client { log, name: format!("{name}.{thread}"), random };
                let mut held = Held::default();
                for _ in 0..rounds() {
                    // Shorter than a few calls.
                    let lease = Duration::from_millis(1 + client.random.number() % 20);
                    client.step(tasks, &mut held, &plan(lease));
                }
                client.release_all(held);
            });
        }
    });
    drop(tasks);
    tracker.close().unwrap();
}

#[cfg(unix)]
#[test]
fn owners_in_several_processes_exclude_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tasks.redb");
    let path = file.with_extension("log");
    let log = Log::file(&path);
    let tracker = crate::child::open(&file, Sharing::Writers);
    let tasks = AllTasks::open(&tracker).unwrap();
    let mut first = Client { log: &log, name: "main.0".to_owned(), random: Random::new(seed()) };
    submit_all(&mut first, &tasks);
    let children: Vec<_> =
        (0..3).map(|number| crate::child::start("ownership", &format!("p{number}"), &file)).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success(), "{}", crate::child::errors(&file));
    }
    first.get_all(&tasks, 0..TASKS);
    assert_eq!(tracker.verify().unwrap(), []);
    judge("processes", &log::read(&path));
}
