//! The commands that `decide` accepts: submit, start, finish, requeue and the others. Plain data, made by `api` and `worker`.

use std::time::Duration;

use uuid::Uuid;

use super::{AttemptNotes, Failure, Outcome, ResolveDependency};
use crate::model::time::Micros;

/// A command on one task, with its tokens, fences and random number.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Command {
    /// Put it in, unless it is there.
    Submit(Submit),
    /// Make it in progress, with a lease.
    Start(Start),
    /// Extend the lease; `begin` marks that the handler of a task claimed ahead begins.
    Renew {
        owner: Owner,
        lease: Option<Duration>,
        begin: bool,
    },
    /// Store the task as it is now.
    Checkpoint {
        owner: Owner,
        /// The new priority, where the stored task changes it.
        priority: Option<u8>,
    },
    /// End the attempt.
    Finish(Finish),
    /// Let a ticket stand for the execution.
    Detach {
        owner: Owner,
    },
    /// Take the execution up from its ticket.
    Resume {
        owner: Owner,
        instance: Uuid,
        lease: Option<Duration>,
    },
    /// Give back what cannot be decoded.
    Unreadable {
        owner: Owner,
    },
    /// Put what could not be decoded into the line again.
    Readable,
    /// End a lease that ran out or whose owner is dead, if it still has this fence.
    Rescue {
        fence: u64,
        chance: f32,
    },
    Cancel,
    Ignore {
        fence: u64,
        reason: String,
    },
    Requeue(Requeue),
    Move {
        code: i32,
    },
    /// Changes the priority.
    SetPriority(u8),
    /// Changes the due time.
    SetDue(Micros),
    /// Gives the task a due time and a place among the tasks that are due at that time.
    SetPlace {
        due: Micros,
        place: Option<u64>,
    },
    /// Pauses or resumes the task.
    SetPaused(bool),
    /// Replace the payload if it still has this revision.
    Update {
        revision: u32,
        /// The new priority, where the payload changes it.
        priority: Option<u8>,
    },
    Delete,
    /// Wait for so many others from now on.
    Await {
        others: u32,
    },
    /// Applies the end of a task or batch that it waits for.
    ResolveDependency(ResolveDependency),
    /// Whether others may wait for it.
    SetWatched(bool),
    /// Belong to this batch.
    Join {
        batch: Option<u64>,
    },
}

impl Command {
    /// Whether the command finds a task free whose lease has run out. The owner's own commands do not: a late owner
    /// whose task was not taken is still its owner. A submit leaves the running attempt alone.
    pub(crate) fn frees(&self) -> bool {
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
    /// Whether the task or the caller names the priority: a changed payload then brings it along.
    pub sets_priority: bool,
    pub fingerprint: Option<u64>,
    /// The batch that a new task belongs to.
    pub batch: Option<u64>,
}

#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own, and all of them combine")]
pub(crate) struct Start {
    pub step: u16,
    /// Further codes to start from, besides the step's own.
    pub extra: Vec<i32>,
    pub fence: u64,
    pub token: Uuid,
    pub worker: String,
    pub instance: Uuid,
    pub lease: Duration,
    /// The line honours due times; a start by id does not.
    pub by_line: bool,
    pub steal_lease: bool,
    pub force: bool,
    /// The token of the lease that the caller holds already.
    pub reenter: Option<Uuid>,
    pub begun: bool,
    pub chance: f32,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finish {
    pub owner: Owner,
    pub outcome: Outcome,
    /// Whether the staged task is stored with the outcome.
    pub keep: bool,
    /// The new priority, where the stored task changes it.
    pub priority: Option<u8>,
    pub failure: Option<Failure>,
    pub remarks: AttemptNotes,
    /// The monotonic run time in microseconds.
    pub run: Option<u64>,
    pub chance: f32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Requeue {
    /// To the first step instead of the current one.
    pub from_start: bool,
    /// Refused unless the task has failed or was given up.
    pub failed_only: bool,
    pub due: Option<Micros>,
    pub priority: Option<u8>,
}
