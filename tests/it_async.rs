//! The tracker as async programs see it.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::{
    collections::BTreeMap,
    future::poll_fn,
    io,
    pin::pin,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tracker_core::{ErrorKind, ManualClock, Outcome, RunError, Submission, TaskStatus, Tasks, TrackedTask, Tracker};

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

#[tokio::test]
async fn a_task_goes_through_its_life_by_async_calls() {
    let (tracker, clock, tasks) = jobs(0);
    let jobs = tasks.asynchronous();
    assert_eq!(jobs.submit(&job("one")).await.unwrap().submission, Submission::New);
    assert_eq!(jobs.submit(&job("one")).await.unwrap().submission, Submission::Existing);
    jobs.update("one", |job| job.result = Some(1)).await.unwrap();

    let mut claimed = jobs.claim().await.unwrap().expect("it is due");
    assert_eq!(claimed.result, Some(1));
    claimed.renew_async().await.unwrap();
    claimed.result = Some(2);
    claimed.checkpoint_async().await.unwrap();
    claimed.fail_async("no luck").await.unwrap();
    assert_eq!(claimed.succeed_async().await.unwrap_err().kind(), ErrorKind::LeaseLost);
    assert!(jobs.claim().await.unwrap().is_none(), "it waits for its delay");
    assert_eq!(jobs.get("one").unwrap().unwrap().task.result, Some(2));

    clock.advance(Duration::from_secs(10));
    let text = "borrowed".to_owned();
    let failed = jobs.run("one", async |_| Err::<(), _>(io::Error::other(text.as_str()))).await.unwrap_err();
    assert!(matches!(failed, RunError::Body(_)), "{failed:?}");
    let refused = jobs.run("two", async |_| Io::Ok(())).await.unwrap_err();
    assert!(matches!(refused, RunError::Refused(_)), "{refused:?}");
    jobs.requeue("one").await.unwrap();
    jobs.run("one", async |job| {
        job.result = Some(3);
        tokio::task::yield_now().await;
        Io::Ok(())
    })
    .await
    .unwrap();
    let record = jobs.get("one").unwrap().unwrap();
    assert_eq!((record.status, record.task.result), (Status::Succeeded, Some(3)));

    jobs.submit(&job("three")).await.unwrap();
    jobs.cancel("three").await.unwrap();
    assert_eq!(jobs.counts().unwrap().get(Status::Cancelled), 1);
    assert_eq!(tracker.verify().unwrap(), []);
}

