//! An embedded task tracker: one redb file, no server.
#![warn(missing_docs)]

#[doc(hidden)]
pub mod __private;
mod status;
mod task;

pub use status::{Graph, GraphError, Role, StatusDef, StatusGraph, StatusInfo, TaskStatus};
pub use task::{Backoff, Fingerprint, IndexValue, Policy, Retention, TaskId, TaskKey, TrackedTask, UniqueDef};

#[cfg(feature = "derive")]
pub use tracker_derive::{TaskStatus, TrackedTask};
