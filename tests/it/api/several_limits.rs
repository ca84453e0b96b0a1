//! Tests kinds with several limits by the values of indexes, and with limits and needs, against a look at every task.

mod rule;

use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use tracker_core::{
    Execution, Tasks, TrackedTask, Tracker, file::Sharing, inspect::Explanation, submit::SubmitOptions, task::TaskId,
};

use rule::{MOST_OVERTAKES, Model, Parts, Sample};

use crate::support::{
    kinds::{SECOND, Status, sound, tracker},
    random::Random,
};

macro_rules! crawl {
    ($(#[$about:meta])* $name:ident, $kind:literal $(, $need:ident)?) => {
        $(#[$about])*
        #[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
        #[task(name = $kind, status = Status, lease = "1m", max_attempts = "unlimited", backoff = "fixed(2s)" $(, needs($need = "size"))?)]
        struct $name {
            #[task(id)]
            number: u32,
            #[task(index, limit = 2)]
            host: Option<String>,
            #[task(index, limit = 1)]
            customer: String,
            #[task(index)]
            size: u64,
            #[task(priority)]
            priority: u8,
        }

        impl Sample for $name {
            const HAS_NEEDS: bool = !stringify!($($need)?).is_empty();

            fn of(number: u32, host: Option<&str>, customer: &str, size: u64, priority: u8) -> Self {
                Self { number, host: host.map(str::to_owned), customer: customer.to_owned(), size, priority }
            }

            fn parts(&self) -> Parts {
                let customer = Some(("customer", 1, self.customer.clone()));
                let host = self.host.clone().map(|host| ("host", 2, host));
                Parts { number: self.number, values: [host, customer].into_iter().flatten().collect(), size: self.size }
            }
        }
    };
}

crawl!(
    /// At most two of a host and one of a customer at a time.
    Crawl,
    "crawl"
);
crawl!(
    /// A file with these limits, whose tasks also need as much memory as the budget has.
    Parse,
    "parse",
    mem
);

/// At most one of a host at a time, and as much memory as the budget has.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[task(name = "render", status = Status, needs(mem = "size"))]
struct Render {
    #[task(id)]
    number: u32,
    #[task(index, limit = 1)]
    host: String,
    #[task(index)]
    size: u64,
}

fn crawls(tracker: &Tracker, all: &[(&str, &str)]) -> Tasks<Crawl> {
    let tasks = tracker.tasks::<Crawl>().unwrap();
    let all = (0..).zip(all).map(|(number, (host, customer))| Crawl::of(number, Some(host), customer, 1, 0));
    tasks.submit_all(all).unwrap();
    tasks
}

fn claimed(tasks: &Tasks<Crawl>) -> Option<Execution<Crawl>> {
    tasks.claim().unwrap()
}

fn numbers(held: &[Execution<Crawl>]) -> Vec<u32> {
    held.iter().map(|held| held.number).collect()
}

#[test]
fn claim_skips_tasks_of_any_saturated_value() {
    let (_, tracker) = tracker();
    let tasks = crawls(&tracker, &[("a", "x"), ("b", "x"), ("a", "y"), ("a", "z"), ("b", "y"), ("b", "z"), ("c", "x")]);
    let mut held: Vec<_> = std::iter::from_fn(|| claimed(&tasks)).collect();
    assert_eq!(numbers(&held), [0, 2, 5]);
    let limited = |index: &str, most| Explanation::Limited { index: index.to_owned(), most };
    assert_eq!(tasks.explain(1).unwrap(), limited("customer", 1));
    assert_eq!(tasks.explain(3).unwrap(), limited("host", 2));
    let plan = tasks.plan(10).unwrap();
    assert_eq!(plan.next.iter().map(|planned| planned.why.clone()).collect::<Vec<_>>(), {
        let customer = limited("customer", 1);
        [customer.clone(), limited("host", 2), customer.clone(), customer]
    });
    held.remove(0).succeed().unwrap();
    assert_eq!(claimed(&tasks).map(|held| held.number), Some(1));
    sound(&tracker);
}

#[test]
fn first_task_of_a_value_is_overtaken_a_bounded_number_of_times() {
    let (_, tracker) = tracker();
    // The first of host a waits for its customer, and the others of the host pass.
    let mut all = vec![("b", "x"), ("a", "x")];
    let others: Vec<_> = (0..30).map(|number| format!("other {number}")).collect();
    all.extend(others.iter().map(|customer| ("a", customer.as_str())));
    all.push(("c", "y"));
    let tasks = crawls(&tracker, &all);
    let mut blocking = claimed(&tasks).unwrap();
    for number in 2..2 + MOST_OVERTAKES {
        let mut passing = claimed(&tasks).unwrap();
        assert_eq!(passing.number, number);
        passing.succeed().unwrap();
        sound(&tracker);
    }
    let next = 2 + MOST_OVERTAKES;
    let reserved = Explanation::Reserved { index: "host".to_owned(), first: 1_u32.to_key() };
    assert_eq!(tasks.explain(next).unwrap(), reserved);
    assert!(reserved.to_string().contains("\"1\" with the same host"), "{reserved}");
    assert_eq!(claimed(&tasks).map(|held| held.number), Some(32), "other hosts go on");
    assert!(claimed(&tasks).is_none(), "the host is reserved");
    sound(&tracker);
    blocking.succeed().unwrap();
    assert_eq!(numbers(&[claimed(&tasks).unwrap(), claimed(&tasks).unwrap()]), [1, next]);
    sound(&tracker);
}

#[test]
fn reservation_ends_with_its_task() {
    let (_, tracker) = tracker();
    let others: Vec<_> = (0..30).map(|number| format!("other {number}")).collect();
    let all = [("b", "x"), ("a", "x")].into_iter().chain(others.iter().map(|customer| ("a", customer.as_str())));
    let tasks = crawls(&tracker, &all.collect::<Vec<_>>());
    let _blocking = claimed(&tasks).unwrap();
    for _ in 0..MOST_OVERTAKES {
        claimed(&tasks).unwrap().succeed().unwrap();
    }
    assert!(claimed(&tasks).is_none());
    tasks.cancel(1).unwrap();
    assert_eq!(claimed(&tasks).map(|held| held.number), Some(2 + MOST_OVERTAKES));
    sound(&tracker);
}

#[test]
fn task_with_a_limit_and_needs_waits_for_both() {
    let (_, tracker) = tracker();
    let tasks = tracker.tasks::<Render>().unwrap();
    tracker.set_budget("mem", 8).unwrap();
    let all = [("a", 2), ("a", 2), ("b", 8), ("c", 6)];
    let render = |(number, (host, size)): (u32, (&str, u64))| Render { number, host: host.to_owned(), size };
    tasks.submit_all((0..).zip(all).map(render)).unwrap();
    let mut first = tasks.claim().unwrap().unwrap();
    let last = tasks.claim().unwrap().unwrap();
    assert_eq!((first.number, last.number), (0, 3));
    assert_eq!(tasks.explain(1).unwrap(), Explanation::Limited { index: "host".to_owned(), most: 1 });
    let lacking = Explanation::BudgetReached { resource: "mem".to_owned(), amount: 8, in_use: 8, budget: 8 };
    assert_eq!(tasks.explain(2).unwrap(), lacking);
    assert_eq!(tracker.budgets().unwrap().first().map(|budget| budget.in_use), Some(8));
    first.succeed().unwrap();
    assert_eq!(tasks.claim().unwrap().map(|held| held.number), Some(1));
    sound(&tracker);
}

#[test]
fn worker_runs_all_tasks_within_every_limit() {
    for prefetch in [0, 16] {
        let (_, tracker) = tracker();
        let all: Vec<_> =
            (0..90).map(|number| (["a", "b", "c"][number % 3], ["x", "y", "z"][number / 3 % 3])).collect();
        let tasks = crawls(&tracker, &all);
        let summary = tasks.worker().threads(6).prefetch(prefetch).run(|task| {
            let (host, customer) = (task.host.clone(), task.customer.clone());
            let running = || tasks.query().status(Status::InProgress);
            assert!(
                running().index("host", &host).total()? <= 2 && running().index("customer", &customer).total()? <= 1
            );
            Ok::<_, tracker_core::Error>(())
        });
        assert_eq!(summary.unwrap().succeeded, 90);
        sound(&tracker);
    }
}

#[test]
fn latest_opener_decides_which_limits_a_kind_has() {
    #[derive(TrackedTask, Serialize, Deserialize)]
    #[task(name = "crawl", status = Status)]
    struct OneLimit {
        #[task(id)]
        number: u32,
        #[task(index, limit = 2)]
        host: Option<String>,
        #[task(index)]
        customer: String,
        #[task(index)]
        size: u64,
        priority: u8,
    }
    let (_, tracker) = tracker();
    let tasks = crawls(&tracker, &[("a", "x"), ("b", "x"), ("a", "x"), ("a", "y")]);
    let ticket = claimed(&tasks).unwrap().detach().unwrap();
    drop(tasks);
    let one = tracker.tasks::<OneLimit>().unwrap();
    sound(&tracker);
    let mut held: Vec<_> = std::iter::from_fn(|| one.claim().unwrap()).collect();
    assert_eq!(held.iter().map(|held| held.number).collect::<Vec<_>>(), [1, 2]);
    for held in &mut held {
        held.release().unwrap();
    }
    drop((held, one));
    let tasks = tracker.tasks::<Crawl>().unwrap();
    sound(&tracker);
    assert_eq!(claimed(&tasks).map(|held| held.number), Some(3));
    tasks.resume_ticket(&ticket).unwrap().succeed().unwrap();
    sound(&tracker);
}

#[test]
fn recover_restores_several_limits() {
    let folder = tempfile::tempdir().unwrap();
    let (path, into) = (folder.path().join("old.redb"), folder.path().join("new.redb"));
    let open = |path| Tracker::options().sharing(Sharing::Writers).open(path).unwrap();
    let tracker = open(&path);
    let tasks = crawls(&tracker, &[("a", "x"), ("b", "x"), ("a", "y"), ("a", "z"), ("b", "z")]);
    claimed(&tasks).unwrap().detach().unwrap();
    assert!(claimed(&tasks).is_some_and(|held| held.number == 2), "the second is blocked");
    tracker.close().unwrap();
    Tracker::recover(&path, &into).unwrap();
    let tracker = open(&into);
    let tasks = tracker.tasks::<Crawl>().unwrap();
    sound(&tracker);
    assert_eq!(numbers(&std::iter::from_fn(|| claimed(&tasks)).collect::<Vec<_>>()), [3]);
}

#[test]
fn worker_drains_many_classes_that_one_value_blocks() {
    let (_, tracker) = tracker();
    // More classes than one claim moves to the blocked lists: all wait for host a, and the last task for nothing.
    let customers: Vec<_> = (0..700).map(|number| format!("customer {number}")).collect();
    let mut all: Vec<_> = customers.iter().map(|customer| ("a", customer.as_str())).collect();
    all.push(("b", "last"));
    let tasks = crawls(&tracker, &all);
    let held = Mutex::new(vec![claimed(&tasks).unwrap(), claimed(&tasks).unwrap()]);
    let summary = tasks.worker().threads(2).run(|task| {
        if task.number == 700 {
            held.lock().unwrap().drain(..).try_for_each(|mut held| held.release())?;
        }
        Ok::<_, tracker_core::Error>(())
    });
    assert_eq!(summary.unwrap().succeeded, 701);
    sound(&tracker);
}

#[test]
fn claim_finds_a_task_behind_many_classes() {
    let (_, tracker) = tracker();
    let customers: Vec<_> = (0..700).map(|number| format!("customer {number}")).collect();
    let mut all: Vec<_> = customers.iter().map(|customer| ("a", customer.as_str())).collect();
    all.push(("b", "last"));
    let tasks = crawls(&tracker, &all);
    let _held = [claimed(&tasks).unwrap(), claimed(&tasks).unwrap()];
    assert_eq!(claimed(&tasks).map(|held| held.number), Some(700));
    assert!(claimed(&tasks).is_none());
    sound(&tracker);
}

fn random_task<T: Sample>(random: &mut Random, number: u32, budget: u64) -> T {
    let host = Some(["a", "b"][random.below(2)]).filter(|_| random.below(8) > 0);
    let customer = ["x", "y", "z", "u", "v", "w"][random.below(6)];
    let size = (random.below(9) as u64).min(budget);
    T::of(number, host, customer, size, u8::from(random.below(12) == 0))
}

/// Random calls, with each claim held against the model. Returns how often a reservation held a task back.
fn claims_equal_the_rule<T: Sample>(seed: u64) -> usize {
    let mut random = Random::new(seed);
    let (clock, tracker) = tracker();
    let tasks = tracker.tasks::<T>().unwrap();
    let (mut model, mut held, mut long): (_, Vec<Execution<T>>, _) = (Model::default(), Vec::new(), None);
    let (mut next, mut budget, mut claims) = (0_u32, 12_u64, 0);
    tracker.set_budget("mem", budget).unwrap();
    for number in 0..100 {
        tasks.submit(&random_task::<T>(&mut random, number, budget)).unwrap();
        next = number + 1;
    }
    for round in 0..320 {
        let answer = match random.below(16) {
            0..4 => {
                let task = random_task::<T>(&mut random, next, budget);
                next += 1;
                let options = SubmitOptions::new().delay(SECOND * u32::from(random.below(6) == 0));
                tasks.submit_with(&task, &options).map(drop)
            }
            4..10 => {
                let expected = model.claim(&tasks, &clock, budget);
                let found = tasks.claim().unwrap();
                let found_number = found.as_ref().map(|held| held.parts().number);
                assert_eq!(found_number, expected, "seed {seed}, round {round}");
                claims += usize::from(found.is_some());
                // One task of customer x is kept for long, so that others overtake those that wait for it.
                match found {
                    Some(found) if long.is_none() && found.parts().values.iter().any(|value| value.2 == "x") => {
                        long = Some(found);
                    }
                    found => held.extend(found),
                }
                Ok(())
            }
            10..14 if !held.is_empty() => {
                let mut ended = held.swap_remove(random.below(held.len()));
                match random.below(8) {
                    0 => ended.fail("again"),
                    1 => ended.snooze(SECOND),
                    2 => ended.release(),
                    _ => ended.succeed(),
                }
            }
            14 => match random.below(12) {
                0 => long.take().map_or(Ok(()), |mut long| long.succeed()),
                1 if T::HAS_NEEDS => {
                    budget = 5 + random.below(9) as u64;
                    tracker.set_budget("mem", budget).map(drop)
                }
                2..4 => tasks.cancel(u32::try_from(random.below(next as usize + 1)).unwrap()),
                4..6 => {
                    let number = u32::try_from(random.below(next as usize + 1)).unwrap();
                    tasks.start(number).map(|one| held.push(one))
                }
                _ => Ok(()),
            },
            _ => {
                clock.advance(SECOND);
                Ok(())
            }
        };
        assert!(answer.is_ok() || answer.as_ref().is_err_and(tracker_core::Error::is_refusal), "{answer:?}");
        model.update(&tasks, &clock);
        if round % 20 == 0 {
            sound(&tracker);
        }
    }
    assert!(claims > 20, "seed {seed}: {claims} claims");
    sound(&tracker);
    model.reservations
}

#[test]
fn claims_under_several_limits_equal_a_look_at_every_task() {
    let reservations: usize = (0..3).map(claims_equal_the_rule::<Crawl>).sum();
    assert!(reservations > 0, "no task was overtaken as often as it may be");
}

#[test]
fn claims_under_limits_and_needs_equal_a_look_at_every_task() {
    let reservations: usize = (0..3).map(claims_equal_the_rule::<Parse>).sum();
    assert!(reservations > 0, "no task was overtaken as often as it may be");
}
