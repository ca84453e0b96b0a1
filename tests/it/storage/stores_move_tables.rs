//! A place with rows in every table of the store, for tests of moves, and its way from place to place.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use tracker_core::{
    TrackedTask, Tracker,
    dependency::OnDependencyFailure,
    maintenance::MovePlace,
    schedule::Schedule,
    store::{MemoryStore, OptionsExt as _, StoreTable},
    submit::SubmitOptions,
    time::ManualClock,
};

use super::{
    stores_move::{at, lines, moved, on, open_disk},
    stores_move_faults::{result, source},
};
use crate::support::{
    faulty_store::{Fate, FaultyStore},
    kinds::{Job, MINUTE, Page, Status, job, page},
    place::TestStore,
    test_disk::Disk,
};

/// Has a rate, and one at a time of a host and two of a region.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "fetch", status = Status, lease = "1d", rate = "9/1h")]
struct Fetch {
    #[task(id)]
    number: u32,
    #[task(index, limit = 1)]
    host: u32,
    #[task(index, limit = 2)]
    region: String,
}

/// Needs as much memory as its size.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "load", status = Status, needs(mem = "size"), lease = "1d")]
struct Load {
    #[task(id)]
    number: u32,
    #[task(index)]
    size: u64,
}

/// Dependents of a task: more than its end reaches in its own commit.
const DEPENDENTS: usize = 1_020;

/// Attempts in progress under limits and a budget, with progress and a submit that waits for their end; schedules and throttles. Executions are
/// detached, so that no open of a file takes their lease.
fn fill(tracker: &Tracker) {
    let fetches = tracker.tasks::<Fetch>().unwrap();
    fetches.submit_all((0..7).map(|number| Fetch { number, host: number % 3, region: "north".to_owned() })).unwrap();
    fetches.claim().unwrap().unwrap().detach().unwrap();

    tracker.set_budget("mem", 4).unwrap();
    let loads = tracker.tasks::<Load>().unwrap();
    loads.submit_all((0..).zip([3, 2, 1]).map(|(number, size)| Load { number, size })).unwrap();
    for number in [0, 2] {
        let claimed = loads.claim().unwrap().unwrap();
        assert_eq!(claimed.number, number, "the first that fits");
        claimed.detach().unwrap();
    }

    let pages = tracker.tasks::<Page>().unwrap();
    pages.submit(&page("running", 1)).unwrap();
    let mut running = pages.start("running").unwrap();
    running.progress(3, Some(9), "on the way");
    tracker.flush().unwrap();
    pages.submit(&page("running", 2)).unwrap();
    running.detach().unwrap();

    let jobs = tracker.tasks::<Job>().unwrap();
    jobs.submit_with(&job("throttled"), &SubmitOptions::new().throttle("hourly", MINUTE * 60)).unwrap();
    let schedule = Schedule::dates([tracker.now() + TimeDelta::days(40_000)]).unwrap();
    let template = r#"{"name": "{id}", "host": "x", "result": null}"#;
    tracker.add_schedule("distant", "job", &schedule, template).unwrap();
}

/// Has rows in every table. One end of a task is not propagated to all dependents.
pub(super) fn filled(clock: &ManualClock) -> MemoryStore {
    let memory = MemoryStore::new();
    moved(clock, on(&source(clock, 20)), MovePlace::store(memory.clone()));
    let has_ended = AtomicBool::new(false);
    // The commits that would reach the other dependents fail.
    let store = FaultyStore::new(&memory, move |_, changes| {
        if has_ended.load(Ordering::Relaxed) {
            return Fate::Fails;
        }
        let is_end = changes.rows.iter().any(|row| row.table == StoreTable::Propagations && row.value.is_some());
        has_ended.store(is_end, Ordering::Relaxed);
        Fate::Done
    });
    let tracker = at(clock).open_store(store).unwrap();
    fill(&tracker);
    let jobs = tracker.tasks::<Job>().unwrap();
    jobs.submit(&job("first")).unwrap();
    let options = SubmitOptions::new().after(&jobs, "first", OnDependencyFailure::Run);
    jobs.submit_all_with((0..DEPENDENTS).map(|number| job(&format!("after {number}"))), &options).unwrap();
    jobs.start("first").unwrap().succeed().unwrap();
    memory
}

#[test]
fn fixture_of_the_moves_has_rows_in_every_table() {
    let clock = ManualClock::new();
    let tables = Arc::new(Mutex::new(BTreeSet::new()));
    let seen = tables.clone();
    let watched = FaultyStore::new(&MemoryStore::new(), move |_, changes| {
        let rows = changes.rows.iter().filter(|row| row.value.is_some());
        seen.lock().unwrap().extend(rows.map(|row| row.table));
        Fate::Done
    });
    moved(&clock, MovePlace::store(filled(&clock)), MovePlace::store(watched));
    let seen = tables.lock().unwrap();
    let empty: Vec<_> = StoreTable::ALL.iter().filter(|table| !seen.contains(table)).collect();
    assert!(empty.is_empty(), "no rows in {empty:?}");
}

#[test]
fn rows_of_every_table_move_unchanged() {
    let clock = ManualClock::new();
    let (first, disk, store, last) = (filled(&clock), Disk::default(), TestStore::new(), Disk::default());
    let reports = [
        moved(&clock, MovePlace::store(first.clone()), on(&disk)),
        moved(&clock, on(&disk), store.place()),
        moved(&clock, store.place(), on(&last)),
    ];
    let reports = reports.map(result);
    assert!(reports.iter().all(|report| *report == reports[0]), "{reports:?}");
    // What was under way goes on at each end.
    at(&clock).undo_move(MovePlace::store(first.clone())).unwrap();
    let expected = lines(at(&clock).open_store(first).unwrap());
    assert_eq!(lines(open_disk(&last, &clock)), expected);
}
