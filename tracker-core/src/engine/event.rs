//! The public events of tasks.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::model::{task::TaskKey, transition::AttemptStatus};

/// A durable change of a task.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Event {
    /// The kind's name.
    pub kind: Arc<str>,
    /// The task's id.
    pub id: TaskKey,
    /// When.
    pub at: DateTime<Utc>,
    /// The code of the task's status now; `None` if the task is gone.
    pub status: Option<i32>,
    /// The event.
    pub what: EventKind,
}

/// The kind of an event.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum EventKind {
    /// It was put in.
    Submitted,
    /// A worker has it now.
    Claimed {
        /// The worker's name.
        worker: String,
    },
    /// An attempt ended.
    Ended {
        /// How.
        status: AttemptStatus,
    },
    /// A handler reported its progress.
    Progress {
        /// Amount done, in the units of the handler.
        done: u64,
        /// How much there is, if it is known.
        total: Option<u64>,
        /// In words.
        message: String,
    },
    /// Its status or payload was changed by hand: requeued, cancelled, moved, updated.
    Changed,
    /// It was deleted.
    Deleted,
}
