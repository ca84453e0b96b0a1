//! The protocol of the server, as far as the store needs it: a blocking socket, a login, and pipelines of statements.
//!
//! The clients for Rust that exist run on tokio. This one has no runtime: a process that never asks for async starts none, a call may be
//! made from any thread, also one of a runtime, and a round trip is one write and one read on the thread of the caller. A pipeline may
//! prepare, begin, lock, load and commit in one round trip, with one point of synchronization, so that an error skips all that follows it.

pub(crate) mod connection;
pub(crate) mod error;
pub(crate) mod login;
pub(crate) mod message;
pub(crate) mod params;
pub(crate) mod row;
pub(crate) mod socket;
#[cfg(feature = "tls")]
pub(crate) mod tls;
