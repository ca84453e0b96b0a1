//! The program as it is run: what it prints, and how it ends.
#![expect(clippy::unwrap_used, reason = "a test may end by a panic")]

mod acts;
mod clock;
#[cfg(unix)]
mod colour;
mod edits;
mod examples;
mod fixture;
mod generated;
mod look;
mod opening;
#[cfg(unix)]
mod output_files;
#[cfg(unix)]
mod picture;
mod report;
#[path = "../../../tests/it/support/rows.rs"]
#[cfg(unix)]
#[expect(dead_code, reason = "the tests of the library use the rest")]
mod rows;
#[cfg(unix)]
mod run;
mod sample;
#[cfg(unix)]
mod screens;
mod shop;
#[cfg(unix)]
mod terminal;
#[cfg(unix)]
mod top;

use fixture::Scene;
