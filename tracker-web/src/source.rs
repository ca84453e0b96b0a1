//! `Source`: where the dashboard reads and how it changes tasks. Implemented by an open `Tracker`, and by programs that open files.

use std::{error::Error as StdError, fmt};

use tracker_core::{
    Error, Tracker,
    live::{Report, Request},
};

/// Gives the dashboard a tracker to read, and performs its commands.
///
/// A [`Tracker`] of the same process is a source. A program that shows a file of another process implements the trait: its tracker
/// is open for inspection, and commands go through a [`Client`](tracker_core::live::Client). All methods may block; the dashboard calls them outside
/// the threads that serve requests.
pub trait Source: Send + Sync + 'static {
    /// Returns the name that is shown on every page, such as the path of the file.
    fn name(&self) -> String;

    /// Returns an open tracker to read.
    ///
    /// # Errors
    /// The reason why the file cannot be read now, and the way out.
    fn tracker(&self) -> Result<Tracker, SourceError>;

    /// Performs a command.
    ///
    /// # Errors
    /// The reason why the command failed.
    fn perform(&self, request: &Request) -> Result<Report, SourceError>;

    /// Returns why commands cannot be performed now, and what makes them possible; `None` if they can. Every page calls it.
    fn read_only(&self) -> Option<String> {
        None
    }

    /// Returns further facts about the file as pairs of name and value, for the page on its health.
    fn facts(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}

/// Why a source cannot be read or changed, as a text for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceError(String);

impl SourceError {
    /// Makes an error of a text that says what failed, why, and what to do.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for SourceError {}

impl From<Error> for SourceError {
    fn from(error: Error) -> Self {
        Self(error.to_string())
    }
}

impl Source for Tracker {
    fn name(&self) -> String {
        "tracker".to_owned()
    }

    fn tracker(&self) -> Result<Tracker, SourceError> {
        Ok(self.clone())
    }

    fn perform(&self, request: &Request) -> Result<Report, SourceError> {
        Ok(Self::perform(self, request)?)
    }
}