#[tokio::test]
async fn sixteen_bodies_do_five_hundred_tasks_once_each_and_never_more_at_a_time() {
    let (tracker, _, tasks) = jobs(500);
    let (now, most, seen) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let summary = tasks
        .async_worker()
        .concurrency(16)
        .run(async |job| {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(ms(5)).await;
            *seen.lock().unwrap().entry(job.name.clone()).or_insert(0) += 1;
            now.fetch_sub(1, Ordering::SeqCst);
            Io::Ok(())
        })
        .await
        .unwrap();
    assert_eq!((summary.succeeded, summary.attempts()), (500, 500));
    assert_eq!(most.load(Ordering::SeqCst), 16, "the bound is reached and kept");
    let seen = seen.into_inner().unwrap();
    assert!(seen.len() == 500 && seen.values().all(|times| *times == 1));
    assert_eq!(tracker.verify().unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_and_its_bodies_can_be_spawned() {
    let (_tracker, _, tasks) = jobs(40);
    let jobs = tasks.clone();
    let worker = tokio::spawn(async move {
        jobs.async_worker()
            .concurrency(4)
            .run(async |_| {
                tokio::task::yield_now().await;
                Io::Ok(())
            })
            .await
    });
    assert_eq!(worker.await.unwrap().unwrap().succeeded, 40);
}

#[tokio::test]
async fn a_command_is_done_although_its_future_is_gone() {
    let (tracker, _, tasks) = jobs(0);
    let jobs = tasks.asynchronous();
    for number in 0..50 {
        drop(poll_once(jobs.submit(&job(&number.to_string()))).await);
    }
    tracker.flush().unwrap();
    assert_eq!(jobs.counts().unwrap().get(Status::Pending), 50);
}

#[tokio::test]
async fn what_a_body_leaves_is_stored_although_the_future_of_its_checkpoint_is_gone() {
    let (_, _, tasks) = jobs(1);
    let mut held = tasks.start("0").unwrap();
    held.result = Some(1);
    drop(poll_once(held.checkpoint_async()).await);
    held.result = None;
    held.succeed_async().await.unwrap();
    assert_eq!(tasks.get("0").unwrap().unwrap().task.result, None);
}

#[tokio::test]
async fn a_claim_whose_future_is_gone_leaves_no_leased_task() {
    let (tracker, _, tasks) = jobs(1);
    let jobs = tasks.asynchronous();
    for round in 0..100 {
        match round % 3 {
            // Dropped before the answer, after it, and somewhere between.
            0 => drop(poll_once(jobs.claim()).await),
            1 => {
                let mut claim = Box::pin(jobs.claim());
                drop(poll_once(claim.as_mut()).await);
                tokio::time::sleep(ms(2)).await;
            }
            _ => drop(tokio::time::timeout(Duration::from_micros(50), jobs.start("0")).await),
        }
        // The first brings the answer and so the release; the second makes that durable.
        tracker.flush().unwrap();
        tracker.flush().unwrap();
        let record = jobs.get("0").unwrap().unwrap();
        assert_eq!((record.status, record.attempts), (Status::Pending, 0), "round {round}");
    }
    assert!(jobs.claim().await.unwrap().is_some());
}

#[test]
fn a_claim_that_nobody_takes_is_given_back_although_it_holds_the_tracker_open() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jobs.redb");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for round in 0..10 {
        let jobs = Tracker::open(&file).unwrap().tasks::<Job>().unwrap();
        jobs.submit(&job("one")).unwrap();
        runtime.block_on(async { drop(poll_once(jobs.asynchronous().claim()).await) });
        drop(jobs);
        // The answer may still hold the file: whoever lets go last closes it.
        let opened = Instant::now();
        let tracker = loop {
            match Tracker::open(&file) {
                Ok(tracker) => break tracker,
                Err(error) => assert!(opened.elapsed() < Duration::from_secs(5), "round {round}: {error}"),
            }
            std::thread::sleep(ms(5));
        };
        let record = tracker.tasks::<Job>().unwrap().get("one").unwrap().unwrap();
        assert_eq!((record.status, record.attempts, record.history.len()), (Status::Pending, 0, 0), "round {round}");
    }
}

#[tokio::test]
async fn an_execution_dropped_by_cancellation_is_given_back_without_cost() {
    let (tracker, _, tasks) = jobs(1);
    let jobs = tasks.asynchronous();
    drop(jobs.claim().await.unwrap().expect("it is due"));
    let body = jobs.run("0", async |_| {
        tokio::time::sleep(Duration::from_secs(60)).await;
        Io::Ok(())
    });
    assert!(tokio::time::timeout(ms(30), body).await.is_err());
    let worker = tasks.async_worker().run(async |_| {
        tokio::time::sleep(Duration::from_secs(60)).await;
        Io::Ok(())
    });
    assert!(tokio::time::timeout(ms(30), worker).await.is_err());
    tracker.flush().unwrap();
    let record = jobs.get("0").unwrap().unwrap();
    assert_eq!((record.status, record.attempts, record.failures), (Status::Pending, 0, 0));
}

#[tokio::test]
async fn an_execution_dropped_by_a_panic_has_failed() {
    let (tracker, _, tasks) = jobs(1);
    let jobs = tasks.asynchronous();
    let panicked = tokio::spawn(async move {
        let _claimed = jobs.claim().await.unwrap().expect("it is due");
        panic!("on purpose");
    });
    assert!(panicked.await.unwrap_err().is_panic());
    tracker.flush().unwrap();
    assert_eq!(tasks.get("0").unwrap().unwrap().failures, 1);
}

struct Dropped<'a>(&'a AtomicUsize);

