//! What every peer speaks: `peer SCENARIO --variant V --tasks N --workers W --body-us B --seconds S --dir D` runs one
//! scenario on the queue in the folder D and prints one line of JSON.
//!
//! A peer implements [`Queue`] on its library and calls [`run`]. The scenarios, the clocks and the counting are here,
//! so that they are the same for all.
#![forbid(unsafe_code)]

mod args;
mod bodies;
mod diary;
mod report;
mod scenarios;

use std::{error::Error as StdError, ops::Range, sync::Arc};

pub use args::{Args, Scenario};
pub use bodies::Bodies;
pub use report::Report;

/// Any error of any library.
pub type Error = Box<dyn StdError + Send + Sync>;

/// Text that every task carries besides its number.
pub const PAYLOAD: &str = concat!(
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
);

/// How many tasks stand where, as the store says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Ended well.
    pub succeeded: u64,
    /// Ended for good without success.
    pub given_up: u64,
}

impl Counts {
    /// Ended either way.
    #[must_use]
    pub fn terminal(&self) -> u64 {
        self.succeeded + self.given_up
    }
}

/// One job queue under test. Calls block; a peer of an async library holds its runtime.
pub trait Queue: Sized {
    /// What keeps the workers running until it is dropped or the process ends.
    type Workers;

    /// Opens the queue in `args.dir`, and creates it where there is none.
    fn open(args: &Args) -> Result<Self, Error>;

    /// Puts one task in; it is as durable as the variant makes it when this returns.
    fn submit(&self, number: u64) -> Result<(), Error>;

    /// Puts many in by the library's call for that. `false` if it has none.
    fn submit_all(&self, numbers: Range<u64>) -> Result<bool, Error>;

    /// Starts `workers` workers. Each body is one call of [`Bodies::run`], or of `run_async`.
    fn start(&self, workers: usize, bodies: &Arc<Bodies>) -> Result<Self::Workers, Error>;

    /// What the store says now.
    fn counts(&self) -> Result<Counts, Error>;

    /// Stops the workers and closes the queue, so that its file can be copied.
    fn close(self, workers: Option<Self::Workers>) -> Result<(), Error>;
}

/// The `main` of a peer.
pub fn run<Q: Queue>() -> std::process::ExitCode {
    let args = match Args::parse(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(error) => {
            eprintln!("{error}");
            return std::process::ExitCode::from(2);
        }
    };
    match scenarios::run::<Q>(&args) {
        Ok(report) => {
            println!("{report}");
            // Threads that a library left behind must not hold the process.
            std::process::exit(0)
        }
        Err(error) => {
            eprintln!("{error}");
            std::process::ExitCode::FAILURE
        }
    }
}
