//! Tests workers: threads, stopping, waiting and waking.

use std::{
    collections::BTreeSet,
    io,
    sync::{
        Barrier, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use tracker_core::{
    events::{EventKind, Notification},
    execution::StartOptions,
    worker::{StopHandle, WorkerPool},
};

use crate::{
    support::kinds::{Job, MINUTE, Mail, Page, SECOND, Status, fine, job, jobs, mail, page, sound, tracker, with_time},
    support::place,
};

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn worker_runs_one_task_per_thread() {
    let (_, tracker) = tracker();
    let mails = tracker.tasks::<Mail>().unwrap();
    mails.submit_all((0..40).map(mail)).unwrap();
    let (running, meet) = (AtomicUsize::new(0), Barrier::new(4));
    let summary = mails
        .worker()
        .threads(4)
        .run(|_| {
            assert!(running.fetch_add(1, SeqCst) < 4);
            meet.wait();
            running.fetch_sub(1, SeqCst);
            fine()
        })
        .unwrap();
    assert_eq!((summary.succeeded, summary.attempts()), (40, 40), "{summary}");
    assert_eq!(mails.worker().threads(0).run(|_| fine()).unwrap().attempts(), 0);
    sound(&tracker);
}

#[test]
fn eight_threads_run_2000_tasks_once_each() {
    let folder = tempfile::tempdir().unwrap();
    let tracker = place::open(folder.path().join("mails.redb")).unwrap();
    let mails = tracker.tasks::<Mail>().unwrap();
    mails.submit_all((0..2_000).map(mail)).unwrap();
    let done = Mutex::new(Vec::new());
    let summary = mails
        .worker()
        .threads(8)
        .run(|mail| {
            done.lock().unwrap().push(mail.number);
            mail.client = "done".to_owned();
            fine()
        })
        .unwrap();
    let done = done.into_inner().unwrap();
    assert_eq!((done.len(), done.iter().collect::<BTreeSet<_>>().len()), (2_000, 2_000));
    assert_eq!((summary.succeeded, summary.lost), (2_000, 0));
    assert_eq!(mails.counts().unwrap().get(Status::Succeeded), 2_000);
    assert!(mails.query().fetch().unwrap().iter().all(|record| record.task.client == "done" && record.attempts == 1));
    sound(&tracker);
}

#[test]
fn panic_or_error_fails_only_its_task() {
    let (_, tracker) = tracker();
    let pages = tracker.tasks::<Page>().unwrap();
    pages.submit_all((0..30).map(|number| page(&number.to_string(), number))).unwrap();
    let summary = pages
        .worker()
        .threads(3)
        .run(|page| match page.version % 3 {
            0 => panic!("ouch"),
            1 => Err(io::Error::other("no luck")),
            _ => Ok(()),
        })
        .unwrap();
    assert_eq!((summary.succeeded, summary.failed, summary.panicked), (10, 20, 10));
    assert_eq!(summary.errors.into_iter().collect::<Vec<_>>(), [("no luck".to_owned(), 10), ("ouch".to_owned(), 10)]);
    assert_eq!(pages.counts().unwrap().get(Status::Exhausted), 20);
    assert!(pages.get("0").unwrap().unwrap().history[0].failure.as_ref().unwrap().panicked);
    sound(&tracker);
}

#[test]
fn too_many_failures_stop_the_worker() {
    let (_, tracker) = tracker();
    let pages = tracker.tasks::<Page>().unwrap();
    pages.submit_all((0..100).map(|number| page(&number.to_string(), number))).unwrap();
    let fail = || Err::<(), _>(io::Error::other("no luck"));
    let summary = pages.worker().stop_after_failures(5).run(|_| fail()).unwrap();
    assert_eq!((summary.failed, summary.halted), (5, true));
    let summary =
        pages.worker().stop_at_failure_rate(0.5).run(|page| if page.version % 2 == 0 { fail() } else { Ok(()) });
    let summary = summary.unwrap();
    assert!(summary.halted && (20..=21).contains(&summary.attempts()), "{summary}");
    let summary =
        pages.worker().stop_at_failure_rate(0.5).run(|page| if page.version % 3 == 0 { fail() } else { Ok(()) });
    let summary = summary.unwrap();
    assert!(!summary.halted && (74..=75).contains(&summary.attempts()), "a third is no half: {summary}");
    let counts = pages.counts().unwrap();
    assert_eq!((counts.get(Status::InProgress), counts.total()), (0, 100), "nothing is left in somebody's hands");
    sound(&tracker);
}

#[test]
fn keep_running_worker_stops_all_threads_after_failures() {
    for ahead in [0, 8] {
        let (_, tracker) = tracker();
        let pages = tracker.tasks::<Page>().unwrap();
        pages.submit(&page("hopeless", 1)).unwrap();
        let worker = pages.worker().threads(4).prefetch(ahead).keep_running().stop_after_failures(1);
        let summary = worker.run(|_| {
            // The others have looked, and sleep.
            (0..1_000).for_each(|_| thread::yield_now());
            Err::<(), _>(io::Error::other("no luck"))
        });
        assert_eq!(summary.unwrap().failed, 1);
    }
}

#[test]
fn stopped_worker_finishes_running_tasks_and_starts_none() {
    let (_, tracker) = tracker();
    let mails = tracker.tasks::<Mail>().unwrap();
    mails.submit_all((0..50).map(mail)).unwrap();
    let worker = mails.worker().threads(2);
    let stop = worker.stop_handle();
    let (begun, meet) = (AtomicUsize::new(0), Barrier::new(2));
    let summary = worker
        .run(|_| {
            begun.fetch_add(1, SeqCst);
            meet.wait();
            stop.stop();
            meet.wait();
            fine()
        })
        .unwrap();
    assert_eq!((summary.succeeded, begun.load(SeqCst)), (2, 2));
    let counts = mails.counts().unwrap();
    assert_eq!((counts.get(Status::Pending), counts.get(Status::InProgress)), (48, 0));
    let stopped = StopHandle::new();
    stopped.stop();
    assert_eq!(mails.worker().keep_running().stopped_by(&stopped).run(|_| fine()).unwrap().attempts(), 0);
    sound(&tracker);
}

#[test]
fn pool_runs_several_kinds() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["a", "b", "c"]);
    let mails = tracker.tasks::<Mail>().unwrap();
    mails.submit_all((0..200).map(mail)).unwrap();
    let left = AtomicUsize::new(200);
    let summary = WorkerPool::new()
        .threads(3)
        .serve(&mails, |_| {
            left.fetch_sub(1, SeqCst);
            fine()
        })
        .serve(&tasks, |job| {
            job.result = u32::try_from(left.load(SeqCst)).ok();
            fine()
        })
        .run()
        .unwrap();
    assert_eq!(summary.succeeded, 203);
    let records = tasks.query().status(Status::Succeeded).fetch().unwrap();
    assert!(records.iter().all(|record| record.task.result > Some(0)), "a full kind does not keep another waiting");
    assert_eq!(WorkerPool::new().run().unwrap().attempts(), 0);
    sound(&tracker);
}