impl Drop for Dropped<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_body_that_takes_too_long_is_dropped_and_its_attempt_has_failed() {
    let tracker = Tracker::in_memory().unwrap();
    let tasks = tracker.tasks::<Job>().unwrap();
    tasks.submit(&job("slow")).unwrap();
    let dropped = AtomicUsize::new(0);
    let begun = Instant::now();
    let summary = tasks
        .async_worker()
        .time_limit(ms(50))
        .halt_after(1)
        .run(async |job| {
            job.result = Some(1);
            let _dropped = Dropped(&dropped);
            tokio::time::sleep(Duration::from_secs(60)).await;
            Io::Ok(())
        })
        .await
        .unwrap();
    assert!(begun.elapsed() >= ms(50) && begun.elapsed() < Duration::from_secs(5));
    assert_eq!((summary.failed, summary.halted, dropped.load(Ordering::SeqCst)), (1, true, 1));
    let record = tasks.get("slow").unwrap().unwrap();
    assert_eq!((record.failures, record.task.result), (1, None));
    let failure = record.history[0].failure.as_ref().unwrap();
    assert_eq!(failure.error, "the attempt took longer than its time limit of 50ms");
}

#[tokio::test]
async fn a_time_limit_goes_by_the_tracker_s_clock() {
    let (_tracker, clock, tasks) = jobs(1);
    let advance = async {
        tokio::time::sleep(ms(250)).await;
        assert_eq!(tasks.counts().unwrap().get(Status::InProgress), 1, "no time has passed yet");
        clock.advance(Duration::from_secs(1));
    };
    let worker = tasks.async_worker().time_limit(ms(50)).halt_after(1).run(async |_| {
        tokio::time::sleep(Duration::from_secs(60)).await;
        Io::Ok(())
    });
    let (summary, ()) = tokio::join!(worker, advance);
    assert_eq!(summary.unwrap().failed, 1);
}

#[tokio::test]
async fn a_panic_is_a_failure_of_its_task_alone() {
    let (_tracker, clock, tasks) = jobs(3);
    let time = async {
        loop {
            tokio::time::sleep(ms(5)).await;
            clock.advance(Duration::from_secs(1));
        }
    };
    let worker = tasks.async_worker().concurrency(2).run(async |job| {
        tokio::task::yield_now().await;
        assert!(job.name != "1" || job.attempt() > 1, "on purpose");
        Io::Ok(())
    });
    let summary = tokio::select! {
        summary = worker => summary.unwrap(),
        () = time => unreachable!("time goes on"),
    };
    assert_eq!((summary.succeeded, summary.failed, summary.panicked), (3, 1, 1));
    let record = tasks.get("1").unwrap().unwrap();
    let failure = record.history[0].failure.as_ref().unwrap();
    assert!(failure.panicked && failure.error == "on purpose", "{failure:?}");
    tasks.requeue("0").unwrap();
    let jobs = tasks.asynchronous();
    let run = tokio::spawn(async move { jobs.run("0", async |_| -> Io { panic!("again") }).await });
    assert!(run.await.unwrap_err().is_panic());
    assert_eq!(tasks.get("0").unwrap().unwrap().failures, 1);
}

#[tokio::test]
async fn a_stopped_worker_ends_what_runs_and_begins_nothing() {
    let (_tracker, _, tasks) = jobs(100);
    let worker = tasks.async_worker().concurrency(4).run_on();
    let stop = worker.stop_handle();
    let begun = AtomicUsize::new(0);
    let summary = worker
        .run(async |_| {
            if begun.fetch_add(1, Ordering::SeqCst) == 9 {
                stop.stop();
            }
            tokio::time::sleep(ms(5)).await;
            Io::Ok(())
        })
        .await
        .unwrap();
    assert_eq!(usize::try_from(summary.succeeded).unwrap(), begun.load(Ordering::SeqCst));
    assert!(summary.succeeded < 20, "{summary}");
    assert_eq!(tasks.counts().unwrap().get(Status::InProgress), 0);
}

