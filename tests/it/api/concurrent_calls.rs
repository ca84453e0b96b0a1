//! Tests many callers at once: calls, transactions, progress and dropped executions share commits, and all are
//! answered.

use std::thread;

use serde::{Deserialize, Serialize};
use tracker_core::{
    Error, ErrorKind, Submission, TrackedTask, Tracker,
    file::{Durability, Sharing},
    redb_store::{
        TransactionExt,
        redb::{ReadableTable, TableDefinition},
    },
    submit::SubmitOptions,
};

use crate::support::{
    kinds::Status,
    place::{self, OpenInPlace as _},
};

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "job", status = Status, max_attempts = 1)]
struct Job {
    #[task(id)]
    number: u32,
}

const TALLY: TableDefinition<&str, u64> = TableDefinition::new("tally");

#[test]
fn concurrent_callers_are_answered_and_refusals_are_isolated() {
    if place::is_only_for_files("redb tables") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let tracker = Tracker::options().sharing(Sharing::Exclusive).open_at(folder.path().join("turns.redb")).unwrap();
    let jobs = tracker.tasks::<Job>().unwrap();
    thread::scope(|scope| {
        for worker in 0..12_u32 {
            let (tracker, jobs) = (&tracker, &jobs);
            scope.spawn(move || {
                for round in 0..40_u32 {
                    let number = worker * 1000 + round;
                    jobs.submit(&Job { number }).unwrap();
                    assert_eq!(jobs.start(number + 1_000_000).unwrap_err().kind(), ErrorKind::NotFound);
                    match worker % 4 {
                        0 => tracker
                            .transaction(|tx| {
                                let mut tally = tx.table(TALLY)?;
                                let count = tally.get("done")?.map_or(0, |count| count.value());
                                tally.insert("done", count + 1)?;
                                drop(tally);
                                tx.submit(jobs, &Job { number: number + 500 })?;
                                Ok::<_, Error>(())
                            })
                            .unwrap(),
                        1 => {
                            let mut execution = jobs.start(number).unwrap();
                            execution.progress(1, Some(2), "half");
                            execution.succeed().unwrap();
                        }
                        2 => drop(jobs.start(number).unwrap()),
                        _ => jobs.remove(number).unwrap(),
                    }
                }
            });
        }
    });
    tracker.flush().unwrap();
    let counts = jobs.counts().unwrap();
    assert_eq!(counts.get(Status::Succeeded), 3 * 40);
    assert_eq!(counts.get(Status::Exhausted), 3 * 40, "dropped without an outcome");
    assert_eq!(counts.get(Status::Pending), 2 * 3 * 40);
    assert_eq!(tracker.verify().unwrap(), []);
    let tally =
        tracker.transaction(|tx| Ok::<_, Error>(tx.table(TALLY)?.get("done")?.map(|count| count.value()))).unwrap();
    assert_eq!(tally, Some(3 * 40));
}

#[test]
fn relaxed_submits_keep_order_and_become_durable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("relaxed.redb");
    let tracker = Tracker::options().durability(Durability::Relaxed).open_at(&path).unwrap();
    let jobs = tracker.tasks::<Job>().unwrap();
    // More than the queue holds: the caller waits for room, and everything comes in its order.
    for number in 0..20_000 {
        assert_eq!(jobs.submit(&Job { number }).unwrap().submission, Submission::Queued);
    }
    let durable = SubmitOptions::new().durability(Durability::Durable);
    assert_eq!(jobs.submit_with(&Job { number: 19_999 }, &durable).unwrap().submission, Submission::Existing);
    assert_eq!(
        jobs.counts().unwrap().total(),
        20_000,
        "what is queued before is in the same commit, or an earlier one"
    );
    let first: Vec<_> = jobs.query().by_creation().limit(3).ids().unwrap();
    assert_eq!(first.iter().map(ToString::to_string).collect::<Vec<_>>(), ["0", "1", "2"]);
    // No caller waits for it: the background thread commits it.
    jobs.submit(&Job { number: 20_000 }).unwrap();
    while jobs.counts().unwrap().total() < 20_001 {
        thread::yield_now();
    }
    jobs.submit(&Job { number: 20_001 }).unwrap();
    tracker.close().unwrap();
    let tracker = place::open(&path).unwrap();
    assert_eq!(tracker.tasks::<Job>().unwrap().counts().unwrap().total(), 20_002, "closing waits for what is queued");
    assert_eq!(tracker.verify().unwrap(), []);
}

/// The tracker's own thread has nothing to do and sleeps for a day; what is queued without waiting wakes it.
#[test]
fn queued_progress_is_committed_without_other_calls() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("asleep.redb");
    let open = || Tracker::options().prune_every(None).open_at(&path).unwrap();
    let tracker = open();
    drop(tracker.tasks::<Job>().unwrap());
    tracker.close().unwrap();
    let tracker = open();
    let jobs = tracker.tasks::<Job>().unwrap();
    let relaxed = SubmitOptions::new().durability(Durability::Relaxed);
    for number in 0..3 {
        // Time enough to fall asleep.
        (0..1_000).for_each(|_| thread::yield_now());
        jobs.submit_with(&Job { number }, &relaxed).unwrap();
        while jobs.get(number).unwrap().is_none() {
            thread::yield_now();
        }
    }
}
