//! `FileControl`: performs the requests of a command: on the tracker that this process has opened, or in the process that has the file open,
//! through its socket. Every command that changes tasks uses it.

use std::io::Read;

use chrono::{DateTime, Utc};
use tracker_core::{
    Tracker,
    live::{Client, KindCount, Report, Request},
    portable::{ImportOptions, Imported},
};

use super::FileArg;
use crate::error::CliError;

/// Performs requests on a tracker.
pub enum FileControl {
    /// This process has opened the file, or the schema of a server.
    Opened(Tracker),
    /// Another process has the file open, and performs them.
    Live(Client),
}

impl FileControl {
    /// Performs a request.
    pub fn perform(&self, request: &Request) -> Result<Report, CliError> {
        match self {
            Self::Opened(tracker) => Ok(tracker.perform(request)?),
            Self::Live(client) => Ok(client.perform(request)?),
        }
    }

    /// Counts the tasks that a request is about, by kind.
    pub fn count(&self, request: &Request) -> Result<Vec<KindCount>, CliError> {
        match self {
            Self::Opened(tracker) => Ok(tracker.count(request)?),
            Self::Live(client) => Ok(client.count(request)?),
        }
    }

    /// Imports lines. The error is that of the library: it tells an invalid line from a failure of the reader.
    pub fn import(&self, lines: impl Read, options: &ImportOptions) -> tracker_core::Result<Imported> {
        match self {
            Self::Opened(tracker) => tracker.import_with(lines, options),
            Self::Live(client) => client.import(lines, options),
        }
    }

    /// The time of the tracker.
    pub fn now(&self) -> Result<DateTime<Utc>, CliError> {
        match self {
            Self::Opened(tracker) => Ok(tracker.now()),
            Self::Live(client) => Ok(client.now()?),
        }
    }

    /// Returns the tracker for reading.
    pub fn into_reader(self, file: &FileArg) -> Result<Tracker, CliError> {
        match self {
            Self::Opened(tracker) => Ok(tracker),
            Self::Live(_) => file.inspect(),
        }
    }

    /// Closes the tracker, if this process has opened it.
    pub fn close(self) -> Result<(), CliError> {
        match self {
            Self::Opened(tracker) => Ok(tracker.close()?),
            Self::Live(_) => Ok(()),
        }
    }
}
