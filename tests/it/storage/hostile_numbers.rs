//! Tests numbers and times at the end of their range, in a file with valid checksums.

use std::path::{Path, PathBuf};

use chrono::{TimeDelta, Utc};
use tempfile::TempDir;
use tracker_core::{ErrorKind, Tracker, batch::BatchOptions, status::Role};

use crate::support::{
    kinds::{Job, job, jobs, refused, sound},
    rows::{Record, change_batches, change_headers, change_state},
};

/// A closed file with three tasks, one of them in a batch.
fn file() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    let tracker = Tracker::open(&path).unwrap();
    let tasks = jobs(&tracker, &["a", "b"]);
    tasks.submit_batch("batch", [job("c")], &BatchOptions::new()).unwrap();
    drop(tasks);
    tracker.close().unwrap();
    (folder, path)
}

fn is_corrupted<T>(what: &str, result: tracker_core::Result<T>) {
    let error = result.map(drop).expect_err(what);
    assert_eq!(error.kind(), ErrorKind::Corrupted, "{what}: {error}");
}

/// Opens the file, hands the tasks to `work`, and expects the three tasks of the file as they were.
fn tasks_survive(path: &Path, work: impl FnOnce(&Tracker, &tracker_core::Tasks<Job>)) {
    let tracker = Tracker::open(path).unwrap();
    let tasks = tracker.tasks::<Job>().unwrap();
    work(&tracker, &tasks);
    for name in ["a", "b", "c"] {
        assert_eq!(tasks.get(name).unwrap().unwrap().task.name, name);
    }
}

#[test]
fn sequence_at_its_end_refuses_new_tasks() {
    let (_folder, path) = file();
    change_state(&path, |state| state.put(u64::MAX));
    tasks_survive(&path, |tracker, tasks| {
        is_corrupted("submit", tasks.submit(&job("new")));
        is_corrupted("submit_all", tasks.submit_all(["x", "y"].map(job)));
        is_corrupted("open_batch", tracker.open_batch("other", &BatchOptions::new()));
        is_corrupted("transaction", tracker.transaction(|tx| tx.submit(tasks, &job("new"))));
    });
}

#[test]
fn sequence_that_fell_never_overwrites_a_task() {
    let (_folder, path) = file();
    for next in [0, 1, 2] {
        change_state(&path, |state| state.put(next));
        tasks_survive(&path, |tracker, tasks| {
            let found = tracker.verify().unwrap();
            assert!(found.iter().any(|found| found.table == "tracker.meta"), "{found:?}");
            if next > 0 {
                is_corrupted("submit", tasks.submit(&job("new")));
            }
            is_corrupted("submit_all", tasks.submit_all(["x", "y", "z"].map(job)));
        });
    }
    // The number of the batch.
    change_state(&path, |state| state.put(3));
    tasks_survive(&path, |tracker, _| {
        is_corrupted("open_batch", tracker.open_batch("other", &BatchOptions::new()));
    });
}

#[test]
fn fence_at_its_end_refuses_claims() {
    let (_folder, path) = file();
    let next_fence = |state: &mut Record| {
        state.number();
        state.put(u64::MAX);
    };
    change_state(&path, next_fence);
    tasks_survive(&path, |_, tasks| {
        is_corrupted("claim", tasks.claim());
        is_corrupted("start", tasks.start("a"));
        assert_eq!(tasks.get("a").unwrap().unwrap().attempts, 0);
    });
}

#[test]
fn fence_that_fell_is_not_given_out_again() {
    let (_folder, path) = file();
    tasks_survive(&path, |_, tasks| {
        tasks.start("a").unwrap().succeed().unwrap();
        tasks.requeue("a").unwrap();
    });
    change_state(&path, |state| {
        state.number();
        state.put(1);
    });
    tasks_survive(&path, |tracker, tasks| {
        is_corrupted("start", tasks.start("a"));
        let found = tracker.verify().unwrap();
        assert!(found.iter().any(|found| found.table == "tracker.meta" && found.what.contains("fence")), "{found:?}");
    });
}

