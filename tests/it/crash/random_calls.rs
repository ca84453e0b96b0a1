//! Makes random calls on several kinds with a manual clock, and recomputes every index and counter from the tasks after
//! each. `TRACKER_SEED=n` repeats one seed, `TRACKER_ROUNDS=n` sets the number of rounds.

use std::time::Duration;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use tracker_core::{
    Error, Execution, TaskStatus, Tasks, TrackedTask, Tracker,
    batch::{Batch, BatchOptions},
    dependency::OnDependencyFailure,
    execution::StartOptions,
    status::Role,
    submit::SubmitOptions,
    time::ManualClock,
};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    #[status(step = "first")]
    FirstPending = 10,
    FirstInProgress = 11,
    FirstFailed = 12,
    FirstSucceeded = 13,
    FirstExhausted = 14,
    FirstIgnored = 15,
    FirstCancelled = 16,
    #[status(parked)]
    FirstShelf = 17,
    #[status(step = "second")]
    SecondInProgress = 20,
    SecondFailed = 21,
    SecondSucceeded = 22,
    SecondIgnored = 23,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "job", status = Status, max_attempts = 3, max_crashes = 3, lease = "10s", backoff = "linear(1s, 5s)")]
#[task(history = 3, unique(key, while = unfinished), retention(succeeded = "20s", ignored = "20s"))]
struct Job {
    #[task(id)]
    name: u32,
    #[task(index)]
    host: Option<u32>,
    #[task(index, fingerprint)]
    etag: u32,
    key: u32,
    #[task(priority)]
    priority: u8,
}

struct Random(u64);

impl Random {
    fn below(&mut self, end: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from(self.0 % u64::from(end)).unwrap()
    }
}

fn job(random: &mut Random) -> Job {
    let name = random.below(12);
    Job {
        name,
        host: (random.below(3) > 0).then(|| random.below(3)),
        etag: random.below(3),
        key: if random.below(8) == 0 { random.below(12) } else { name },
        priority: u8::try_from(random.below(3)).unwrap(),
    }
}

/// Makes one random call. Refusals are expected.
fn step(
    random: &mut Random,
    kind: &Tasks<Job>,
    hands: &mut Vec<Execution<Job>>,
    clock: &ManualClock,
    batches: &[Batch; 2],
    other: &Tasks<Job>,
) -> Result<(), Error> {
    let id = random.below(12);
    let batch = &batches[random.below(2) as usize];
    let view = kind.step(["first", "second"][random.below(2) as usize])?;
    match random.below(28) {
        0..4 => drop(kind.submit(&job(random))?),
        22..25 => {
            let mut options = SubmitOptions::new();
            if random.below(2) == 0 {
                options = options.batch(batch);
            }
            for _ in 0..random.below(3) {
                let on_failure = OnDependencyFailure::ALL[random.below(4) as usize];
                options = match random.below(4) {
                    0 => options.after_batch(&batches[random.below(2) as usize], on_failure),
                    1 => options.after(other, random.below(12), on_failure),
                    _ => options.after(kind, random.below(12), on_failure),
                };
            }
            kind.submit_with(&job(random), &options)?;
        }
        25 if random.below(3) == 0 => batch.reopen()?,
        25 => batch.seal()?,
        26 if random.below(2) == 0 => drop(batch.cancel()?),
        26 => drop(batch.requeue(&[Role::Exhausted, Role::Cancelled, Role::Ignored])?),
        4 => {
            let delay = Duration::from_secs(random.below(20).into());
            kind.submit_with(&job(random), &SubmitOptions::new().delay(delay).priority(7))?;
        }
        5..9 => hands.extend(view.claim()?),
        9 => {
            let mut options = StartOptions::new();
            if random.below(2) == 0 {
                options = options.force();
            }
            if random.below(2) == 0 {
                options = options.steal_lease();
            }
            if random.below(2) == 0 {
                options = options.startable([Status::FirstShelf, Status::FirstIgnored]);
            }
            hands.push(view.start_with(id, &options)?);
        }
        10..15 if !hands.is_empty() => {
            let at = random.below(u32::try_from(hands.len()).unwrap()) as usize;
            let mut hand = hands.swap_remove(at);
            hand.etag += 1;
            hand.host = Some(random.below(3));
            match random.below(10) {
                0..3 => hand.succeed()?,
                3 => hand.fail("no luck")?,
                4 => hand.give_up("never")?,
                5 => hand.ignore("not now")?,
                6 => hand.snooze(Duration::from_secs(3))?,
                7 => hand.park(Status::FirstShelf)?,
                8 => hand.release()?,
                _ => drop(hand),
            }
        }
        15 if !hands.is_empty() => {
            let hand = &mut hands[0];
            hand.progress(1, None, "on the way");
            hand.checkpoint()?;
        }
        16 => kind.requeue(id)?,
        17 => kind.cancel(id)?,
        18 => kind.update(id, |job| job.key = job.name)?,
        19 => drop(kind.prune()?),
        20 if random.below(3) == 0 => kind.remove(id)?,
        20 => kind.move_to(id, Status::FirstShelf)?,
        _ if random.below(8) == 0 => clock.jump(TimeDelta::seconds(i64::from(random.below(60)) - 30)),
        _ => clock.advance(Duration::from_millis(u64::from(random.below(6_000)))),
    }
    Ok(())
}

