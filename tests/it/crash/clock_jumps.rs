//! Tests a laptop that sleeps: the wall clock jumps, the monotonic clock does not, and live work keeps its lease.

use std::sync::{
    Barrier,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use chrono::TimeDelta;
use serde::{Deserialize, Deserializer, Serialize};
use tracker_core::{Execution, TrackedTask, Tracker, time::ManualClock};

use crate::support::kinds::Status;

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "job", status = Status, lease = "1m")]
struct Job {
    #[task(id)]
    number: u32,
}

#[test]
fn worker_keeps_its_lease_after_an_hour_of_sleep() {
    let clock = ManualClock::new();
    let tracker = Tracker::options().clock(clock.clone()).in_memory().unwrap();
    let jobs = tracker.tasks::<Job>().unwrap();
    jobs.submit(&Job { number: 1 }).unwrap();
    let (runs, inside, go_on) = (AtomicU32::new(0), Barrier::new(2), Barrier::new(2));
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            jobs.worker().run(|_: &mut Execution<Job>| {
                if runs.fetch_add(1, Ordering::Relaxed) == 0 {
                    inside.wait();
                    go_on.wait();
                }
                Ok::<_, std::io::Error>(())
            })
        });
        inside.wait();
        clock.jump(TimeDelta::hours(1));
        assert!(jobs.claim().unwrap().is_none(), "the worker lives, whatever the wall clock says");
        assert!(tracker.rescue().unwrap().is_empty());
        go_on.wait();
        assert_eq!(worker.join().unwrap().unwrap().succeeded, 1);
    });
    assert_eq!(runs.into_inner(), 1);
    assert_eq!(jobs.get(1).unwrap().unwrap().crashes, 0);

    jobs.submit(&Job { number: 2 }).unwrap();
    let mut by_hand = jobs.claim().unwrap().unwrap();
    clock.jump(TimeDelta::hours(1));
    let mut taken = jobs.claim().unwrap().expect("a guard held by hand expires by the clock");
    by_hand.succeed().unwrap_err();
    taken.succeed().unwrap();
    assert_eq!(tracker.verify().unwrap(), []);
}

/// It is read by a worker that has claimed it, and has not begun its handler.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "slow", status = Status, lease = "1m")]
struct Slow {
    #[task(id)]
    number: u32,
    #[serde(deserialize_with = "slowly")]
    rows: u32,
}

static SLOW: AtomicBool = AtomicBool::new(false);
static READ: [Barrier; 2] = [const { Barrier::new(2) }; 2];

fn slowly<'d, D: Deserializer<'d>>(from: D) -> Result<u32, D::Error> {
    let rows = u32::deserialize(from)?;
    if SLOW.swap(false, Ordering::Relaxed) {
        for read in &READ {
            read.wait();
        }
    }
    Ok(rows)
}

#[test]
fn worker_keeps_its_lease_after_sleep_before_the_handler() {
    let clock = ManualClock::new();
    let tracker = Tracker::options().clock(clock.clone()).in_memory().unwrap();
    let tasks = tracker.tasks::<Slow>().unwrap();
    for (number, ahead) in [(1, 0), (2, 4)] {
        tasks.submit(&Slow { number, rows: 3 }).unwrap();
        SLOW.store(true, Ordering::Relaxed);
        let summary = std::thread::scope(|scope| {
            let worker = scope.spawn(|| tasks.worker().prefetch(ahead).run(|_| Ok::<_, std::io::Error>(())));
            READ[0].wait();
            clock.jump(TimeDelta::hours(1));
            let rescued = tracker.rescue().unwrap();
            READ[1].wait();
            assert_eq!(rescued, [], "the worker lives, whatever the wall clock says");
            worker.join().unwrap().unwrap()
        });
        assert_eq!((summary.succeeded, summary.lost), (1, 0), "{summary:?}");
    }
    assert_eq!(tracker.verify().unwrap(), []);
}
