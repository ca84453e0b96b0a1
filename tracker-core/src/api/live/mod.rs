//! Changes as values: requests that an operator makes, the function that performs them on an open tracker, and the socket through which
//! other processes send them ("live commands").

mod filter;
mod perform;
mod request;
mod written;

#[cfg(unix)]
mod address;
#[cfg(unix)]
mod client;
#[cfg_attr(not(unix), expect(dead_code, reason = "there is no socket"))]
pub(crate) mod frame;
#[cfg(unix)]
mod peer;
#[cfg(unix)]
mod server;
#[cfg(all(test, unix))]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;
#[cfg(not(unix))]
mod unsupported;

pub use request::{KindCount, RefusedTask, Report, Request, SelectedId, Selection, TaskChange, TaskFilter};

#[cfg(unix)]
pub use client::Client;
#[cfg(unix)]
pub(crate) use server::Server;
#[cfg(not(unix))]
pub use unsupported::Client;
#[cfg(not(unix))]
pub(crate) use unsupported::Server;
