//! Tests of worker pools that are resized while they run.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use tracker_core::{
    ErrorKind, Execution, Tasks, Tracker,
    worker::{PoolSize, WorkerHandle, WorkerPool},
};

use crate::support::kinds::{Job, Page, SECOND, Status, fine, job, jobs, page, refused, sound, tracker};

/// Long enough for any machine.
const LONG: Duration = Duration::from_secs(60);

fn next<T>(from: &Receiver<T>) -> T {
    from.recv_timeout(LONG).unwrap()
}

/// A worker whose handlers report how many run, and return when they are told to.
fn held(
    jobs: &Tasks<Job>,
    threads: usize,
    prefetch: usize,
) -> (WorkerHandle, Receiver<usize>, Sender<()>, Arc<AtomicUsize>) {
    let (started, starts) = channel();
    let (go_on, may) = channel::<()>();
    let (may, running) = (Mutex::new(may), Arc::new(AtomicUsize::new(0)));
    let count = running.clone();
    let worker = jobs.worker().threads(threads).prefetch(prefetch).keep_running();
    let worker = worker.spawn(move |_: &mut Execution<Job>| {
        started.send(count.fetch_add(1, SeqCst) + 1).unwrap();
        let _ = may.lock().unwrap().recv();
        count.fetch_sub(1, SeqCst);
        fine()
    });
    (worker.unwrap(), starts, go_on, running)
}

fn many(tracker: &Tracker, number: usize) -> Tasks<Job> {
    let jobs = tracker.tasks().unwrap();
    jobs.submit_all((0..number).map(|number| job(&number.to_string()))).unwrap();
    jobs
}

/// Waits until no task of the kind is leased.
fn idle(jobs: &Tasks<Job>) {
    while jobs.counts().unwrap().get(Status::InProgress) > 0 {
        thread::yield_now();
    }
}

#[test]
fn resized_pool_of_two_kinds_runs_each_task_once() {
    for prefetch in [0, 16] {
        let (_, tracker) = tracker();
        let (jobs, pages) = (many(&tracker, 600), tracker.tasks::<Page>().unwrap());
        pages.submit_all((0..600).map(|number| page(&number.to_string(), 1))).unwrap();
        let (running, most, done) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        let work = || {
            most.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
            thread::yield_now();
            running.fetch_sub(1, SeqCst);
            done.fetch_add(1, SeqCst);
        };
        let pool = WorkerPool::new().prefetch(prefetch).serve(&jobs, |_| {
            work();
            fine()
        });
        let pool = pool.serve(&pages, |_| {
            work();
            fine()
        });
        let size = pool.pool_size();
        let summary = thread::scope(|scope| {
            let pool = scope.spawn(|| pool.run());
            for (round, handlers) in [4, 2, 0, 8, 1, 0, 3].into_iter().enumerate() {
                size.resize(handlers).unwrap();
                // Part of the work is done at each size.
                while handlers > 0 && done.load(SeqCst) < (round + 1) * 100 {
                    thread::yield_now();
                }
            }
            pool.join().unwrap().unwrap()
        });
        assert_eq!((summary.succeeded, summary.attempts(), done.load(SeqCst)), (1200, 1200, 1200), "{summary}");
        assert!(most.load(SeqCst) <= 8);
        sound(&tracker);
    }
}

#[test]
fn grown_pool_starts_handlers_and_shrunk_pool_waits_for_room() {
    for prefetch in [0, 8] {
        let (_, tracker) = tracker();
        let jobs = many(&tracker, 9);
        let (worker, starts, go_on, _) = held(&jobs, 1, prefetch);
        assert_eq!(next(&starts), 1);
        worker.resize(4).unwrap();
        assert_eq!([next(&starts), next(&starts), next(&starts)], [2, 3, 4]);
        worker.resize(1).unwrap();
        for _ in 0..9 {
            go_on.send(()).unwrap();
        }
        for _ in 0..5 {
            assert_eq!(next(&starts), 1, "no handler starts beside another");
        }
        idle(&jobs);
        assert!(worker.shutdown(LONG).unwrap().is_complete());
        assert_eq!(worker.join().unwrap().succeeded, 9);
        sound(&tracker);
    }
}