fn play(seed: u64, rounds: u32) {
    let (mut random, clock) = (Random(seed | 1), ManualClock::new());
    let tracker = Tracker::options().clock(clock.clone()).in_memory().unwrap();
    let kinds = [tracker.tasks_as::<Job>("job").unwrap(), tracker.tasks_as::<Job>("job2").unwrap()];
    let follow_up = BatchOptions::new().then(&kinds[1], &Job { name: 0, host: None, etag: 9, key: 0, priority: 0 });
    let follow_up = follow_up.unwrap();
    let batches = ["a", "b"].map(|label| tracker.open_batch(label, &follow_up).unwrap());
    let mut hands = Vec::new();
    for round in 0..rounds {
        let number = random.below(2) as usize;
        let (kind, other) = (&kinds[number], &kinds[1 - number]);
        if let Err(error) = step(&mut random, kind, &mut hands, &clock, &batches, other) {
            assert!(error.is_refusal(), "seed {seed}, round {round}: {error:?}");
        }
        tracker.flush().unwrap();
        let differences = tracker.verify().unwrap();
        assert!(differences.is_empty(), "seed {seed}, round {round}: {differences:?}");
    }
    for kind in &kinds {
        let all = kind.query().fetch().unwrap();
        assert_eq!(all.len() as u64, kind.counts().unwrap().total(), "seed {seed}");
        let mut by_role = 0;
        for role in Role::ALL.into_iter().filter(|role| Status::GRAPH.statuses.iter().any(|one| one.role == *role)) {
            let query = kind.query().role(role);
            let found = query.fetch().unwrap().len() as u64;
            assert_eq!(found, query.total().unwrap(), "seed {seed}, {role}");
            by_role += found;
        }
        assert_eq!(by_role, all.len() as u64, "seed {seed}");
        for page in [kind.query(), kind.query().by_creation(), kind.query().newest_first()] {
            let (mut seen, mut after) = (Vec::new(), None);
            loop {
                let query = page.clone().limit(3);
                let found = match after {
                    Some(cursor) => query.after(cursor).page().unwrap(),
                    None => query.page().unwrap(),
                };
                seen.extend(found.items.into_iter().map(|record| record.id));
                after = found.next;
                if after.is_none() {
                    break;
                }
            }
            let whole: Vec<_> = page.fetch().unwrap().into_iter().map(|record| record.id).collect();
            assert_eq!(seen, whole, "seed {seed}");
        }
    }
}

#[test]
fn random_calls_keep_every_index_and_counter() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let rounds = number("TRACKER_ROUNDS").unwrap_or(400);
    match number("TRACKER_SEED") {
        Some(seed) => play(seed.into(), rounds),
        None => (1..=12).for_each(|seed| play(seed * 7_919, rounds)),
    }
}
