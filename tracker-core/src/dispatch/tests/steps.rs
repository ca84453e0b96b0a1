//! Single steps of the dispatcher, for inputs that the simulation does not make and for effects that no invariant states: which kind comes
//! next, how much is claimed, how many slots are woken, and when answers are reported.

use std::time::Duration;

use super::{
    bounds,
    plan::Task,
    pool::{Pool, answer, claim, finish, found, free, pool, start, tasks},
};
use crate::dispatch::{
    Action, Bounds, ClaimRequest, Found, Idle, Input, Reading, Storing, TASKS_PER_ASSIGNMENT, Waiting,
    handler_times::{HandlerTimes, SHORT},
};

#[test]
fn each_answer_that_counts_is_reported_once() {
    let mut pool = pool(bounds(1, 2), 1);
    for reports in [true, false] {
        pool.step(Input::Queued { kind: 0 });
        pool.step(Input::Stored { kind: 0, reports, failed: false });
        assert_eq!(free(&mut pool, 0, 0) == Action::Report, reports);
    }
}

#[test]
fn failed_claim_frees_its_capacity_and_is_reported() {
    let mut pool = pool(bounds(2, 4), 1);
    let first = claim(&mut pool, 0);
    answer(&mut pool, first, found(1));
    let background = start(&mut pool, 1).expect("a claim to prefetch");
    let second = claim(&mut pool, 1);
    answer(&mut pool, second, found(0));
    let before_a_wait = pool.step(Input::Free { slot: 1, signal: 1, may_wait: false });
    assert_eq!(before_a_wait.action, Action::Lead, "another outcome may wait for its commit");
    assert_eq!(free(&mut pool, 1, 1), Action::Wait);
    assert!(!pool.kinds[0].is_quiescent());
    let failed = pool.step(Input::ClaimFailed { claim: background });
    assert_eq!(failed.wake.waiting, Waiting::All);
    assert!(pool.kinds[0].is_quiescent());
    assert_eq!(free(&mut pool, 1, 1), Action::Report);
    assert_eq!(pool.waiting, 0, "it has been woken");
    assert_ne!(free(&mut pool, 1, 1), Action::Report);
}

#[test]
fn dropped_pool_gives_back_claimed_and_prefetched_tasks() {
    let mut strict = pool(bounds(1, 0), 1);
    let first = claim(&mut strict, 0);
    answer(&mut strict, first, found(1));
    assert_eq!((strict.drain(), strict.drain()), (tasks(1), vec![]));
    let mut prefetching = pool(bounds(1, 3), 1);
    let first = claim(&mut prefetching, 0);
    answer(&mut prefetching, first, found(3));
    assert_eq!(prefetching.drain(), tasks(3));
}

#[test]
fn passes_of_different_slots_begin_with_different_kinds() {
    let mut pool = pool(Bounds { keep_running: true, ..bounds(2, 0) }, 2);
    let later = || Found { idle: Idle { due: Some(5), ..Idle::default() }, ..found(0) };
    for kinds in [[0, 1], [1, 0], [0, 1]] {
        for kind in kinds {
            let claim = claim(&mut pool, 0);
            assert_eq!(claim.kind, kind, "{kinds:?}");
            answer(&mut pool, claim, later());
        }
        assert!(matches!(free(&mut pool, 0, 0), Action::Sleep(_)));
    }
    assert_eq!(claim(&mut pool, 1).kind, 1);
}

#[test]
fn pass_in_which_a_task_has_run_is_repeated() {
    let mut pool = pool(Bounds { keep_running: true, ..bounds(1, 0) }, 2);
    let first = claim(&mut pool, 0);
    answer(&mut pool, first, found(0));
    let second = claim(&mut pool, 0);
    answer(&mut pool, second, found(1));
    start(&mut pool, 0);
    let Storing::Synchronous { claim: Some(with_outcome) } = finish(&mut pool, None) else { panic!("it claims") };
    answer(&mut pool, with_outcome, found(0));
    assert!(matches!(free(&mut pool, 0, 0), Action::Claim(_)), "the task may have submitted one of the first kind");
}

