//! Tests budgets of async workers: those of the worker, and those of the file.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::SeqCst},
};

use serde::{Deserialize, Serialize};
use tokio::task::yield_now;
use tracker_core::{Tasks, TrackedTask, Tracker, asynchronous::AsyncExecution, time::ManualClock};

use super::{Io, Status};

/// A task with the amount of memory that it needs.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[task(name = "render", status = Status, needs(mem = "size"))]
struct Render {
    #[task(id)]
    number: u32,
    #[task(index)]
    size: u64,
}

fn renders(sizes: &[u64]) -> (Tracker, Tasks<Render>) {
    let tracker = Tracker::options().clock(ManualClock::new()).in_memory().unwrap();
    let renders = tracker.tasks::<Render>().unwrap();
    renders.submit_all((0..).zip(sizes).map(|(number, size)| Render { number, size: *size })).unwrap();
    (tracker, renders)
}

/// The amount that handlers use now, and the largest amount that they used at once.
#[derive(Default)]
struct Usage {
    now: AtomicU64,
    most: AtomicU64,
}

impl Usage {
    async fn hold(&self, amount: u64) {
        self.most.fetch_max(self.now.fetch_add(amount, SeqCst) + amount, SeqCst);
        for _ in 0..20 {
            yield_now().await;
        }
        self.now.fetch_sub(amount, SeqCst);
    }
}

#[tokio::test]
async fn async_handlers_stay_within_the_budgets_of_worker_and_file() {
    // The lower budget holds, whichever it is.
    for (own, of_file) in [(Some(8), None), (None, Some(8)), (Some(8), Some(20)), (Some(20), Some(8))] {
        for prefetch in [0, 4] {
            let sizes: Vec<u64> = (0..60).map(|number| 1 + number * 7 % 8).collect();
            let (tracker, renders) = renders(&sizes);
            of_file.map_or(Ok(()), |amount| tracker.set_budget("mem", amount)).unwrap();
            let usage = Arc::new(Usage::default());
            let mut worker = renders.async_worker().concurrency(6).prefetch(prefetch);
            if let Some(amount) = own {
                worker = worker.budget("mem", amount);
            }
            let summary = worker
                .run(async |render: &mut AsyncExecution<Render>| {
                    usage.hold(render.size).await;
                    Io::Ok(())
                })
                .await;
            assert_eq!(summary.unwrap().succeeded, 60, "{own:?} {of_file:?} {prefetch}");
            assert_eq!(usage.most.load(SeqCst), 8, "{own:?} {of_file:?} {prefetch}");
            assert_eq!(tracker.verify().unwrap(), []);
        }
    }
}

#[tokio::test]
async fn async_worker_ends_without_a_task_above_its_budget() {
    let (tracker, renders) = renders(&[100, 3, 101, 2]);
    let worker = renders.async_worker().concurrency(2).budget("mem", 8);
    assert_eq!(worker.run(async |_| Io::Ok(())).await.unwrap().succeeded, 2);
    assert_eq!(renders.counts().unwrap().get(Status::Pending), 2);
    assert_eq!(renders.async_worker().run(async |_| Io::Ok(())).await.unwrap().succeeded, 2);
    assert_eq!(tracker.verify().unwrap(), []);
}