#[tokio::test]
async fn too_many_failures_halt_a_worker_and_none_begins_after_the_last() {
    for bodies in [1, 4] {
        let (tracker, _, tasks) = jobs(100);
        let begun = AtomicUsize::new(0);
        let worker = tasks.async_worker().concurrency(bodies).run_on().halt_after(5);
        let body = async |_: &mut tracker_core::Execution<Job>| {
            begun.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            Err::<(), _>(io::Error::other("no luck"))
        };
        let summary = worker.run(body).await.unwrap();
        let most = 5 + bodies - 1;
        assert!(summary.halted && (5..=most as u64).contains(&summary.failed), "{summary}");
        assert_eq!(summary.failed, begun.into_inner() as u64);
        let counts = tasks.counts().unwrap();
        assert_eq!((counts.get(Status::InProgress), counts.get(Status::Failed)), (0, summary.failed));
        let waiting = tasks.query().status(Status::Pending).fetch().unwrap();
        assert!(waiting.iter().all(|record| record.attempts == 0), "it cost them nothing");
        assert_eq!(tracker.verify().unwrap(), []);
    }
}

#[tokio::test]
async fn suspects_run_alone() {
    for ahead in [0, 32] {
        let (tracker, clock, tasks) = jobs(0);
        tasks.submit_all((1..=3).map(|number| job(&format!("poison {number}")))).unwrap();
        for _ in 0..2 {
            let held: Vec<_> = (1..=3).map(|number| tasks.start(format!("poison {number}")).unwrap()).collect();
            clock.advance(Duration::from_secs(60));
            assert_eq!(tasks.rescue().unwrap().len(), held.len());
        }
        tasks.submit_all((0..60).map(|number| job(&number.to_string()))).unwrap();
        clock.advance(Duration::from_secs(10));
        tasks.submit_all((60..120).map(|number| job(&number.to_string()))).unwrap();
        let (running, suspects) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let body = async |job: &mut tracker_core::Execution<Job>| {
            let others = running.fetch_add(1, Ordering::SeqCst);
            if job.crashes() >= 2 {
                assert_eq!(others, 0, "a suspect begins when nothing runs");
                assert_eq!(tasks.counts().unwrap().get(Status::InProgress), 1, "nor is anything claimed, or unsaid");
                for _ in 0..20 {
                    tokio::task::yield_now().await;
                    assert_eq!(running.load(Ordering::SeqCst), 1, "nothing begins beside a suspect");
                }
                suspects.fetch_add(1, Ordering::SeqCst);
            } else {
                tokio::task::yield_now().await;
            }
            running.fetch_sub(1, Ordering::SeqCst);
            Io::Ok(())
        };
        let summary = tasks.async_worker().concurrency(4).ahead(ahead).run(body).await.unwrap();
        assert_eq!((summary.succeeded, summary.failed, suspects.into_inner()), (123, 0, 3), "{ahead}: {summary:?}");
        assert_eq!(tracker.verify().unwrap(), []);
    }
}

/// The same kind, with a field that older tasks do not have.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[task(name = "job", status = Status, max_attempts = 3, lease = "1m", backoff = "fixed(10s)")]
struct Grown {
    #[task(id)]
    name: String,
    needed: u32,
}

#[tokio::test]
async fn what_cannot_be_read_leaves_the_line_and_the_others_are_done() {
    for ahead in [0, 2, 64] {
        let (tracker, _, old) = jobs(12);
        drop(old);
        let grown = tracker.tasks::<Grown>().unwrap();
        grown.submit_all(["a", "b", "c"].map(|name| Grown { name: name.to_owned(), needed: 1 })).unwrap();
        let summary = grown.async_worker().concurrency(3).ahead(ahead).run(async |_| Io::Ok(())).await.unwrap();
        assert_eq!((summary.succeeded, summary.unreadable, summary.attempts()), (3, 12, 3), "{ahead}: {summary}");
        assert!(grown.claim().unwrap().is_none());
        drop(grown);
        let old = tracker.tasks::<Job>().unwrap();
        let summary = old.async_worker().ahead(ahead).run(async |_| Io::Ok(())).await.unwrap();
        assert_eq!(summary.succeeded, 12, "where they can be read, they are in the line again");
        assert!(old.query().fetch().unwrap().iter().all(|record| record.attempts == 1 && record.crashes == 0));
        assert_eq!(tracker.verify().unwrap(), []);
    }
}

