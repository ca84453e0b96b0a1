//! A tracker on a PostgreSQL server: the same tasks, rules and workers, shared by any number of processes and machines.
//!
//! The rules run in the client. A unit of work locks and loads sets of rows, and commits sets of changes; each is one round trip.

#![forbid(unsafe_code)]

mod address;
mod commit;
mod edits;
mod error;
mod keys;
mod load;
mod numbers;
mod options;
mod pool;
mod schema;
mod sql;
mod store;
mod unit;
mod wire;

pub use options::{Isolation, PostgresOptions};
pub use store::PostgresStore;
