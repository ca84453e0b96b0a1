//! Tests async calls, and the effect of dropping their futures.

use std::{
    io,
    time::{Duration, Instant},
};

use tracker_core::{ErrorKind, Submission, Tracker, events::Waited, worker::RunError};

use super::{Io, Job, Status, job, jobs, ms, poll_once};

#[tokio::test]
async fn async_calls_cover_the_life_of_a_task() {
    let (tracker, clock, tasks) = jobs(0);
    let jobs = tasks.asynchronous();
    assert_eq!(jobs.submit(&job("one")).await.unwrap().submission, Submission::New);
    assert_eq!(jobs.submit(&job("one")).await.unwrap().submission, Submission::Existing);
    jobs.update("one", |job| job.result = Some(1)).await.unwrap();

    let mut claimed = jobs.claim().await.unwrap().expect("it is due");
    assert_eq!(claimed.result, Some(1));
    claimed.renew().await.unwrap();
    claimed.result = Some(2);
    claimed.checkpoint().await.unwrap();
    claimed.fail("no luck").await.unwrap();
    assert_eq!(claimed.succeed().await.unwrap_err().kind(), ErrorKind::LeaseLost);
    assert!(jobs.claim().await.unwrap().is_none(), "it waits for its delay");
    assert_eq!(jobs.get("one").unwrap().unwrap().task.result, Some(2));

    clock.advance(Duration::from_secs(10));
    let text = "borrowed".to_owned();
    let failed = jobs.run("one", async |_| Err::<(), _>(io::Error::other(text.as_str()))).await.unwrap_err();
    assert!(matches!(failed, RunError::Handler(_)), "{failed:?}");
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
async fn dropped_future_of_a_command_still_takes_effect() {
    let (tracker, _, tasks) = jobs(0);
    let jobs = tasks.asynchronous();
    for number in 0..50 {
        drop(poll_once(jobs.submit(&job(&number.to_string()))).await);
    }
    tracker.flush().unwrap();
    assert_eq!(jobs.counts().unwrap().get(Status::Pending), 50);
}

#[tokio::test]
async fn dropped_checkpoint_future_does_not_lose_the_outcome() {
    let (_, _, tasks) = jobs(1);
    let mut held = tasks.asynchronous().start("0").await.unwrap();
    held.result = Some(1);
    drop(poll_once(held.checkpoint()).await);
    held.result = None;
    held.succeed().await.unwrap();
    assert_eq!(tasks.get("0").unwrap().unwrap().task.result, None);
}

#[tokio::test]
async fn dropped_claim_future_leaves_no_lease() {
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
fn untaken_claim_is_released_with_the_last_handle() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jobs.redb");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for round in 0..10 {
        let jobs = Tracker::open(&file).unwrap().tasks::<Job>().unwrap();
        jobs.submit(&job("one")).unwrap();
        runtime.block_on(async { drop(poll_once(jobs.asynchronous().claim()).await) });
        drop(jobs);
        // The answer may still hold the file: the last holder that releases it closes it.
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
async fn execution_dropped_by_cancellation_is_released() {
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
async fn execution_dropped_by_a_panic_fails() {
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

#[tokio::test]
async fn callers_wait_for_room_in_a_full_queue() {
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

#[tokio::test]
async fn wait_returns_when_the_task_has_ended() {
    let (_tracker, _, jobs) = jobs(2);
    let jobs = jobs.asynchronous();
    assert!(matches!(jobs.wait("0", Duration::ZERO).await.unwrap(), Waited::TimedOut));
    let error = jobs.wait("nothing", Duration::MAX).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    // A wait that is dropped leaves nothing behind.
    assert!(poll_once(jobs.wait("0", Duration::MAX)).await.is_none());
    let mut waits: Vec<_> = (0..20).map(|_| Box::pin(jobs.wait("0", Duration::from_secs(60)))).collect();
    for wait in &mut waits {
        assert!(poll_once(wait.as_mut()).await.is_none());
    }
    jobs.start("1").await.unwrap().succeed().await.unwrap();
    assert!(poll_once(waits[0].as_mut()).await.is_none(), "another task has ended");
    jobs.start("0").await.unwrap().give_up("no use").await.unwrap();
    for wait in waits {
        assert_eq!(wait.await.unwrap().ended().unwrap().status, Status::Exhausted);
    }
    assert!(matches!(poll_once(jobs.wait("0", Duration::MAX)).await, Some(Ok(Waited::Ended(_)))));
}
