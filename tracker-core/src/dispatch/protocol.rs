//! Defines the inputs and the effects of the dispatcher. `worker/shared_dispatcher` makes the inputs, `Dispatcher::step` the effects, and the
//! slots in `worker/pool`, `worker/kind_runner` and `worker/async_slot` perform the actions. Plain values.

use std::time::Duration;

use super::idle::{Idle, SleepCondition, Stamp};
use crate::model::time::Micros;

/// A claimed task, as far as the dispatcher looks at it.
pub(crate) trait ClaimedTask {
    /// Bytes of its payload.
    fn bytes(&self) -> usize;
}

/// An event that a driver passes to the dispatcher.
#[derive(Clone, Debug)]
pub(crate) enum Input<T> {
    /// A slot asks what to do. `may_wait` is false if it can lead a commit for itself before it waits.
    Free { slot: usize, signal: u64, may_wait: bool },
    /// The start conditions are checked for a slot.
    Checked { slot: usize, reading: Reading },
    /// A claim is answered.
    Claimed { claim: ClaimRequest, found: Found<T> },
    /// A claim that no slot waits for has failed. Its error is among the answers that a slot reports next.
    ClaimFailed { claim: ClaimRequest },
    /// A handler has returned after `took`, `None` if the duration does not measure the thread. `stores` is false if the handler has
    /// stored its outcome itself.
    Finished { slot: usize, signal: u64, took: Option<Duration>, stores: bool },
    /// A task that was to start cannot be decoded. No handler has run.
    Unreadable { took: Option<Duration> },
    /// An outcome is stored for which its slot has waited, without a claim.
    StoredSynchronously { slot: usize },
    /// A further outcome of the kind is queued, in place of one that was refused.
    Queued { kind: usize },
    /// A queued outcome is answered. `reports` is true if a slot must count the answer, `failed` if it is an error.
    Stored { kind: usize, reports: bool, failed: bool },
    /// Time has passed: from a millisecond, if the pool is watched, to a tenth of a second.
    TimePassed,
    /// No handler starts any more, and each slot ends when all is stored.
    Stop,
    /// The pool ends when nothing is left, although it was to continue.
    EndWhenEmpty,
    /// The pool is to have this many slots. Those that are too many leave when they run no handler.
    Resize { slots: usize },
    /// A slot has ended by an error or a panic, or its thread was refused.
    Abandon { slot: usize },
}

/// The answer of the start conditions of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reading {
    /// One handler may start.
    Ready,
    /// No handler starts before this time, at which the conditions are checked again.
    NotBefore(Micros),
}

/// The effects of an input: an action for its slot, and wake-ups for other slots.
#[derive(Debug)]
pub(crate) struct Effects<T> {
    pub action: Action<T>,
    pub wake: Wake,
}

/// The next action of a slot.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action<T> {
    /// Asks again.
    Continue,
    /// Counts the answers that have come, and tells each outcome that it queues in place of a refused one by [`Input::Queued`].
    Report,
    /// Leads a commit of what is queued, unless another thread does, and asks again with `may_wait`.
    Lead,
    /// Waits for a wake-up of the pool.
    Wait,
    /// Waits until the file changes.
    Sleep(SleepCondition),
    /// Ends.
    Exit,
    /// Checks the start conditions.
    Check,
    /// Claims, and waits for the answer.
    Claim(ClaimRequest),
    /// Sends the claim without waiting, and runs the handler.
    Start { kind: usize, task: T, claim: Option<ClaimRequest> },
    /// Stores the outcome of the handler that has returned.
    Store(Storing),
    /// Gives back tasks that have not started, without waiting. Each is answered by [`Input::Stored`].
    Release { kind: usize, tasks: Vec<T> },
}

/// How an outcome is stored.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Storing {
    /// The slot waits. A claim goes into the same commit.
    Synchronous { claim: Option<ClaimRequest> },
    /// The slot does not wait: the outcome is committed at once, or with those of the handlers that follow if `gathers`.
    Queued { kind: usize, gathers: bool },
}

/// A claim to make.
#[expect(clippy::struct_excessive_bools, reason = "independent questions to the claim")]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ClaimRequest {
    pub kind: usize,
    /// The slot that waits for the answer.
    pub slot: Option<usize>,
    /// The most tasks to claim. 0 only looks whether a task could start.
    pub most: usize,
    /// How many of them start at once.
    pub begin: usize,
    /// How many bytes of payload the others may have together.
    pub bytes: usize,
    /// Whether the task may be an isolated one.
    pub isolated: bool,
    /// Whether it may be committed with what follows, since its thread comes back soon.
    pub gathers: bool,
    /// Whether a slot has asked for a task that it starts itself.
    pub for_slot: bool,
    /// Whether it goes with the outcome of the slot's last task.
    pub(super) stores: bool,
    /// The start conditions let no handler start before this time.
    pub(super) not_before: Option<Micros>,
    pub(super) stamp: Stamp,
}

/// The answer to a claim.
#[derive(Clone, Debug)]
pub(crate) struct Found<T> {
    pub tasks: Vec<T>,
    /// The knowledge about later tasks, if none was found.
    pub idle: Idle,
    /// An isolated task is next, and the claim was not for one.
    pub isolated_waits: bool,
    /// The next task is due, and its payload is larger than the bytes that were left.
    pub is_cut: bool,
    /// The kind has a limit or a rate, so its tasks are not prefetched.
    pub limited: bool,
}

/// The other slots that continue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Wake {
    /// How many of those that wait for the pool.
    pub waiting: Waiting,
    /// Whether all that sleep look again.
    pub sleeping: bool,
    /// Whether the driver looks for slots to open, or the end of the pool.
    pub driver: bool,
    /// Whether the driver reports each millisecond that time has passed, while [`Dispatcher::is_watched`](super::Dispatcher::is_watched).
    pub watch: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Waiting {
    #[default]
    None,
    Some(usize),
    All,
}
