//! `EventStream` is the client's end of a subscription to the events of another process. Made by `Client::subscribe`, read by users and
//! `tracker-cli`; reads the socket, and blocks until an event comes.

use std::{
    fmt,
    io::BufReader,
    net::Shutdown,
    os::unix::net::UnixStream,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    events::LiveEvent,
    frame::{self, Answer, Reply},
};
use crate::model::error::{Error, ErrorKind, Result};

/// Waits for the events of the process that has a file open. Created by [`Client::subscribe`](crate::live::Client::subscribe).
///
/// The iterator ends when that process closes its tracker, and after [`EventStreamHandle::close`]. If the connection breaks, because the
/// process was killed, it yields an error of the kind [`ErrorKind::Closed`](crate::ErrorKind::Closed) and ends.
pub struct EventStream {
    connection: BufReader<UnixStream>,
    handle: EventStreamHandle,
    has_ended: bool,
}

/// Closes an [`EventStream`] from another thread.
#[derive(Clone)]
pub struct EventStreamHandle {
    stream: Arc<UnixStream>,
    closed: Arc<AtomicBool>,
}

impl EventStreamHandle {
    /// Closes the stream: a call that waits for an event returns `None`.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        // The other process may have closed the connection.
        drop(self.stream.shutdown(Shutdown::Both));
    }
}

impl EventStream {
    /// Takes a connection on which the server has already answered `Subscribed`.
    pub(super) fn new(stream: UnixStream) -> Result<Self> {
        let io_error = |error| frame::connection_error(&error);
        stream.set_read_timeout(None).map_err(io_error)?;
        let handle =
            EventStreamHandle { stream: Arc::new(stream.try_clone().map_err(io_error)?), closed: Arc::default() };
        Ok(Self { connection: BufReader::new(stream), handle, has_ended: false })
    }

    /// Returns a handle that closes the stream from another thread.
    #[must_use]
    pub fn handle(&self) -> EventStreamHandle {
        self.handle.clone()
    }

    fn read(&mut self) -> Result<Option<LiveEvent>> {
        let bytes = frame::read(&mut self.connection, frame::LONGEST_ANSWER).map_err(|error| {
            let text = format!("{error}: the process that had the file open has probably ended");
            Error::new(ErrorKind::Closed, text)
        })?;
        match frame::decode::<Answer>(&bytes)?? {
            Reply::Event(event) => Ok(Some(event)),
            Reply::EventsEnded => Ok(None),
            other => Err(frame::unexpected_reply(&other)),
        }
    }
}

impl Iterator for EventStream {
    type Item = Result<LiveEvent>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended {
            return None;
        }
        let read = self.read();
        self.has_ended = !matches!(read, Ok(Some(_)));
        match read {
            Err(_) if self.handle.closed.load(Ordering::SeqCst) => None,
            read => read.transpose(),
        }
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStream").field("ended", &self.has_ended).finish_non_exhaustive()
    }
}

impl fmt::Debug for EventStreamHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventStreamHandle").field("closed", &self.closed).finish_non_exhaustive()
    }
}
