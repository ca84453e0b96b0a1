//! Single steps of a pool whose next task is an isolated one.

use super::{
    bounds,
    plan::Task,
    pool::{Pool, answer, claim, finish, found, free, pool, running_pool, start},
};
use crate::dispatch::{Action, Bounds, ClaimRequest, Found, Idle, Input, Reading, Storing};

fn isolated_waits() -> Found<Task> {
    Found { isolated_waits: true, ..found(0) }
}

/// A pool whose slot 0 claims the isolated task, and its claim.
fn isolated_claim(bounds: Bounds) -> (Pool, ClaimRequest) {
    let mut pool = pool(bounds, 1);
    let first = claim(&mut pool, 0);
    answer(&mut pool, first, isolated_waits());
    let isolated = claim(&mut pool, 0);
    assert!(isolated.isolated);
    (pool, isolated)
}

#[test]
fn slot_beside_an_isolated_task_looks_again_by_itself() {
    let (mut pool, _) = isolated_claim(bounds(2, 0));
    let Action::Sleep(condition) = free(&mut pool, 1, 0) else { panic!("it works beside the isolated task") };
    assert!(condition.blocked);
}

#[test]
fn slots_beside_an_isolated_task_are_woken_when_it_has_ended() {
    let (mut pool, isolated) = isolated_claim(bounds(2, 0));
    answer(&mut pool, isolated, found(1));
    start(&mut pool, 0);
    assert_eq!(finish(&mut pool, None), Storing::Synchronous { claim: None });
    pool.step(Input::StoredSynchronously { slot: 0 });
    assert!(pool.step(Input::Free { slot: 0, signal: 0, may_wait: true }).wake.sleeping);
}

#[test]
fn isolated_slot_claims_although_another_found_nothing() {
    let mut pool = pool(bounds(2, 0), 1);
    let (first, second) = (claim(&mut pool, 0), claim(&mut pool, 1));
    answer(&mut pool, first, found(0));
    // Another process has submitted it between the claims.
    answer(&mut pool, second, isolated_waits());
    assert!(matches!(free(&mut pool, 1, 0), Action::Sleep(_)));
    assert!(claim(&mut pool, 0).isolated);
}

#[test]
fn kind_with_an_isolated_task_does_not_count_as_empty() {
    let (mut pool, isolated) = isolated_claim(bounds(2, 0));
    // Another process has claimed it, and a later task is left.
    answer(&mut pool, isolated, Found { idle: Idle { due: Some(5), ..Idle::default() }, ..found(0) });
    assert!(matches!(free(&mut pool, 0, 0), Action::Sleep(_)));
    assert!(matches!(free(&mut pool, 1, 0), Action::Claim(_)), "the first claim did not look behind the isolated task");
}

#[test]
fn slots_trust_an_isolated_claim_that_found_nothing() {
    let (mut pool, isolated) = isolated_claim(Bounds { keep_running: true, ..bounds(2, 0) });
    answer(&mut pool, isolated, found(0));
    for slot in [0, 1] {
        assert!(matches!(free(&mut pool, slot, 0), Action::Sleep(_)), "slot {slot} claims");
    }
}

#[test]
fn prefetched_task_starts_without_claim_beside_an_isolated_one() {
    let mut pool = pool(bounds(2, 2), 1);
    let (first, other) = (claim(&mut pool, 0), claim(&mut pool, 1));
    answer(&mut pool, first, found(1));
    answer(&mut pool, other, isolated_waits());
    assert_eq!(start(&mut pool, 1), None);
}

#[test]
fn slot_does_not_claim_if_an_isolated_task_waits() {
    let mut unreadable = pool(bounds(2, 0), 1);
    let (first, other) = (claim(&mut unreadable, 0), claim(&mut unreadable, 1));
    answer(&mut unreadable, first, found(1));
    start(&mut unreadable, 0);
    unreadable.step(Input::Unreadable { took: None });
    answer(&mut unreadable, other, isolated_waits());
    assert!(matches!(free(&mut unreadable, 0, 0), Action::Sleep(_)));

    let mut checked = pool(Bounds { conditional: true, ..bounds(2, 0) }, 1);
    for slot in [0, 1] {
        assert_eq!(free(&mut checked, slot, 0), Action::Check);
        checked.step(Input::Checked { slot, reading: Reading::Ready });
    }
    let other = claim(&mut checked, 1);
    answer(&mut checked, other, isolated_waits());
    assert!(matches!(free(&mut checked, 0, 0), Action::Sleep(_)));
}

#[test]
fn outcome_is_stored_without_a_claim_if_an_isolated_task_waits() {
    let mut pool = running_pool(2);
    let other = claim(&mut pool, 1);
    answer(&mut pool, other, isolated_waits());
    assert_eq!(finish(&mut pool, None), Storing::Synchronous { claim: None });
}
