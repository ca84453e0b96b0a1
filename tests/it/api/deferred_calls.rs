//! Tests of calls that return at once and report later.

use std::{
    future::Future as _,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
        mpsc::channel,
    },
    task::{Context, Poll, Wake, Waker},
    thread,
    time::Duration,
};

use tracker_core::{
    ErrorKind, Submission, Tasks, Tracker,
    deferred::{DeferredTasks, Pending},
    file::{Durability, Sharing},
    submit::SubmitOptions,
    time::ManualClock,
};

use crate::support::{
    kinds::{DAY, Job, MINUTE, Mail, Status, job, jobs, mail, refused, sound, tracker},
    place::{self, OpenInPlace as _},
    script::open,
    test_disk::Disk,
};

/// A tracker whose next flush waits.
struct Held {
    disk: Disk,
    tracker: Tracker,
    jobs: Tasks<Job>,
    deferred: DeferredTasks<Job>,
    /// A thread that waits for the flush of its submit.
    leader: thread::JoinHandle<()>,
}

impl Held {
    /// Opens a file with these tasks, and begins a commit that waits for the disk.
    fn with(names: &[&str]) -> Self {
        let disk = Disk::default();
        let tracker = open(&disk, Sharing::Readers, &ManualClock::new()).unwrap();
        let jobs = jobs(&tracker, names);
        let deferred = jobs.deferred().unwrap();
        disk.hold();
        let leader = thread::spawn({
            let jobs = jobs.clone();
            move || drop(jobs.submit(&job("leader")).unwrap())
        });
        disk.wait_for_sync();
        Self { disk, tracker, jobs, deferred, leader }
    }

    fn release(self) -> (Tracker, Tasks<Job>) {
        self.disk.release();
        self.leader.join().unwrap();
        (self.tracker, self.jobs)
    }
}

#[test]
fn every_deferred_call_returns_while_a_flush_waits() {
    let held = Held::with(&["a", "b", "c", "d", "e", "f", "g", "h"]);
    let deferred = held.deferred.clone();
    let (sender, returned) = channel();
    let mails = held.tracker.clone();
    thread::spawn(move || {
        let submitted = deferred.submit(&job("new"));
        let options = SubmitOptions::new().priority(9).durability(Durability::Relaxed);
        let with = deferred.submit_with(&job("urgent"), &options);
        let all = deferred.submit_all(["x", "y", "a"].map(job));
        let all_with = deferred.submit_all_with(["z"].map(job), SubmitOptions::new().priority(3));
        let changes = [
            deferred.cancel("a"),
            deferred.requeue("a"),
            deferred.pause_task("b"),
            deferred.resume_task("b"),
            deferred.set_priority("c", 7),
            deferred.set_due("d", tracker_core::chrono::DateTime::UNIX_EPOCH),
            deferred.move_to_front("e"),
            deferred.move_before("f", "g"),
            deferred.move_to("h", Status::OnHold),
            deferred.ignore("b", "no"),
            deferred.requeue_from_start("b"),
            deferred.remove("d"),
            deferred.update("c", |job| job.result = Some(1)),
            deferred.pause(),
            deferred.resume(),
        ];
        let failed = deferred.retry("c");
        let total = deferred.call(|jobs| jobs.query().total());
        sender.send((submitted, with, all, all_with, changes, failed, total)).unwrap();
    });
    let (submitted, with, all, all_with, changes, failed, total) = returned.recv_timeout(MINUTE).unwrap();
    assert!(!submitted.is_done() && !total.is_done());
    drop(mails);
    let (tracker, jobs) = held.release();
    assert_eq!(submitted.wait().unwrap().submission, Submission::New);
    assert_eq!(with.wait().unwrap().submission, Submission::New, "a relaxed submit is reported when it is durable");
    assert_eq!((all.wait().unwrap().new, all_with.wait().unwrap().new), (2, 1));
    for (number, change) in changes.into_iter().enumerate() {
        assert!(change.wait().is_ok(), "change {number}");
    }
    refused(failed.wait(), ErrorKind::NotStartable);
    assert_eq!(total.wait().unwrap(), 8 + 1 + 2 + 2 + 1 - 1);
    let record = |id: &str| jobs.get(id).unwrap().unwrap();
    assert_eq!((record("c").priority, record("c").task.result), (7, Some(1)));
    assert_eq!((record("a").status, record("h").status), (Status::Pending, Status::OnHold));
    sound(&tracker);
}

