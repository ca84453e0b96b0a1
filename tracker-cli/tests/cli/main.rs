//! The program as it is run: what it prints, and how it ends.
#![expect(clippy::unwrap_used, reason = "a test may end by a panic")]

mod budgets;
mod changes;
#[cfg(unix)]
mod color;
mod edit;
#[cfg(unix)]
mod events;
mod examples;
mod file_time;
mod fixture;
mod generated;
mod inspection;
#[cfg(unix)]
mod live;
#[cfg(unix)]
mod move_kills;
mod moves;
mod open;
#[cfg(unix)]
mod output_files;
#[path = "../../../tests/it/support/random.rs"]
#[cfg(unix)]
mod random;
mod report;
#[path = "../../../tests/it/support/rows.rs"]
#[cfg(unix)]
#[expect(dead_code, reason = "the tests of the library use the rest")]
mod rows;
#[cfg(unix)]
mod run;
mod running_app;
mod sample;
mod schedules;
#[cfg(unix)]
mod screen_svg;
#[cfg(unix)]
mod screenshots;
#[cfg(feature = "serve")]
mod serve;
#[cfg(all(unix, feature = "postgres"))]
mod server;
#[cfg(unix)]
mod terminal;
#[cfg(unix)]
mod top;
#[cfg(unix)]
mod wait;

use fixture::Fixture;
