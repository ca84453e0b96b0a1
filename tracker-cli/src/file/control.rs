//! FileControl for changes: the file itself. Every command that changes tasks sends its requests through it.

use chrono::{DateTime, Utc};
use tracker_core::{
    Tracker,
    live::{KindCount, Report, Request},
};

use crate::error::CliError;

/// Performs requests on a file.
pub enum FileControl {
    /// This process has opened the file.
    File(Tracker),
}

impl FileControl {
    /// Performs a request.
    pub fn perform(&self, request: &Request) -> Result<Report, CliError> {
        match self {
            Self::File(tracker) => Ok(tracker.perform(request)?),
        }
    }

    /// Counts the tasks that a request is about, by kind.
    pub fn count(&self, request: &Request) -> Result<Vec<KindCount>, CliError> {
        match self {
            Self::File(tracker) => Ok(tracker.count(request)?),
        }
    }

    /// The time of the tracker.
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            Self::File(tracker) => tracker.now(),
        }
    }

    /// Returns the file for reading.
    pub fn into_reader(self) -> Tracker {
        match self {
            Self::File(tracker) => tracker,
        }
    }

    /// Closes the file, if this process has opened it.
    pub fn close(self) -> Result<(), CliError> {
        match self {
            Self::File(tracker) => Ok(tracker.close()?),
        }
    }
}
