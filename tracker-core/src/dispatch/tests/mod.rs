//! Explores every order of events on small pools, and checks the invariants of the dispatcher in each state.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod answers;
mod checks;
mod conditions;
mod file;
mod handlers;
mod isolation;
mod leaving;
mod plan;
mod pool;
mod prefetching;
mod sharing;
mod simulation;
mod steps;

use std::collections::HashMap;

use xxhash_rust::xxh3::Xxh3DefaultBuilder;

use plan::{Event, Plan, State, TaskPlan};
use simulation::Simulation;

use super::Bounds;

fn bounds(slots: usize, prefetch: usize) -> Bounds {
    Bounds { slots, prefetch, bytes: 100, keep_running: false, conditional: false }
}

fn plan(name: &'static str, slots: usize, prefetch: usize, tasks: Vec<TaskPlan>) -> Plan {
    let kinds = tasks.iter().map(|task| task.kind).max().unwrap_or(0) + 1;
    Plan {
        name,
        bounds: bounds(slots, prefetch),
        tasks,
        limited: vec![false; kinds],
        stops: false,
        ends: false,
        short_handlers: false,
        ran_before: 0,
        wakes_last: false,
        abandons: false,
        limit_changes: false,
        resizes: 0,
        unready: 0,
        in_order: false,
    }
}

fn tasks(number: usize) -> Vec<TaskPlan> {
    vec![TaskPlan { bytes: 1, ..TaskPlan::default() }; number]
}

/// Every state that a pool can reach, and from each a way to its end. Returns the number of states.
fn explore(plan: &Plan) -> usize {
    const MOST: usize = 400_000;
    let first = Simulation::new(plan).canonical();
    // The hashes of the standard library take long without optimisation.
    let mut numbers = HashMap::with_hasher(Xxh3DefaultBuilder::new());
    numbers.insert(first.clone(), 0);
    // The states from which a state is reached, and the event of the first one.
    let mut before: Vec<Vec<usize>> = vec![Vec::new()];
    let mut cause: Vec<Option<(usize, Event)>> = vec![None];
    let mut ends = Vec::new();
    let mut todo = vec![(first, 0)];
    while let Some((simulation, number)) = todo.pop() {
        let own = simulation.events(plan);
        let external_events = simulation.external_events(plan);
        // A handler that blocks may wait for a task that is submitted later.
        if own.is_empty() && !simulation.runs_handlers() {
            run(plan, &cause, number, None, || simulation.check_quiescent());
            if external_events.is_empty() || simulation.dispatcher.is_over() {
                ends.push(number);
            }
        }
        for event in own.into_iter().chain(external_events) {
            let mut next = simulation.clone();
            run(plan, &cause, number, Some(event), || next.apply(plan, event));
            let next = next.canonical();
            let at = *numbers.entry(next).or_insert_with_key(|next| {
                before.push(Vec::new());
                cause.push(Some((number, event)));
                todo.push((next.clone(), before.len() - 1));
                before.len() - 1
            });
            before[at].push(number);
            assert!(before.len() < MOST, "{}: too many states: the pool goes on for ever", plan.name);
        }
    }
    // Each state leads to an end.
    let mut reached = vec![false; before.len()];
    let mut todo = ends;
    while let Some(number) = todo.pop() {
        if !std::mem::replace(&mut reached[number], true) {
            todo.extend(&before[number]);
        }
    }
    if let Some(number) = reached.iter().position(|reached| !reached) {
        run(plan, &cause, number, None, || panic!("no end can be reached from here"));
    }
    before.len()
}

/// Runs a check, and prints the events that have led to it where it fails.
fn run(plan: &Plan, cause: &[Option<(usize, Event)>], number: usize, event: Option<Event>, check: impl FnOnce()) {
    struct Path<'p>(&'p Plan, &'p [Option<(usize, Event)>], usize, Option<Event>);
    impl Drop for Path<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                let mut events: Vec<_> = self.3.into_iter().collect();
                let mut at = self.2;
                while let Some((before, event)) = self.1[at] {
                    events.push(event);
                    at = before;
                }
                events.reverse();
                eprintln!("{}: {events:?}", self.0.name);
            }
        }
    }
    let _path = Path(plan, cause, number, event);
    check();
}

