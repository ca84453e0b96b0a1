//! Tests of the shutdown of workers, pools and trackers.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use tracker_core::{
    ErrorKind, Execution, Outcome, Tasks,
    worker::{StopHandle, WorkerHandle, WorkerPool},
};

use crate::support::kinds::{
    Job, MINUTE, Page, SECOND, Status, fine, job, jobs, page, refused, sound, status, tracker,
};

/// Long enough for any machine.
const LONG: Duration = Duration::from_secs(60);

fn next<T>(from: &Receiver<T>) -> T {
    from.recv_timeout(LONG).unwrap()
}

/// A handler that reports its start, and returns when it is told to. It does not look at the stop.
fn deaf(jobs: &Tasks<Job>, threads: usize, prefetch: usize) -> (WorkerHandle, Receiver<String>, Sender<()>) {
    let (started, starts) = channel();
    let (go_on, may) = channel::<()>();
    let may = Mutex::new(may);
    let worker = jobs.worker().threads(threads).prefetch(prefetch).keep_running();
    let worker = worker.spawn(move |job: &mut Execution<Job>| {
        started.send(job.name.clone()).unwrap();
        let _ = may.lock().unwrap().recv();
        fine()
    });
    (worker.unwrap(), starts, go_on)
}

#[test]
fn handlers_that_see_the_stop_end_as_they_say() {
    for prefetch in [0, 4] {
        let (_, tracker) = tracker();
        let names: Vec<_> = (0..20).map(|number| number.to_string()).collect();
        let jobs = jobs(&tracker, &names.iter().map(String::as_str).collect::<Vec<_>>());
        let (started, starts) = channel();
        let worker = jobs.worker().threads(3).prefetch(prefetch).keep_running();
        let worker = worker.spawn(move |job: &mut Execution<Job>| {
            assert!(!job.is_stopping());
            started.send(job.name.clone()).unwrap();
            while !job.is_stopping() {
                thread::yield_now();
            }
            Ok::<_, std::io::Error>(if job.name == "0" { Outcome::Succeed } else { Outcome::Release })
        });
        let worker = worker.unwrap();
        let running: Vec<_> = (0..3).map(|_| next(&starts)).collect();
        let shutdown = worker.shutdown(LONG).unwrap();
        assert!(shutdown.is_complete() && shutdown.running.is_empty(), "{shutdown}");
        let summary = worker.join().unwrap();
        assert_eq!((summary.succeeded, summary.other, summary.failed), (1, 2, 0), "{summary}");
        assert!(running.contains(&"0".to_owned()) && starts.try_recv().is_err(), "nothing starts after the stop");
        let counts = jobs.counts().unwrap();
        assert_eq!((counts.get(Status::Succeeded), counts.get(Status::Pending)), (1, 19));
        for name in &names {
            assert_eq!(jobs.get(name.as_str()).unwrap().unwrap().crashes, 0);
        }
        sound(&tracker);
    }
}

#[test]
fn shutdown_returns_on_time_and_names_running_handlers() {
    for prefetch in [0, 4] {
        let (clock, tracker) = tracker();
        let jobs = jobs(&tracker, &["a", "b", "c", "d"]);
        let (worker, starts, go_on) = deaf(&jobs, 2, prefetch);
        let mut started = [next(&starts), next(&starts)];
        started.sort();
        clock.advance(SECOND * 3);
        let shutdown = worker.shutdown(Duration::ZERO).unwrap();
        let mut named: Vec<_> = shutdown.running.iter().map(|handler| handler.id.to_string()).collect();
        named.sort();
        assert_eq!(named, started);
        assert!(!shutdown.is_complete() && !worker.is_finished());
        assert!(shutdown.running.iter().all(|handler| handler.kind == "job" && handler.run_time == SECOND * 3));
        assert!(shutdown.to_string().starts_with("2 handlers have not returned: job \""), "{shutdown}");
        for name in &started {
            assert_eq!(status(&jobs, name), Status::InProgress, "it stays leased");
        }
        // The lease is still renewed: nothing else takes the task.
        clock.advance(MINUTE * 5);
        assert_eq!(jobs.rescue().unwrap(), []);
        go_on.send(()).unwrap();
        go_on.send(()).unwrap();
        assert!(worker.shutdown(LONG).unwrap().is_complete());
        let summary = worker.join().unwrap();
        assert_eq!((summary.succeeded, summary.lost), (2, 0), "an outcome after the shutdown is stored: {summary}");
        assert_eq!(jobs.counts().unwrap().get(Status::Pending), 2);
        sound(&tracker);
    }
}