#[test]
fn strict_slot_changes_its_kind_after_a_number_of_tasks() {
    for kinds in [1, 2] {
        let mut pool = pool(bounds(1, 0), kinds);
        let mut next = Some(claim(&mut pool, 0));
        let mut started = 0;
        while let Some(claim) = next.filter(|_| started < 2 * TASKS_PER_ASSIGNMENT) {
            answer(&mut pool, claim, found(1));
            assert_eq!(start(&mut pool, 0), None);
            started += 1;
            let Storing::Synchronous { claim } = finish(&mut pool, None) else { panic!("it does not prefetch") };
            next = claim;
        }
        assert_eq!(started, if kinds == 1 { 2 } else { 1 } * TASKS_PER_ASSIGNMENT, "{kinds} kinds");
        if kinds == 2 {
            pool.step(Input::StoredSynchronously { slot: 0 });
            assert_eq!(claim(&mut pool, 0).kind, 1);
        }
    }
}

/// A prefetching pool of one kind whose slots wait, and the claim of its first slot.
fn waiting_pool(slots: usize, waiting: usize, took: Duration) -> (Pool, ClaimRequest) {
    let mut pool = pool(bounds(slots, 64), 1);
    let claim = claim(&mut pool, 0);
    (pool.waiting, pool.kinds[0].assigned) = (waiting, slots);
    pool.handler_times = HandlerTimes::after(200, took);
    (pool, claim)
}

#[test]
fn claimed_tasks_wake_as_many_slots_as_have_work() {
    let (short, long) = (SHORT / 5, 2 * SHORT);
    for (waiting, took, ready, claimed, woken) in [
        (5, long, 0, 3, Waiting::Some(3)),
        (5, long, 1, 3, Waiting::Some(4)),
        (2, long, 0, 3, Waiting::Some(2)),
        (5, long, 1, 0, Waiting::None),
        (5, short, 0, 3, Waiting::None),
        (6, short, 0, 3, Waiting::Some(1)),
        (5, short, 0, 20, Waiting::Some(4)),
    ] {
        let (mut pool, claim) = waiting_pool(6, waiting, took);
        pool.kinds[0].push(tasks(ready));
        assert_eq!(answer(&mut pool, claim, found(claimed)), woken, "{waiting} {took:?} {ready} {claimed}");
    }
}

#[test]
fn stored_outcome_wakes_a_slot_unless_handlers_are_short() {
    let (short, long) = (SHORT / 5, 2 * SHORT);
    for (waiting, took, failed, woken) in [
        (5, long, false, Waiting::Some(1)),
        (0, long, false, Waiting::None),
        (5, short, false, Waiting::None),
        (6, short, false, Waiting::Some(1)),
        (5, short, true, Waiting::All),
    ] {
        let (mut pool, _) = waiting_pool(6, waiting, took);
        pool.step(Input::Queued { kind: 0 });
        let effects = pool.step(Input::Stored { kind: 0, reports: false, failed });
        assert_eq!(effects.wake.waiting, woken, "{waiting} {took:?} {failed}");
        assert!(!effects.wake.sleeping, "slots work on the kind");
    }
}

/// The next task may be of any kind, or nothing more comes that would wake the others.
#[test]
fn stored_outcome_wakes_all_where_each_slot_may_need_it() {
    let woken = |kinds, change: fn(&mut Pool)| {
        let mut pool = pool(bounds(6, 64), kinds);
        claim(&mut pool, 0);
        pool.waiting = 5;
        change(&mut pool);
        pool.step(Input::Queued { kind: 0 });
        pool.step(Input::Stored { kind: 0, reports: false, failed: false }).wake.waiting
    };
    assert_eq!(woken(1, |_| ()), Waiting::Some(1));
    assert_eq!(woken(2, |_| ()), Waiting::All);
    assert_eq!(woken(1, |pool| pool.stopping = true), Waiting::All);
    assert_eq!(woken(1, |pool| pool.isolation = true), Waiting::All);
    let (mut pool, _) = waiting_pool(6, 5, SHORT);
    pool.wake_all();
    pool.wake_some(1);
    assert_eq!(pool.wake.waiting, Waiting::All);
}

#[test]
fn slots_trust_that_a_kind_is_empty_until_something_changes() {
    let stored = [Input::Queued { kind: 0 }, Input::Stored { kind: 0, reports: false, failed: false }];
    let synchronous = [Input::StoredSynchronously { slot: 0 }];
    let cases: [(&[Input<Task>], u64, bool); 4] =
        [(&[], 0, false), (&[], 1, true), (&stored, 0, true), (&synchronous, 0, true)];
    for (inputs, signal, claims) in cases {
        let mut pool = pool(Bounds { keep_running: true, ..bounds(2, 0) }, 1);
        let first = claim(&mut pool, 0);
        answer(&mut pool, first, found(0));
        for input in inputs {
            pool.step(input.clone());
        }
        assert_eq!(matches!(free(&mut pool, 1, signal), Action::Claim(_)), claims, "{inputs:?} {signal}");
    }
}

