//! Single steps of a slot that counts answers, which may have it queue a further outcome.

use super::{
    bounds,
    pool::{Pool, answer, claim, finish, found, free, pool, run_refused, start},
};
use crate::dispatch::{Action, Input};

/// A pool of two slots, the second of which counts an outcome of the first that was refused.
fn counting_pool() -> Pool {
    let mut pool = pool(bounds(2, 2), 1);
    let first = claim(&mut pool, 0);
    answer(&mut pool, first, found(1));
    run_refused(&mut pool);
    assert_eq!(free(&mut pool, 1, 0), Action::Report);
    pool
}

#[test]
fn pool_does_not_end_while_a_slot_counts_answers() {
    let mut pool = counting_pool();
    let last = claim(&mut pool, 0);
    answer(&mut pool, last, found(0));
    assert!(matches!(free(&mut pool, 0, 0), Action::Sleep(_)), "the other slot may queue an outcome");
    assert!(matches!(free(&mut pool, 1, 1), Action::Claim(_)), "it looks again when it has counted");
}

#[test]
fn abandoned_slot_counts_no_answers() {
    let mut pool = counting_pool();
    pool.step(Input::Abandon { slot: 1 });
    let last = claim(&mut pool, 0);
    answer(&mut pool, last, found(0));
    assert_eq!(free(&mut pool, 0, 0), Action::Exit);
}

#[test]
fn pool_does_not_end_before_each_outcome_is_stored() {
    let mut pool = pool(bounds(2, 0), 1);
    let last = claim(&mut pool, 0);
    pool.step(Input::Queued { kind: 0 });
    answer(&mut pool, last, found(0));
    assert!(matches!(free(&mut pool, 0, 0), Action::Sleep(_)), "a failure may have the task start again");
    assert!(pool.step(Input::Stored { kind: 0, reports: false, failed: false }).wake.sleeping);
}

#[test]
fn tasks_that_come_when_all_slots_sleep_wake_them() {
    let mut pool = pool(bounds(2, 2), 1);
    let first = claim(&mut pool, 0);
    answer(&mut pool, first, found(1));
    let background = start(&mut pool, 1).expect("a claim to prefetch");
    pool.step(Input::Resize { slots: 1 });
    finish(&mut pool, None);
    assert_eq!(free(&mut pool, 0, 0), Action::Exit);
    let failed = pool.clone().step(Input::ClaimFailed { claim: background.clone() });
    assert!(failed.wake.sleeping, "a slot reports the error");
    assert!(pool.step(Input::Claimed { claim: background, found: found(1) }).wake.sleeping);
}