#[test]
fn handler_past_its_timeout_or_lease_is_still_named() {
    let (clock, tracker) = tracker();
    let jobs = jobs(&tracker, &["slow", "stolen"]);
    let (started, starts) = channel();
    let (go_on, may) = channel::<()>();
    let may = Mutex::new(may);
    let worker = jobs.worker().threads(2).timeout(SECOND).keep_running();
    let worker = worker.spawn(move |job: &mut Execution<Job>| {
        started.send(job.name.clone()).unwrap();
        let _ = may.lock().unwrap().recv();
        fine()
    });
    let worker = worker.unwrap();
    let _ = (next(&starts), next(&starts));
    let options = tracker_core::execution::StartOptions::new().steal_lease();
    let thief = jobs.start_with("stolen", &options).unwrap();
    clock.advance(SECOND * 2);
    // The attempt at its timeout ends while its handler runs on.
    while status(&jobs, "slow") == Status::InProgress {
        thread::yield_now();
    }
    let shutdown = worker.shutdown(Duration::ZERO).unwrap();
    let mut named: Vec<_> = shutdown.running.iter().map(|handler| handler.id.to_string()).collect();
    named.sort();
    assert_eq!(named, ["slow", "stolen"]);
    drop(go_on);
    assert!(worker.shutdown(LONG).unwrap().is_complete());
    drop(thief);
    worker.join().unwrap();
    sound(&tracker);
}

#[test]
fn tracker_shutdown_ends_all_its_workers_and_later_ones() {
    let (_, tracker) = tracker();
    let jobs = jobs(&tracker, &["a", "b"]);
    let pages = tracker.tasks::<Page>().unwrap();
    pages.submit(&page("one", 1)).unwrap();
    let by_hand = jobs.start("a").unwrap();
    assert!(!by_hand.is_stopping());
    let waits = |started: Sender<()>| {
        move |stops: &dyn Fn() -> bool| {
            started.send(()).unwrap();
            while !stops() {
                thread::yield_now();
            }
            fine()
        }
    };
    let (started, starts) = channel();
    let (one, two) = (waits(started.clone()), waits(started));
    let first = jobs.worker().keep_running().spawn(move |job: &mut Execution<Job>| one(&|| job.is_stopping())).unwrap();
    let second = WorkerPool::new()
        .keep_running()
        .serve(&pages, move |page: &mut Execution<Page>| two(&|| page.is_stopping()))
        .spawn()
        .unwrap();
    next(&starts);
    next(&starts);
    assert!(tracker.shutdown(LONG).unwrap().is_complete());
    assert_eq!((first.join().unwrap().succeeded, second.join().unwrap().succeeded), (1, 1));
    assert!(by_hand.is_stopping());
    drop(by_hand);
    jobs.submit(&job("late")).unwrap();
    let summary = jobs.worker().keep_running().run(|_| fine()).unwrap();
    assert_eq!(summary.attempts(), 0, "a worker of a tracker that is shut down starts nothing");
    assert!(tracker.shutdown(Duration::ZERO).unwrap().is_complete());
    tracker.clone().close().unwrap();
}

#[test]
fn shutdown_inside_a_handler_is_refused() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["a", "b"]);
    let other = StopHandle::new();
    let worker = tasks.worker();
    let (stop, ran) = (worker.stop_handle(), AtomicUsize::new(0));
    let summary = worker.run(|_| {
        ran.fetch_add(1, SeqCst);
        let error = refused(stop.shutdown(LONG).map(drop), ErrorKind::Invalid);
        assert!(error.to_string().contains("StopHandle::stop"), "{error}");
        refused(tracker.shutdown(LONG).map(drop), ErrorKind::Invalid);
        assert!(other.shutdown(LONG).unwrap().is_complete(), "another pool can be shut down");
        fine()
    });
    assert_eq!((summary.unwrap().succeeded, ran.load(SeqCst)), (2, 2), "a refused shutdown stops nothing");
    assert!(!stop.is_stopped());
}

#[test]
fn shutdown_before_the_start_and_after_the_end_is_complete() {
    let (_, tracker) = tracker();
    let jobs = jobs(&tracker, &["a"]);
    let worker = jobs.worker().keep_running();
    let stop = worker.stop_handle();
    assert!(stop.shutdown(Duration::ZERO).unwrap().is_complete());
    let worker = worker.spawn(|_: &mut Execution<Job>| fine()).unwrap();
    assert_eq!(worker.join().unwrap().attempts(), 0);
    assert!(stop.shutdown(LONG).unwrap().is_complete());
    refused(jobs.worker().stop_after_failures(0).spawn(|_: &mut Execution<Job>| fine()).map(drop), ErrorKind::Invalid);
}
