//! Tests of the async interface.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod budgets;
mod calls;
mod cancels;
mod prefetch;
mod resizes;
mod start_conditions;
mod subscriptions;
mod user_panics;
mod workers;

use std::{future::poll_fn, io, pin::pin, task::Poll, time::Duration};

use serde::{Deserialize, Serialize};
use tracker_core::{TaskStatus, Tasks, TrackedTask, Tracker, time::ManualClock};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
    Exhausted = 50,
    Cancelled = 60,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[task(name = "job", status = Status, max_attempts = 3, lease = "1m", backoff = "fixed(10s)")]
struct Job {
    #[task(id)]
    name: String,
    result: Option<u32>,
}

fn job(name: &str) -> Job {
    Job { name: name.to_owned(), result: None }
}

fn jobs(count: usize) -> (Tracker, ManualClock, Tasks<Job>) {
    let clock = ManualClock::new();
    let tracker = Tracker::options().clock(clock.clone()).in_memory().unwrap();
    let jobs = tracker.tasks::<Job>().unwrap();
    jobs.submit_all((0..count).map(|number| job(&number.to_string()))).unwrap();
    (tracker, clock, jobs)
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

type Io = Result<(), io::Error>;

/// Polls a future once, and drops it.
async fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
