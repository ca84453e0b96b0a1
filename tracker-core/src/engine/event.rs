//! Defines the public events of tasks, kinds and batches, and `CommitEvent`, the form in which a commit hands them to subscriptions. Made
//! by `engine/writer/effects`; read by `engine/subscription`, `api/live` and users. Plain data, and `EventFilter`, which decides which events a
//! subscription gets.

use std::{collections::HashSet, sync::Arc};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::model::{
    task::{TaskKey, TaskRef},
    transition::AttemptStatus,
};

/// An item of a subscription.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Notification {
    /// An event of a task.
    Event(Event),
    /// A kind is paused: no task of it is claimed.
    KindPaused {
        /// The kind's name.
        #[serde(with = "shared_text")]
        kind: Arc<str>,
        /// The time of the event.
        at: DateTime<Utc>,
    },
    /// The pause of a kind has ended.
    KindResumed {
        /// The kind's name.
        #[serde(with = "shared_text")]
        kind: Arc<str>,
        /// The time of the event.
        at: DateTime<Utc>,
    },
    /// Before the commit a task of the kind had a status from which claims start tasks, and after it no task has. Tasks that are not due,
    /// are paused or wait for others have such a status. A task that returns to one, for example by a retry, makes the event possible again.
    QueueEmpty {
        /// The kind's name.
        #[serde(with = "shared_text")]
        kind: Arc<str>,
        /// The time of the event.
        at: DateTime<Utc>,
        /// Number of tasks of the kind that run now. They can fail and return to the queue.
        running: u64,
    },
    /// A batch is sealed and all its tasks have ended. It comes again if the batch is opened or a task of it is requeued, and the batch
    /// finishes again.
    BatchFinished {
        /// The batch's number.
        number: u64,
        /// The batch's label.
        #[serde(with = "shared_text")]
        label: Arc<str>,
        /// The time of the event.
        at: DateTime<Utc>,
        /// Whether all its tasks have succeeded.
        succeeded: bool,
    },
    /// Number of events that were dropped because the subscriber was too slow; progress is never among them. Read the state of the tracker
    /// to catch up. It can include the events that follow: each of them repeats what was read, or is newer.
    Lagged(u64),
}

/// A durable change of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Event {
    /// The kind's name.
    #[serde(with = "shared_text")]
    pub kind: Arc<str>,
    /// The task's id.
    pub id: TaskKey,
    /// The number of the task's batch.
    pub batch: Option<u64>,
    /// When.
    pub at: DateTime<Utc>,
    /// The code of the task's status now; `None` if the task is gone, and with progress.
    pub status: Option<i32>,
    /// The number of the attempt that began, ended or runs, or else of the last one, from 1; 0 before the first.
    pub attempt: u32,
    /// The error of the attempt that ended, if it failed.
    pub error: Option<String>,
    /// The event.
    pub what: EventKind,
}

/// The kind of an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum EventKind {
    /// It was submitted.
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
    /// Its status or payload was changed by an operator: requeued, cancelled, moved, updated.
    Changed,
    /// It was deleted.
    Deleted,
}

/// Text that events share, as serde sees it.
mod shared_text {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<str>, D::Error> {
        String::deserialize(deserializer).map(Into::into)
    }
}

/// An event as a commit makes it known.
#[derive(Clone, Debug)]
pub(crate) struct CommitEvent {
    pub notification: Notification,
    /// The task of an [`Event`].
    pub task: Option<TaskRef>,
    /// Whether no attempt runs both before and after the event: progress before it and progress after it belong to different attempts.
    pub ends_attempt: bool,
}

impl CommitEvent {
    pub(super) fn of_task(task: TaskRef, event: Event, ends_attempt: bool) -> Arc<Self> {
        Arc::new(Self { notification: Notification::Event(event), task: Some(task), ends_attempt })
    }

    pub(super) fn other(notification: Notification) -> Arc<Self> {
        Arc::new(Self { notification, task: None, ends_attempt: false })
    }

    pub(super) fn is_progress(&self) -> bool {
        matches!(&self.notification, Notification::Event(event) if matches!(event.what, EventKind::Progress { .. }))
    }
}

/// Which events a subscription gets. A filter that is `None` lets all pass.
#[derive(Clone, Debug, Default)]
pub(crate) struct EventFilter {
    /// Names of kinds.
    pub kinds: Option<HashSet<Arc<str>>>,
    pub ids: Option<HashSet<TaskKey>>,
    /// Numbers of batches.
    pub batches: Option<HashSet<u64>>,
    pub without_progress: bool,
}

impl EventFilter {
    /// Whether an event passes: a task by all filters, a kind only if no filter asks for tasks, a batch if it is named or
    /// nothing is.
    pub(super) fn passes(&self, event: &CommitEvent) -> bool {
        let kind_passes = |kind: &Arc<str>| self.kinds.as_ref().is_none_or(|kinds| kinds.contains(kind));
        match &event.notification {
            Notification::Event(of_task) => {
                kind_passes(&of_task.kind)
                    && self.ids.as_ref().is_none_or(|ids| ids.contains(&of_task.id))
                    && self
                        .batches
                        .as_ref()
                        .is_none_or(|known| of_task.batch.is_some_and(|batch| known.contains(&batch)))
                    && !(self.without_progress && event.is_progress())
            }
            Notification::KindPaused { kind, .. }
            | Notification::KindResumed { kind, .. }
            | Notification::QueueEmpty { kind, .. } => {
                kind_passes(kind) && self.ids.is_none() && self.batches.is_none()
            }
            Notification::BatchFinished { number, .. } => match &self.batches {
                Some(known) => known.contains(number),
                None => self.kinds.is_none() && self.ids.is_none(),
            },
            Notification::Lagged(_) => true,
        }
    }
}