#[test]
fn deferred_calls_keep_their_order() {
    let (_, tracker) = tracker();
    let (jobs, mails) = (tracker.tasks::<Job>().unwrap(), tracker.tasks::<Mail>().unwrap());
    let (of_jobs, of_mails) = (jobs.deferred().unwrap(), mails.deferred().unwrap());
    let (sender, done) = channel();
    let mut pending = Vec::new();
    for number in 0..100_u32 {
        let id = format!("job {number}");
        drop(of_jobs.submit(&job(&id)));
        pending.push(of_jobs.update(id.clone(), |job| job.result = Some(1)));
        pending.push(of_jobs.update(id.clone(), move |job| job.result = job.result.map(|result| result + number)));
        drop(of_jobs.cancel(id.clone()));
        pending.push(of_mails.set_priority(u64::from(number), 1));
        drop(of_mails.submit(&mail(u64::from(number))));
        pending.push(of_mails.set_priority(u64::from(number), 2));
        if number % 2 == 0 {
            pending.push(of_jobs.requeue(id));
        }
        let sender = sender.clone();
        of_mails.set_priority(u64::from(number), 3).on_done(move |result| sender.send((number, result)).unwrap());
    }
    let mut refusals = 0;
    for result in pending.into_iter().map(Pending::wait) {
        if let Err(error) = result {
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
            refusals += 1;
        }
    }
    assert_eq!(refusals, 100, "a change before the submit of its task");
    let done: Vec<_> = done.iter().take(100).map(|(number, result)| result.map(|()| number).unwrap()).collect();
    assert_eq!(done, (0..100).collect::<Vec<_>>(), "callbacks come in the order of the calls");
    for number in 0..100_u32 {
        let record = jobs.get(format!("job {number}")).unwrap().unwrap();
        let status = if number % 2 == 0 { Status::Pending } else { Status::Cancelled };
        assert_eq!((record.task.result, record.status), (Some(1 + number), status));
        assert_eq!(mails.get(u64::from(number)).unwrap().unwrap().priority, 3);
    }
    sound(&tracker);
}

#[test]
fn errors_of_deferred_calls_come_later() {
    let (_, tracker) = tracker();
    let jobs = jobs(&tracker, &["a", "b"]);
    let deferred = jobs.deferred().unwrap();
    let _held = jobs.start("b").unwrap();
    for (error, kind) in [
        (deferred.cancel("none"), ErrorKind::NotFound),
        (deferred.remove("b"), ErrorKind::Leased),
        (deferred.update("none", |_| ()), ErrorKind::NotFound),
        (deferred.update("a", |job| job.name = "c".to_owned()), ErrorKind::Invalid),
        (deferred.update("a", |_| panic!("the change panics")), ErrorKind::Invalid),
        (deferred.move_before("a", "a"), ErrorKind::Invalid),
    ] {
        refused(error.wait(), kind);
    }
    refused(deferred.submit(&job("")).wait(), ErrorKind::Invalid);
    refused(deferred.submit_all(["c", ""].map(job)).wait(), ErrorKind::Invalid);
    let inside =
        tracker.transaction(|_| Ok::<_, tracker_core::Error>((deferred.cancel("a"), deferred.call(|_| Ok(())))));
    let (cancelled, called) = inside.unwrap();
    refused(cancelled.wait(), ErrorKind::Invalid);
    refused(called.wait(), ErrorKind::Invalid);
    assert_eq!(jobs.get("a").unwrap().unwrap().status, Status::Pending);
}

#[test]
fn wait_that_would_wait_for_itself_is_refused() {
    let (_, tracker) = tracker();
    let jobs = jobs(&tracker, &["a"]);
    let deferred = jobs.deferred().unwrap();
    let inner = deferred.clone();
    let nested = deferred.call(move |_| {
        let pending = inner.pause();
        Ok(pending.wait().map_err(|error| error.kind()))
    });
    assert_eq!(nested.wait().unwrap(), Err(ErrorKind::Invalid));
    let held = Held::with(&[]);
    let pending = held.deferred.pause();
    let waited = thread::scope(|scope| {
        scope
            .spawn(|| {
                held.disk.release();
                held.tracker.transaction(|_| Ok::<_, tracker_core::Error>(held.deferred.resume().wait()))
            })
            .join()
            .unwrap()
    });
    refused(waited.unwrap(), ErrorKind::Invalid);
    pending.wait().unwrap();
    held.release();
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, SeqCst);
    }
}