#[test]
fn attempt_over_its_timeout_fails_and_is_notified() {
    let (clock, tracker) = tracker();
    let pages = tracker.tasks::<Page>().unwrap();
    pages.submit_all([page("slow", 1), page("fast", 1)]).unwrap();
    let summary = pages
        .worker()
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
    assert_eq!((summary.succeeded, summary.failed, summary.lost), (1, 1, 0), "{summary}");
    let record = pages.get("slow").unwrap().unwrap();
    assert_eq!((record.status, record.failures, record.crashes), (Status::Exhausted, 1, 0));
    let error = &record.history[0].failure.as_ref().unwrap().error;
    assert!(error.contains("timeout of 1s"), "{error}");
    assert_eq!(summary.errors.get(error), Some(&1), "{:?}", summary.errors);
    sound(&tracker);
}

#[test]
fn isolated_task_runs_alone() {
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
        .run(|job| {
            let others = running.fetch_add(1, SeqCst);
            if job.crashes() >= 2 {
                assert_eq!(others, 0, "a suspect begins when nothing runs");
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

#[test]
fn worker_waits_for_retries() {
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &["a", "b", "c", "d", "hopeless"]);
    let summary = with_time(&tracker, &clock, || {
        tasks.worker().threads(2).run(|job| {
            if job.name == "hopeless" || job.attempt() < 3 {
                return Err(io::Error::other("not yet"));
            }
            Ok(())
        })
    })
    .unwrap();
    assert_eq!((summary.succeeded, summary.failed), (4, 11), "{summary:?}");
    assert_eq!(tasks.counts().unwrap().get(Status::Exhausted), 1);
    sound(&tracker);
}

#[test]
fn keep_running_worker_wakes_for_submits_and_resume() {
    let (_, tracker) = tracker();
    let tasks = tracker.tasks::<Job>().unwrap();
    let worker = tasks.worker().threads(2).keep_running();
    let stop = worker.stop_handle();
    let watch = tracker.subscribe();
    let ended = || {
        loop {
            match watch.next_within(PATIENCE).expect("it was woken") {
                Notification::Event(event) if matches!(event.what, EventKind::Ended { .. }) => {
                    return event.id.to_string();
                }
                _ => {}
            }
        }
    };
    thread::scope(|scope| {
        let running = scope.spawn(|| worker.run(|_| fine()).unwrap());
        for number in 0..100 {
            let name = number.to_string();
            tasks.submit(&job(&name)).unwrap();
            assert_eq!(ended(), name);
        }
        tasks.pause().unwrap();
        tasks.submit(&job("paused")).unwrap();
        assert_eq!(tasks.counts().unwrap().get(Status::Pending), 1);
        tasks.resume().unwrap();
        assert_eq!(ended(), "paused");
        stop.stop();
        assert_eq!(running.join().unwrap().succeeded, 101);
    });
    sound(&tracker);
}

/// The worker may have looked for tasks a moment before this one came, and hear a moment after it that no more comes.
#[test]
fn finish_runs_everything_submitted_before() {
    let (_, tracker) = tracker();
    let tasks = tracker.tasks::<Job>().unwrap();
    for round in 0..1_000 {
        let worker = tasks.worker().threads(1 + round % 2).prefetch(round % 3).keep_running();
        let handle = worker.stop_handle();
        thread::scope(|scope| {
            let running = scope.spawn(|| worker.run(|_| fine()));
            for _ in 0..round {
                std::hint::spin_loop();
            }
            tasks.submit(&job(&round.to_string())).unwrap();
            handle.finish();
            assert_eq!(running.join().unwrap().unwrap().succeeded, 1, "round {round}");
        });
    }
}

#[test]
fn finish_ends_all_threads_of_a_keep_running_worker() {
    let (_, tracker) = tracker();
    let tasks = tracker.tasks::<Job>().unwrap();
    let worker = tasks.worker().threads(3).keep_running();
    let handle = worker.stop_handle();
    let (together, watch) = (Barrier::new(3), tracker.subscribe());
    thread::scope(|scope| {
        let running = scope.spawn(|| {
            worker.run(|_| {
                // No thread passes alone: idle threads have not left.
                together.wait();
                fine()
            })
        });
        for round in 0..2 {
            tasks.submit_all((0..3).map(|number| job(&format!("{round} {number}")))).unwrap();
            for _ in 0..3 {
                while !matches!(watch.next_within(PATIENCE).expect("all run at once"), Notification::Event(event) if matches!(event.what, EventKind::Ended { .. }))
                {
                }
            }
        }
        tasks.submit_all((0..3).map(|number| job(&format!("last {number}")))).unwrap();
        handle.finish();
        assert_eq!(running.join().unwrap().unwrap().succeeded, 9);
    });
    sound(&tracker);
}

#[test]
fn worker_waits_for_resume_and_then_returns() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["a", "b"]);
    tasks.pause().unwrap();
    thread::scope(|scope| {
        let worker = scope.spawn(|| tasks.worker().run(|_| fine()).unwrap());
        // Time enough to look and to give up.
        (0..1_000).for_each(|_| thread::yield_now());
        assert!(!worker.is_finished());
        tasks.resume().unwrap();
        assert_eq!(worker.join().unwrap().succeeded, 2);
    });
}

/// By the computer's clock: only the time wakes the worker.
#[test]
fn worker_wakes_when_a_foreign_lease_expires() {
    let tracker = place::in_memory().unwrap();
    let mails = tracker.tasks::<Mail>().unwrap();
    mails.submit(&mail(1)).unwrap();
    let short = StartOptions::new().lease(std::time::Duration::from_millis(200));
    mails.start_with(1, &short).unwrap().detach().unwrap();
    let worker = mails.worker().keep_running();
    let stop = worker.stop_handle();
    thread::scope(|scope| {
        let worker = scope.spawn(|| worker.run(|_| fine()).unwrap());
        while mails.counts().unwrap().get(Status::Succeeded) == 0 {
            thread::yield_now();
        }
        stop.stop();
        assert_eq!(worker.join().unwrap().succeeded, 1);
    });
}
