//! An embedded task tracker: one redb file, no server.
//!
//! Derive [`TaskStatus`] on an enum and [`TrackedTask`] on a struct; from there come atomic leases, attempts that end,
//! retries, error history, status queries and crash recovery. Begin with [`Tracker`].
#![warn(missing_docs)]

#[doc(hidden)]
pub mod __private;
#[cfg(feature = "tokio")]
mod asynchronous;
mod body;
mod disk;
mod engine;
mod error;
mod execution;
mod options;
mod payload;
mod query;
mod record;
mod rules;
mod status;
mod store;
mod task;
mod tasks;
mod ticket;
mod time;
mod tracker;
mod transaction;
mod verify;
mod worker;

#[cfg(feature = "tokio")]
pub use asynchronous::AsyncTasks;
pub use body::{IntoOutcome, RunError};
pub use disk::file::Sharing;
pub use engine::{Event, Happening, Watch, Watched};
pub use error::{Error, ErrorKind, Reason, Refusal, Result};
pub use execution::Execution;
pub use options::Options;
pub use query::{Cursor, Page, Query};
pub use record::{Attempt, LeaseInfo, ProgressInfo, Record};
pub use redb;
pub use rules::{Ending, Explanation, Failure, Outcome};
pub use status::{Graph, GraphError, Role, StatusDef, StatusGraph, StatusInfo, TaskStatus};
pub use task::{Backoff, Fingerprint, IndexValue, Policy, Retention, TaskId, TaskKey, TrackedTask, UniqueDef};
pub use tasks::{Counts, Receipt, StartOptions, Submission, SubmitOptions, SubmitSummary, Tasks};
pub use ticket::Ticket;
pub use time::{Clock, ClockReading, ManualClock, SystemClock};
pub use tracker::Tracker;
pub use transaction::Transaction;
pub use verify::Difference;
#[cfg(feature = "tokio")]
pub use worker::AsyncWorker;
pub use worker::{Crew, StopHandle, Summary, Worker};

#[cfg(feature = "derive")]
pub use tracker_derive::{TaskStatus, TrackedTask};