/// Each plan as it is, with a stop at any time, and where it keeps running until it is told to end.
fn explore_all(plans: &[Plan]) {
    for plan in plans {
        let plain = explore(plan);
        let stopped = explore(&Plan { stops: true, ..plan.clone() });
        let mut ended = 0;
        // Where the pool keeps running there are ten times as many states.
        if plain < 1_000 {
            let bounds = Bounds { keep_running: true, ..plan.bounds.clone() };
            ended = explore(&Plan { ends: true, bounds, ..plan.clone() });
        }
        eprintln!("{}: {plain} states, {stopped} with a stop, {ended} that keep running", plan.name);
    }
}

/// So many tasks, the first of which differs.
fn tasks_with(number: usize, change: impl FnOnce(&mut TaskPlan)) -> Vec<TaskPlan> {
    let mut tasks = tasks(number);
    change(&mut tasks[0]);
    tasks
}

#[test]
fn strict_pools_keep_the_invariants_in_every_order_of_events() {
    explore_all(&[
        plan("one slot", 1, 0, tasks(2)),
        plan("two slots", 2, 0, tasks(3)),
        plan("late task", 2, 0, tasks_with(2, |task| task.submitted_later = true)),
        plan("failing task", 2, 0, tasks_with(2, |task| task.fails = 1)),
        plan("isolated task", 2, 0, tasks_with(3, |task| task.isolated = true)),
        plan("unreadable task", 2, 0, tasks_with(2, |task| task.unreadable = true)),
    ]);
}

#[test]
fn prefetching_pools_keep_invariants_in_every_event_order() {
    let large = vec![TaskPlan { bytes: 60, ..TaskPlan::default() }; 3];
    let mut behind = tasks(2);
    behind[1].isolated = true;
    explore_all(&[
        plan("one slot", 1, 2, tasks(3)),
        plan("one slot, large payloads", 1, 3, large),
        plan("one slot, little prefetch", 1, 1, tasks(4)),
        plan("two slots", 2, 2, tasks(2)),
        plan("late task", 1, 2, tasks_with(2, |task| task.submitted_later = true)),
        plan("failing task", 1, 2, tasks_with(2, |task| task.fails = 1)),
        plan("isolated task", 2, 2, tasks_with(2, |task| task.isolated = true)),
        plan("isolated task behind another", 2, 2, behind),
        plan("crashed task", 1, 2, tasks_with(3, |task| task.crashed = true)),
        plan("unreadable task", 1, 1, tasks_with(2, |task| task.unreadable = true)),
        plan("refused outcome", 1, 2, tasks_with(2, |task| task.refused = true)),
    ]);
}

#[test]
fn larger_pools_keep_the_invariants_where_answers_come_in_order() {
    let in_order = |plan: Plan| Plan { in_order: true, ..plan };
    for plan in [
        plan("two slots, less prefetch than slots", 2, 1, tasks(3)),
        plan("two slots, four tasks", 2, 1, tasks(4)),
        plan("two slots and a late task", 2, 1, tasks_with(2, |task| task.submitted_later = true)),
        plan("two slots and a failing task", 2, 1, tasks_with(2, |task| task.fails = 1)),
        plan("two slots and a crashed task", 2, 2, tasks_with(3, |task| task.crashed = true)),
        plan("two slots and a refused outcome", 2, 2, tasks_with(1, |task| (task.refused, task.fails) = (true, 1))),
    ] {
        eprintln!("{}: {} states", plan.name, explore(&in_order(plan.clone())));
    }
}

/// Short handlers, also before the start.
fn short_handlers(plan: Plan) -> Plan {
    Plan { short_handlers: true, ran_before: 200, in_order: true, ..plan }
}

/// Each plan as it is, and with a stop at any time.
fn explore_with_stops(plans: &[Plan]) {
    for plan in plans {
        let (plain, stopped) = (explore(plan), explore(&Plan { stops: true, ..plan.clone() }));
        eprintln!("{}: {plain} states, {stopped} with a stop", plan.name);
    }
}

#[test]
fn pools_of_short_handlers_keep_invariants_in_every_event_order() {
    let late = tasks_with(2, |task| task.submitted_later = true);
    for wakes_last in [false, true] {
        let woken = |plan: Plan| Plan { wakes_last, ..short_handlers(plan) };
        explore(&woken(plan("short handlers", 2, 2, tasks(3))));
        explore(&woken(Plan { stops: true, ..plan("short handlers", 2, 2, tasks(2)) }));
        explore(&woken(plan("short handlers and a late task", 2, 1, late.clone())));
    }
}