#[tokio::test]
async fn a_worker_that_runs_on_wakes_up_by_a_submit_and_by_time() {
    let (_tracker, clock, tasks) = jobs(0);
    let jobs = tasks.asynchronous();
    let worker = tasks.async_worker().concurrency(3).run_on();
    let stop = worker.stop_handle();
    let feed = async {
        for number in 0..20 {
            tokio::time::sleep(ms(2)).await;
            let name = number.to_string();
            jobs.submit(&job(&name)).await.unwrap();
            let submitted = Instant::now();
            while jobs.get(name.as_str()).unwrap().unwrap().status != Status::Succeeded {
                assert!(submitted.elapsed() < Duration::from_secs(5), "nobody woke up for {number}");
                tokio::time::sleep(ms(1)).await;
            }
        }
        let later = tracker_core::SubmitOptions::new().delay(Duration::from_secs(3600));
        jobs.submit_with(&job("later"), &later).await.unwrap();
        tokio::time::sleep(ms(20)).await;
        assert_eq!(jobs.counts().unwrap().get(Status::Pending), 1);
        clock.advance(Duration::from_secs(3600));
        while jobs.counts().unwrap().get(Status::Pending) > 0 {
            tokio::time::sleep(ms(1)).await;
        }
        stop.stop();
    };
    let (summary, ()) = tokio::join!(worker.run(async |_| Io::Ok(())), feed);
    assert_eq!(summary.unwrap().succeeded, 21);
}

#[tokio::test]
async fn a_worker_drains_what_its_bodies_and_the_delays_bring() {
    let tracker = Tracker::in_memory().unwrap();
    let tasks = tracker.tasks::<Job>().unwrap();
    tasks.submit(&job("x")).unwrap();
    let summary = tasks
        .async_worker()
        .concurrency(4)
        .run(async |job_now| {
            if job_now.name.len() < 5 {
                for letter in ["x", "y"] {
                    let next = job(&format!("{}{letter}", job_now.name));
                    job_now.submit_next(&tasks, &next)?;
                }
            }
            if job_now.name == "xy" && job_now.attempt() == 1 && job_now.result.is_none() {
                job_now.result = Some(1);
                return Ok::<_, tracker_core::Error>(Outcome::Snooze { delay: ms(30) });
            }
            Ok(Outcome::Succeed)
        })
        .await
        .unwrap();
    assert_eq!((summary.succeeded, summary.other), (31, 1));
}

#[tokio::test]
async fn leases_are_renewed_while_a_body_awaits() {
    let (_tracker, clock, tasks) = jobs(1);
    let summary = tasks
        .async_worker()
        .run(async |job| {
            for _ in 0..4 {
                clock.advance(Duration::from_secs(50));
                tokio::time::sleep(ms(150)).await;
                assert!(tasks.rescue().unwrap().is_empty());
            }
            assert!(!job.is_cancelled());
            Io::Ok(())
        })
        .await
        .unwrap();
    assert_eq!((summary.succeeded, summary.lost), (1, 0));
}

#[tokio::test]
async fn an_idle_worker_sleeps() {
    let (tracker, _, tasks) = jobs(0);
    let worker = tasks.async_worker().concurrency(4).run_on();
    let stop = worker.stop_handle();
    let polls = AtomicUsize::new(0);
    let mut run = pin!(worker.run(async |_| Io::Ok(())));
    let counted = poll_fn(|context| {
        polls.fetch_add(1, Ordering::SeqCst);
        run.as_mut().poll(context)
    });
    let rest = async {
        tokio::time::sleep(ms(500)).await;
        stop.stop();
    };
    let (summary, ()) = tokio::join!(counted, rest);
    assert_eq!(summary.unwrap().attempts(), 0);
    assert!(polls.load(Ordering::SeqCst) < 50, "{} polls", polls.load(Ordering::SeqCst));
    drop(tracker);
}

