//! An oracle for `docs/guarantees.md`, and the attacks that it judges.
//!
//! Clients write a line into a log before each call, and another one after the call has returned. The checker knows the
//! log and the documented rules of a task, but no code of the tracker. It accepts a log if the calls on each task fit
//! some order in which every call takes effect at one moment between its two lines. Every attack ends with calls that
//! read all tasks, so that the file is part of the log. `controls` shows that the checker rejects wrong logs.
//!
//! Each attack is bounded; these variables make it longer, or repeat it:
//!
//! - `TRACKER_KILLS=n`: kills in each sharing mode (`kills`).
//! - `TRACKER_SERVER_KILLS=n`, `TRACKER_FAILOVERS=n`: with the feature `postgres`, kills of a server, and failovers (`servers`).
//! - `TRACKER_ROUNDS=n`: calls of each client (`ownership`, `dropped_calls`), runs (`failing_disk`).
//! - `TRACKER_VARIANTS=n`: changed files of each sort (`hostile_records`).
//! - `TRACKER_SEED=n`: another seed than 1.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod calls;
mod checker;
#[cfg(unix)]
mod child;
mod client;
#[cfg(unix)]
mod controls;
mod dropped_calls;
mod failing_disk;
#[cfg(feature = "postgres")]
#[path = "../../tracker-postgres/tests/it/support/fault_proxy.rs"]
mod fault_proxy;
mod hostile_records;
#[cfg(unix)]
mod kills;
mod kinds;
mod log;
mod model;
mod ownership;
mod random;
#[cfg(feature = "postgres")]
#[path = "../../tracker-postgres/tests/it/support/server.rs"]
mod server;
#[cfg(feature = "postgres")]
mod servers;
#[path = "../it/support/test_disk.rs"]
#[allow(dead_code, clippy::unnecessary_wraps, reason = "it serves other tests, and stands in for a file")]
mod test_disk;