#[test]
fn pools_that_share_claims_keep_invariants_in_every_event_order() {
    let short = |name, slots, tasks| short_handlers(plan(name, slots, 0, tasks));
    explore_with_stops(&[
        short("shared claims", 2, tasks(4)),
        short("late task", 2, tasks_with(3, |task| task.submitted_later = true)),
        short("failing task", 2, tasks_with(2, |task| task.fails = 1)),
        short("crashed task", 2, tasks_with(3, |task| task.crashed = true)),
        short("isolated task", 2, tasks_with(3, |task| task.isolated = true)),
        short("unreadable task", 2, tasks_with(2, |task| task.unreadable = true)),
        short("refused outcome", 2, tasks_with(2, |task| task.refused = true)),
    ]);
    for plan in [
        short("three slots", 3, tasks(1)),
        Plan { resizes: 1, ..short("resized", 2, tasks(2)) },
        Plan { limit_changes: true, ..short("toggled limit", 2, tasks(2)) },
        Plan { abandons: true, ..short("a slot fails", 2, tasks(3)) },
    ] {
        eprintln!("{}: {} states", plan.name, explore(&plan));
    }
    let keep_running = |plan: Plan| Bounds { keep_running: true, ..plan.bounds };
    let plan = short("keeps running", 2, tasks_with(2, |task| task.submitted_later = true));
    explore(&Plan { ends: true, bounds: keep_running(plan.clone()), ..plan });
}

#[test]
fn slots_begin_and_cease_to_share_claims_in_any_event_order() {
    // One short handler more, and slots share claims.
    let turns = |name, tasks| Plan { ran_before: 63, ..short_handlers(plan(name, 2, 0, tasks)) };
    let ceases = |name, tasks| short_handlers(plan(name, 2, 0, tasks));
    let long = |number| tasks_with(number, |task| task.long = true);
    explore_with_stops(&[
        turns("begins to share", tasks(3)),
        turns("begins to share, crashed task", tasks_with(3, |task| task.crashed = true)),
        turns("begins to share, isolated task", tasks_with(3, |task| task.isolated = true)),
        turns("begins to share, and ceases", tasks_with(3, |task| (task.submitted_later, task.long) = (true, true))),
        ceases("ceases to share", long(3)),
        ceases("ceases to share, and a late task", {
            let mut tasks = long(2);
            tasks[1].submitted_later = true;
            tasks
        }),
        Plan { resizes: 1, ..ceases("ceases to share, resized", long(2)) },
    ]);
}

#[test]
fn handler_that_blocks_holds_back_no_other_task() {
    let blocks = |number| tasks_with(number, |task| task.blocks = true);
    let late = |mut tasks: Vec<TaskPlan>| {
        tasks.last_mut().unwrap().submitted_later = true;
        tasks
    };
    for prefetch in [0, 2] {
        for (name, tasks) in [("blocked handler", blocks(3)), ("blocked handler and a late task", late(blocks(2)))] {
            let plan = short_handlers(plan(name, 2, prefetch, tasks));
            eprintln!("{name}, prefetch {prefetch}: {} states", explore(&plan));
            let bounds = Bounds { keep_running: true, ..plan.bounds.clone() };
            explore(&Plan { ends: true, bounds, ..plan });
        }
    }
}

#[test]
fn pools_of_two_kinds_keep_invariants_in_every_event_order() {
    let two = |change: fn(&mut TaskPlan)| {
        let mut two = tasks_with(2, change);
        two[1].kind = 1;
        two
    };
    let mixed = Plan { limited: vec![true, false], ..plan("one limited kind", 2, 2, two(|_| ())) };
    explore_all(&[
        plan("two kinds without prefetch", 2, 0, two(|_| ())),
        mixed,
        plan("isolated task beside another kind", 2, 0, two(|task| task.isolated = true)),
        plan("isolated task beside a prefetched kind", 2, 2, two(|task| task.isolated = true)),
    ]);
    explore(&plan("two prefetched kinds", 2, 2, two(|_| ())));
}

#[test]
fn pool_whose_slot_fails_ends_and_gives_back_the_rest() {
    for prefetch in [0, 2] {
        explore(&Plan { abandons: true, in_order: true, ..plan("a slot fails", 2, prefetch, tasks(3)) });
    }
}