#[tokio::test]
async fn a_worker_that_works_ahead_does_all_once_within_its_bounds_and_a_stop_gives_back_the_rest() {
    for (bodies, ahead) in [(1, 1), (1, 32), (16, 4), (4, 40)] {
        let (tracker, _, tasks) = jobs(400);
        let worker = tasks.async_worker().concurrency(bodies).ahead(ahead);
        let (stop, seen, most) = (worker.stop_handle(), Mutex::new(BTreeMap::new()), AtomicUsize::new(0));
        let body = async |job: &mut tracker_core::Execution<Job>| {
            let leased = tasks.counts().unwrap().get(Status::InProgress);
            most.fetch_max(usize::try_from(leased).unwrap(), Ordering::SeqCst);
            tokio::task::yield_now().await;
            let mut seen = seen.lock().unwrap();
            *seen.entry(job.name.clone()).or_insert(0) += 1;
            if seen.len() == 200 {
                stop.stop();
            }
            Io::Ok(())
        };
        let summary = worker.run(body).await.unwrap();
        assert_eq!(summary.succeeded, seen.lock().unwrap().len() as u64);
        let counts = tasks.counts().unwrap();
        assert_eq!((counts.get(Status::InProgress), counts.get(Status::Succeeded)), (0, summary.succeeded));
        let summary = tasks.async_worker().concurrency(bodies).ahead(ahead).run(body).await.unwrap();
        assert_eq!(tasks.counts().unwrap().get(Status::Succeeded), 400, "{summary}");
        assert!(seen.lock().unwrap().values().all(|times| *times == 1));
        assert!(most.load(Ordering::SeqCst) <= bodies + ahead);
        assert_eq!(tracker.verify().unwrap(), []);
    }
}

#[tokio::test]
async fn dropped_a_worker_that_works_ahead_gives_back_all_that_it_has() {
    let (tracker, clock, tasks) = jobs(60);
    let worker = tasks.async_worker().concurrency(3).ahead(20);
    let stuck = AtomicUsize::new(0);
    let run = worker.run(async |job: &mut tracker_core::Execution<Job>| {
        if job.name.parse::<u32>().unwrap() >= 30 {
            stuck.fetch_add(1, Ordering::SeqCst);
            std::future::pending::<()>().await;
        }
        Io::Ok(())
    });
    let mut run = Box::pin(run);
    // Three run, and behind them tasks wait that are claimed.
    while stuck.load(Ordering::SeqCst) < 3 || tasks.counts().unwrap().get(Status::InProgress) < 5 {
        tokio::time::timeout(ms(5), &mut run).await.unwrap_err();
    }
    drop(run);
    // A claim that was on its way is given back when it comes.
    while tasks.counts().unwrap().get(Status::InProgress) > 0 {
        tracker.flush().unwrap();
    }
    clock.advance(Duration::from_secs(60));
    assert!(tasks.query().status(Status::Pending).fetch().unwrap().iter().all(|record| record.attempts == 0));
    tasks.async_worker().ahead(8).run(async |_| Io::Ok(())).await.unwrap();
    assert_eq!(tasks.counts().unwrap().get(Status::Succeeded), 60);
    assert_eq!(tracker.verify().unwrap(), []);
}

#[tokio::test]
async fn callers_wait_for_room_when_very_many_are_in_the_queue() {
    let (tracker, _, tasks) = jobs(0);
    let tasks = tasks.asynchronous();
    let mut calls: Vec<_> = (0..20_000)
        .map(|number| {
            let tasks = tasks.tasks().asynchronous();
            tokio::spawn(async move { tasks.submit(&job(&number.to_string())).await.map(|receipt| receipt.submission) })
        })
        .collect();
    for call in calls.drain(..) {
        assert_eq!(call.await.unwrap().unwrap(), Submission::New);
    }
    assert_eq!(tasks.counts().unwrap().total(), 20_000);
    assert_eq!(tracker.verify().unwrap(), []);
}
