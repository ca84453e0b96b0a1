//! One place of a pool where a handler runs: a thread, or a future.

use super::{
    protocol::ClaimRequest,
    rest::{Idle, Pass},
};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Slot<T> {
    /// The kind that it works on.
    pub visit: Option<Visit<T>>,
    /// The kind whose handler it runs.
    pub running: Option<usize>,
    /// The claim for whose answer it waits.
    pub claim: Option<ClaimRequest>,
    /// It waits for a wake-up of the pool.
    pub waits: bool,
    pub pass: Pass,
    /// The kind with which the next pass begins. Slots begin with different ones, so that no kind is served last by all.
    pub first: usize,
}

/// The stay of a slot with one kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Visit<T> {
    pub kind: usize,
    pub mode: Mode,
    /// How many handlers it has started.
    pub started: usize,
    /// Its last claim has found nothing.
    pub found: Option<Idle>,
    /// The task that it has claimed for itself and not started.
    pub task: Option<T>,
    /// It claims no more.
    pub leaves: bool,
}

/// How a slot works on a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Mode {
    /// Starts what the pool has prefetched, and does not wait for outcomes to be stored.
    Prefetching,
    /// Claims for itself, and starts the next task when the outcome of the last one is stored.
    Strict,
    /// As strict, with one task, which may be isolated: no other slot works on any kind.
    Alone,
}

impl<T> Slot<T> {
    pub(super) fn new(first: usize) -> Self {
        Self { visit: None, running: None, claim: None, waits: false, pass: Pass::default(), first }
    }
}
