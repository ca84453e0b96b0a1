//! A pool whose steps a test makes one by one, and the usual inputs of its slots.

use std::time::Duration;

use super::{bounds, plan::Task};
use crate::dispatch::{Action, Bounds, ClaimRequest, Dispatcher, Found, Idle, Input, Storing, Waiting};

pub(super) type Pool = Dispatcher<Task>;

pub(super) fn pool(bounds: Bounds, kinds: usize) -> Pool {
    let mut pool = Dispatcher::new(bounds, vec![false; kinds]);
    pool.open_slots();
    pool
}

pub(super) fn tasks(number: usize) -> Vec<Task> {
    (0..number).map(|id| Task { id, bytes: 1 }).collect()
}

pub(super) fn found(number: usize) -> Found<Task> {
    Found { tasks: tasks(number), idle: Idle::default(), isolated_waits: false, is_cut: false, limited: false }
}

pub(super) fn free(pool: &mut Pool, slot: usize, signal: u64) -> Action<Task> {
    pool.step(Input::Free { slot, signal, may_wait: true }).action
}

/// The claim that a free slot makes.
pub(super) fn claim(pool: &mut Pool, slot: usize) -> ClaimRequest {
    match free(pool, slot, 0) {
        Action::Claim(claim) => claim,
        action => panic!("slot {slot}: {action:?}"),
    }
}

/// A pool of one kind without prefetch, whose slot 0 runs a task.
pub(super) fn running_pool(slots: usize) -> Pool {
    let mut pool = pool(bounds(slots, 0), 1);
    let first = claim(&mut pool, 0);
    answer(&mut pool, first, found(1));
    start(&mut pool, 0);
    pool
}

/// Answers a claim. Returns how many waiting slots it wakes.
pub(super) fn answer(pool: &mut Pool, claim: ClaimRequest, found: Found<Task>) -> Waiting {
    pool.step(Input::Claimed { claim, found }).wake.waiting
}

/// Starts the next task of slot 0. Returns the claim that goes with it.
pub(super) fn start(pool: &mut Pool, signal: u64) -> Option<ClaimRequest> {
    match free(pool, 0, signal) {
        Action::Start { claim, .. } => claim,
        action => panic!("no start: {action:?}"),
    }
}

pub(super) fn finish(pool: &mut Pool, took: Option<Duration>) -> Storing {
    match pool.step(Input::Finished { slot: 0, signal: 0, took, stores: true }).action {
        Action::Store(storing) => storing,
        action => panic!("{action:?}"),
    }
}

/// Runs a prefetched task in slot 0 and stores its outcome. Returns the claim that went with its start.
pub(super) fn run(pool: &mut Pool, signal: u64) -> Option<ClaimRequest> {
    let claim = start(pool, signal);
    finish(pool, None);
    pool.step(Input::Stored { kind: 0, reports: false, failed: false });
    claim
}

/// Runs a prefetched task in slot 0. Its outcome is refused, so the slot that counts this answer queues another one.
pub(super) fn run_refused(pool: &mut Pool) {
    start(pool, 0);
    finish(pool, None);
    pool.step(Input::Stored { kind: 0, reports: true, failed: true });
}
