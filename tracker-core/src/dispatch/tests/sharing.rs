//! Single steps of pools without prefetch whose handlers are short: one slot claims for those that wait, and runs their tasks.

use std::time::Duration;

use super::{
    bounds,
    plan::SHORT_TIME,
    pool::{Pool, answer, claim, finish, found, free, pool, start},
};
use crate::dispatch::{
    Action, Bounds, Found, Idle, Input, Storing, Waiting,
    handler_times::{HandlerTimes, SHORT},
};

const LONG_TIME: Duration = Duration::from_secs(1);

/// A pool whose handlers have been short.
fn short_pool(bounds: Bounds, kinds: usize) -> Pool {
    let mut pool = pool(bounds, kinds);
    pool.handler_times = HandlerTimes::after(64, SHORT_TIME);
    pool
}

/// A pool of three slots. Slot 0 has claimed so many tasks, and the others wait.
fn waiting_pool(claimed: usize) -> Pool {
    let mut pool = short_pool(bounds(3, 0), 1);
    let first = claim(&mut pool, 0);
    assert_eq!((first.most, first.begin), (1, 1), "no other slot works on the kind");
    assert_eq!((free(&mut pool, 1, 0), free(&mut pool, 2, 0)), (Action::Wait, Action::Wait));
    answer(&mut pool, first, found(claimed));
    pool
}

fn time_passes(pool: &mut Pool) -> Waiting {
    pool.step(Input::TimePassed).wake.waiting
}

#[test]
fn slot_claims_for_those_that_wait_and_runs_their_tasks() {
    let mut pool = waiting_pool(1);
    assert_eq!(start(&mut pool, 0), None);
    assert_eq!(finish(&mut pool, Some(SHORT_TIME)), Storing::Queued { kind: 0, gathers: true });
    let second = claim(&mut pool, 0);
    assert_eq!((second.most, second.begin, second.gathers), (3, 3, true));
    assert_eq!(
        answer(&mut pool, second, found(3)),
        Waiting::None,
        "waking another slot costs more than three handlers"
    );
    // The answer of the commit that has claimed the three.
    pool.step(Input::Stored { kind: 0, reports: false, failed: false });
    for _ in 0..3 {
        assert_eq!(start(&mut pool, 0), None, "nothing is claimed while tasks are ready");
        finish(&mut pool, Some(SHORT_TIME));
    }
    assert_eq!(claim(&mut pool, 0).most, 3);
}

#[test]
fn claim_leaves_out_slots_that_run_handlers_or_claim_themselves() {
    let mut pool = short_pool(bounds(4, 0), 1);
    pool.kinds[0].limited = true;
    let alone = claim(&mut pool, 3);
    assert_eq!((alone.for_slot, alone.most), (true, 1), "tasks of a kind with a limit are not shared");
    pool.kinds[0].limited = false;
    let first = claim(&mut pool, 0);
    assert_eq!(free(&mut pool, 1, 0), Action::Wait);
    answer(&mut pool, first, found(1));
    start(&mut pool, 0);
    assert_eq!(
        claim(&mut pool, 1).most,
        1,
        "slot 0 runs a handler, slot 2 is not assigned, and slot 3 claims for itself"
    );
}

#[test]
fn slot_that_claims_for_itself_shares_once_handlers_are_short() {
    let mut pool = pool(bounds(2, 0), 1);
    pool.handler_times = HandlerTimes::after(62, SHORT_TIME);
    let first = claim(&mut pool, 0);
    answer(&mut pool, first, found(1));
    start(&mut pool, 0);
    let Storing::Synchronous { claim: Some(second) } = finish(&mut pool, Some(SHORT_TIME)) else { panic!("it waits") };
    answer(&mut pool, second, found(1));
    start(&mut pool, 0);
    assert_eq!(finish(&mut pool, Some(SHORT_TIME)), Storing::Queued { kind: 0, gathers: true });
    assert!(!claim(&mut pool, 0).for_slot);
}

