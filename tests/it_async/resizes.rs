//! Tests of async workers that are resized while they run.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use tracker_core::ErrorKind;

use super::{Io, Status, jobs, ms};

#[tokio::test]
async fn resized_async_worker_runs_each_task_once() {
    for prefetch in [0, 8] {
        let (tracker, _, tasks) = jobs(300);
        let (running, most, done) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        let worker = tasks.async_worker().prefetch(prefetch);
        let size = worker.pool_size();
        let run = worker.run(async |_| {
            most.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
            tokio::time::sleep(ms(1)).await;
            running.fetch_sub(1, SeqCst);
            done.fetch_add(1, SeqCst);
            Io::Ok(())
        });
        let resize = async {
            for (round, handlers) in [8, 2, 0, 4, 1, 0, 3].into_iter().enumerate() {
                size.resize(handlers).unwrap();
                most.store(0, SeqCst);
                while running.load(SeqCst) > handlers {
                    tokio::task::yield_now().await;
                }
                most.store(0, SeqCst);
                while handlers > 0 && (done.load(SeqCst) < (round + 1) * 30 || most.load(SeqCst) < handlers) {
                    tokio::task::yield_now().await;
                }
                assert_eq!(most.load(SeqCst), handlers, "the bound is reached and kept");
            }
        };
        let (summary, ()) = tokio::join!(run, resize);
        let summary = summary.unwrap();
        assert_eq!((summary.succeeded, summary.attempts()), (300, 300), "{summary}");
        assert_eq!(tracker.verify().unwrap(), []);
    }
}

#[tokio::test]
async fn async_worker_of_size_zero_ends_by_shutdown() {
    let (tracker, _, tasks) = jobs(3);
    let worker = tasks.async_worker().keep_running();
    let size = worker.pool_size();
    size.resize(0).unwrap();
    let run = worker.run(async |_| Io::Ok(()));
    let end = async {
        size.resize(1).unwrap();
        while tasks.counts().unwrap().get(Status::Succeeded) == 0 {
            tokio::task::yield_now().await;
        }
        size.resize(0).unwrap();
        assert!(tracker.asynchronous().shutdown(ms(60_000)).await.unwrap().is_complete());
        assert_eq!(size.resize(1).unwrap_err().kind(), ErrorKind::Invalid);
    };
    let (summary, ()) = tokio::join!(run, end);
    assert_eq!(summary.unwrap().succeeded, tasks.counts().unwrap().get(Status::Succeeded));
    assert_eq!(tracker.verify().unwrap(), []);
}
