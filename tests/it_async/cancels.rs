//! Tests that a cancellation ends an async handler at its next await.

use std::{
    future::pending,
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
};

use tracker_core::Tracker;

use crate::{Io, Status, job, jobs, ms};

/// Counts the handlers that were dropped before they ended.
struct Dropped<'c>(&'c AtomicUsize);

impl Drop for Dropped<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

#[tokio::test]
async fn cancel_drops_the_future_of_a_handler_at_its_next_await() {
    for prefetch in [0, 8] {
        let (tracker, _clock, tasks) = jobs(30);
        let others = tracker.tasks_as::<crate::Job>("others").unwrap();
        others.submit(&job("3")).unwrap();
        let (running, dropped) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let cancel = async {
            for number in 0..30 {
                while running.load(SeqCst) == number / 5 * 5 && tasks.counts().unwrap().get(Status::InProgress) == 0 {
                    tokio::time::sleep(ms(1)).await;
                }
                tasks.asynchronous().cancel(number.to_string().as_str()).await.unwrap();
            }
        };
        let worker = tasks.async_worker().concurrency(5).prefetch(prefetch).run(async |_| {
            running.fetch_add(1, SeqCst);
            let _dropped = Dropped(&dropped);
            pending::<()>().await;
            Io::Ok(())
        });
        let (summary, ()) = tokio::join!(worker, cancel);
        let summary = summary.unwrap();
        assert_eq!((summary.succeeded, summary.failed), (0, 0), "{summary}");
        assert_eq!(dropped.load(SeqCst), running.load(SeqCst), "each handler that has started is dropped");
        assert!(running.load(SeqCst) >= 5);
        assert_eq!(tasks.counts().unwrap().get(Status::Cancelled), 30);
        assert_eq!(others.counts().unwrap().get(Status::Pending), 1);
        assert_eq!(tracker.verify().unwrap(), []);
    }
}

#[tokio::test]
async fn cooperative_cancel_leaves_the_future_running() {
    let (tracker, _clock, tasks): (Tracker, _, _) = jobs(4);
    let cancel = async {
        while tasks.counts().unwrap().get(Status::InProgress) < 4 {
            tokio::time::sleep(ms(1)).await;
        }
        for name in ["0", "1"] {
            tasks.asynchronous().cancel(name).await.unwrap();
        }
    };
    let (asked, told) = (AtomicUsize::new(0), tokio::sync::Notify::new());
    let worker = tasks.async_worker().concurrency(4).cancel_cooperatively().run(async |job| {
        if ["0", "1"].contains(&job.name.as_str()) {
            while !job.is_cancelled() {
                tokio::time::sleep(ms(1)).await;
            }
            asked.fetch_add(1, SeqCst);
            if asked.load(SeqCst) == 2 {
                told.notify_waiters();
            }
            return Err(std::io::Error::other("asked to end"));
        }
        while asked.load(SeqCst) < 2 {
            tokio::time::sleep(ms(1)).await;
        }
        Ok(())
    });
    let (summary, ()) = tokio::join!(worker, cancel);
    assert_eq!(summary.unwrap().succeeded, 2);
    assert_eq!(asked.load(SeqCst), 2);
    let counts = tasks.counts().unwrap();
    assert_eq!((counts.get(Status::Cancelled), counts.get(Status::Succeeded)), (2, 2));
    assert_eq!(tracker.verify().unwrap(), []);
}
