//! `TrackedTask` describes the type of a task to the tracker: its id, its keys, its policy. Implemented by the derive; used by
//! `model/codec`, `model/kind`, `api` and `worker`. Its methods run user code: migrations, and the `TaskId`, `IndexValue` and `Serialize` of fields.

mod backoff;
mod fingerprint;
mod id;
mod id_serde;
mod index;
mod need;
mod policy;
mod task_ref;
mod value_type;

pub use backoff::Backoff;
pub use fingerprint::Fingerprint;
pub(crate) use id::LONGEST;
pub use id::{TaskId, TaskKey};
pub(crate) use id_serde::bytes_of;
pub use index::IndexValue;
pub(crate) use need::amount_of_value;
pub use need::{AmountField, Need, NeededAmount};
pub use policy::{IndexLimit, Policy, QueueEnd, Rate, Retention, SharedLimit};
pub(crate) use task_ref::TaskRef;
pub use value_type::ValueType;
pub(crate) use value_type::{has_other_type, key_values};

use std::error::Error as StdError;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

pub use crate::model::codec::OldPayload;
use crate::model::status::TaskStatus;

/// A struct whose values are tasks. Derive it.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use tracker_core::{TaskStatus, TrackedTask};
///
/// #[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
/// enum JobStatus { Pending = 10, InProgress = 20, Failed = 30, Succeeded = 40, Ignored = 50 }
///
/// #[derive(TrackedTask, Serialize, Deserialize)]
/// #[task(name = "download", status = JobStatus, max_attempts = 3, lease = "5m", backoff = "exponential(1s, 5m)")]
/// struct Download {
///     #[task(id)]
///     url: String,
///     #[task(index)]
///     host: String,
/// }
///
/// assert_eq!(Download::KIND, "download");
/// assert_eq!(Download::policy().max_attempts, Some(3));
/// ```
pub trait TrackedTask: Serialize + DeserializeOwned + Send + 'static {
    /// The enum of its statuses.
    type Status: TaskStatus;

    /// The kind's name if none is given: `tracker.tasks::<T>()`.
    const KIND: &'static str;

    /// The fields that have an index, by name. The position is the field's number.
    const INDEXES: &'static [&'static str];

    /// The unique keys. The position is the key's number.
    const UNIQUES: &'static [UniqueDef];

    /// The name of the field that holds the priority, if one does.
    const PRIORITY_FIELD: Option<&'static str> = None;

    /// The version of the type's payloads, from 1. A program that knows an earlier version leaves them alone.
    const VERSION: u16 = 1;

    /// Makes a task of a payload of an earlier version.
    ///
    /// # Errors
    /// The error of the function that `#[task(migrate = …)]` names. Without such a function, every earlier version is an error.
    fn migrate(old: OldPayload<'_>) -> Result<Self, Box<dyn StdError + Send + Sync>> {
        Err(format!("{} has no migration from version {}", std::any::type_name::<Self>(), old.version()).into())
    }

    /// Limits, lease, backoff, retention as declared.
    fn policy() -> Policy;

    /// The task's id, or none if ids are generated (a uuid v7 at submit).
    fn task_id(&self) -> Option<TaskKey>;

    /// The type of the ids, if the library knows it.
    #[doc(hidden)]
    #[must_use]
    fn id_type() -> Option<ValueType> {
        None
    }

    /// The encoded value of each index, in the order of [`Self::INDEXES`]; see [`IndexValue`].
    fn index_values(&self) -> Vec<Vec<u8>>;

    /// The encoded value of each unique key, in the order of [`Self::UNIQUES`].
    ///
    /// An empty value belongs to no task: the value of a key with an optional field that is `None`.
    fn unique_values(&self) -> Vec<Vec<u8>>;

    /// The fingerprint of the fields that were marked so, or none.
    fn fingerprint(&self) -> Option<u64>;

    /// The priority that a field of the task holds, or none: then the policy's counts.
    fn priority(&self) -> Option<u8>;
}

/// A unique key as the file describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UniqueInfo {
    /// Its name: the fields' names joined with `_`.
    pub name: String,
    /// Whether only unfinished tasks hold the key (`while = unfinished`).
    #[serde(default)]
    pub while_unfinished: bool,
}

/// A unique key as constant data: what the derive emits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UniqueDef {
    /// Its name: the fields' names joined with `_`.
    pub name: &'static str,
    /// Whether only unfinished tasks hold the key (`while = unfinished`).
    pub while_unfinished: bool,
}
