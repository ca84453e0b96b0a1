//! Tests of the store against a server that they start.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[cfg(feature = "postgres")]
mod callers;
mod check;
mod claim_starts;
mod claims;
mod commits;
#[cfg(feature = "tls")]
mod encryption;
mod lookups;
mod migrations;
mod notifications;
mod numbers;
mod other_trackers;
mod plans;
mod pool_between;
mod refusals;
mod restarts;
mod rows;
#[cfg(feature = "postgres")]
mod schema_changes;
mod speed;
mod starts;
mod support;
mod verify;
mod views;
