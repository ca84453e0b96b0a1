//! Single steps of slots that leave: after a stop, or because a resize has made them too many.

use super::{
    bounds,
    pool::{Pool, answer, claim, finish, found, free, pool, start},
};
use crate::dispatch::{Action, Bounds, Input, Reading, Storing};

/// Has slot 0 leave.
fn leaves(mut change: impl FnMut(fn(&mut Pool))) {
    change(|pool| drop(pool.step(Input::Stop)));
    change(|pool| drop(pool.step(Input::Resize { slots: 1 })));
}

#[test]
fn leaving_slot_stores_its_outcome_without_a_claim() {
    leaves(|leave| {
        let mut pool = pool(bounds(2, 0), 1);
        let first = claim(&mut pool, 0);
        answer(&mut pool, first, found(1));
        start(&mut pool, 0);
        leave(&mut pool);
        assert_eq!(finish(&mut pool, None), Storing::Synchronous { claim: None });
    });
}

#[test]
fn leaving_slot_does_not_claim() {
    leaves(|leave| {
        let mut unreadable = pool(bounds(2, 0), 1);
        let first = claim(&mut unreadable, 0);
        answer(&mut unreadable, first, found(1));
        start(&mut unreadable, 0);
        unreadable.step(Input::Unreadable { slot: 0, took: None });
        leave(&mut unreadable);
        assert_eq!(free(&mut unreadable, 0, 0), Action::Exit);

        let mut checked = pool(Bounds { conditional: true, ..bounds(2, 0) }, 1);
        assert_eq!(free(&mut checked, 0, 0), Action::Check);
        checked.step(Input::Checked { slot: 0, reading: Reading::Ready });
        leave(&mut checked);
        assert_eq!(free(&mut checked, 0, 0), Action::Exit);
    });
}
