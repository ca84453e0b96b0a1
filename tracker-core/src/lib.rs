//! An embedded task tracker: one redb file, no server.
#![warn(missing_docs)]

mod disk;
mod error;
mod status;
mod task;

pub use disk::file::Sharing;
pub use error::{Error, ErrorKind, Reason, Refusal, Result};
pub use status::{Graph, GraphError, Role, StatusDef, StatusGraph, StatusInfo, TaskStatus};
pub use task::{Backoff, Fingerprint, IndexValue, Policy, Retention, TaskId, TaskKey, TrackedTask, UniqueDef};

#[cfg(feature = "derive")]
pub use tracker_derive::{TaskStatus, TrackedTask};
