//! How fast a move is. `TRACKER_TASKS=100000` measures, on a server with `TRACKER_TEST_STORE=postgres`; without the number, a few tasks are moved.
//! The number of round trips is checked on a store in memory.

use std::time::{Duration, Instant};

use tracker_core::{
    maintenance::{MovePlace, MoveStep},
    store::MemoryStore,
    time::ManualClock,
};

use super::{
    stores_move::{at, moved, on},
    stores_move_faults::source,
};
use crate::support::{
    kinds::{Job, fine, job},
    place::TestStore,
    random::setting,
    test_disk::Disk,
};

/// Moves, and prints the rate and the time of each step.
fn timed(clock: &ManualClock, what: &str, from: MovePlace, to: MovePlace) -> u64 {
    let (begin, mut steps) = (Instant::now(), [Duration::ZERO; 3]);
    let moved = at(clock).move_tasks(from, to, |progress| {
        let step = match progress.step {
            MoveStep::CopyRows => 0,
            MoveStep::ReadSource => 1,
            _ => 2,
        };
        steps[step] = begin.elapsed();
    });
    let (moved, took) = (moved.unwrap(), begin.elapsed());
    let tasks = moved.kinds.iter().map(|kind| kind.tasks).sum::<u64>();
    let [copied, read_source, _] = steps;
    let rate = u128::from(tasks) * 1_000 / took.as_millis().max(1);
    println!(
        "{what}: {tasks} tasks in {took:.1?}, {rate} tasks/s; copied after {copied:.1?}, source read after {read_source:.1?}"
    );
    tasks
}

#[test]
fn moves_between_files_and_stores_are_measured() {
    let tasks = setting("TRACKER_TASKS").unwrap_or(50);
    let (clock, folder) = (ManualClock::new(), tempfile::tempdir().unwrap());
    let (store, other) = (TestStore::new(), TestStore::new());
    let (first, last) = (folder.path().join("first.redb"), folder.path().join("last.redb"));
    let tracker = at(&clock).open(&first).unwrap();
    let jobs = tracker.tasks::<Job>().unwrap();
    jobs.submit_all((0..tasks / 2).map(|number| job(&format!("done {number}")))).unwrap();
    jobs.worker().prefetch(64).run(|_| fine()).unwrap();
    jobs.submit_all((tasks / 2..tasks).map(|number| job(&format!("waiting {number}")))).unwrap();
    tracker.close().unwrap();
    let there = timed(&clock, "file to store", MovePlace::file(&first), store.place());
    let beside = timed(&clock, "store to store", store.place(), other.place());
    let back = timed(&clock, "store to file", other.place(), MovePlace::file(&last));
    assert_eq!([there, beside, back], [tasks; 3]);
}

#[test]
fn round_trips_of_a_move_grow_with_thousands_of_tasks() {
    let clock = ManualClock::new();
    let loads = |tasks: usize| {
        let (from, store) = (source(&clock, tasks), MemoryStore::new());
        let before = MemoryStore::loads_of_this_thread();
        moved(&clock, on(&from), MovePlace::store(store.clone()));
        let there = MemoryStore::loads_of_this_thread() - before;
        moved(&clock, MovePlace::store(store), on(&Disk::default()));
        [there, MemoryStore::loads_of_this_thread() - before - there]
    };
    let (few, many) = (loads(1_000), loads(4_000));
    // A row of a task, an id, an index value, a place in the claim order: each of these tables is read twice for a thousand rows.
    let grown = [many[0] - few[0], many[1] - few[1]];
    assert!(grown.iter().all(|loads| *loads <= 3 * 2 * 8), "{few:?} loads with 1,000 tasks, {many:?} with 4,000");
}
