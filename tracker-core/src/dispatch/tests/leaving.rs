//! Single steps of slots that leave: after a stop, or because a resize has made them too many.

use super::{
    bounds,
    pool::{Pool, answer, claim, finish, found, free, pool, running_pool, start, tasks},
};
use crate::dispatch::{Action, Bounds, Input, Reading, Storing, Waiting};

/// Has slot 0 leave.
fn leaves(mut change: impl FnMut(fn(&mut Pool))) {
    change(|pool| drop(pool.step(Input::Stop)));
    change(|pool| drop(pool.step(Input::Resize { slots: 1 })));
}

#[test]
fn leaving_slot_stores_its_outcome_without_a_claim() {
    leaves(|leave| {
        let mut pool = running_pool(2);
        leave(&mut pool);
        assert_eq!(finish(&mut pool, None), Storing::Synchronous { claim: None });
    });
}

#[test]
fn leaving_slot_does_not_claim() {
    leaves(|leave| {
        let mut unreadable = running_pool(2);
        unreadable.step(Input::Unreadable { took: None });
        leave(&mut unreadable);
        assert_eq!(free(&mut unreadable, 0, 0), Action::Exit);

        let mut checked = pool(Bounds { conditional: true, ..bounds(2, 0) }, 1);
        assert_eq!(free(&mut checked, 0, 0), Action::Check);
        checked.step(Input::Checked { slot: 0, reading: Reading::Ready });
        leave(&mut checked);
        assert_eq!(free(&mut checked, 0, 0), Action::Exit);
    });
}

/// Other slots may wait for its outcome, which is committed late if no thread leads.
#[test]
fn leaving_slot_leads_the_commit_of_its_outcome() {
    let mut pool = pool(bounds(2, 2), 1);
    let first = claim(&mut pool, 0);
    answer(&mut pool, first, found(1));
    start(&mut pool, 0);
    pool.step(Input::Resize { slots: 1 });
    assert!(matches!(finish(&mut pool, None), Storing::Queued { .. }));
    let before_the_exit = pool.step(Input::Free { slot: 0, signal: 0, may_wait: false });
    assert_eq!(before_the_exit.action, Action::Lead);
    assert_eq!(free(&mut pool, 0, 0), Action::Exit);
}

/// A clock may resize the pool each time a claim reads it.
#[test]
fn resize_does_not_make_slots_repeat_a_claim() {
    let mut pool = pool(Bounds { keep_running: true, ..bounds(3, 0) }, 1);
    let first = claim(&mut pool, 0);
    let woken = pool.step(Input::Resize { slots: 2 });
    assert!(woken.wake.sleeping, "the slot that is too many may sleep");
    answer(&mut pool, first, found(0));
    assert_eq!(free(&mut pool, 1, 1), Action::Exit);
    for slot in [0, 2] {
        let Action::Sleep(condition) = free(&mut pool, slot, 1) else { panic!("slot {slot} claims again") };
        assert_eq!(condition.seen, 1, "the raise of the resize has been seen");
    }
    assert!(matches!(free(&mut pool, 0, 2), Action::Claim(_)), "another raise is a change");
}

#[test]
fn pool_resized_to_no_slot_opens_the_lowest_one_again() {
    let mut pool = pool(bounds(1, 2), 1);
    let first = claim(&mut pool, 0);
    answer(&mut pool, first, found(3));
    pool.step(Input::Resize { slots: 0 });
    assert_eq!(free(&mut pool, 0, 0), Action::Release { kind: 0, tasks: tasks(3) });
    for _ in 0..3 {
        pool.step(Input::Stored { kind: 0, reports: false, failed: false });
    }
    assert_eq!(free(&mut pool, 0, 0), Action::Exit);
    pool.step(Input::Resize { slots: 1 });
    assert_eq!(pool.open_slots(), [0]);
    assert_eq!(claim(&mut pool, 0).bytes, 100, "no payload is prefetched");
}

#[test]
fn abandoned_slot_frees_what_it_held() {
    let held = |pool: &Pool| {
        let kind = &pool.kinds[0];
        (pool.open, pool.assigned, kind.assigned, pool.running, kind.running, pool.waiting, kind.ready_or_requested())
    };
    let mut pool = pool(bounds(2, 2), 1);
    let (first, second) = (claim(&mut pool, 0), claim(&mut pool, 1));
    answer(&mut pool, second, found(0));
    assert_eq!(free(&mut pool, 1, 0), Action::Wait);
    assert_eq!(held(&pool), (2, 2, 2, 0, 0, 1, first.most));
    let claiming = &mut pool.clone();
    let abandoned = claiming.step(Input::Abandon { slot: 0 });
    assert_eq!(held(claiming), (1, 1, 1, 0, 0, 1, 0));
    assert_eq!((abandoned.wake.waiting, abandoned.wake.sleeping), (Waiting::All, true), "the last slot ends the pool");
    assert_eq!(free(claiming, 1, 0), Action::Exit);
    let waiting = &mut pool.clone();
    waiting.step(Input::Abandon { slot: 1 });
    assert_eq!(held(waiting), (1, 1, 1, 0, 0, 0, first.most));
    answer(&mut pool, first, found(1));
    start(&mut pool, 0);
    assert_eq!((pool.running, pool.kinds[0].running), (1, 1));
    pool.step(Input::Abandon { slot: 0 });
    assert_eq!((pool.running, pool.kinds[0].running), (0, 0));
}
