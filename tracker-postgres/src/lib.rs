//! A tracker on a PostgreSQL server: the same tasks, rules and workers, shared by any number of processes and machines.
//!
//! ```no_run
//! # fn main() -> Result<(), tracker_core::Error> {
//! let tracker = tracker_postgres::connect("postgres://app:secret@db.example/jobs?sslmode=verify-full")?;
//! # Ok(())
//! # }
//! ```
//!
//! The rules run in the client. A unit of work locks and loads sets of rows, and commits sets of changes; each is one round trip.

#![forbid(unsafe_code)]

mod address;
mod caller;
mod check;
mod claim_starts;
mod commit;
mod edits;
mod error;
mod found;
mod keys;
mod layout;
mod listener;
mod load;
mod numbers;
mod options;
mod pool;
mod schema;
mod shared;
mod sql;
mod store;
mod unit;
mod views;
mod wire;

pub use caller::{SqlError, SqlRow, SqlTransaction, transaction_in};
pub use check::{Finding, SchemaCheck};
pub use options::{Isolation, PostgresOptions};
pub use store::PostgresStore;

pub use tracker_core::store::Uncommitted;
use tracker_core::{Error, Tracker};

/// Opens the tracker in the schema `tracker` of a server. The tables are made if they are missing. [`PostgresOptions`] has the form of the
/// URL, and other options.
///
/// # Errors
/// As [`PostgresOptions::new`] and [`PostgresStore::connect`].
pub fn connect(url: &str) -> Result<Tracker, Error> {
    PostgresOptions::new(url)?.connect()
}
