//! `Command` lists the commands that `Rules::decide` accepts: submit, start, finish, requeue and the others. Made by `api`, `engine`,
//! `worker/heartbeats` and `portable`. Plain data; `Command::ends_expired_lease` states which commands first end a lease that has expired, and
//! `Submit` decides whether a payload has changed and when a debounced task is due.

use std::{sync::Arc, time::Duration};

use uuid::Uuid;

use super::{Annotations, Failure, Header, Outcome, ResolveDependency};
use crate::model::{time::Micros, trace_context::TraceContext};

/// A command for one task. It carries tokens, fences and a random number, so that `decide` is deterministic.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Command {
    /// Insert the task. If it exists, apply a changed fingerprint.
    Submit(Submit),
    /// Put the task in progress and give it a lease.
    Start(Start),
    /// Extend the lease. `begin` is set when the handler of a prefetched task starts.
    Renew { owner: Owner, lease: Option<Duration>, begin: bool },
    /// Store the task as it is now.
    Checkpoint {
        owner: Owner,
        /// The new priority, if the stored task changes it.
        priority: Option<u8>,
    },
    /// End the attempt.
    Finish(Finish),
    /// Detach the execution. A ticket resumes it later.
    Detach { owner: Owner },
    /// Resume a detached execution by its ticket.
    Resume { owner: Owner, instance: Uuid, lease: Option<Duration> },
    /// Release a task whose payload cannot be decoded. Claims skip it from then on.
    Unreadable { owner: Owner },
    /// End the mark of an unreadable task, whose payload can be decoded now.
    Readable,
    /// End an expired lease, or the lease of an owner that has died, if the task still has this fence.
    Rescue {
        fence: u64,
        /// A random number from 0 to 1, for the jitter of the delay.
        random: f32,
    },
    /// Cancel the task. A running attempt gets a cancellation request.
    Cancel,
    /// Put the task into the status for ignored tasks.
    Ignore { fence: u64, reason: String },
    /// Make the task startable again.
    Requeue(Requeue),
    /// Put the task into a parked or startable status.
    Move { code: i32 },
    /// Set the priority.
    SetPriority(u8),
    /// Set the due time.
    SetDue(Micros),
    /// Set the due time, and the order key among the tasks that are due at that time.
    SetPlace { due: Micros, place: Option<u64> },
    /// Pause or resume the task.
    SetPaused(bool),
    /// Replace the payload if it still has this revision.
    Update {
        revision: u32,
        /// The new priority, if the payload changes it.
        priority: Option<u8>,
    },
    /// Delete the task.
    Delete,
    /// Set the number of unresolved dependencies.
    SetDependencyCount { dependencies: u32 },
    /// Apply the end of a dependency, a task or a batch.
    ResolveDependency(ResolveDependency),
    /// Set whether other tasks may depend on this task.
    SetHasDependents(bool),
    /// Set the batch of the task.
    SetBatch { batch: Option<u64> },
}

impl Command {
    /// Whether the command ends an expired lease before it acts. Commands of the owner do not, so that a late owner keeps the task unless
    /// another worker took it. A submit does not affect the running attempt.
    pub(crate) fn ends_expired_lease(&self) -> bool {
        matches!(
            self,
            Self::Start(_)
                | Self::Cancel
                | Self::Ignore { .. }
                | Self::Requeue(_)
                | Self::Move { .. }
                | Self::SetDue(_)
                | Self::SetPlace { .. }
                | Self::Update { .. }
                | Self::Delete
        )
    }
}

/// The fence and the token by which a caller proves that it owns a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub fence: u64,
    pub token: Uuid,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Submit {
    pub due: Option<Micros>,
    pub priority: u8,
    /// Whether the task or the caller names the priority. If so, a submit with a changed payload also sets the priority.
    pub sets_priority: bool,
    pub fingerprint: Option<u64>,
    /// The batch that a new task belongs to.
    pub batch: Option<u64>,
    /// The nominal time of a new task that is an occurrence of a schedule.
    pub scheduled_at: Option<Micros>,
    /// The trace context of the submitter.
    pub trace: Option<Arc<TraceContext>>,
    /// Set by a debounced submit: how long further submits can move the due time of a waiting task.
    pub max_wait: Option<Micros>,
}

impl Submit {
    /// Returns whether its fingerprint differs from that of the stored task. Without a fingerprint, a submit changes nothing.
    pub fn changes(&self, stored: &Header) -> bool {
        self.fingerprint.is_some() && self.fingerprint != stored.fingerprint
    }

    /// Returns the due time of a debounced submit, for a task that waits since a time.
    pub fn debounced_due(&self, since: Micros) -> Option<Micros> {
        Some(self.due?.min(since.saturating_add(self.max_wait?)))
    }
}

#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "the options are independent of each other")]
pub(crate) struct Start {
    pub step: u16,
    /// Codes of further statuses from which the task may start, besides those of the step.
    pub startable: Vec<i32>,
    pub fence: u64,
    pub token: Uuid,
    pub worker: String,
    pub instance: Uuid,
    pub lease: Duration,
    /// Whether a claim takes the task from the queue, which respects due times. A start by id ignores them.
    pub is_claim: bool,
    pub steal_lease: bool,
    pub force: bool,
    /// The token of the lease that the caller holds already.
    pub reenter: Option<Uuid>,
    /// Whether the handler starts at once. False for a prefetched task.
    pub begun: bool,
    /// A random number from 0 to 1, for the jitter of the delay.
    pub random: f32,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finish {
    pub owner: Owner,
    pub outcome: Outcome,
    /// Whether the changes of the handler are stored with the outcome.
    pub with_changes: bool,
    /// The new priority, if the stored task changes it.
    pub priority: Option<u8>,
    pub failure: Option<Failure>,
    pub annotations: Annotations,
    /// The monotonic run time in microseconds.
    pub run: Option<u64>,
    /// A random number from 0 to 1, for the jitter of the delay.
    pub random: f32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Requeue {
    /// Requeue to the first step instead of the current one.
    pub from_start: bool,
    /// Refused unless the task has failed or was given up.
    pub failed_only: bool,
    pub due: Option<Micros>,
    pub priority: Option<u8>,
}
