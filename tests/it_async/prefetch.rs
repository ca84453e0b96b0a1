//! Async workers that prefetch.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::{Io, Job, Status, jobs, ms};

#[tokio::test]
async fn async_prefetch_runs_each_once_and_stop_releases_the_rest() {
    for (bodies, ahead) in [(1, 1), (1, 32), (16, 4), (4, 40)] {
        let (tracker, _, tasks) = jobs(400);
        let worker = tasks.async_worker().concurrency(bodies).prefetch(ahead);
        let (stop, seen, most) = (worker.stop_handle(), Mutex::new(BTreeMap::new()), AtomicUsize::new(0));
        let body = async |job: &mut tracker_core::asynchronous::AsyncExecution<Job>| {
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
        let summary = tasks.async_worker().concurrency(bodies).prefetch(ahead).run(body).await.unwrap();
        assert_eq!(tasks.counts().unwrap().get(Status::Succeeded), 400, "{summary}");
        assert!(seen.lock().unwrap().values().all(|times| *times == 1));
        assert!(most.load(Ordering::SeqCst) <= bodies + ahead);
        assert_eq!(tracker.verify().unwrap(), []);
    }
}

#[tokio::test]
async fn dropped_prefetching_async_worker_releases_its_tasks() {
    let (tracker, clock, tasks) = jobs(60);
    let worker = tasks.async_worker().concurrency(3).prefetch(20);
    let stuck = AtomicUsize::new(0);
    let run = worker.run(async |job: &mut tracker_core::asynchronous::AsyncExecution<Job>| {
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
    tasks.async_worker().prefetch(8).run(async |_| Io::Ok(())).await.unwrap();
    assert_eq!(tasks.counts().unwrap().get(Status::Succeeded), 60);
    assert_eq!(tracker.verify().unwrap(), []);
}
