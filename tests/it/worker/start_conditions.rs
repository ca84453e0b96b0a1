//! Tests start conditions: what a worker starts while they hold, and while they do not.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use chrono::TimeDelta;
use tracker_core::{
    ErrorKind,
    worker::{CpuLoad, FreeMemory, StartCheck, WorkerPool},
};

use crate::support::kinds::{SECOND, Status, fine, jobs, refused, sound, tracker};

#[test]
fn worker_starts_nothing_until_its_condition_holds() {
    let (clock, tracker) = tracker();
    let jobs = jobs(&tracker, &["a", "b", "c"]);
    let (open, checks) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let (is_open, checked) = (open.clone(), checks.clone());
    let condition = move || {
        checked.fetch_add(1, SeqCst);
        if is_open.load(SeqCst) { StartCheck::Ready } else { StartCheck::wait("closed").retry_in(SECOND * 5) }
    };
    thread::scope(|scope| {
        let worker = jobs.worker().threads(2).prefetch(4).start_when(condition);
        let worker = scope.spawn(|| worker.run(|_| fine()).unwrap());
        while checks.load(SeqCst) < 4 {
            clock.advance(SECOND);
            thread::yield_now();
        }
        assert_eq!(jobs.counts().unwrap().get(Status::Pending), 3);
        open.store(true, SeqCst);
        while !worker.is_finished() {
            clock.advance(SECOND);
            thread::yield_now();
        }
        assert_eq!(worker.join().unwrap().succeeded, 3);
    });
    sound(&tracker);
}

#[test]
fn status_tells_the_condition_that_holds_back_a_worker() {
    let (clock, tracker) = tracker();
    let jobs = jobs(&tracker, &["a"]);
    let open = Arc::new(AtomicBool::new(false));
    let is_open = open.clone();
    let condition = move || if is_open.load(SeqCst) { StartCheck::Ready } else { StartCheck::wait("closed") };
    let worker = jobs.worker().start_when(condition).spawn(|_| fine()).unwrap();
    let status = worker.start_status();
    let blocking = loop {
        match status.blocking() {
            Some(blocking) => break blocking,
            None => thread::yield_now(),
        }
    };
    assert_eq!((blocking.condition.as_str(), blocking.reading.as_str()), ("start condition", "closed"));
    assert!(!blocking.failed);
    open.store(true, SeqCst);
    while !worker.is_finished() {
        clock.advance(SECOND);
        thread::yield_now();
    }
    assert_eq!(worker.join().unwrap().succeeded, 1);
    assert_eq!(status.blocking(), None);
}

#[test]
fn worker_without_tasks_ends_though_no_task_may_start() {
    let (_, tracker) = tracker();
    let jobs = jobs(&tracker, &[]);
    assert_eq!(jobs.worker().threads(3).start_when(|| false).run(|_| fine()).unwrap().attempts(), 0);
}

#[test]
fn each_start_needs_an_answer_of_its_own() {
    let (_, tracker) = tracker();
    let jobs = jobs(&tracker, &["a", "b", "c", "d", "e", "f", "g", "h"]);
    let left = Arc::new(AtomicUsize::new(3));
    let condition = move || left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok();
    let worker = jobs.worker().threads(4).start_when(condition);
    let (stop, started) = (worker.stop_handle(), AtomicUsize::new(0));
    let summary = worker.run(|_| {
        if started.fetch_add(1, SeqCst) == 2 {
            stop.stop();
        }
        fine()
    });
    assert_eq!((summary.unwrap().succeeded, started.load(SeqCst)), (3, 3));
    assert_eq!(jobs.counts().unwrap().get(Status::Pending), 5);
    sound(&tracker);
}

#[test]
fn starts_are_apart_by_the_delay() {
    let (clock, tracker) = tracker();
    let jobs = jobs(&tracker, &["a", "b", "c", "d", "e"]);
    thread::scope(|scope| {
        let worker = jobs.worker().threads(3).delay_between_starts(SECOND * 10);
        let worker = scope.spawn(|| worker.run(|_| fine()).unwrap());
        while !worker.is_finished() {
            clock.advance(Duration::from_millis(500));
            thread::yield_now();
        }
        assert_eq!(worker.join().unwrap().succeeded, 5);
    });
    let mut starts: Vec<_> = jobs.query().fetch().unwrap().iter().map(|record| record.history[0].started_at).collect();
    starts.sort_unstable();
    assert!(starts.windows(2).all(|two| two[1] - two[0] >= TimeDelta::seconds(10)), "{starts:?}");
    sound(&tracker);
}

#[test]
fn panicking_condition_holds_back_all_starts() {
    let (_, tracker) = tracker();
    let jobs = jobs(&tracker, &["a"]);
    let worker = jobs.worker();
    let (stop, called) = (worker.stop_handle(), worker.stop_handle());
    let condition = move || -> bool {
        called.stop();
        panic!("no sensor")
    };
    let summary = worker.start_when(condition).run(|_| fine()).unwrap();
    assert!(stop.is_stopped());
    assert_eq!((summary.attempts(), jobs.counts().unwrap().get(Status::Pending)), (0, 1));
    sound(&tracker);
}

#[test]
fn condition_that_never_holds_is_refused_at_the_start() {
    let (_, tracker) = tracker();
    let jobs = jobs(&tracker, &["a"]);
    refused(jobs.worker().start_when(CpuLoad::below(0.0)).run(|_| fine()), ErrorKind::Invalid);
    let pool = WorkerPool::new().serve(&jobs, |_| fine()).start_when(FreeMemory::at_least(u64::MAX));
    refused(pool.run(), "bytes of memory are never free");
    assert_eq!(jobs.counts().unwrap().get(Status::Pending), 1);
}

#[test]
#[cfg(target_os = "linux")]
fn conditions_on_the_machine_let_a_small_job_start() {
    let (_, tracker) = tracker();
    let jobs = jobs(&tracker, &["a", "b"]);
    let memory = FreeMemory::at_least(1).reserving(1, SECOND);
    let worker = jobs.worker().start_when(CpuLoad::below(1e9)).start_when(memory);
    assert_eq!(worker.run(|_| fine()).unwrap().succeeded, 2);
}
