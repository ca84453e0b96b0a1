//! Tests workers that prefetch: handlers begin while outcomes are written.

use std::{
    collections::BTreeSet,
    io,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tracker_core::{Outcome, TrackedTask};

use crate::{
    support::kinds::{Job, MINUTE, Mail, Page, SECOND, Status, fine, job, jobs, mail, page, sound, tracker, with_time},
    support::place,
};

#[test]
fn prefetch_runs_each_task_once_and_flushes_before_return() {
    for (threads, ahead) in [(1, 1), (1, 64), (8, 3), (8, 64), (3, 1_000)] {
        let folder = tempfile::tempdir().unwrap();
        let tracker = place::open(folder.path().join("mails.redb")).unwrap();
        let mails = tracker.tasks::<Mail>().unwrap();
        mails.submit_all((0..1_000).map(mail)).unwrap();
        let done = Mutex::new(Vec::new());
        let summary = mails
            .worker()
            .threads(threads)
            .prefetch(ahead)
            .run(|mail| {
                done.lock().unwrap().push(mail.number);
                mail.client = "done".to_owned();
                fine()
            })
            .unwrap();
        let done = done.into_inner().unwrap();
        assert_eq!((done.len(), done.iter().collect::<BTreeSet<_>>().len()), (1_000, 1_000), "{threads} {ahead}");
        assert_eq!((summary.succeeded, summary.attempts()), (1_000, 1_000), "{threads} {ahead}");
        let records = mails.query().status(Status::Succeeded).fetch().unwrap();
        assert_eq!(records.len(), 1_000);
        assert!(records.iter().all(|record| record.task.client == "done" && record.attempts == 1));
        sound(&tracker);
    }
}

#[test]
fn prefetch_bounds_leases_and_stop_releases_them() {
    for (threads, ahead) in [(1, 1), (2, 5), (4, 2), (3, 40)] {
        let (_, tracker) = tracker();
        let mails = tracker.tasks::<Mail>().unwrap();
        mails.submit_all((0..200).map(mail)).unwrap();
        let worker = mails.worker().threads(threads).prefetch(ahead);
        let (stop, begun, most) = (worker.stop_handle(), AtomicUsize::new(0), AtomicUsize::new(0));
        let summary = worker
            .run(|_| {
                let leased = mails.counts().unwrap().get(Status::InProgress);
                most.fetch_max(usize::try_from(leased).unwrap(), SeqCst);
                if begun.fetch_add(1, SeqCst) == 100 {
                    stop.stop();
                }
                fine()
            })
            .unwrap();
        let most = most.into_inner();
        assert!(most <= threads + ahead && most > threads, "{most} with {threads} threads, {ahead} ahead");
        assert_eq!(summary.succeeded, begun.into_inner() as u64);
        let counts = mails.counts().unwrap();
        assert_eq!((counts.get(Status::InProgress), counts.get(Status::Succeeded)), (0, summary.succeeded));
        let waiting = mails.query().status(Status::Pending).fetch().unwrap();
        assert!(waiting.iter().all(|record| record.attempts == 0 && record.history.is_empty()), "it cost them nothing");
        sound(&tracker);
    }
}

#[test]
fn prefetch_stores_each_outcome_under_its_task() {
    let (_, tracker) = tracker();
    let pages = tracker.tasks::<Page>().unwrap();
    pages.submit_all((0..60).map(|number| page(&number.to_string(), number))).unwrap();
    let summary = pages
        .worker()
        .threads(3)
        .prefetch(16)
        .run(|page| match page.version % 6 {
            0 => panic!("ouch"),
            1 => Err(io::Error::other("no luck")),
            2 => Ok(Outcome::Park { code: 20 }),
            3 => page.give_up("never").map(|()| Outcome::Succeed).map_err(io::Error::other),
            4 => Ok(Outcome::Park { code: 80 }),
            _ => Ok(Outcome::Succeed),
        })
        .unwrap();
    assert_eq!((summary.succeeded, summary.failed, summary.other, summary.panicked), (10, 40, 10, 10), "{summary:?}");
    let counts = pages.counts().unwrap();
    let found = [Status::Succeeded, Status::Exhausted, Status::OnHold, Status::InProgress].map(|s| counts.get(s));
    assert_eq!(found, [10, 40, 10, 0]);
    for record in pages.query().status(Status::Exhausted).fetch().unwrap() {
        let error = &record.history[0].failure.as_ref().unwrap().error;
        let expected = ["ouch", "no luck", "cannot be put into", "never"][record.task.version as usize % 6];
        assert!(error.contains(expected), "{}: {error}", record.id);
    }
    sound(&tracker);
}

#[test]
fn prefetch_waits_for_retries_and_delayed_tasks() {
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &["a", "b", "c", "d", "hopeless"]);
    let summary = with_time(&tracker, &clock, || {
        tasks.worker().threads(2).prefetch(8).run(|job| {
            if job.name == "hopeless" || job.attempt() < 3 {
                return Err(io::Error::other("not yet"));
            }
            Ok(())
        })
    })
    .unwrap();
    assert_eq!((summary.succeeded, summary.failed), (4, 11));
    assert_eq!(tasks.counts().unwrap().get(Status::Exhausted), 1);
    sound(&tracker);
}

