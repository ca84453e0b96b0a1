//! The interface between the driver and a peer: `peer SCENARIO --variant V --tasks N --workers W --handler-us H --seconds S
//! --dir D` runs one scenario on the queue in the folder D and prints one line of JSON. A peer on a server gets `--url U`.
//!
//! A peer implements [`Queue`] on its library and calls [`run`]. Scenarios, clocks and counting are the same for all
//! peers.
#![forbid(unsafe_code)]

mod args;
mod handler_log;
mod handler_pool;
mod handlers;
mod report;
mod scenarios;
mod share;

use std::{error::Error as StdError, ops::Range, sync::Arc};

pub use args::{Args, Scenario};
pub use handler_pool::HandlerPool;
pub use handlers::Handlers;
pub use report::Report;

/// Any error of any library.
pub type Error = Box<dyn StdError + Send + Sync>;

/// Text that every task carries besides its number.
pub const PAYLOAD: &str = concat!(
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
);

/// Numbers of ended tasks, as the store reports them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Ended with success.
    pub succeeded: u64,
    /// Ended for good without success.
    pub given_up: u64,
}

impl Counts {
    /// All ended tasks.
    #[must_use]
    pub fn terminal(&self) -> u64 {
        self.succeeded + self.given_up
    }

    /// The counts of a store that deletes a task when it succeeds: `submitted` tasks, of which `remaining` are neither
    /// deleted nor given up.
    #[must_use]
    pub fn of_deleting_store(submitted: u64, remaining: u64, given_up: u64) -> Self {
        Self { succeeded: submitted.saturating_sub(remaining + given_up), given_up }
    }
}

/// One job queue under test. Calls block; a peer of an async library holds its runtime.
pub trait Queue: Sized {
    /// Keeps the workers running until it is dropped or the process ends.
    type Workers;

    /// Opens the queue in `args.dir`, and creates it if there is none.
    fn open(args: &Args) -> Result<Self, Error>;

    /// Submits one task. It is as durable as the variant makes it when this returns.
    fn submit(&self, number: u64) -> Result<(), Error>;

    /// Submits tasks by the library's bulk call. Returns `false` if it has none.
    fn submit_all(&self, numbers: Range<u64>) -> Result<bool, Error>;

    /// Starts `workers` workers. Each handler is one call of [`Handlers::run`] or [`Handlers::run_async`].
    fn start(&self, workers: usize, handlers: &Arc<Handlers>) -> Result<Self::Workers, Error>;

    /// Reads the counts from the store.
    fn counts(&self) -> Result<Counts, Error>;

    /// Claims a task, lets the lease expire, claims the task again, and ends it by the first claim. Returns whether the
    /// store accepted that end, or `None` if the library has no such calls. With `same_worker`, both claims name the same
    /// worker.
    fn end_stale_claim(&self, same_worker: bool) -> Result<Option<bool>, Error> {
        let _ = same_worker;
        Ok(None)
    }

    /// Deletes every task that waits. Returns `false` if the peer is not measured with dead rows.
    fn delete_all(&self) -> Result<bool, Error> {
        Ok(false)
    }

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
            // A library's leftover threads must not keep the process running.
            std::process::exit(0)
        }
        Err(error) => {
            eprintln!("{}", with_causes(error.as_ref()));
            std::process::ExitCode::FAILURE
        }
    }
}

/// An error and its causes in one line. Some libraries name only the cause's kind in their own message.
fn with_causes(error: &(dyn StdError + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |cause: &&(dyn StdError + 'static)| (*cause).source());
    causes.fold(error.to_string(), |text, cause| {
        let cause = cause.to_string();
        if text.contains(&cause) { text } else { format!("{text}: {cause}") }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_names_each_cause_once() {
        let error = Wrapped(std::io::Error::other("no such table"));
        assert_eq!(with_causes(&error), "db error: no such table");
        assert_eq!(with_causes(&std::io::Error::other("alone")), "alone");
    }

    #[derive(Debug)]
    struct Wrapped(std::io::Error);

    impl std::fmt::Display for Wrapped {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("db error")
        }
    }

    impl StdError for Wrapped {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            Some(&self.0)
        }
    }
}
