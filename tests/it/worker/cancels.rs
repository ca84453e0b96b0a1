//! Tests that a cancellation reaches a running handler: in the same process at once, from another process within a
//! second.

use std::{
    io,
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::{Duration, Instant},
};

use tracker_core::{Execution, Tracker, file::Sharing, time::ManualClock};

use crate::support::{
    kinds::{Job, Page, Status, job, sound},
    place::OpenInPlace as _,
};

/// The next message; a test that would hang fails instead.
fn next<T>(from: &Receiver<T>) -> T {
    from.recv_timeout(Duration::from_secs(60)).unwrap()
}

/// A handler that says that it runs, waits to be told to look, and says what it has seen.
fn looks(
    started: &Sender<String>,
    look: &Receiver<()>,
    seen: &Sender<bool>,
    id: &str,
    is_cancelled: impl Fn() -> bool,
) -> Result<(), io::Error> {
    started.send(id.to_owned()).unwrap();
    next(look);
    seen.send(is_cancelled()).unwrap();
    Err(io::Error::other("stopped by hand"))
}

#[test]
fn cancel_reaches_a_running_handler_at_once() {
    // The clock stands still, so that no lease is renewed: nothing but the cancellation itself tells the handler.
    let tracker = Tracker::options().clock(ManualClock::new()).open_memory().unwrap();
    let (jobs, pages) = (tracker.tasks::<Job>().unwrap(), tracker.tasks::<Page>().unwrap());
    let names: Vec<_> = (0..20).map(|number| format!("job {number}")).collect();
    for name in &names {
        jobs.submit(&job(name)).unwrap();
    }
    let page = |url: &str| Page { url: url.to_owned(), version: 1, bytes: None };
    pages.submit_all([page("one"), page("two")]).unwrap();
    let (started, starts) = channel();
    let (tell, look) = channel();
    let (seen, sights) = channel();
    thread::scope(|scope| {
        let worker = jobs.worker().stop_handle();
        let (stop, jobs_of_worker) = (worker.clone(), jobs.clone());
        let look = std::sync::Mutex::new(look);
        scope.spawn(move || {
            jobs_of_worker
                .worker()
                .stopped_by(&stop)
                .run(|job: &mut Execution<Job>| {
                    let look = look.lock().unwrap();
                    looks(&started, &look, &seen, &job.name, || job.is_cancelled())
                })
                .unwrap()
        });
        let first = next(&starts);
        // The cancellation of others changes nothing for it.
        jobs.cancel("job 7").unwrap();
        pages.cancel("one").unwrap();
        tell.send(()).unwrap();
        assert!(!next(&sights), "{first} is not cancelled");
        let second = next(&starts);
        jobs.cancel(second.as_str()).unwrap();
        tell.send(()).unwrap();
        assert!(next(&sights), "{second} is cancelled");
        worker.stop();
        // One more may have been claimed with the end of the second.
        drop(tell);
        let of = |name: &str| jobs.get(name).unwrap().unwrap().status;
        assert_eq!(of("job 7"), Status::Cancelled);
    });
    let ended: Vec<_> = jobs.query().status(Status::Cancelled).ids().unwrap();
    assert_eq!(ended.len(), 2, "{ended:?}");
    assert_eq!(pages.counts().unwrap().get(Status::Cancelled), 1);
    sound(&tracker);
}

#[test]
fn cancel_by_another_process_reaches_a_handler() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shared.redb");
    let clock = ManualClock::new();
    let open = || Tracker::options().sharing(Sharing::Writers).clock(clock.clone()).open_at(&path).unwrap();
    let (one, other) = (open(), open());
    let jobs = one.tasks::<Job>().unwrap();
    for number in 0..10 {
        jobs.submit(&job(&number.to_string())).unwrap();
    }
    let (started, starts) = channel();
    let summary = thread::scope(|scope| {
        let worker = jobs.worker().threads(3);
        let run = scope.spawn(|| {
            worker
                .run(|job: &mut Execution<Job>| {
                    started.send(job.name.clone()).unwrap();
                    let since = Instant::now();
                    while !job.is_cancelled() {
                        assert!(since.elapsed() < Duration::from_secs(60), "nobody told {}", job.name);
                        thread::yield_now();
                    }
                    Err::<(), _>(io::Error::other("cancelled"))
                })
                .unwrap()
        });
        let others = other.tasks::<Job>().unwrap();
        for _ in 0..10 {
            others.cancel(next(&starts).as_str()).unwrap();
        }
        run.join().unwrap()
    });
    assert_eq!(summary.attempts(), 10, "{summary}");
    assert_eq!(one.tasks::<Job>().unwrap().counts().unwrap().get(Status::Cancelled), 10);
    sound(&one);
}