#[test]
fn prefetch_bound_holds_across_rounds() {
    let (clock, tracker) = tracker();
    let tasks = tracker.tasks::<Job>().unwrap();
    let worker = tasks.worker().threads(2).prefetch(4).keep_running();
    let (stop, most) = (worker.stop_handle(), AtomicUsize::new(0));
    thread::scope(|scope| {
        let running = scope.spawn(|| {
            worker.run(|job| {
                if job.name.starts_with("last") {
                    most.fetch_max(usize::try_from(tasks.counts().unwrap().get(Status::InProgress)).unwrap(), SeqCst);
                }
                fine()
            })
        });
        let done = |expected| {
            while tasks.counts().unwrap().get(Status::Succeeded) < expected {
                thread::yield_now();
            }
        };
        for round in 0..30 {
            tasks.submit(&job(&round.to_string())).unwrap();
            done(round + 1);
            clock.advance(SECOND);
        }
        tasks.submit_all((0..60).map(|number| job(&format!("last {number}")))).unwrap();
        done(90);
        stop.stop();
        assert_eq!(running.join().unwrap().unwrap().succeeded, 90);
    });
    assert!((3..=6).contains(&most.into_inner()), "two run, and four wait");
    sound(&tracker);
}

#[test]
fn unreadable_task_is_skipped_and_others_run() {
    /// The kind with a field that older tasks do not have.
    #[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
    #[task(name = "page", status = Status, max_attempts = 1)]
    struct Grown {
        #[task(id)]
        url: String,
        #[task(fingerprint)]
        version: u32,
        needed: u32,
    }
    for (threads, ahead) in [(1, 0), (1, 1), (1, 8), (3, 2), (3, 64)] {
        let (_, tracker) = tracker();
        let pages = tracker.tasks::<Page>().unwrap();
        pages.submit_all((0..12).map(|number| page(&number.to_string(), 1))).unwrap();
        drop(pages);
        let grown = tracker.tasks::<Grown>().unwrap();
        grown.submit_all(["a", "b", "c"].map(|url| Grown { url: url.to_owned(), version: 1, needed: 1 })).unwrap();
        let summary = grown.worker().threads(threads).prefetch(ahead).run(|_| fine()).unwrap();
        assert_eq!((summary.succeeded, summary.unreadable, summary.attempts()), (3, 12, 3), "{ahead}: {summary}");
        assert!(grown.claim().unwrap().is_none());
        sound(&tracker);
    }
}

#[test]
fn timeout_of_a_prefetched_task_starts_with_its_handler() {
    let (clock, tracker) = tracker();
    let pages = tracker.tasks::<Page>().unwrap();
    pages.submit_all([page("slow", 1), page("fast", 1), page("last", 1)]).unwrap();
    let summary = pages
        .worker()
        .prefetch(8)
        .timeout(SECOND)
        .run(|page| {
            if page.url == "slow" {
                clock.advance(SECOND * 2);
                while !page.is_cancelled() {
                    thread::yield_now();
                }
            }
            fine()
        })
        .unwrap();
    assert_eq!((summary.succeeded, summary.failed, summary.lost), (2, 1, 0), "{summary}");
    let record = pages.get("slow").unwrap().unwrap();
    assert!(record.history[0].failure.as_ref().unwrap().error.contains("timeout of 1s"));
    sound(&tracker);
}

/// After short handlers a worker expects short ones, and stores outcomes without waking a thread: a long one is not a reason
/// for what was handed in to wait for it, nor for tasks that another thread could do.
#[test]
fn long_handler_delays_no_other_task() {
    for (threads, ahead) in [(1, 16), (2, 16), (5, 16), (2, 2), (3, 2), (2, 0), (5, 0), (64, 0)] {
        let (_, tracker) = tracker();
        let mails = tracker.tasks::<Mail>().unwrap();
        mails.submit_all((0..200).map(mail)).unwrap();
        let summary = mails
            .worker()
            .threads(threads)
            .prefetch(ahead)
            .run(|mail| {
                // All before it; where others work too, all the others.
                let expected = if threads == 1 { 100 } else { 199 };
                while mail.number == 100 && mails.counts().unwrap().get(Status::Succeeded) < expected {
                    thread::yield_now();
                }
                fine()
            })
            .unwrap();
        assert_eq!(summary.succeeded, 200, "{threads} threads");
        sound(&tracker);
    }
}