#[test]
fn slots_claim_for_themselves_after_a_handler_that_blocks() {
    let mut pool = waiting_pool(2);
    start(&mut pool, 0);
    let returned = pool.step(Input::Finished { slot: 0, signal: 0, took: Some(LONG_TIME), stores: true });
    assert_eq!(returned.action, Action::Store(Storing::Queued { kind: 0, gathers: false }));
    assert_eq!(returned.wake.waiting, Waiting::All);
    assert!(matches!(free(&mut pool, 1, 0), Action::Start { .. }), "a task is ready");
    assert!(matches!(free(&mut pool, 2, 0), Action::Claim(claim) if claim.for_slot));
    assert!(matches!(free(&mut pool, 0, 0), Action::Claim(claim) if claim.for_slot));
}

#[test]
fn slot_claims_for_itself_once_the_claim_for_it_is_answered() {
    let mut pool = waiting_pool(1);
    start(&mut pool, 0);
    let shared = claim(&mut pool, 1);
    assert_eq!(shared.most, 2, "for slot 2 too");
    assert_eq!(free(&mut pool, 2, 0), Action::Wait);
    pool.step(Input::Finished { slot: 0, signal: 0, took: Some(LONG_TIME), stores: true });
    assert_eq!(free(&mut pool, 2, 0), Action::Wait, "more tasks would be leased than there are slots");
    let later = Found { idle: Idle { due: Some(9), ..Idle::default() }, ..found(0) };
    assert_eq!(answer(&mut pool, shared, later), Waiting::All);
    assert!(matches!(free(&mut pool, 2, 0), Action::Claim(claim) if claim.for_slot));
}

#[test]
fn stored_outcome_wakes_all_slots_that_claim_for_themselves() {
    for (times, woken) in [(HandlerTimes::new(), Waiting::All), (HandlerTimes::after(64, SHORT_TIME), Waiting::None)] {
        let mut pool = waiting_pool(3);
        pool.handler_times = times;
        pool.step(Input::Queued { kind: 0 });
        assert_eq!(pool.step(Input::Stored { kind: 0, reports: false, failed: false }).wake.waiting, woken);
    }
}

#[test]
fn handler_that_blocks_wakes_no_slot_of_a_prefetching_pool() {
    let mut pool = short_pool(bounds(2, 4), 1);
    let (first, other) = (claim(&mut pool, 0), claim(&mut pool, 1));
    answer(&mut pool, other, found(0));
    assert_eq!(free(&mut pool, 1, 0), Action::Wait);
    answer(&mut pool, first, found(1));
    start(&mut pool, 0);
    let returned = pool.step(Input::Finished { slot: 0, signal: 0, took: Some(LONG_TIME), stores: true });
    assert_eq!(returned.wake.waiting, Waiting::None, "they share claims in any case");
}

#[test]
fn claims_are_not_shared_where_a_slot_would_gain_nothing() {
    let conditional = Bounds { conditional: true, ..bounds(2, 0) };
    for (bounds, kinds) in [(bounds(1, 0), 1), (bounds(2, 0), 2), (bounds(2, 1), 2), (conditional, 1)] {
        let mut pool = short_pool(bounds.clone(), kinds);
        if bounds.conditional {
            assert_eq!(free(&mut pool, 0, 0), Action::Check);
            pool.step(Input::Checked { slot: 0, reading: crate::dispatch::Reading::Ready });
        }
        let first = claim(&mut pool, 0);
        assert!(first.for_slot, "{bounds:?}, {kinds} kinds");
        answer(&mut pool, first, found(1));
        start(&mut pool, 0);
        assert!(
            matches!(finish(&mut pool, Some(SHORT_TIME)), Storing::Synchronous { .. }),
            "{bounds:?}, {kinds} kinds"
        );
    }
}

#[test]
fn what_is_left_of_shared_claims_starts_after_a_new_limit() {
    let mut pool = waiting_pool(3);
    // The kind has got a limit.
    pool.kinds[0].limited = true;
    for slot in [0, 1, 2] {
        assert!(matches!(free(&mut pool, slot, 0), Action::Start { .. }), "slot {slot}");
    }
    assert_eq!(finish(&mut pool, Some(SHORT_TIME)), Storing::Queued { kind: 0, gathers: true });
    assert!(matches!(free(&mut pool, 0, 0), Action::Claim(claim) if claim.for_slot));
}

