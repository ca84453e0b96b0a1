//! Tests budgets of resources that the file has: the task that a claim starts, against a look at every task, and the refusals.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tracker_core::{
    ErrorKind, Execution, Tasks, TrackedTask, Tracker,
    error::Reason,
    inspect::{Explanation, ResourceBudget},
    submit::SubmitOptions,
};

use crate::support::{
    kinds::{MINUTE, SECOND, Status, fine, refused, sound, tracker},
    random::Random,
};

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[task(name = "render", status = Status, needs(mem = "size"), lease = "1m", max_attempts = "unlimited")]
struct Render {
    #[task(id)]
    number: u32,
    #[task(index)]
    size: u64,
    #[task(priority)]
    priority: u8,
}

/// A task of another kind that needs the same memory.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[task(name = "pack", status = Status, needs(mem = 3, gpu = 1))]
struct Pack {
    #[task(id)]
    number: u32,
}

fn render(number: u32, size: u64) -> Render {
    Render { number, size, priority: 0 }
}

fn renders(tracker: &Tracker, sizes: &[u64]) -> Tasks<Render> {
    let renders = tracker.tasks::<Render>().unwrap();
    renders.submit_all((0..).zip(sizes).map(|(number, size)| render(number, *size))).unwrap();
    renders
}

fn claimed(tasks: &Tasks<Render>) -> Option<Execution<Render>> {
    tasks.claim().unwrap()
}

fn used(tracker: &Tracker) -> Vec<(String, u64, u64)> {
    let budgets = tracker.budgets().unwrap().into_iter();
    budgets.map(|ResourceBudget { resource, amount, in_use, .. }| (resource, amount, in_use)).collect()
}

#[test]
fn claim_starts_what_the_tasks_in_progress_leave_room_for() {
    let (_, tracker) = tracker();
    tracker.set_budget("mem", 8).unwrap();
    let (renders, packs) = (renders(&tracker, &[5, 4, 3]), tracker.tasks::<Pack>().unwrap());
    packs.submit(&Pack { number: 0 }).unwrap();
    let mut first = claimed(&renders).unwrap();
    assert_eq!(claimed(&renders).unwrap().number, 2, "the second does not fit, and the third does");
    // Dropped without an outcome, the third has failed and waits again.
    let mut pack = packs.claim().unwrap().unwrap();
    assert!(claimed(&renders).is_none(), "both kinds use the memory");
    assert_eq!(used(&tracker), [("mem".to_owned(), 8, 8)]);
    let why = Explanation::BudgetReached { resource: "mem".to_owned(), amount: 4, in_use: 8, budget: 8 };
    assert_eq!((renders.explain(1).unwrap(), &renders.plan(1).unwrap().next[0].why), (why.clone(), &why));
    assert_eq!(why.to_string(), "it needs 4 of \"mem\": 8 of 8 are in use");
    first.succeed().unwrap();
    assert_eq!(claimed(&renders).unwrap().number, 1);
    pack.succeed().unwrap();
    sound(&tracker);
}

#[test]
fn expired_lease_returns_what_its_task_used() {
    let (clock, tracker) = tracker();
    tracker.set_budget("mem", 8).unwrap();
    let renders = renders(&tracker, &[8, 8]);
    claimed(&renders).unwrap().detach().unwrap();
    assert!(claimed(&renders).is_none());
    clock.advance(MINUTE * 2);
    assert!(claimed(&renders).is_some());
    sound(&tracker);
}

#[test]
fn start_by_id_ignores_the_budget_and_is_counted() {
    let (_, tracker) = tracker();
    let renders = renders(&tracker, &[8, 8, 1]);
    tracker.set_budget("mem", 8).unwrap();
    let _held = [renders.start(0).unwrap(), renders.start(1).unwrap()];
    assert_eq!(used(&tracker), [("mem".to_owned(), 8, 16)]);
    assert!(claimed(&renders).is_none());
    tracker.set_budget("mem", 17).unwrap();
    assert!(claimed(&renders).is_some());
    sound(&tracker);
}

#[test]
fn task_above_the_budget_is_refused_at_submit_and_explained() {
    let (_, tracker) = tracker();
    let renders = renders(&tracker, &[100, 3]);
    tracker.set_budget("mem", 50).unwrap();
    assert_eq!(claimed(&renders).unwrap().number, 1, "the one above the budget is left out");
    let why = Explanation::ExceedsBudget { resource: "mem".to_owned(), amount: 112, budget: 50 };
    assert_eq!(renders.explain(0).unwrap(), why);
    let text = "it needs 112 of \"mem\", and the budget is 50: raise the budget, or change the task";
    assert_eq!(why.to_string(), text);
    let error = refused(renders.submit(&render(7, 64)), ErrorKind::Invalid);
    let reason = error.refusal().map(|refusal| refusal.reason.clone());
    assert_eq!(reason, Some(Reason::ExceedsBudget { resource: "mem".to_owned(), amount: 64, budget: 50 }));
    assert!(error.to_string().contains("raise the budget, or submit a smaller task"), "{error}");
    assert!(renders.get(7).unwrap().is_none());
    tracker.remove_budget("mem").unwrap();
    renders.submit(&render(7, 64)).unwrap();
    assert_eq!(claimed(&renders).unwrap().number, 0);
    sound(&tracker);
}

