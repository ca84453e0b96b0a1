//! Tests of the threads of a pool: threads that the system refuses, resizes, panics, and the end of a pool.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io,
    sync::{Arc, atomic::Ordering::SeqCst},
};

use serde::{Deserialize, Serialize};

use crate::{
    ErrorKind, TaskStatus, TrackedTask, Tracker,
    model::error::Result,
    worker::{PoolSize, Settings, Summary, WorkerPool, config::Observed},
};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Pending = 1,
    InProgress = 2,
    Succeeded = 3,
    Exhausted = 4,
}

#[derive(TrackedTask, Serialize, Deserialize)]
#[task(name = "job", status = Status)]
struct Job {
    #[task(id)]
    number: u32,
}

/// Runs a worker on `tasks` tasks, with this many threads.
fn run(tasks: u32, threads: usize, prefetch: usize, observed: Observed) -> (Result<Summary>, Arc<Observed>) {
    let tracker = Tracker::in_memory().unwrap();
    let jobs = tracker.tasks::<Job>().unwrap();
    jobs.submit_all((0..tasks).map(|number| Job { number })).unwrap();
    let observed = Arc::new(observed);
    let settings =
        Settings { size: PoolSize::new(threads), prefetch, observed: observed.clone(), ..Settings::default() };
    let summary = WorkerPool::with(settings).serve(&jobs, |_| {
        // The other threads have looked, and sleep.
        (0..10_000).for_each(|_| std::thread::yield_now());
        Ok::<_, io::Error>(())
    });
    let summary = summary.run();
    (summary, observed)
}

#[test]
fn refused_thread_leaves_the_others_at_work() {
    // One thread keeps the leases alive.
    for (most, prefetch) in [(2, 0), (4, 0), (4, 16)] {
        let (summary, _) = run(20, 8, prefetch, Observed { most_threads: Some(most), ..Observed::default() });
        assert_eq!(summary.unwrap().succeeded, 20);
    }
}

#[test]
fn refusal_of_every_thread_is_an_error() {
    for most in [0, 1] {
        let (summary, _) = run(20, 8, 0, Observed { most_threads: Some(most), ..Observed::default() });
        let error = summary.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.to_string().starts_with("cannot start a thread for the worker: "), "{error}");
    }
}

#[test]
fn resize_with_refused_threads_works_on_those_that_exist() {
    let tracker = Tracker::in_memory().unwrap();
    let jobs = tracker.tasks::<Job>().unwrap();
    jobs.submit_all((0..20).map(|number| Job { number })).unwrap();
    let observed = Arc::new(Observed { most_threads: Some(3), ..Observed::default() });
    let size = PoolSize::new(0);
    let settings = Settings { size: size.clone(), observed, ..Settings::default() };
    let worker = WorkerPool::with(settings).serve(&jobs, |_| Ok::<_, io::Error>(())).spawn().unwrap();
    size.resize(8).unwrap();
    assert_eq!(worker.join().unwrap().succeeded, 20);
}

#[test]
fn panic_outside_an_attempt_halts_all_threads() {
    for (threads, prefetch) in [(1, 0), (4, 0), (4, 16)] {
        let (summary, _) = run(20, threads, prefetch, Observed { panics: true, ..Observed::default() });
        let error = summary.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().ends_with("a step panics"), "{error}");
    }
}

#[test]
fn end_of_a_pool_costs_each_thread_a_bounded_number_of_steps() {
    for prefetch in [0, 16] {
        let (summary, observed) = run(6, 200, prefetch, Observed::default());
        assert_eq!(summary.unwrap().succeeded, 6);
        let steps = observed.steps.load(SeqCst);
        assert!(steps <= 200 * 20, "{steps} steps of 200 threads, prefetch {prefetch}");
    }
}
