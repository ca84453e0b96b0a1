//! Passes the lines of an import through the socket, one part at a time. `client` sends them with `send`, and `server` reads them from
//! `SentLines`. Reads and writes the socket, and reads the lines from the user's reader.

use std::{
    io::{self, Read, Write as _},
    os::unix::net::UnixStream,
    time::Duration,
};

use super::{
    STEP_TIMEOUT,
    frame::{self, Answer, Reply},
    peer::Timed,
};
use crate::{
    api::import::Imported,
    model::error::{Error, ErrorKind, Result},
};

/// The most bytes of a part.
const PART: usize = 1 << 20;
/// How long the client may take to send the next part. Its lines may come from a program that computes them.
const SLOWEST: Duration = Duration::from_secs(600);

/// Sends the lines that the server asks for, and returns the result of the import. An empty part ends the lines.
pub(super) fn send(stream: &UnixStream, mut lines: impl Read, timeout: Option<Duration>) -> Result<Imported> {
    let mut part = vec![0; PART];
    loop {
        let answer = frame::read(&mut Timed::new(stream, timeout), frame::LONGEST_ANSWER);
        let answer = answer.map_err(|error| interrupted(&error))?;
        match frame::decode::<Answer>(&answer)?? {
            Reply::MoreLines => {}
            Reply::Imported(imported) => return Ok(imported),
            other => return Err(frame::unexpected_reply(&other)),
        }
        let read = loop {
            match lines.read(&mut part) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        let read = read.map_err(|error| Error::caused(ErrorKind::Io, "the lines cannot be read further", error))?;
        let frame = frame::frame(part.get(..read).unwrap_or_default(), PART)?;
        let written = Timed::new(stream, Some(STEP_TIMEOUT)).write_all(&frame);
        written.map_err(|error| interrupted(&frame::connection_error(&error)))?;
    }
}

fn interrupted(error: &Error) -> Error {
    let text = format!("{error}; some lines may be in: import again, tasks that are in stay as they are");
    Error::new(ErrorKind::OutcomeUnknown, text)
}

/// The lines that a client sends. Asks for the next part when the one before it is read.
pub(super) struct SentLines<'s> {
    stream: &'s UnixStream,
    part: io::Cursor<Vec<u8>>,
    /// The connection broke, or the client was silent for too long.
    broken: Option<Error>,
}

impl<'s> SentLines<'s> {
    pub(super) fn new(stream: &'s UnixStream) -> Self {
        Self { stream, part: io::Cursor::default(), broken: None }
    }

    /// The error that ended the lines early.
    pub(super) fn into_error(self) -> Option<Error> {
        self.broken
    }

    fn next_part(&self) -> Result<Vec<u8>> {
        let ask = frame::encode(&Answer::Ok(Reply::MoreLines), frame::LONGEST_ANSWER)?;
        Timed::new(self.stream, Some(STEP_TIMEOUT)).write_all(&ask).map_err(|error| frame::connection_error(&error))?;
        frame::read(&mut Timed::new(self.stream, Some(SLOWEST)), PART)
    }
}

impl Read for SentLines<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.part.position() == self.part.get_ref().len() as u64 {
            match self.next_part() {
                Ok(part) => self.part = io::Cursor::new(part),
                Err(error) => {
                    let text = error.to_string();
                    self.broken = Some(error);
                    return Err(io::Error::other(text));
                }
            }
        }
        self.part.read(buffer)
    }
}
