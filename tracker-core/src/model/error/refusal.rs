use std::fmt;

use chrono::{DateTime, Utc};

use super::ErrorKind;
use crate::model::task::TaskKey;

/// A call that the task's state refused: which task, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The kind's name.
    pub kind: String,
    /// The task's id.
    pub id: TaskKey,
    /// Why.
    pub reason: Reason,
}

/// Why a call was refused. Where several hold, the first in this order is given.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// There is no such task.
    NotFound,
    /// The task belongs to a worker.
    Leased {
        /// Who holds it.
        worker: String,
        /// Until when, unless it is renewed.
        until: DateTime<Utc>,
    },
    /// The lease that the caller held is gone: somebody else has the task, or it has ended.
    LeaseLost,
    /// The task stands in another step.
    WrongStep {
        /// Where it stands.
        step: String,
        /// Which step was asked for.
        asked: String,
    },
    /// The task has succeeded.
    AlreadySucceeded,
    /// The task has no attempts left.
    Exhausted {
        /// Failures in a row.
        failures: u32,
        /// Rescues after lost leases.
        crashes: u32,
    },
    /// The task is ignored.
    Ignored,
    /// The task is cancelled.
    Cancelled,
    /// What was asked cannot be done from this status.
    NotStartable {
        /// The status in which the task stands.
        status: String,
    },
    /// The task was changed since it was read.
    Changed,
    /// The success of a task submits the task itself, which exists until that success is stored.
    OwnId,
    /// By hand or by a body's word a task cannot enter this status.
    NotEnterable {
        /// The status that was asked for.
        status: String,
    },
    /// The status type has no status with the role that the call needs.
    MissingRole {
        /// The role's name.
        role: &'static str,
    },
    /// The task waits for others.
    Waiting {
        /// For how many.
        others: u32,
    },
    /// What it should wait for does not exist.
    NothingToWaitFor {
        /// What that was, e.g. `download "a"`.
        what: String,
    },
    /// What it should wait for waits for it itself, directly or through others.
    Circle {
        /// What that was, e.g. `download "a"`.
        what: String,
    },
    /// No more tasks come into the batch.
    Sealed {
        /// The batch's label.
        batch: String,
    },
    /// The task belongs to another batch that is not over.
    OtherBatch {
        /// That batch's label.
        batch: String,
    },
    /// Another task holds one of its unique keys.
    Conflict {
        /// The id of the other one.
        other: TaskKey,
    },
}

impl Reason {
    /// The error kind of this reason.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound | Self::NothingToWaitFor { .. } => ErrorKind::NotFound,
            Self::Leased { .. } => ErrorKind::Leased,
            Self::LeaseLost => ErrorKind::LeaseLost,
            Self::WrongStep { .. } => ErrorKind::WrongStep,
            Self::AlreadySucceeded => ErrorKind::AlreadySucceeded,
            Self::Exhausted { .. } => ErrorKind::Exhausted,
            Self::Ignored => ErrorKind::Ignored,
            Self::Cancelled => ErrorKind::Cancelled,
            Self::NotStartable { .. } | Self::NotEnterable { .. } => ErrorKind::NotStartable,
            Self::MissingRole { .. } => ErrorKind::MissingRole,
            Self::Waiting { .. } => ErrorKind::Waiting,
            Self::Circle { .. } => ErrorKind::Circle,
            Self::Sealed { .. } => ErrorKind::Sealed,
            Self::OtherBatch { .. } | Self::Conflict { .. } | Self::Changed => ErrorKind::Conflict,
            Self::OwnId => ErrorKind::Invalid,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("there is no such task"),
            Self::Leased { worker, until } => {
                write!(f, "it is leased by {worker} until {}", until.format("%Y-%m-%d %H:%M:%S%.3f UTC"))
            }
            Self::LeaseLost => f.write_str("its lease is lost: the task belongs to somebody else or has ended"),
            Self::WrongStep { step, asked } => write!(f, "it stands in step {step:?}, not in {asked:?}"),
            Self::AlreadySucceeded => f.write_str("it has already succeeded; requeue it or start it with force"),
            Self::Exhausted { failures, crashes } => {
                write!(
                    f,
                    "it is exhausted after {failures} failures and {crashes} crashes; requeue it or start it with force"
                )
            }
            Self::Ignored => f.write_str("it is ignored; requeue it or start it with force"),
            Self::Cancelled => f.write_str("it is cancelled; requeue it or start it with force"),
            Self::NotStartable { status } => write!(f, "this cannot be done while it is {status}"),
            Self::Changed => f.write_str("it was changed since it was read: read it again, and change that"),
            Self::OwnId => f.write_str(
                "its own success submits it again, which has no effect, since the id exists: snooze the task to run it again later, or submit a new id",
            ),
            Self::NotEnterable { status } => {
                write!(
                    f,
                    "it cannot be put into {status}: by hand only parked and startable statuses can be entered, by a body only parked ones"
                )
            }
            Self::MissingRole { role } => write!(f, "its status type has no status with the role {role}"),
            Self::Waiting { others: 1 } => f.write_str("it waits for another one; start it with force to run it now"),
            Self::Waiting { others } => write!(f, "it waits for {others} others; start it with force to run it now"),
            Self::NothingToWaitFor { what } => {
                write!(f, "it should wait for {what}, which does not exist: submit that one first, or both together")
            }
            Self::Circle { what } => write!(f, "it should wait for {what}, which waits for it itself"),
            Self::Sealed { batch } => write!(f, "the batch {batch:?} is sealed: reopen it to add tasks"),
            Self::OtherBatch { batch } => write!(f, "it belongs to the batch {batch:?}, which is not over"),
            Self::Conflict { other } => write!(f, "a unique key of it belongs to \"{other}\""),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} \"{}\" was refused: {}", self.kind, self.id, self.reason)
    }
}