#[test]
fn pool_is_watched_while_slots_wait_behind_short_handlers() {
    let mut pool = short_pool(bounds(3, 0), 1);
    let first = claim(&mut pool, 0);
    let wait = |pool: &mut Pool, slot| pool.step(Input::Free { slot, signal: 0, may_wait: true }).wake.watch;
    assert!(wait(&mut pool, 1));
    assert!(!wait(&mut pool, 2), "it is watched already");
    answer(&mut pool, first, found(3));
    assert_eq!(time_passes(&mut pool), Waiting::None, "the watch has begun less than its time before");
    start(&mut pool, 0);
    assert_eq!(time_passes(&mut pool), Waiting::None, "a handler has started meanwhile");
    pool.step(Input::Queued { kind: 0 });
    time_passes(&mut pool);
    pool.step(Input::Stored { kind: 0, reports: false, failed: false });
    assert_eq!(time_passes(&mut pool), Waiting::None, "an outcome was answered meanwhile, so that a commit has ended");
    assert_eq!(time_passes(&mut pool), Waiting::All, "two tasks are ready, and nothing has happened");
    assert!(pool.is_watched());
    for slot in [1, 2] {
        assert!(matches!(free(&mut pool, slot, 0), Action::Start { .. }));
    }
    time_passes(&mut pool);
    assert!(!pool.is_watched(), "no slot waits");
}

#[test]
fn watch_ends_when_handlers_are_no_longer_short() {
    let mut pool = waiting_pool(1);
    start(&mut pool, 0);
    time_passes(&mut pool);
    assert!(pool.is_watched());
    pool.handler_times = HandlerTimes::new();
    time_passes(&mut pool);
    assert!(!pool.is_watched());
}

#[test]
fn passed_time_wakes_slots_that_could_start_or_claim() {
    let woken = |change: fn(&mut Pool)| {
        let mut pool = waiting_pool(1);
        start(&mut pool, 0);
        time_passes(&mut pool);
        change(&mut pool);
        time_passes(&mut pool)
    };
    assert_eq!(woken(|_| ()), Waiting::All, "one may claim while slot 0 runs a handler");
    assert_eq!(woken(|pool| _ = pool.kinds[0].request(1, 0)), Waiting::None, "a claim is on its way");
    let answered = |pool: &mut Pool| {
        let request = claim(pool, 1);
        answer(pool, request, found(0));
    };
    assert_eq!(woken(answered), Waiting::None, "a claim was answered meanwhile");
    assert_eq!(woken(|pool| pool.kinds[0].limited = true), Waiting::All, "each slot is to claim for itself");
    assert_eq!(
        woken(|pool| _ = finish(pool, None)),
        Waiting::All,
        "the handler is at its place until the slot is free"
    );
    let ready = |pool: &mut Pool| pool.kinds[0].push(super::pool::tasks(1));
    assert_eq!(woken(ready), Waiting::All, "a task is ready");
    assert_eq!(
        woken(|pool| {
            pool.kinds[0].push(super::pool::tasks(1));
            pool.step(Input::Queued { kind: 0 });
            pool.step(Input::Queued { kind: 0 });
        }),
        Waiting::None,
        "three outcomes are not stored, so that nothing may start"
    );
}

#[test]
fn calls_behind_a_long_handler_are_committed() {
    let mut pool = waiting_pool(1);
    start(&mut pool, 0);
    pool.step(Input::Queued { kind: 0 });
    assert!(!pool.holds_up_calls(), "a handler has started since the last report");
    time_passes(&mut pool);
    assert!(pool.holds_up_calls(), "an outcome is queued");
    pool.step(Input::Stored { kind: 0, reports: false, failed: false });
    assert!(!pool.holds_up_calls(), "an answer has come");
    time_passes(&mut pool);
    assert!(!pool.holds_up_calls(), "no call is queued");
}

#[test]
fn pool_whose_handlers_become_short_is_watched() {
    let mut pool = pool(bounds(2, 2), 1);
    let first = claim(&mut pool, 0);
    let other = claim(&mut pool, 1);
    answer(&mut pool, other, Found { is_cut: true, ..found(0) });
    assert_eq!(free(&mut pool, 1, 0), Action::Wait);
    assert!(!pool.is_watched(), "handlers are long, so that slots are woken for all there is to do");
    answer(&mut pool, first, found(1));
    start(&mut pool, 0);
    pool.handler_times = HandlerTimes::after(200, SHORT * 101 / 100);
    assert!(!pool.is_watched());
    let returned = pool.step(Input::Finished { slot: 0, signal: 0, took: Some(SHORT_TIME), stores: true });
    assert!(returned.wake.watch);
}
