//! Live commands: changes that an operator requests, as values. `perform` runs a `Request` on an open tracker; `Client` sends it to the `Server` of
//! the process that has the file open, through a Unix socket. `EventStream` receives that process's events. Called by users, `tracker-cli` and
//! `tracker-web`; `Shared` starts the server.

#[cfg(unix)]
mod event_stream;
#[cfg(all(test, unix))]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod event_tests;
mod events;
mod filter;
#[cfg(all(unix, feature = "json"))]
mod lines;
mod perform;
mod request;
mod text_ids;

#[cfg(unix)]
mod address;
#[cfg(unix)]
mod client;
#[cfg_attr(not(unix), expect(dead_code, reason = "there is no socket"))]
pub(crate) mod frame;
#[cfg(all(test, unix, feature = "json"))]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod import_tests;
#[cfg(unix)]
mod peer;
#[cfg(unix)]
mod server;
#[cfg(all(test, unix))]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;
#[cfg(not(unix))]
mod unsupported;

pub use events::{EventSelection, LiveEvent};
#[cfg(feature = "schedules")]
pub use request::ScheduleChange;
pub use request::{KindCount, RefusedTask, Report, Request, SelectedId, Selection, TaskChange, TaskFilter};

/// Timeout of each step of a call: accepting the connection, sending the call, reading the answer.
#[cfg(unix)]
const STEP_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);

#[cfg(unix)]
pub use client::Client;
#[cfg(unix)]
pub use event_stream::{EventStream, EventStreamHandle};
#[cfg(unix)]
pub(crate) use server::Server;
#[cfg(not(unix))]
pub(crate) use unsupported::Server;
#[cfg(not(unix))]
pub use unsupported::{Client, EventStream, EventStreamHandle};
