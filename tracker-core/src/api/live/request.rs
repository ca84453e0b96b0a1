//! `Request` is a change that an operator asks for, as a value, and `Report` its answer. Made by `tracker-cli`, `tracker-web` and other users,
//! sent by `client` in a `frame` to `server`, run by `perform` with `filter` and `text_ids`; plain data.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

#[cfg(feature = "schedules")]
use crate::model::schedule::definition::Schedule;
use crate::model::{error::ErrorKind, status::Role, task::TaskKey};

/// A change that an operator asks for. [`Tracker::perform`](crate::Tracker::perform) runs it on an open tracker,
/// [`Client::perform`](super::Client::perform) in the process that has the file open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub enum Request {
    /// Changes tasks.
    Tasks {
        /// The tasks.
        selection: Selection,
        /// The change of each of them.
        change: TaskChange,
    },
    /// Pauses kinds, or ends their pauses, as [`Tasks::pause`](crate::Tasks::pause) and [`Tasks::resume`](crate::Tasks::resume) do.
    Kinds {
        /// The kind; `None` for every kind.
        kind: Option<String>,
        /// Whether they are paused afterwards.
        paused: bool,
    },
    /// Moves waiting tasks, which keep the given order among themselves.
    Move {
        /// The kind of all these tasks; `None` to search every kind.
        kind: Option<String>,
        /// The tasks to move.
        ids: Vec<SelectedId>,
        /// The task before which they go; `None` for the front of their priority.
        before: Option<SelectedId>,
    },
    /// Rescues tasks whose leases have expired.
    Rescue {
        /// The kind; `None` for every kind.
        kind: Option<String>,
        /// Rescues the tasks that were claimed longer ago than this instead. Their workers lose the leases.
        running_longer_than: Option<Duration>,
    },
    /// Deletes tasks that have ended.
    Prune {
        /// The kind; `None` for every kind.
        kind: Option<String>,
        /// Only tasks in these statuses, by name or code. An empty list means every status in which tasks have ended.
        statuses: Vec<String>,
        /// Only tasks that ended at least this long ago.
        older_than: Duration,
    },
    /// Replaces the payload of a task, as [`Tasks::replace`](crate::Tasks::replace) does.
    Replace {
        /// The kind of the task.
        kind: String,
        /// The id of the task.
        id: TaskKey,
        /// The revision of the replaced payload.
        revision: u32,
        /// The new payload: the bytes of a [`Payload`](crate::untyped::Payload).
        #[serde(with = "byte_string")]
        payload: Vec<u8>,
    },
    /// Stores the budget of a resource, as [`Tracker::set_budget`](crate::Tracker::set_budget), or removes it.
    SetBudget {
        /// The name of the resource.
        resource: String,
        /// The budget; `None` removes it.
        amount: Option<u64>,
    },
    /// Changes schedules by their names.
    #[cfg(feature = "schedules")]
    Schedules {
        /// The names.
        names: Vec<String>,
        /// The change.
        change: ScheduleChange,
    },
    /// Stores a schedule as data, as [`Tracker::add_schedule`](crate::Tracker::add_schedule).
    #[cfg(feature = "schedules")]
    AddSchedule {
        /// The name.
        name: String,
        /// The kind of its tasks.
        kind: String,
        /// When it runs.
        schedule: Schedule,
        /// The payload of each occurrence as JSON.
        template: String,
    },
}

/// A change of a schedule. Each is the call of [`ScheduleHandle`](crate::schedule::ScheduleHandle) of the same name.
#[cfg(feature = "schedules")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ScheduleChange {
    /// Pauses it.
    Pause,
    /// Resumes it.
    Resume,
    /// Removes it.
    Remove,
    /// Submits an occurrence now.
    RunNow,
}

/// A change of each selected task. Each is the call of [`Tasks`](crate::Tasks) of the same name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub enum TaskChange {
    /// Requeues tasks that failed or were given up.
    Retry,
    /// Requeues tasks of any status.
    Requeue {
        /// In the first step of a pipeline instead of the current one.
        from_start: bool,
    },
    /// Cancels tasks; those that run are asked to end.
    Cancel,
    /// Ignores tasks that do not run.
    Ignore {
        /// The reason, kept in the history.
        reason: String,
    },
    /// Deletes tasks that do not run, with their histories.
    Remove,
    /// Pauses tasks that have not ended.
    Pause,
    /// Ends the pauses of tasks.
    Resume,
    /// Sets the priority: 0 to 255, higher first.
    SetPriority(u8),
    /// Sets the due time.
    SetDue(DateTime<Utc>),
    /// Moves tasks, selected by their ids, to a parked or startable status, given by its name or code.
    MoveTo {
        /// The status.
        status: String,
    },
}

/// The tasks that a [`Request`] is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub enum Selection {
    /// Tasks by their ids. An id without a task is an error before any task is changed.
    Ids {
        /// The kind of all these tasks; `None` to search every kind.
        kind: Option<String>,
        /// The ids.
        ids: Vec<SelectedId>,
    },
    /// All tasks that match. Of a filter without statuses and roles, each change selects the tasks that it is for: a retry those that
    /// failed or were given up, a requeue and a removal all, a cancellation those that have not ended, any other change those that have
    /// neither ended nor a lease.
    Filter(TaskFilter),
}

/// The id of a selected task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SelectedId {
    /// The exact id.
    Key(TaskKey),
    /// The text of the id: `7` for an integer or a text. If several ids of different types have this text, the type comes first: `int:7`.
    Text(String),
}

/// Conditions on tasks, all of which must hold. The default has none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct TaskFilter {
    /// The kind; `None` for every kind.
    pub kind: Option<String>,
    /// Statuses by name or code. Of these and the roles, one must match.
    pub statuses: Vec<String>,
    /// Roles of the status.
    pub roles: Vec<Role>,
    /// The name of an index and its value as people write it.
    pub index: Option<(String, String)>,
    /// The status has changed at this time or later.
    pub changed_since: Option<DateTime<Utc>>,
    /// The status has last changed before this time.
    pub changed_before: Option<DateTime<Utc>>,
    /// Text that the id or an error contains, in upper or lower case. Such a search reads every task.
    pub containing: Option<String>,
}

/// The answer to a [`Request`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Report {
    /// The number of changed tasks; of changed kinds for [`Request::Kinds`].
    pub changed: u64,
    /// Tasks selected by id that refused the change.
    pub refused: Vec<RefusedTask>,
}

/// A task that refused a change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct RefusedTask {
    /// The kind of the task.
    pub kind: String,
    /// The id of the task.
    pub id: TaskKey,
    /// The kind of the error.
    pub error: ErrorKind,
    /// The task and the reason in words.
    pub message: String,
}

/// The number of tasks of a kind that a [`Request`] is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct KindCount {
    /// The name of the kind.
    pub kind: String,
    /// The number of its tasks.
    pub tasks: u64,
}

impl From<&str> for SelectedId {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for SelectedId {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<TaskKey> for SelectedId {
    fn from(key: TaskKey) -> Self {
        Self::Key(key)
    }
}

/// Bytes as one byte string instead of a list of numbers.
mod byte_string {
    use serde::{Deserializer, Serializer};

    use crate::model::task::bytes_of;

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        bytes_of(deserializer)
    }
}
