//! Many callers at once: calls, transactions, progress and dropped executions share commits, and everybody is answered.

use std::thread;

use serde::{Deserialize, Serialize};
use tracker_core::{
    Error, ErrorKind, Sharing, TaskStatus, TrackedTask, Tracker,
    redb::{ReadableTable, TableDefinition},
};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
    Exhausted = 50,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "job", status = Status, max_attempts = 1)]
struct Job {
    #[task(id)]
    number: u32,
}

const TALLY: TableDefinition<&str, u64> = TableDefinition::new("tally");

#[test]
fn callers_of_all_sorts_are_all_answered_and_a_refusal_touches_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let tracker = Tracker::options().sharing(Sharing::Exclusive).open(folder.path().join("turns.redb")).unwrap();
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