#[test]
fn changed_limit_does_not_end_the_pool() {
    for limited in [false, true] {
        explore(&Plan {
            limit_changes: true,
            limited: vec![limited],
            in_order: true,
            ..plan("toggled limit", 2, 2, tasks(2))
        });
    }
    for plan in [
        Plan { resizes: 1, ..plan("toggled limit, resized", 2, 1, tasks(1)) },
        plan("toggled limit, refused outcome", 2, 1, tasks_with(1, |task| task.refused = true)),
    ] {
        eprintln!("{}: {} states", plan.name, explore(&Plan { limit_changes: true, in_order: true, ..plan.clone() }));
    }
}

#[test]
fn resized_pools_keep_the_invariants_in_every_order_of_events() {
    let once = |plan: Plan| Plan { resizes: 1, in_order: true, ..plan };
    let twice = |plan: Plan| Plan { resizes: 2, in_order: true, ..plan };
    let mut two_kinds = tasks(2);
    two_kinds[1].kind = 1;
    for plan in [
        twice(plan("one slot", 1, 0, tasks(2))),
        twice(plan("no prefetching slot", 0, 1, tasks(2))),
        once(plan("two prefetching slots", 2, 2, tasks(2))),
        once(plan("failing task", 2, 0, tasks_with(2, |task| task.fails = 1))),
        once(plan("late task", 1, 1, tasks_with(2, |task| task.submitted_later = true))),
        once(plan("isolated task", 2, 0, tasks_with(2, |task| task.isolated = true))),
        once(plan("isolated task, prefetch", 2, 1, tasks_with(2, |task| task.isolated = true))),
        once(plan("two kinds", 2, 1, two_kinds)),
    ] {
        eprintln!("{}, resized: {} states", plan.name, explore(&plan));
    }
    for (slots, prefetch) in [(2, 0), (1, 1)] {
        let plan = Plan { stops: true, ..once(plan("stop", slots, prefetch, tasks(2))) };
        eprintln!("{}, resized: {} states", plan.name, explore(&plan));
        let bounds = Bounds { keep_running: true, ..plan.bounds.clone() };
        eprintln!("keeps running, resized: {} states", explore(&Plan { ends: true, bounds, ..plan }));
    }
}

#[test]
fn pools_with_start_conditions_keep_the_invariants() {
    let mut two_kinds = tasks(2);
    two_kinds[1].kind = 1;
    let conditional =
        |plan: Plan| Plan { bounds: Bounds { conditional: true, ..plan.bounds }, unready: 2, in_order: true, ..plan };
    explore_all(&[
        conditional(plan("one slot, start condition", 1, 0, tasks(2))),
        conditional(plan("start condition, prefetch", 1, 2, tasks(2))),
        conditional(plan("two slots, start condition", 2, 0, tasks(2))),
        conditional(plan("late task, start condition", 1, 0, tasks_with(2, |task| task.submitted_later = true))),
        conditional(plan("failing task, start condition", 1, 0, tasks_with(2, |task| task.fails = 1))),
        conditional(plan("failing task, two slots, start condition", 2, 0, tasks_with(1, |task| task.fails = 1))),
        conditional(plan("isolated task, start condition", 2, 0, tasks_with(2, |task| task.isolated = true))),
        conditional(plan("two kinds, start condition", 1, 0, two_kinds)),
    ]);
    explore(&Plan { resizes: 1, ..conditional(plan("resized, start condition", 1, 0, tasks(2))) });
}

/// Runs a pool of many slots, each in turn, until all have ended. Returns how many steps and claims it has made.
fn cost_of(slots: usize, prefetch: usize) -> (usize, usize) {
    let plan = plan("many slots", slots, prefetch, tasks(6));
    let mut simulation = Simulation::new(&plan);
    let mut steps = 0;
    while !simulation.dispatcher.is_over() {
        let events = simulation.events(&plan);
        simulation.apply(&plan, events[steps % events.len()]);
        steps += 1;
    }
    assert!(simulation.tasks.iter().all(|task| *task == State::Done));
    (steps, simulation.claims)
}

#[test]
fn cost_of_a_pool_is_linear_in_its_slots() {
    for prefetch in [0, 64] {
        for slots in [50, 200] {
            let (steps, claims) = cost_of(slots, prefetch);
            eprintln!("{steps} steps and {claims} claims of {slots} slots, prefetch {prefetch}");
            assert!(steps <= slots * 10 && claims <= slots * 3 / 2, "{steps} steps, {claims} claims of {slots} slots");
        }
    }
}
