//! Tests the choice of a start: single cases, and random runs against a plain simulation.

use std::collections::BTreeMap;

use super::*;

fn task(seq: u64) -> TaskRef {
    TaskRef { kind: 1, seq }
}

fn candidates(amounts: &[u64]) -> Vec<Candidate> {
    (0..).zip(amounts).map(|(seq, amount)| Candidate { task: task(seq), amounts: vec![*amount] }).collect()
}

fn choose(amounts: &[u64], in_use: u64, stored: Option<Overtaken>) -> StartChoice {
    choose_start(candidates(amounts), &[ResourceUse { budget: Some(10), in_use }], stored)
}

#[test]
fn first_task_that_fits_starts() {
    assert_eq!(choose(&[10, 1], 0, None), StartChoice::Start { task: task(0), overtaken: None });
    let overtaken = Some(Overtaken { task: task(0), times: 1 });
    assert_eq!(choose(&[10, 8, 2], 5, None), StartChoice::Start { task: task(2), overtaken });
    assert_eq!(choose(&[10, 8], 5, None), StartChoice::Wait);
    assert_eq!(choose(&[], 5, None), StartChoice::Nothing);
}

#[test]
fn task_above_the_budget_is_skipped_and_not_waited_for() {
    assert_eq!(choose(&[11, 3], 0, None), StartChoice::Start { task: task(1), overtaken: None });
    assert_eq!(choose(&[11, 12], 0, None), StartChoice::Nothing);
}

#[test]
fn resource_without_budget_or_need_holds_nothing_back() {
    let free = choose_start(candidates(&[u64::MAX]), &[ResourceUse { budget: None, in_use: u64::MAX }], None);
    assert_eq!(free, StartChoice::Start { task: task(0), overtaken: None });
    // A start by id can use more than the budget.
    assert_eq!(choose(&[0], 12, None), StartChoice::Start { task: task(0), overtaken: None });
}

#[test]
fn task_is_overtaken_only_so_often() {
    let stored = |times| Some(Overtaken { task: task(0), times });
    let last = choose(&[10, 1], 1, stored(MAX_OVERTAKES - 1));
    assert_eq!(last, StartChoice::Start { task: task(1), overtaken: stored(MAX_OVERTAKES) });
    assert_eq!(choose(&[10, 1], 1, stored(MAX_OVERTAKES)), StartChoice::Wait);
    assert_eq!(choose(&[10, 1], 0, stored(MAX_OVERTAKES)), StartChoice::Start { task: task(0), overtaken: None });
    // The count of a task that does not wait any more holds nothing back.
    let other = Some(Overtaken { task: task(7), times: MAX_OVERTAKES });
    assert_eq!(choose(&[10, 1], 1, other), StartChoice::Start { task: task(1), overtaken: stored(1) });
    // A task before it, as one of a higher priority, does not overtake it.
    let later = Some(Overtaken { task: task(1), times: 3 });
    assert_eq!(choose(&[1, 10], 1, later), StartChoice::Start { task: task(0), overtaken: later });
}

#[test]
fn every_task_within_the_budget_starts_and_the_budget_holds() {
    for seed in 1..=60_u64 {
        let mut state = seed;
        let mut random = move |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let budgets = [8 + random(20), 1 + random(4)];
        let (mut waiting, mut running, mut stored) = (BTreeMap::new(), Vec::<[u64; 2]>::new(), None);
        let mut later_starts = BTreeMap::<TaskRef, u32>::new();
        let (mut next, mut skipped) = (0, 0);
        for round in 0..900 {
            if round < 300 && random(3) > 0 {
                waiting.insert(task(next), [random(budgets[0] + 3), random(budgets[1] + 2)]);
                next += 1;
            }
            if !running.is_empty() && (round >= 300 || random(3) == 0) {
                running.swap_remove(usize::try_from(random(running.len() as u64)).unwrap_or(0));
            }
            let in_use = |number: usize| running.iter().map(|amounts| amounts[number]).sum::<u64>();
            let resources = [0, 1].map(|number| ResourceUse { budget: Some(budgets[number]), in_use: in_use(number) });
            let fits =
                |amounts: &[u64; 2]| (0..2).all(|at| amounts[at] == 0 || in_use(at) + amounts[at] <= budgets[at]);
            let possible = |amounts: &[u64; 2]| (0..2).all(|at| amounts[at] <= budgets[at]);
            let blocked =
                waiting.iter().find(|(_, amounts)| possible(amounts) && !fits(amounts)).map(|(task, _)| *task);
            let all = waiting.iter().map(|(task, amounts)| Candidate { task: *task, amounts: amounts.to_vec() });
            match choose_start(all, &resources, stored) {
                StartChoice::Start { task, overtaken } => {
                    let amounts = waiting.remove(&task).unwrap_or_default();
                    assert!(fits(&amounts), "{seed}: the budget is exceeded");
                    let before = waiting.range(..task).find(|(_, amounts)| fits(amounts) && possible(amounts));
                    assert_eq!(before, None, "{seed}: an earlier task fits");
                    if let Some(blocked) = blocked.filter(|blocked| *blocked < task) {
                        let times = later_starts.entry(blocked).or_default();
                        *times += 1;
                        assert!(*times <= MAX_OVERTAKES, "{seed}: {blocked} is overtaken too often");
                    }
                    running.push(amounts);
                    stored = overtaken;
                }
                StartChoice::Wait => {
                    let fitting = waiting.iter().find(|(_, amounts)| possible(amounts) && fits(amounts));
                    let reserved = blocked.is_some_and(|blocked| later_starts.get(&blocked) == Some(&MAX_OVERTAKES));
                    assert!(blocked.is_some() && (fitting.is_none() || reserved), "{seed}: capacity is left unused");
                }
                StartChoice::Nothing => {
                    skipped = waiting.len();
                    assert!(!waiting.values().any(possible), "{seed}: a task that fits is skipped");
                }
            }
        }
        assert_eq!(waiting.len(), skipped, "{seed}: a task never started");
    }
}