#[test]
fn change_number_at_its_end_refuses_writes() {
    let (_folder, path) = file();
    change_state(&path, |state| {
        for _ in 0..3 {
            state.number();
        }
        state.skip(16);
        state.number();
        state.put(u64::MAX);
    });
    tasks_survive(&path, |_, tasks| is_corrupted("submit", tasks.submit(&job("new"))));
}

#[test]
fn batches_with_the_largest_counters_are_listed() {
    let (_folder, path) = file();
    change_batches(&path, |batch| {
        let label = usize::try_from(batch.number()).unwrap();
        batch.skip(label);
        batch.number();
        // Sealed, not finished, has dependents.
        batch.skip(3);
        for _ in 0..2 * Role::ALL.len() {
            batch.put(u64::MAX);
        }
        batch.put(u64::MAX);
    });
    let tracker = Tracker::inspect(&path).unwrap();
    let batches = tracker.batches(10).unwrap();
    assert_eq!((batches.len(), batches[0].total(), batches[0].open()), (1, u64::MAX, u64::MAX));
    assert!((0.0..=1.0).contains(&batches[0].progress()));
}

#[test]
fn recover_takes_no_time_from_the_future() {
    let (folder, path) = file();
    change_headers(&path, |header| {
        header.number();
        header.skip(1);
        header.put_signed(i64::MAX);
        header.put_signed(i64::MAX);
    });
    let saved = folder.path().join("saved.redb");
    let report = Tracker::recover(&path, &saved).unwrap();
    assert_eq!((report.tasks, report.lost.len()), (3, 0), "{report:?}");
    let tracker = Tracker::open(&saved).unwrap();
    sound(&tracker);
    assert!(tracker.now() < Utc::now() + TimeDelta::hours(1), "{}", tracker.now());
    let tasks = tracker.tasks::<Job>().unwrap();
    let held = tasks.claim().unwrap().unwrap();
    assert_eq!(tracker.rescue().unwrap(), [], "the lease holds");
    assert_ne!(tasks.claim().unwrap().unwrap().id(), held.id());
}

/// Gives the first task a status that its kind does not have.
fn with_unknown_status(path: &Path) {
    let first = std::cell::Cell::new(true);
    change_headers(path, |header| {
        if first.replace(false) {
            header.put_signed32(77);
        }
    });
}

#[test]
fn change_of_task_in_unknown_status_is_refused_once() {
    let (_folder, path) = file();
    let record = Tracker::open(&path).unwrap().untyped("job").unwrap().get("a").unwrap().unwrap();
    with_unknown_status(&path);
    let tracker = Tracker::open(&path).unwrap();
    let tasks = tracker.tasks::<Job>().unwrap();
    let mut changes = 0;
    let error = refused(tasks.update("a", |_| changes += 1), ErrorKind::NotStartable);
    assert_eq!(changes, 1, "the change is not tried again");
    assert!(error.to_string().contains("77"), "{error}");
    let untyped = tracker.untyped("job").unwrap();
    refused(untyped.replace("a", record.revision, &record.task), ErrorKind::NotStartable);
}

#[test]
fn page_lists_task_in_unknown_status_as_unreadable() {
    let (_folder, path) = file();
    with_unknown_status(&path);
    let tracker = Tracker::open(&path).unwrap();
    let tasks = tracker.tasks::<Job>().unwrap();
    let untyped = tracker.untyped("job").unwrap();
    let page = untyped.query().by_creation().fetch().unwrap();
    assert_eq!((page.len(), page.unreadable.len()), (2, 1));
    assert_eq!(page.unreadable[0].id.as_str(), Some("a"));
    assert!(page.unreadable[0].error.to_string().contains("77"), "{}", page.unreadable[0].error);
    let page = tasks.query().by_creation().fetch().unwrap();
    assert_eq!((page.len(), page.unreadable.len()), (2, 1));
}
