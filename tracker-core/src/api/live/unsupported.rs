//! Replaces live commands on systems without Unix sockets: `Client::find` and `Server::start` fail with `Unsupported`, and the other calls exist
//! only for the compiler. Called by users and `api/shared` there; touches nothing.

use std::{convert::Infallible, path::Path, time::Duration};

use chrono::{DateTime, Utc};

use super::{
    events::{EventSelection, LiveEvent},
    request::{KindCount, Report, Request},
};
use crate::{
    api::tracker::Tracker,
    model::error::{Error, ErrorKind, Result},
    storage::file::FileId,
};

fn unsupported() -> Error {
    Error::new(ErrorKind::Unsupported, "live commands are not supported on this system: they need Unix sockets")
}

/// Sends live commands to the process that has a file open for writing. Not supported on this system.
#[derive(Clone, Debug)]
pub struct Client(Infallible);

impl Client {
    /// Refuses the call on this system.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] always, because this system has no Unix sockets.
    pub fn find(_: impl AsRef<Path>) -> Result<Option<Self>> {
        Err(unsupported())
    }

    /// Limits how long an answer may take.
    #[must_use]
    pub fn timeout(self, _: Duration) -> Self {
        self
    }

    /// Performs a request in the other process.
    ///
    /// # Errors
    /// There is no client on this system.
    pub fn perform(&self, _: &Request) -> Result<Report> {
        match self.0 {}
    }

    /// Counts the tasks that a request is about.
    ///
    /// # Errors
    /// There is no client on this system.
    pub fn count(&self, _: &Request) -> Result<Vec<KindCount>> {
        match self.0 {}
    }

    /// Imports lines in the other process.
    ///
    /// # Errors
    /// There is no client on this system.
    #[cfg(feature = "json")]
    pub fn import(
        &self,
        _: impl std::io::Read,
        _: &crate::api::import::ImportOptions,
    ) -> Result<crate::api::import::Imported> {
        match self.0 {}
    }

    /// Subscribes to the events of the other process.
    ///
    /// # Errors
    /// There is no client on this system.
    pub fn subscribe(&self, _: &EventSelection) -> Result<EventStream> {
        match self.0 {}
    }

    /// Returns the time of the tracker.
    ///
    /// # Errors
    /// There is no client on this system.
    pub fn now(&self) -> Result<DateTime<Utc>> {
        match self.0 {}
    }
}

/// Waits for the events of the process that has a file open. Not supported on this system.
#[derive(Debug)]
pub struct EventStream(Infallible);

impl EventStream {
    /// Returns a handle that closes the stream from another thread.
    #[must_use]
    pub fn handle(&self) -> EventStreamHandle {
        match self.0 {}
    }
}

impl Iterator for EventStream {
    type Item = Result<LiveEvent>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.0 {}
    }
}

/// Closes an [`EventStream`] from another thread. Not supported on this system.
#[derive(Clone, Debug)]
pub struct EventStreamHandle(Infallible);

impl EventStreamHandle {
    /// Closes the stream.
    pub fn close(&self) {
        match self.0 {}
    }
}

pub(crate) struct Server(Infallible);

impl Server {
    pub(crate) fn start(_: Tracker, _: FileId) -> Result<Self> {
        Err(unsupported())
    }

    pub(crate) fn stop(self) -> Self {
        self
    }

    pub(crate) fn join(self) {
        match self.0 {}
    }
}
