//! Tests async workers.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    io,
    pin::pin,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tracker_core::{Outcome, TrackedTask, Tracker};

use super::{Io, Job, Status, job, jobs, ms};

struct Dropped<'a>(&'a AtomicUsize);

impl Drop for Dropped<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// The kind with a field that older tasks do not have.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[task(name = "job", status = Status, max_attempts = 3, lease = "1m", backoff = "fixed(10s)")]
struct Grown {
    #[task(id)]
    name: String,
    needed: u32,
}

#[tokio::test]
async fn concurrency_of_16_runs_500_tasks_once_each() {
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
async fn async_worker_and_handlers_are_send() {
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
async fn async_handler_over_its_timeout_is_dropped_and_fails() {
    let tracker = Tracker::in_memory().unwrap();
    let tasks = tracker.tasks::<Job>().unwrap();
    tasks.submit(&job("slow")).unwrap();
    let dropped = AtomicUsize::new(0);
    let begun = Instant::now();
    let summary = tasks
        .async_worker()
        .timeout(ms(50))
        .stop_after_failures(1)
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
    assert_eq!(failure.error, "the attempt took longer than its timeout of 50ms");
}

#[tokio::test]
async fn async_timeout_uses_the_tracker_clock() {
    let (_tracker, clock, tasks) = jobs(1);
    let advance = async {
        tokio::time::sleep(ms(250)).await;
        assert_eq!(tasks.counts().unwrap().get(Status::InProgress), 1, "no time has passed yet");
        clock.advance(Duration::from_secs(1));
    };
    let worker = tasks.async_worker().timeout(ms(50)).stop_after_failures(1).run(async |_| {
        tokio::time::sleep(Duration::from_secs(60)).await;
        Io::Ok(())
    });
    let (summary, ()) = tokio::join!(worker, advance);
    assert_eq!(summary.unwrap().failed, 1);
}

#[tokio::test]
async fn async_panic_fails_only_its_task() {
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
async fn stopped_worker_finishes_running_tasks_and_starts_none() {
    let (_tracker, _, tasks) = jobs(100);
    let worker = tasks.async_worker().concurrency(4).keep_running();
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
async fn too_many_failures_stop_the_async_worker() {
    for bodies in [1, 4] {
        let (tracker, _, tasks) = jobs(100);
        let begun = AtomicUsize::new(0);
        let worker = tasks.async_worker().concurrency(bodies).keep_running().stop_after_failures(5);
        let body = async |_: &mut tracker_core::asynchronous::AsyncExecution<Job>| {
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
async fn isolated_task_runs_alone() {
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
        let body = async |job: &mut tracker_core::asynchronous::AsyncExecution<Job>| {
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
        let summary = tasks.async_worker().concurrency(4).prefetch(ahead).run(body).await.unwrap();
        assert_eq!((summary.succeeded, summary.failed, suspects.into_inner()), (123, 0, 3), "{ahead}: {summary:?}");
        assert_eq!(tracker.verify().unwrap(), []);
    }
}

#[tokio::test]
async fn unreadable_task_is_skipped_and_others_run() {
    for ahead in [0, 2, 64] {
        let (tracker, _, old) = jobs(12);
        drop(old);
        let grown = tracker.tasks::<Grown>().unwrap();
        grown.submit_all(["a", "b", "c"].map(|name| Grown { name: name.to_owned(), needed: 1 })).unwrap();
        let summary = grown.async_worker().concurrency(3).prefetch(ahead).run(async |_| Io::Ok(())).await.unwrap();
        assert_eq!((summary.succeeded, summary.unreadable, summary.attempts()), (3, 12, 3), "{ahead}: {summary}");
        assert!(grown.claim().unwrap().is_none());
        drop(grown);
        let old = tracker.tasks::<Job>().unwrap();
        let summary = old.async_worker().prefetch(ahead).run(async |_| Io::Ok(())).await.unwrap();
        assert_eq!(summary.succeeded, 12, "where they can be read, they are in the line again");
        assert!(old.query().fetch().unwrap().iter().all(|record| record.attempts == 1 && record.crashes == 0));
        assert_eq!(tracker.verify().unwrap(), []);
    }
}

#[tokio::test]
async fn keep_running_async_worker_wakes_for_submits_and_time() {
    let (_tracker, clock, tasks) = jobs(0);
    let jobs = tasks.asynchronous();
    let worker = tasks.async_worker().concurrency(3).keep_running();
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
        let later = tracker_core::submit::SubmitOptions::new().delay(Duration::from_secs(3600));
        jobs.submit_with(&job("later"), &later).await.unwrap();
        tokio::time::sleep(ms(20)).await;
        assert_eq!(jobs.counts().unwrap().get(Status::Pending), 1);
        clock.advance(Duration::from_secs(3600));
        // A claimed task that has not started is given back by the stop: only its success shows that it ran.
        while jobs.counts().unwrap().get(Status::Succeeded) < 21 {
            tokio::time::sleep(ms(1)).await;
        }
        stop.stop();
    };
    let (summary, ()) = tokio::join!(worker.run(async |_| Io::Ok(())), feed);
    assert_eq!(summary.unwrap().succeeded, 21);
}

#[tokio::test]
async fn async_worker_runs_follow_ups_and_delayed_tasks() {
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
async fn async_lease_is_renewed_while_a_handler_awaits() {
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
async fn idle_async_worker_sleeps() {
    let (tracker, _, tasks) = jobs(0);
    let worker = tasks.async_worker().concurrency(4).keep_running();
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
async fn shutdown_waits_for_async_handlers_and_names_the_rest() {
    let (tracker, _, jobs) = jobs(2);
    let started = AtomicUsize::new(0);
    let shutdown = async {
        while started.load(Ordering::SeqCst) < 2 {
            tokio::task::yield_now().await;
        }
        let first = tracker.asynchronous().shutdown(Duration::ZERO).await.unwrap();
        assert_eq!(first.running.len(), 2, "{first}");
        tracker.asynchronous().shutdown(Duration::from_secs(60)).await.unwrap()
    };
    let run = jobs.async_worker().concurrency(2).keep_running().run(async |job| {
        started.fetch_add(1, Ordering::SeqCst);
        while !job.is_stopping() {
            tokio::task::yield_now().await;
        }
        Io::Ok(())
    });
    let (summary, shutdown) = tokio::join!(run, shutdown);
    assert_eq!(summary.unwrap().succeeded, 2);
    assert!(shutdown.is_complete());
    assert_eq!(jobs.async_worker().keep_running().run(async |_| Io::Ok(())).await.unwrap().attempts(), 0);
}
