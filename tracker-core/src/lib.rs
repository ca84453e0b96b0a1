//! An embedded task tracker: one redb file, no server.
//!
//! Derive [`TaskStatus`] on an enum and [`TrackedTask`] on a struct; from there come atomic leases, attempts that end,
//! retries, error history, status queries and crash recovery.
//!
//! # Guide
//!
//! **Define.** The enum's numbers are stored; its names decide what each status means to the tracker, or an
//! attribute does. The struct has an id, and any other fields that serde can write.
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
//! // **Open.** `Tracker::open("downloads.redb")?` makes the file if there is none.
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
//! | options of the file: sharing, cache, clocks, checks | [`Options`], [`mod@file`] |
//! | one task after the other in a loop of your own | [`Tasks::claim`], [`Execution`] |
//! | one task by its id, and all ways to start it | [`Tasks::run`], [`Tasks::start_with`], [`execution`] |
//! | threads, stopping, several kinds at once | [`Worker`], [`worker`] |
//! | ids, indexes, unique keys, policies, names of kinds | [`TrackedTask`], [`task`] |
//! | statuses and pipelines of steps | [`TaskStatus`], [`status`], [`Tasks::step`] |
//! | tasks that wait for others, and batches | [`dependency`], [`batch`] |
//! | work that ends in another place or after a restart | [`Execution::detach`], [`execution::Ticket`] |
//! | effects exactly once, in tables of your own | [`Tracker::transaction`], [`Execution::succeed_with`], [`redb_store`] |
//! | windows and progress bars | [`Tracker::subscribe`], [`events`], [`Execution::progress`] |
//! | changes from a thread that must not wait | [`Tasks::deferred`], [`mod@deferred`] |
//! | listings: pages with a total, recent changes | [`Tasks::query`], [`query`] |
//! | why a task is not running, or would not start | [`Tasks::explain`], [`Tasks::check_start`] |
//! | waiting for one task, alerts for given-up ones | [`Tasks::wait`], [`Tasks::on_given_up`] |
//! | what comes next, errors, throughput | [`inspect`] |
//! | a file whose types are not at hand | [`Tracker::untyped`], [`untyped`] |
//! | a damaged file, backups, a wrong clock, another file or a server for the tasks | [`maintenance`] |
//! | errors to branch on | [`ErrorKind`], [`error`] |
//! | recurring tasks | [`Tasks::schedule`], [`schedule`] (feature `schedules`) |
//! | async programs | [`asynchronous`] (feature `tokio`) |
//! | JSON lines | [`portable`] (feature `json`) |
//! | the log of each run | the event target `tracker_core::run`, [`events`] |
//! | tests without waiting | [`time::ManualClock`] |
//!
//! # Features
//!
//! `derive` (default): the derives. `tokio`: async handlers and calls; without it no runtime comes in. `json`: tasks as lines
//! of JSON, in and out. `schedules`: recurring tasks. `run-log`: a text log of each run, a layer for `tracing-subscriber`. Without it the runs are
//! reported to `tracing` alone: events `started`, `ended` and `refused` of the target `tracker_core::run`, at the level `DEBUG`; the
//! end of a failed attempt at `INFO`, that of a task that is given up at `WARN`. Each handler runs in a span `attempt`.
#![warn(missing_docs, missing_debug_implementations)]

// The derives name the library by its name.
#[cfg(test)]
extern crate self as tracker_core;

#[doc(hidden)]
pub mod __private;
mod api;
mod dispatch;
mod engine;
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
#[expect(clippy::expect_used, reason = "a finding is a panic")]
pub mod fuzz;
pub mod maintenance;
mod model;
#[cfg(feature = "json")]
pub mod portable;
mod public;
mod storage;
pub mod worker;

pub use api::{
    execution::Execution,
    options::Options,
    record::Record,
    tasks::{Submission, Tasks},
    tracker::Tracker,
};
pub use model::{
    error::{Error, ErrorKind, Result},
    status::TaskStatus,
    task::TrackedTask,
    transition::Outcome,
};
pub use public::*;
pub use worker::Worker;

pub use {chrono, uuid};

#[cfg(feature = "derive")]
pub use tracker_derive::{TaskStatus, TrackedTask};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