#[test]
fn claim_knows_its_own_outcome_and_none_that_is_stored_later() {
    let mut pool = pool(bounds(2, 0), 1);
    let first = claim(&mut pool, 0);
    answer(&mut pool, first, found(1));
    start(&mut pool, 0);
    let Storing::Synchronous { claim: Some(with_outcome) } = finish(&mut pool, None) else { panic!("it claims") };
    let other = claim(&mut pool, 1);
    answer(&mut pool, with_outcome, found(0));
    let known = Some(pool.stamp(0));
    assert_eq!((pool.stored, pool.kinds[0].empty), (1, known));
    pool.kinds[0].empty = None;
    answer(&mut pool, other, found(0));
    assert_eq!(pool.kinds[0].empty, None, "the outcome may have made a task startable");
}

#[test]
fn stop_and_passed_time_wake_the_slots_that_wait() {
    for (ready, input, woken) in [
        (0, Input::Stop, Waiting::All),
        (0, Input::TimePassed, Waiting::None),
        (1, Input::TimePassed, Waiting::All),
        (0, Input::Resize { slots: 6 }, Waiting::All),
    ] {
        let (mut pool, _) = waiting_pool(6, 5, SHORT);
        pool.kinds[0].push(tasks(ready));
        assert_eq!(pool.step(input.clone()).wake.waiting, woken, "{input:?}");
    }
}

#[test]
fn driver_is_told_when_the_pool_is_over() {
    let mut stopped = pool(bounds(1, 0), 1);
    assert!(!stopped.step(Input::Stop).wake.driver, "a slot is open");
    let exit = stopped.step(Input::Free { slot: 0, signal: 0, may_wait: true });
    assert_eq!((exit.action, exit.wake.driver), (Action::Exit, true));
    let mut without_slots = pool(bounds(0, 0), 1);
    assert!(without_slots.step(Input::Stop).wake.driver);
}

#[test]
fn pool_told_to_end_claims_once_more() {
    let mut pool = pool(Bounds { keep_running: true, ..bounds(1, 0) }, 1);
    let first = claim(&mut pool, 0);
    assert!(pool.step(Input::EndWhenEmpty).wake.sleeping);
    answer(&mut pool, first, found(0));
    assert!(matches!(free(&mut pool, 0, 0), Action::Sleep(_)), "its claim may be older than the last submit");
    assert!(matches!(free(&mut pool, 0, 1), Action::Claim(_)));
}

#[test]
fn conditional_slot_sleeps_until_the_earlier_time() {
    for (held_back, due, wakes) in
        [(true, None, Some(5)), (true, Some(3), Some(3)), (true, Some(9), Some(5)), (false, None, None)]
    {
        let mut pool = pool(Bounds { keep_running: true, conditional: true, ..bounds(1, 0) }, 1);
        assert_eq!(free(&mut pool, 0, 0), Action::Check);
        pool.step(Input::Checked { slot: 0, reading: Reading::NotBefore(5) });
        let look = claim(&mut pool, 0);
        assert_eq!((look.most, look.begin), (0, 0));
        answer(&mut pool, look, Found { idle: Idle { due, held_back, ..Idle::default() }, ..found(0) });
        let Action::Sleep(condition) = free(&mut pool, 0, 0) else { panic!("it goes on") };
        assert_eq!(condition.idle.due, wakes, "{held_back} {due:?}");
    }
}

#[test]
fn each_start_has_its_own_reading() {
    let mut pool = pool(Bounds { conditional: true, ..bounds(1, 0) }, 1);
    assert_eq!(free(&mut pool, 0, 0), Action::Check);
    pool.step(Input::Checked { slot: 0, reading: Reading::Ready });
    let first = claim(&mut pool, 0);
    answer(&mut pool, first, found(1));
    start(&mut pool, 0);
    pool.step(Input::Unreadable { took: None });
    assert_eq!(free(&mut pool, 0, 0), Action::Check);
}