#[test]
fn retry_with_a_larger_need_waits_for_room() {
    let (_, tracker) = tracker();
    tracker.set_budget("mem", 8).unwrap();
    let renders = renders(&tracker, &[4, 4]);
    let (mut first, mut second) = (claimed(&renders).unwrap(), claimed(&renders).unwrap());
    first.size *= 2;
    first.fail_with_changes("out of memory").unwrap();
    assert!(claimed(&renders).is_none(), "it needs 8 now");
    second.succeed().unwrap();
    assert_eq!(claimed(&renders).map(|held| (held.number, held.size)), Some((0, 8)));
    sound(&tracker);
}

#[test]
fn lower_budget_of_pool_and_file_holds() {
    let (_, tracker) = tracker();
    let renders = renders(&tracker, &[4, 5, 6, 7]);
    tracker.set_budget("mem", 6).unwrap();
    assert_eq!(renders.worker().budget("mem", 4).run(|_| fine()).unwrap().succeeded, 1);
    assert_eq!(renders.worker().budget("mem", 7).run(|_| fine()).unwrap().succeeded, 2);
    tracker.set_budget("mem", 7).unwrap();
    assert_eq!(renders.worker().run(|_| fine()).unwrap().succeeded, 1);
    sound(&tracker);
}

#[test]
fn wrong_budget_of_the_file_is_refused() {
    let (_, tracker) = tracker();
    refused(tracker.set_budget("mem", 0), "give 1 or more, or remove the budget");
    refused(tracker.set_budget("", 1), "1 to 128 bytes");
    refused(tracker.set_budget(&"x".repeat(129), 1), "1 to 128 bytes");
    let missing = refused(tracker.remove_budget("mem"), ErrorKind::NotFound);
    assert_eq!(missing.to_string(), "there is no budget of \"mem\"");
    assert_eq!(tracker.budgets().unwrap(), []);
}

/// The rounded value of an amount of at most 16.
fn rounded(size: u64) -> u64 {
    if size > 8 { size.next_multiple_of(2) } else { size }
}

/// The tasks as the test knows them.
#[derive(Default)]
struct Model {
    /// In claim order: rank, due time, number; and the amounts that each needs.
    waiting: BTreeMap<(u8, i64, u32), u64>,
    /// The task that did not fit, and how many later ones have started since.
    overtaken: Option<(u32, u32)>,
}

impl Model {
    /// The task that a claim must start: a look at each one that waits.
    fn claim(&mut self, now: i64, budget: u64, in_use: u64) -> Option<u32> {
        let mut blocked = None;
        let mut chosen = None;
        for (key, amount) in &self.waiting {
            let (_, due, number) = *key;
            if due > now || *amount > budget {
                continue;
            }
            let fits = *amount == 0 || in_use + amount <= budget;
            match blocked {
                None if !fits => {
                    blocked = Some(self.overtaken.filter(|(other, _)| *other == number).unwrap_or((number, 0)));
                }
                Some((_, times)) if times >= 16 => break,
                _ if fits => {
                    chosen = Some(*key);
                    break;
                }
                _ => {}
            }
        }
        let chosen = chosen?;
        self.waiting.remove(&chosen);
        match blocked {
            Some((number, times)) => self.overtaken = Some((number, times + 1)),
            None => self.overtaken = self.overtaken.filter(|(other, _)| *other != chosen.2),
        }
        Some(chosen.2)
    }
}

#[test]
fn claims_equal_a_look_at_every_task() {
    for seed in 0..20 {
        let mut random = Random::new(seed);
        let (clock, tracker) = tracker();
        let tasks = tracker.tasks::<Render>().unwrap();
        let (mut model, mut held, mut sizes) = (Model::default(), Vec::new(), Vec::new());
        let (mut now, mut budget, mut claims) = (0_i64, 12, 0);
        tracker.set_budget("mem", budget).unwrap();
        for _ in 0..150 {
            match random.below(10) {
                0..3 => {
                    let number = u32::try_from(sizes.len()).unwrap();
                    let (size, priority) = (random.below(14) as u64, u8::try_from(random.below(2)).unwrap());
                    sizes.push((rounded(size), priority));
                    let delay = random.below(3) * 2;
                    let options = SubmitOptions::new().delay(SECOND * u32::try_from(delay).unwrap());
                    let submitted = tasks.submit_with(&Render { number, size, priority }, &options);
                    if rounded(size) > budget {
                        refused(submitted, ErrorKind::Invalid);
                    } else {
                        submitted.unwrap();
                        let due = now + i64::try_from(delay).unwrap();
                        model.waiting.insert((u8::MAX - priority, due, number), rounded(size));
                    }
                }
                3..8 => {
                    let in_use = held.iter().map(|held: &Execution<Render>| rounded(held.size)).sum();
                    let expected = model.claim(now, budget, in_use);
                    let claim = claimed(&tasks);
                    assert_eq!(claim.as_ref().map(|held| held.number), expected, "seed {seed}");
                    claims += usize::from(claim.is_some());
                    held.extend(claim);
                }
                8 if !held.is_empty() => {
                    let mut ended = held.swap_remove(random.below(held.len()));
                    if random.below(3) == 0 {
                        let (amount, priority) = sizes[usize::try_from(ended.number).unwrap()];
                        model.waiting.insert((u8::MAX - priority, now, ended.number), amount);
                        ended.fail("again").unwrap();
                    } else {
                        ended.succeed().unwrap();
                    }
                }
                8 => {
                    budget = 6 + random.below(10) as u64;
                    tracker.set_budget("mem", budget).unwrap();
                }
                _ => {
                    now += 1;
                    clock.advance(SECOND);
                }
            }
        }
        assert!(claims > 10, "seed {seed}: {claims} claims");
        sound(&tracker);
    }
}