/// The other threads wait for the one that runs short handlers, and must notice that it does not come back.
#[test]
fn task_submitted_beside_a_long_handler_starts() {
    for (threads, ahead) in [(2, 16), (5, 3), (2, 0), (5, 0), (64, 0)] {
        let (_, tracker) = tracker();
        let mails = tracker.tasks::<Mail>().unwrap();
        mails.submit_all((0..200).map(mail)).unwrap();
        let worker = mails.worker().threads(threads).prefetch(ahead).keep_running();
        let (stop, later_has_run) = (worker.stop_handle(), AtomicBool::new(false));
        let summary = worker
            .run(|task| {
                match task.number {
                    300 => {
                        mails.submit(&mail(301)).unwrap();
                        let begun = Instant::now();
                        // All others, since a stop gives back what other threads have claimed and not begun.
                        while mails.counts().unwrap().get(Status::Succeeded) < 201
                            && begun.elapsed() < Duration::from_secs(20)
                        {
                            thread::yield_now();
                        }
                        stop.stop();
                    }
                    301 => later_has_run.store(true, SeqCst),
                    199 => drop(mails.submit(&mail(300)).unwrap()),
                    _ => {}
                }
                fine()
            })
            .unwrap();
        assert!(later_has_run.into_inner(), "{threads} threads, {ahead} ahead");
        assert_eq!(summary.succeeded, 202, "{threads} threads, {ahead} ahead");
        sound(&tracker);
    }
}

#[test]
fn prefetched_task_is_renewed_and_sees_its_cancellation() {
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &["long", "waits", "called off"]);
    let summary = tasks
        .worker()
        .prefetch(4)
        .run(|job| {
            match job.name.as_str() {
                "long" => {
                    tasks.cancel("called off").unwrap();
                    for _ in 0..3 {
                        let until = || tasks.get("waits").unwrap().unwrap().lease.unwrap().until;
                        let before = until();
                        clock.advance(SECOND * 50);
                        while until() == before {
                            thread::yield_now();
                        }
                    }
                    assert!(tasks.rescue().unwrap().is_empty());
                }
                "called off" => {
                    assert!(job.is_cancelled());
                    return Err(io::Error::other("called off"));
                }
                _ => {}
            }
            Ok(())
        })
        .unwrap();
    assert_eq!((summary.succeeded, summary.failed, summary.lost, summary.panicked), (2, 1, 0, 0), "{summary}");
    assert_eq!(tasks.counts().unwrap().get(Status::Cancelled), 1);
    assert!(tasks.query().fetch().unwrap().iter().all(|record| record.attempts == 1 && record.crashes == 0));
    sound(&tracker);
}

#[test]
fn prefetched_task_that_is_stolen_does_not_run() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["first", "taken"]);
    let summary = tasks
        .worker()
        .prefetch(4)
        .run(|job| {
            if job.name == "first" {
                let options = tracker_core::execution::StartOptions::new().steal_lease();
                let mut taken = tasks.start_with("taken", &options).unwrap();
                taken.result = Some(7);
                taken.succeed().unwrap();
            } else {
                job.result = Some(8);
            }
            fine()
        })
        .unwrap();
    assert_eq!((summary.succeeded, summary.lost), (1, 1), "{summary}");
    assert_eq!(tasks.get("taken").unwrap().unwrap().task.result, Some(7));
    sound(&tracker);
}

#[test]
fn isolated_task_is_never_prefetched() {
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &["poison 1", "poison 2", "poison 3"]);
    for _ in 0..2 {
        let held: Vec<_> = (1..=3).map(|number| tasks.start(format!("poison {number}")).unwrap()).collect();
        clock.advance(MINUTE);
        assert_eq!(tasks.rescue().unwrap().len(), held.len());
    }
    tasks.submit_all((0..60).map(|number| job(&number.to_string()))).unwrap();
    clock.advance(SECOND * 10);
    tasks.submit_all((60..120).map(|number| job(&number.to_string()))).unwrap();
    let (running, suspects) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let summary = tasks
        .worker()
        .threads(4)
        .prefetch(32)
        .run(|job| {
            let others = running.fetch_add(1, SeqCst);
            if job.crashes() >= 2 {
                assert_eq!(others, 0, "a suspect begins when nothing runs");
                assert_eq!(tasks.counts().unwrap().get(Status::InProgress), 1, "nor is anything claimed, or unsaid");
                for _ in 0..1_000 {
                    thread::yield_now();
                    assert_eq!(running.load(SeqCst), 1, "nothing begins beside a suspect");
                }
                suspects.fetch_add(1, SeqCst);
            }
            running.fetch_sub(1, SeqCst);
            fine()
        })
        .unwrap();
    assert_eq!((summary.succeeded, summary.failed, suspects.into_inner()), (123, 0, 3), "{summary:?}");
    sound(&tracker);
}
