//! `Slot` is the state of one place of a pool where a handler runs, a thread or a future; `Assignment` is its work on one kind. Kept by
//! `Dispatcher`; pure.

use super::{
    idle::{Idle, Pass},
    protocol::{ClaimRequest, Reading},
};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Slot<T> {
    /// The driver has a thread or a future for it.
    pub open: bool,
    /// The kind that the slot works on.
    pub assignment: Option<Assignment<T>>,
    /// The kind whose handler it runs.
    pub running: Option<usize>,
    /// The claim for whose answer it waits.
    pub claim: Option<ClaimRequest>,
    /// It waits for a wake-up of the pool.
    pub waits: bool,
    /// It counts the answers to stored outcomes ([`Action::Report`](super::Action::Report)), and may queue another outcome for a refused one.
    pub reports: bool,
    pub pass: Pass,
    /// The kind with which the next pass begins. Slots begin with different ones, so that no kind is served last by all.
    pub first: usize,
}

/// The work of a slot on one kind, until it goes on to another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Assignment<T> {
    pub kind: usize,
    pub mode: Mode,
    /// How many handlers it has started.
    pub started: usize,
    /// Why the last claim found no task, if it found none.
    pub found: Option<Idle>,
    /// The task that it has claimed for itself and not started.
    pub task: Option<T>,
    /// The assignment ends after the current task.
    pub ends_next: bool,
    /// Whether the start conditions of the pool let a handler start; kept until the next claim.
    pub reading: Option<Reading>,
}

/// How a slot works on a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Mode {
    /// Starts what the pool has claimed for any of its slots, and does not wait for outcomes to be stored.
    Shared,
    /// Claims for itself, and starts the next task when the outcome of the last one is stored.
    Synchronous,
    /// Like `Synchronous`, for one task. No other slot works meanwhile, so the task may be an isolated one.
    Isolated,
}

impl<T> Slot<T> {
    pub(super) fn new(first: usize) -> Self {
        Self {
            open: true,
            assignment: None,
            running: None,
            claim: None,
            waits: false,
            reports: false,
            pass: Pass::default(),
            first,
        }
    }
}
