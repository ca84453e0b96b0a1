//! Tests the `Debug` output of handles and options.

use std::fmt::Debug;

use tracker_core::{
    Execution, Tracker,
    batch::BatchOptions,
    worker::{StopHandle, WorkerPool},
};

use crate::support::kinds::{fine, jobs, tracker};

#[track_caller]
fn says(value: &impl Debug, words: &[&str]) {
    let text = format!("{value:?}");
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text}");
    }
}

#[test]
fn debug_output_names_kind_file_and_options() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["first"]);
    says(&tasks.worker().threads(3), &["Worker", "job", "PoolSize(3)"]);
    says(&tasks.async_worker().concurrency(5), &["AsyncWorker", "job", "PoolSize(5)"]);
    says(
        &WorkerPool::new().prefetch(7).serve(&tasks, |_: &mut Execution<_>| fine()),
        &["WorkerPool", "prefetch: 7", "kinds: 1"],
    );
    let stop = StopHandle::new();
    says(&stop, &["StopHandle(false)"]);
    stop.stop();
    says(&stop, &["StopHandle(true)"]);
    says(&tasks.claim().unwrap().unwrap(), &["Execution", "first", "attempt: 1", "fence: 1"]);
    says(&tracker.open_batch("night", &BatchOptions::new()).unwrap(), &["Batch", "night", "number: "]);
    let repairs = Tracker::options().cache_bytes(77).on_repair(|_| {});
    says(&repairs, &["cache_bytes: 77", "sharing: Readers", "check_on_open: false", "on_repair: true"]);
}

#[test]
fn handles_and_pools_can_be_sent_to_another_thread() {
    fn is_send<T: Send>(_: &T) {}
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["first"]);
    is_send(&WorkerPool::new().serve(&tasks, |_: &mut Execution<_>| fine()));
    is_send(&tasks.worker());
    is_send(&tasks.async_worker());
    is_send(&tasks.claim().unwrap());
    is_send(&tasks.query());
    is_send(&tracker.subscribe());
    is_send(&tracker.group());
}
