//! Tests that a worker starts tasks only within the budgets of the resources that they need.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

use serde::{Deserialize, Serialize};
use tracker_core::{ErrorKind, Execution, Tasks, TrackedTask, Tracker, worker::WorkerPool};

use crate::support::kinds::{Status, fine, refused, sound, tracker};

/// A task with the amount of memory that it needs.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[task(name = "render", status = Status, needs(mem = "size", gpu = 1))]
struct Render {
    #[task(id)]
    number: u32,
    #[task(index)]
    size: u64,
}

/// A task of another kind that needs the same memory.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[task(name = "pack", status = Status, needs(mem = 2))]
struct Pack {
    #[task(id)]
    number: u32,
}

fn renders(tracker: &Tracker, sizes: &[u64]) -> Tasks<Render> {
    let renders = tracker.tasks::<Render>().unwrap();
    renders.submit_all((0..).zip(sizes).map(|(number, size)| Render { number, size: *size })).unwrap();
    renders
}

/// The amount that handlers use now, and the largest amount that they used at once.
#[derive(Debug, Default)]
struct Usage {
    now: AtomicU64,
    most: AtomicU64,
}

impl Usage {
    fn hold(&self, amount: u64) {
        self.most.fetch_max(self.now.fetch_add(amount, SeqCst) + amount, SeqCst);
        thread::yield_now();
        self.now.fetch_sub(amount, SeqCst);
    }
}

#[test]
fn handlers_stay_within_the_budgets_of_their_pool() {
    let (_, tracker) = tracker();
    let sizes: Vec<u64> = (0..60).map(|number| number * 7 % 9).collect();
    let renders = renders(&tracker, &sizes);
    let packs = tracker.tasks::<Pack>().unwrap();
    packs.submit_all((0..20).map(|number| Pack { number })).unwrap();
    let (memory, gpus) = (Usage::default(), Usage::default());
    let pool = WorkerPool::new().threads(6).prefetch(4).budget("mem", 8).budget("gpu", 3);
    let pool = pool.serve(&renders, |render: &mut Execution<Render>| {
        gpus.now.fetch_add(1, SeqCst);
        gpus.most.fetch_max(gpus.now.load(SeqCst), SeqCst);
        memory.hold(render.size);
        gpus.now.fetch_sub(1, SeqCst);
        fine()
    });
    let pool = pool.serve(&packs, |_: &mut Execution<Pack>| {
        memory.hold(2);
        fine()
    });
    assert_eq!(pool.run().unwrap().succeeded, 80);
    assert!(memory.most.load(SeqCst) <= 8 && gpus.most.load(SeqCst) <= 3, "{memory:?} {gpus:?}");
    sound(&tracker);
}

#[test]
fn task_above_the_budget_is_left_out_and_the_worker_ends() {
    let (_, tracker) = tracker();
    let renders = renders(&tracker, &[100, 3, 101, 2]);
    assert_eq!(renders.worker().threads(2).budget("mem", 8).run(|_| fine()).unwrap().succeeded, 2);
    assert_eq!(renders.counts().unwrap().get(Status::Pending), 2);
    // Without a budget of the resource, it starts.
    assert_eq!(renders.worker().budget("gpu", 1).run(|_| fine()).unwrap().succeeded, 2);
    sound(&tracker);
}

#[test]
fn large_task_is_overtaken_by_sixteen_smaller_ones() {
    let (_, tracker) = tracker();
    let sizes: Vec<u64> = [1, 10].into_iter().chain([1; 40]).collect();
    let renders = renders(&tracker, &sizes);
    let (small, order) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let worker = renders.worker().threads(2).budget("mem", 10);
    let summary = worker.run(|render| {
        order.lock().unwrap().push(render.number);
        if render.number == 0 {
            // While it runs, the large task does not fit.
            while small.load(SeqCst) < 16 {
                thread::yield_now();
            }
        } else if render.number > 1 {
            small.fetch_add(1, SeqCst);
        }
        fine()
    });
    assert_eq!(summary.unwrap().succeeded, 42);
    let order = order.into_inner().unwrap();
    assert_eq!(order.iter().position(|number| *number == 1), Some(17), "{order:?}");
    sound(&tracker);
}

#[test]
fn wrong_budget_is_refused_at_the_start() {
    let (_, tracker) = tracker();
    let renders = renders(&tracker, &[1]);
    refused(renders.worker().budget("mem", 0).run(|_| fine()), "give 1 or more");
    let unknown = refused(renders.worker().budget("memm", 8).run(|_| fine()), ErrorKind::Invalid);
    assert!(unknown.to_string().contains("no kind of the pool needs (\"render\")"), "{unknown}");
    assert_eq!(renders.counts().unwrap().get(Status::Pending), 1);
}

/// A kind of the same name, with other needs.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[task(name = "render", status = Status, needs(threads = "size"))]
struct ThreadedRender {
    #[task(id)]
    number: u32,
    #[task(index)]
    size: u64,
}

#[test]
fn changed_needs_hold_for_tasks_that_wait() {
    let (_, tracker) = tracker();
    let renders = renders(&tracker, &[4, 3, 9]);
    renders.start(0).unwrap().detach().unwrap();
    drop(renders);
    let threaded = tracker.tasks::<ThreadedRender>().unwrap();
    sound(&tracker);
    assert_eq!(threaded.worker().budget("threads", 8).run(|_| fine()).unwrap().succeeded, 1);
    assert_eq!(threaded.counts().unwrap().get(Status::Succeeded), 1);
    sound(&tracker);
}
