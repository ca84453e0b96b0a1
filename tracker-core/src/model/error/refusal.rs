//! `Refusal` and `Reason` state why a task does not allow a call. Made by `model/transition`, `model/kind`, `engine/action`, `engine/writer` and
//! `api`; logged by `engine/run_log`. Plain data.

use std::fmt;

use chrono::{DateTime, Utc};

use super::ErrorKind;
use crate::model::{counted::counted, task::TaskKey};

/// A call that the state of a task refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// The kind's name.
    pub kind: String,
    /// The task's id.
    pub id: TaskKey,
    /// Why the call was refused.
    pub reason: Reason,
}

/// Why a call was refused. If several reasons hold, the first in this order is given.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The task does not exist.
    NotFound,
    /// A worker holds the task's lease.
    Leased {
        /// The worker's name.
        worker: String,
        /// When the lease expires, unless it is renewed.
        until: DateTime<Utc>,
    },
    /// The caller's lease is gone: another worker has the task, or it has ended.
    LeaseLost,
    /// The task is in another step of its pipeline.
    WrongStep {
        /// The step of the task.
        step: String,
        /// The step that the call is about.
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
    /// The task's status does not allow the call.
    NotStartable {
        /// The task's status.
        status: String,
    },
    /// The task was changed after it was read.
    Stale,
    /// The success of a task submits the task itself, which exists until that success is stored.
    SubmitsItself,
    /// A call or an outcome cannot put a task into this status.
    NotEnterable {
        /// The status that the call names.
        status: String,
    },
    /// The status type has no status with the role that the call needs.
    MissingRole {
        /// The role's name.
        role: &'static str,
    },
    /// The task has unresolved dependencies.
    Waiting {
        /// Number of unresolved dependencies.
        others: u32,
    },
    /// The task is paused.
    Paused,
    /// The task cannot be moved before the other one: it has another priority.
    OtherPriority {
        /// The id of the other task.
        other: TaskKey,
    },
    /// A dependency does not exist.
    MissingDependency {
        /// The dependency, e.g. `download "a"`.
        what: String,
    },
    /// A dependency depends on the task itself, directly or through others.
    Cycle {
        /// The dependency, e.g. `download "a"`.
        what: String,
    },
    /// The batch is sealed.
    Sealed {
        /// The batch's label.
        batch: String,
    },
    /// The task belongs to another batch that is not over.
    OtherBatch {
        /// The label of the other batch.
        batch: String,
    },
    /// Another task holds one of the task's unique keys.
    KeyTaken {
        /// The id of the other task.
        other: TaskKey,
    },
    /// As many tasks of the kind wait as its `max_waiting` allows.
    Full {
        /// [`Policy::max_waiting`](crate::task::Policy::max_waiting) of the kind.
        most: u64,
    },
    /// The task needs more of a resource than its budget in the file.
    ExceedsBudget {
        /// The name of the resource.
        resource: String,
        /// The amount that the task needs, rounded up.
        amount: u64,
        /// The budget.
        budget: u64,
    },
}

impl Reason {
    /// Returns the error kind of this reason.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound | Self::MissingDependency { .. } => ErrorKind::NotFound,
            Self::Leased { .. } => ErrorKind::Leased,
            Self::LeaseLost => ErrorKind::LeaseLost,
            Self::Stale => ErrorKind::Stale,
            Self::AlreadySucceeded | Self::Exhausted { .. } | Self::Ignored | Self::Cancelled => ErrorKind::Ended,
            Self::WrongStep { .. }
            | Self::NotStartable { .. }
            | Self::NotEnterable { .. }
            | Self::Waiting { .. }
            | Self::Paused => ErrorKind::NotStartable,
            Self::Cycle { .. }
            | Self::Sealed { .. }
            | Self::OtherBatch { .. }
            | Self::KeyTaken { .. }
            | Self::OtherPriority { .. } => ErrorKind::Conflict,
            Self::Full { .. } => ErrorKind::Full,
            Self::SubmitsItself | Self::MissingRole { .. } | Self::ExceedsBudget { .. } => ErrorKind::Invalid,
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
            Self::LeaseLost => f.write_str("its lease is lost: another worker has the task, or it has ended"),
            Self::WrongStep { step, asked } => write!(f, "it stands in step {step:?}, not in {asked:?}"),
            Self::AlreadySucceeded => f.write_str("it has already succeeded; requeue it or start it with force"),
            Self::Exhausted { failures, crashes } => {
                let failures = counted(*failures, "failure", "failures");
                let crashes = counted(*crashes, "crash", "crashes");
                write!(f, "it is exhausted after {failures} and {crashes}; requeue it or start it with force")
            }
            Self::Ignored => f.write_str("it is ignored; requeue it or start it with force"),
            Self::Cancelled => f.write_str("it is cancelled; requeue it or start it with force"),
            Self::NotStartable { status } => write!(f, "this cannot be done while it is {status}"),
            Self::Stale => f.write_str("it was changed since it was read: read it again, and change that"),
            Self::SubmitsItself => f.write_str(
                "its own success submits it again, which has no effect, since the id exists: snooze the task to run it again later, or submit a new id",
            ),
            Self::NotEnterable { status } => {
                write!(
                    f,
                    "it cannot be put into {status}: by hand only parked and startable statuses can be entered, by a handler only parked ones"
                )
            }
            Self::MissingRole { role } => write!(f, "its status type has no status with the role {role}"),
            Self::Waiting { others: 1 } => f.write_str("it waits for another one; start it with force to run it now"),
            Self::Waiting { others } => write!(f, "it waits for {others} others; start it with force to run it now"),
            Self::Paused => f.write_str("it is paused: resume the task first"),
            Self::OtherPriority { other } => {
                write!(f, "it has another priority than \"{other}\": set the same priority first, then move it")
            }
            Self::MissingDependency { what } => {
                write!(f, "it should wait for {what}, which does not exist: submit it first, or both together")
            }
            Self::Cycle { what } => write!(f, "it should wait for {what}, which waits for it itself"),
            Self::Sealed { batch } => write!(f, "the batch {batch:?} is sealed: reopen it to add tasks"),
            Self::OtherBatch { batch } => write!(f, "it belongs to the batch {batch:?}, which is not over"),
            Self::KeyTaken { other } => write!(f, "a unique key of it belongs to \"{other}\""),
            Self::ExceedsBudget { resource, amount, budget } => {
                write!(
                    f,
                    "it needs {amount} of {resource:?}, and the budget of the file is {budget}: raise the budget, or submit a smaller task"
                )
            }
            Self::Full { most } => {
                let waiting = counted(*most, "task of its kind waits", "tasks of its kind wait");
                write!(f, "{waiting}, and no more may (max_waiting): submit it again later")
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} \"{}\" was refused: {}", self.kind, self.id, self.reason)
    }
}