#[test]
fn pending_reports_by_each_of_its_ways() {
    let held = Held::with(&["a", "b", "c", "d"]);
    let mut taken = held.deferred.cancel("a");
    let mut timed = held.deferred.cancel("b");
    let mut polled = pin!(held.deferred.cancel("c"));
    let flag = Arc::new(Flag(AtomicBool::new(false)));
    let waker = Waker::from(flag.clone());
    let (sender, done) = channel();
    let (on_done, panics) = (sender.clone(), held.deferred.cancel("none"));
    panics.on_done(|_| panic!("the callback panics"));
    held.deferred.cancel("d").on_done(move |result| on_done.send(result.is_ok()).unwrap());
    assert!(taken.try_take().is_none());
    assert!(timed.wait_within(Duration::ZERO).is_none());
    assert!(polled.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    held.release();
    assert!(done.recv_timeout(MINUTE).unwrap());
    timed.wait_within(Duration::MAX).unwrap().unwrap();
    assert!(timed.is_done());
    assert_eq!(timed.wait().unwrap_err().kind(), ErrorKind::Invalid, "it was taken");
    assert!(matches!(taken.try_take(), Some(Ok(()))));
    assert!(taken.try_take().is_none());
    taken.on_done(move |_| sender.send(false).unwrap());
    assert!(done.recv_timeout(MINUTE).is_err(), "the callback of a taken result is dropped");
    assert!(flag.0.load(SeqCst));
    assert!(matches!(polled.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Ready(Ok(()))));
    assert!(matches!(polled.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Ready(Err(_))));
}

/// The changes before a close, or before the drop of the last handle, are made and answered.
#[test]
fn close_makes_and_answers_deferred_calls() {
    for by_drop in [false, true] {
        let held = Held::with(&["a", "b", "c"]);
        let cancelled = held.deferred.cancel("a");
        let updated = held.deferred.update("b", |job| job.result = Some(2));
        let removed = held.deferred.remove("c");
        let (sender, done) = channel();
        held.deferred.submit(&job("d")).on_done(move |result| sender.send(result).unwrap());
        let Held { disk, tracker, jobs, deferred, leader } = held;
        disk.release();
        leader.join().unwrap();
        if by_drop {
            drop((jobs, deferred, tracker));
        } else {
            tracker.close().unwrap();
            refused(deferred.cancel("b").wait(), ErrorKind::Closed);
            refused(deferred.call(|_| Ok(())).wait(), ErrorKind::Closed);
            refused(jobs.deferred(), ErrorKind::Closed);
        }
        cancelled.wait().unwrap();
        updated.wait().unwrap();
        removed.wait().unwrap();
        done.recv_timeout(MINUTE).unwrap().unwrap();
        let tracker = reopened(&disk);
        let jobs = tracker.tasks::<Job>().unwrap();
        assert_eq!(jobs.get("a").unwrap().unwrap().status, Status::Cancelled, "by drop: {by_drop}");
        assert_eq!(jobs.get("b").unwrap().unwrap().task.result, Some(2));
        assert!(jobs.get("c").unwrap().is_none() && jobs.get("d").unwrap().is_some());
        sound(&tracker);
    }
}

/// Opens the file once its last handle is closed, on whichever thread that is.
fn reopened(disk: &Disk) -> Tracker {
    loop {
        match open(disk, Sharing::Readers, &ManualClock::new()) {
            Ok(tracker) => return tracker,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Busy, "{error}"),
        }
    }
}

#[test]
fn result_after_a_close_is_called_back_at_once() {
    let (_, tracker) = tracker();
    let jobs = jobs(&tracker, &["a"]);
    let cancelled = jobs.deferred().unwrap().cancel("a");
    tracker.close().unwrap();
    let (sender, done) = channel();
    cancelled.on_done(move |result| sender.send((result.is_ok(), thread::current().id())).unwrap());
    assert_eq!(done.try_recv(), Ok((true, thread::current().id())));
}

#[test]
fn full_queue_refuses_deferred_calls() {
    let held = Held::with(&[]);
    let accepted: Vec<_> = (0..16_384).map(|_| held.deferred.pause()).collect();
    let mut refusals = vec![held.deferred.resume(), held.deferred.call(|_| Ok(()))];
    for error in &mut refusals {
        refused(error.try_take().unwrap(), ErrorKind::Busy);
    }
    let (tracker, jobs) = held.release();
    for pause in accepted {
        pause.wait().unwrap();
    }
    jobs.deferred().unwrap().resume().wait().unwrap();
    sound(&tracker);
}

#[test]
fn dropped_pending_does_not_cancel_the_call() {
    let held = Held::with(&["a"]);
    drop(held.deferred.cancel("a"));
    drop(held.deferred.cancel("none"));
    let last = held.deferred.submit_with(&job("last"), &SubmitOptions::new().delay(DAY));
    let (_, jobs) = held.release();
    last.wait().unwrap();
    assert_eq!(jobs.get("a").unwrap().unwrap().status, Status::Cancelled);
}

#[test]
fn iterator_of_deferred_submits_runs_on_another_thread() {
    let (_, tracker) = tracker();
    let jobs = jobs(&tracker, &[]);
    let own = thread::current().id();
    let new = (0..10_000).map(move |number| {
        assert_ne!(thread::current().id(), own);
        job(&number.to_string())
    });
    let deferred = jobs.deferred().unwrap();
    let submitted = deferred.submit_all(new);
    let cancelled = deferred.cancel("9999");
    cancelled.wait().unwrap();
    assert_eq!(submitted.wait().unwrap().new, 10_000);
}

#[test]
fn file_for_inspection_refuses_deferred_calls() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    jobs(&place::open(&path).unwrap(), &["a"]);
    let jobs = Tracker::options().inspect_at(&path).unwrap().tasks::<Job>().unwrap();
    refused(jobs.deferred(), ErrorKind::ReadOnly);
}
