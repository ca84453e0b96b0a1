//! An embedded task tracker: one redb file, no server.
//!
//! Derive [`TaskStatus`] on an enum and [`TrackedTask`] on a struct; from there come atomic leases, attempts that end,
//! retries, error history, status queries and crash recovery.
//!
//! # Guide
//!
//! **Define.** The enum's numbers are what stands on disk; its names say what each status means to the tracker, or an
//! attribute does. The struct has an id, and whatever else serde can write.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use tracker_core::{TaskStatus, TrackedTask, Tracker};
//!
//! #[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
//! enum JobStatus {
//!     Pending = 10,
//!     InProgress = 20,
//!     Failed = 30,
//!     Succeeded = 40,
//!     Exhausted = 50,
//! }
//!
//! #[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
//! #[task(name = "download", status = JobStatus, max_attempts = 3, lease = "5m", backoff = "exponential(10ms, 1s)")]
//! struct Download {
//!     #[task(id)]
//!     url: String,
//!     #[task(index)]
//!     host: String,
//!     bytes: Option<usize>,
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // **Open.** `Tracker::open("downloads.redb")?` makes the file where there is none.
//! let tracker = Tracker::in_memory()?;
//! let downloads = tracker.tasks::<Download>()?;
//!
//! // **Submit.** An id that exists is never reset: the same program can simply run again.
//! for path in ["a", "b", "missing"] {
//!     downloads.submit(&Download { url: format!("https://host/{path}"), host: "host".into(), bytes: None })?;
//! }
//!
//! // **Work.** Changes of the task are stored with its success; an error or a panic is a failure, tried again.
//! let summary = downloads.worker().threads(4).run(|download| {
//!     if download.url.ends_with("missing") {
//!         return Err("404 not found");
//!     }
//!     download.bytes = Some(download.url.len());
//!     Ok(())
//! })?;
//! assert_eq!((summary.succeeded, summary.failed), (2, 3));
//!
//! // **Look.** Counters cost nothing; records have the history of their attempts.
//! assert_eq!(downloads.counts()?.get(JobStatus::Exhausted), 1);
//! let missing = downloads.get("https://host/missing")?.expect("it was submitted");
//! assert_eq!(missing.history.len(), 3);
//! assert_eq!(missing.history[0].failure.as_ref().map(|failure| failure.error.as_str()), Some("404 not found"));
//!
//! // **Try again**, by hand.
//! downloads.query().index("host", "host").status(JobStatus::Exhausted).requeue()?;
//! # Ok(())
//! # }
//! ```
//!
//! # Where to go on
//!
//! | for | see |
//! |---|---|
//! | options of the file: sharing, cache, clocks, checks | [`Options`], [`Sharing`] |
//! | one task after the other in a loop of one's own | [`Tasks::claim`], [`Execution`] |
//! | one task by its id, and all ways to start it | [`Tasks::run`], [`Tasks::start_with`], [`StartOptions`] |
//! | threads, stopping, several kinds at once | [`Worker`], [`WorkerPool`], [`StopHandle`] |
//! | a kind named by several parts, or by the environment | [`KindName`] |
//! | pipelines of steps | [`Tasks::step`] |
//! | work that ends elsewhere or after a restart | [`Execution::detach`], [`Ticket`] |
//! | effects exactly once, in tables of one's own | [`Tracker::transaction`], [`Execution::succeed_with`] |
//! | windows and progress bars | [`Tracker::subscribe`], [`Execution::progress`] |
//! | listings: pages with a total, what changed lately | [`Query::page_with_total`], [`Query::changed_within`] |
//! | why a task is not running, or would not start | [`Tasks::explain`], [`Tasks::check_start`] |
//! | a file whose types are not at hand; what comes next; errors; pace | [`Tracker::untyped`], [`Tasks::plan`], [`Tasks::errors`], [`Tasks::throughput`] |
//! | what each run came to, in the log or as text | feature `run-log`, below |
//! | tests without waiting | [`ManualClock`] |
//!
//! # Features
//!
//! `derive` (default): the derives. `tokio`: async bodies and calls; without it no runtime comes in. `json`: tasks as lines
//! of JSON, in and out. `run-log`: a text log of each run, a layer for `tracing-subscriber`. Without it the same is
//! told to `tracing` alone: events `started`, `ended` and `refused` of the target `tracker_core::run`, at the level `DEBUG`; the
//! end of a failed attempt at `INFO`, that of a task that is given up at `WARN`. Each handler runs in a span `attempt`.
#![warn(missing_docs)]

// The derives name the library by its name.
#[cfg(test)]
extern crate self as tracker_core;

#[doc(hidden)]
pub mod __private;
mod api;
mod engine;
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
#[expect(clippy::expect_used, reason = "a finding is a panic")]
pub mod fuzz;
mod maintenance;
mod model;
#[cfg(feature = "json")]
mod portable;
mod storage;
mod worker;

#[cfg(feature = "tokio")]
pub use api::asynchronous::AsyncTasks;
pub use api::batch::{Batch, BatchInfo, BatchOptions};
pub use api::execution::Execution;
pub use api::group::TaskGroup;
pub use api::handler::{IntoOutcome, RunError};
pub use api::inspect::{
    BlockedGroup, BoundedCount, ErrorGroup, ErrorGroups, KindInfo, LeasedTask, Plan, PlannedTask, Throughput,
    ThroughputMinute,
};
pub use api::kind_name::KindName;
pub use api::options::Options;
pub use api::page::{Cursor, Page, UnreadableTask};
pub use api::query::Query;
pub use api::record::{Attempt, LeaseInfo, ProgressInfo, Record};
#[cfg(feature = "run-log")]
pub use api::run_log::RunLog;
pub use api::schema::{Schema, Untyped};
pub use api::tasks::{Counts, QueuePosition, Receipt, StartOptions, Submission, SubmitOptions, SubmitSummary, Tasks};
pub use api::ticket::Ticket;
pub use api::tracker::Tracker;
pub use api::transaction::Transaction;
pub use engine::{Event, EventKind, Notification, Subscription};
pub use maintenance::backup::Backup;
pub use maintenance::recover::{LostTask, Recovered};
pub use maintenance::time_repair::{FileTime, RedatedTask, TimeRepair};
pub use maintenance::verify::Inconsistency;
pub use model::dependency::{Dependency, DependencyTarget, TaskName};
pub use model::durability::Durability;
pub use model::error::{Error, ErrorKind, Reason, Refusal, Result};
pub use model::payload::Payload;
pub use model::status::{Graph, GraphError, Role, StatusDef, StatusGraph, StatusInfo, TaskStatus};
pub use model::task::{
    Backoff, Fingerprint, IndexLimit, IndexValue, Policy, Rate, Retention, TaskId, TaskKey, TrackedTask, UniqueDef,
    UniqueInfo,
};
pub use model::time::{Clock, ClockReading, ManualClock, SystemClock};
pub use model::transition::{AttemptStatus, Explanation, Failure, OnDependencyFailure, Outcome};
#[cfg(feature = "json")]
pub use portable::{ImportOptions, Imported, LineError};
pub use redb;
pub use storage::file::Sharing;
#[cfg(feature = "tokio")]
pub use worker::AsyncWorker;
pub use worker::{StopHandle, Summary, Worker, WorkerPool};

#[cfg(feature = "derive")]
pub use tracker_derive::{TaskStatus, TrackedTask};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
