//! An embedded task tracker: one redb file, no server.
#![warn(missing_docs)]

#[doc(hidden)]
pub mod __private;
mod disk;
mod engine;
mod error;
mod rules;
mod status;
mod store;
mod task;
mod time;

pub use disk::file::Sharing;
pub use error::{Error, ErrorKind, Reason, Refusal, Result};
pub use rules::{Ending, Explanation, Failure, Outcome};
pub use status::{Graph, GraphError, Role, StatusDef, StatusGraph, StatusInfo, TaskStatus};
pub use task::{Backoff, Fingerprint, IndexValue, Policy, Retention, TaskId, TaskKey, TrackedTask, UniqueDef};
pub use time::{Clock, ClockReading, ManualClock, SystemClock};

#[cfg(feature = "derive")]
pub use tracker_derive::{TaskStatus, TrackedTask};