#[test]
fn pool_of_size_zero_releases_tasks_and_resumes() {
    for prefetch in [0, 4] {
        let (_, tracker) = tracker();
        let jobs = many(&tracker, 6);
        let (worker, starts, go_on, _) = held(&jobs, 2, prefetch);
        (0..2).for_each(|_| {
            next(&starts);
        });
        worker.pool_size().resize(0).unwrap();
        assert_eq!(worker.pool_size().get(), 0);
        (0..2).for_each(|_| go_on.send(()).unwrap());
        idle(&jobs);
        let counts = jobs.counts().unwrap();
        assert_eq!((counts.get(Status::Succeeded), counts.get(Status::Pending)), (2, 4), "prefetch {prefetch}");
        assert!(starts.try_recv().is_err() && !worker.is_finished());
        worker.resize(2).unwrap();
        (0..4).for_each(|_| go_on.send(()).unwrap());
        let running: Vec<_> = (0..4).map(|_| next(&starts)).collect();
        assert!(running.iter().all(|running| *running <= 2), "{running:?}");
        idle(&jobs);
        assert!(worker.shutdown(LONG).unwrap().is_complete());
        let summary = worker.join().unwrap();
        assert_eq!((summary.succeeded, summary.attempts()), (6, 6), "{summary}");
        assert!((0..6).all(|number| jobs.get(number.to_string()).unwrap().unwrap().attempts == 1));
        sound(&tracker);
    }
}

#[test]
fn lease_of_a_running_handler_is_renewed_at_size_zero() {
    let (clock, tracker) = tracker();
    let jobs = jobs(&tracker, &["a"]);
    let (worker, starts, go_on, _) = held(&jobs, 1, 0);
    next(&starts);
    worker.resize(0).unwrap();
    for _ in 0..4 {
        let before = jobs.get("a").unwrap().unwrap().lease.unwrap().until;
        clock.advance(SECOND * 25);
        while jobs.get("a").unwrap().unwrap().lease.unwrap().until == before {
            thread::yield_now();
        }
    }
    go_on.send(()).unwrap();
    assert!(worker.shutdown(LONG).unwrap().is_complete());
    let summary = worker.join().unwrap();
    assert_eq!((summary.succeeded, summary.lost), (1, 0), "{summary}");
}

#[test]
fn pool_of_size_zero_ends_by_stop_and_by_shutdown() {
    let ends: [fn(&WorkerHandle, &Tracker); 3] = [
        |worker, _| worker.stop_handle().stop(),
        |worker, _| assert!(worker.shutdown(LONG).unwrap().is_complete()),
        |_, tracker| assert!(tracker.shutdown(LONG).unwrap().is_complete()),
    ];
    for end in ends {
        let (_, tracker) = tracker();
        let jobs = many(&tracker, 3);
        let (worker, starts, go_on, _) = held(&jobs, 1, 2);
        next(&starts);
        worker.resize(0).unwrap();
        go_on.send(()).unwrap();
        idle(&jobs);
        end(&worker, &tracker);
        assert_eq!(worker.join().unwrap().succeeded, 1);
        assert_eq!(jobs.counts().unwrap().get(Status::Pending), 2);
    }
}

#[test]
fn pool_of_size_zero_does_not_end_when_empty() {
    let (_, tracker) = tracker();
    let jobs = jobs(&tracker, &[]);
    let worker = jobs.worker();
    let size = worker.pool_size();
    size.resize(0).unwrap();
    let stop = worker.stop_handle();
    let worker = worker.spawn(|_: &mut Execution<Job>| fine()).unwrap();
    stop.finish();
    jobs.submit(&job("a")).unwrap();
    assert!(!worker.is_finished());
    size.resize(1).unwrap();
    assert_eq!(worker.join().unwrap().succeeded, 1);
}

#[test]
fn handler_resizes_its_own_pool() {
    let (_, tracker) = tracker();
    let jobs = many(&tracker, 50);
    let worker = jobs.worker().threads(3);
    let size = worker.pool_size();
    let summary = worker.run(|job: &mut Execution<Job>| {
        let number: usize = job.name.parse().unwrap();
        size.resize(1 + number % 4).unwrap();
        fine()
    });
    assert_eq!(summary.unwrap().succeeded, 50);
}

#[test]
fn resize_of_an_ended_pool_or_to_too_many_is_refused() {
    let (_, tracker) = tracker();
    let jobs = jobs(&tracker, &["a"]);
    let worker = jobs.worker().threads(PoolSize::MAX + 1);
    refused(worker.run(|_| fine()), ErrorKind::Invalid);
    let (worker, starts, go_on, _) = held(&jobs, 1, 0);
    next(&starts);
    let error = refused(worker.resize(PoolSize::MAX + 1), ErrorKind::Invalid);
    assert_eq!(error.to_string(), "a worker cannot run 65537 handlers at once: give at most 65536");
    worker.resize(3).unwrap();
    worker.stop_handle().stop();
    let error = refused(worker.resize(2), ErrorKind::Invalid);
    assert_eq!(error.to_string(), "cannot resize the worker to 2 handlers: it is stopped or has ended");
    go_on.send(()).unwrap();
    let size = worker.pool_size();
    worker.join().unwrap();
    refused(size.resize(2), ErrorKind::Invalid);
    assert_eq!(size.get(), 3, "a refused call changes nothing");
}
