//! The tracker as its users see it: one module per behaviour.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![allow(
    clippy::similar_names,
    clippy::unchecked_time_subtraction,
    clippy::unnecessary_wraps,
    reason = "constants of a test are in its hand, and its signatures are those of what it stands in for"
)]

mod ahead;
mod ahead_dies;
mod async_calls;
mod backups;
mod batches;
mod cancels;
mod changes;
mod commits;
mod crashes;
mod damage;
mod dependencies;
mod dice;
mod disk;
mod fan_out;
mod faults;
mod files;
mod fingerprints;
mod foreign_lines;
mod histories;
#[cfg(unix)]
mod hostile;
mod hostile_numbers;
mod inspection;
mod kinds;
mod leases;
mod limited;
mod limits;
mod lines;
mod longevity;
mod look;
mod model;
mod moved;
mod outcomes;
#[cfg(unix)]
mod part;
mod payloads;
mod platter;
mod printed;
#[cfg(unix)]
mod processes;
mod queries;
mod random;
mod rates;
mod recovered;
#[cfg(unix)]
mod replaced;
mod retention;
mod rows;
mod schema;
mod script;
mod secrets;
mod sharing;
mod sleep;
mod starts;
mod story;
mod submits;
mod time_repair;
mod told;
mod turns;
mod unreadable;
mod untyped;
mod user_panics;
mod verified;
mod watching;
mod workers;
