//! Tests handlers that store their outcome themselves: a worker counts it, and a refused outcome leaves no lease.
#![allow(clippy::unwrap_used, reason = "tests")]

use serde::{Deserialize, Serialize};
use tracker_core::{Error, TaskStatus, Tasks, TrackedTask, Tracker, record::AttemptStatus};

/// It has no ignored: a handler that asks for it is refused.
#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Pending = 1,
    InProgress = 2,
    Failed = 3,
    Succeeded = 4,
    Exhausted = 5,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "job", status = Status, max_attempts = 1)]
struct Job {
    #[task(id)]
    id: u32,
}

fn jobs(count: u32) -> Tasks<Job> {
    let jobs = Tracker::in_memory().unwrap().tasks::<Job>().unwrap();
    jobs.submit_all((0..count).map(|id| Job { id })).unwrap();
    jobs
}

#[test]
fn outcomes_stored_by_handlers_are_counted_as_such() {
    let jobs = jobs(3);
    let summary = jobs
        .worker()
        .run(|job| match job.id {
            0 => job.give_up("no such host"),
            1 => job.fail("timeout"),
            _ => job.succeed(),
        })
        .unwrap();
    assert_eq!((summary.succeeded, summary.failed), (1, 2), "{summary}");
    assert_eq!(summary.errors.keys().collect::<Vec<_>>(), ["no such host", "timeout"]);
}

#[test]
fn refused_outcome_fails_its_task() {
    let jobs = jobs(1);
    let summary = jobs.worker().run(|job| job.ignore("not needed")).unwrap();
    assert_eq!(summary.failed, 1, "{summary}");
    let record = jobs.get(0).unwrap().unwrap();
    assert_eq!((record.status, record.lease), (Status::Exhausted, None));
    assert_eq!(record.history[0].status, AttemptStatus::Failed);
}

#[test]
fn failed_succeed_with_fails_its_task() {
    let jobs = jobs(1);
    let summary = jobs
        .worker()
        .run(|job| job.succeed_with(|_| Err::<(), anyhow::Error>(anyhow::anyhow!("the table is full"))))
        .unwrap();
    assert_eq!(summary.failed, 1, "{summary}");
    let record = jobs.get(0).unwrap().unwrap();
    assert_eq!((record.status, record.lease), (Status::Exhausted, None));
    assert_eq!(record.history[0].failure.as_ref().unwrap().error, "the table is full");
}

#[test]
fn panic_in_succeed_with_fails_its_task() {
    let jobs = jobs(1);
    let summary =
        jobs.worker().run(|job| job.succeed_with(|_| -> Result<(), Error> { panic!("out of range") })).unwrap();
    assert_eq!((summary.failed, summary.panicked), (1, 1), "{summary}");
    assert_eq!(jobs.get(0).unwrap().unwrap().status, Status::Exhausted);
}
