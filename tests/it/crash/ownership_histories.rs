//! Many threads claim, renew, lose leases, finish and cancel while the clock runs fast. Then their answers are compared
//! with each other and with the file.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tracker_core::{
    ErrorKind, Tasks, TrackedTask, Tracker, execution::StartOptions, record::AttemptStatus, time::ManualClock,
};

use crate::support::{
    kinds::Status,
    random::{Random, setting},
};

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "job", status = Status, max_attempts = "unlimited", max_crashes = 10_000, lease = "1s", history = 60_000)]
struct Job {
    #[task(id)]
    number: u32,
    /// The fences of the executions that changed it.
    seen: Vec<u64>,
}

const JOBS: u32 = 5;
const THREADS: u64 = 6;

/// The answers of one attempt. Moments are values of a counter that all threads share.
#[derive(Debug)]
struct Owned {
    number: u32,
    fence: u64,
    attempt: u32,
    claimed: u64,
    /// When its end was requested, and how; `None` if the lease was lost.
    ended: u64,
    status: Option<AttemptStatus>,
}

fn work(jobs: &Tasks<Job>, clock: &ManualClock, moments: &AtomicU64, mut random: Random, rounds: u64) -> Vec<Owned> {
    let moment = || moments.fetch_add(1, Ordering::SeqCst);
    let mut told = Vec::new();
    for _ in 0..rounds {
        let id = u32::try_from(random.below(JOBS as usize)).unwrap();
        match random.below(12) {
            0 => clock.advance(Duration::from_millis(700)),
            1 => drop(jobs.cancel(id)),
            2 => drop(jobs.requeue(id)),
            _ => {
                let taken = match random.below(4) {
                    0 => jobs.start_with(id, &StartOptions::new().steal_lease().force()).ok(),
                    1 => jobs.start_with(id, &StartOptions::new().force()).ok(),
                    _ => jobs.claim().unwrap(),
                };
                let Some(mut hand) = taken else { continue };
                let claimed = moment();
                match random.below(3) {
                    0 => drop(hand.renew()),
                    1 => clock.advance(Duration::from_millis(400)),
                    _ => thread::yield_now(),
                }
                let fence = hand.fence();
                hand.seen.push(fence);
                let ended = moment();
                let (answer, status) = match random.below(3) {
                    0 => (hand.fail("no luck"), AttemptStatus::Failed),
                    1 => (hand.fail_with_changes("no luck"), AttemptStatus::Failed),
                    _ => (hand.succeed(), AttemptStatus::Succeeded),
                };
                let status = match answer {
                    Ok(()) => Some(status),
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::LeaseLost, "{error}");
                        None
                    }
                };
                told.push(Owned { number: hand.number, fence, attempt: hand.attempt(), claimed, ended, status });
            }
        }
    }
    told
}

fn check(jobs: &Tasks<Job>, told: &[Owned]) {
    let fences: BTreeSet<_> = told.iter().map(|owned| owned.fence).collect();
    assert_eq!(fences.len(), told.len(), "each claim has a fence of its own");
    for number in 0..JOBS {
        let record = jobs.get(number).unwrap().unwrap();
        let past: BTreeMap<_, _> = record.history.iter().map(|past| (past.fence, past)).collect();
        assert_eq!(past.len(), record.history.len(), "an attempt ends once");
        assert_eq!(record.ended as usize, past.len());
        let mut mine: Vec<_> = told.iter().filter(|owned| owned.number == number).collect();
        mine.sort_by_key(|owned| owned.fence);
        let mut free = 0;
        for (count, owned) in (1..).zip(&mine) {
            assert_eq!(owned.attempt, count, "attempts count the claims: {owned:?}");
            let ended = past[&owned.fence];
            assert_eq!(ended.attempt, owned.attempt);
            match owned.status {
                // An owner whose success was acknowledged was the only owner until then.
                Some(status) => {
                    assert!(ended.status == status || ended.status == AttemptStatus::Cancelled, "{owned:?}: {ended:?}");
                    assert!(owned.claimed >= free, "{owned:?} was claimed while somebody else had it until {free}");
                    free = owned.ended;
                }
                // An owner that lost its lease ended nothing.
                None => assert!(
                    matches!(
                        ended.status,
                        AttemptStatus::Crashed
                            | AttemptStatus::Interrupted
                            | AttemptStatus::TakenOver
                            | AttemptStatus::Cancelled
                    ),
                    "{owned:?}: {ended:?}"
                ),
            }
        }
        // The stored fences are those of acknowledged successes, in order.
        let owners: BTreeMap<_, _> = mine.iter().map(|owned| (owned.fence, owned.status)).collect();
        assert!(record.task.seen.is_sorted(), "{:?}", record.task.seen);
        assert!(record.task.seen.iter().all(|fence| owners[fence].is_some()), "a lost lease has left something");
        let successes = mine.iter().filter(|owned| owned.status == Some(AttemptStatus::Succeeded));
        assert!(successes.clone().count() > 0);
        assert!(successes.into_iter().all(|owned| record.task.seen.contains(&owned.fence)), "a success is lost");
    }
}

#[test]
fn lease_answers_of_contending_threads_are_consistent() {
    let (rounds, seed) = (setting("TRACKER_ROUNDS").unwrap_or(300), setting("TRACKER_SEED").unwrap_or(1));
    let clock = ManualClock::new();
    let tracker = Tracker::options().clock(clock.clone()).in_memory().unwrap();
    let jobs = tracker.tasks::<Job>().unwrap();
    jobs.submit_all((0..JOBS).map(|number| Job { number, seen: Vec::new() })).unwrap();
    let (told, moments) = (Mutex::new(Vec::new()), AtomicU64::new(1));
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (jobs, clock, told, moments) = (&jobs, &clock, &told, &moments);
            scope.spawn(move || {
                let mine = work(jobs, clock, moments, Random::new(seed * THREADS + thread), rounds);
                told.lock().unwrap().extend(mine);
            });
        }
    });
    let told = told.into_inner().unwrap();
    let lost = told.iter().filter(|owned| owned.status.is_none()).count();
    println!("seed {seed}: {} attempts, {lost} of them lost their lease", told.len());
    assert!(lost > 10, "only {lost} leases were lost");
    check(&jobs, &told);
    assert_eq!(tracker.verify().unwrap(), []);
}
