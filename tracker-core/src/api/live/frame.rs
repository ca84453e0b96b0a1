//! Defines the protocol of live commands: its types and their bytes. Each side first sends a hello, which names the version. Then the client sends
//! one call and the server one answer; an import adds a pair of frames per part, a subscription an answer per event. Used by `client`, `server`,
//! `lines`, `events` and `event_stream`, and by `fuzz`; reads from the given reader, and writes nothing.

use std::io::{self, Read};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    events::{EventSelection, LiveEvent},
    request::{KindCount, Report, Request},
};
#[cfg(feature = "json")]
use crate::api::import::Imported;
use crate::{
    api::import::ImportOptions,
    model::error::{Error, ErrorKind, Result},
    storage::file::FileId,
};

/// The version of the calls and answers. A change of their types raises it.
pub(super) const VERSION: u32 = 5;
/// The most bytes of a call.
pub(super) const LONGEST_CALL: usize = 1 << 20;
/// The most bytes of an answer.
pub(super) const LONGEST_ANSWER: usize = 16 << 20;

/// The first bytes in each direction, in every version.
const MAGIC: [u8; 4] = *b"trkl";
/// The length of a hello: the magic bytes and the version.
pub(super) const HELLO: usize = 8;

/// A call of a client to the process that has a file open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Call {
    /// The file that the client means.
    pub file: FileId,
    pub ask: Ask,
}

/// The request of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Ask {
    /// The time of the tracker.
    Time,
    Count(Request),
    Perform(Request),
    /// The client sends the lines as the server asks for them.
    Import(ImportOptions),
    /// The server sends events until the connection or its tracker is closed.
    Subscribe(EventSelection),
}

/// The answer of the server.
pub(crate) type Answer = Result<Reply, Failure>;

/// The result of a call that succeeded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Reply {
    Time(DateTime<Utc>),
    Counts(Vec<KindCount>),
    Report(Report),
    /// The server asks for the next lines.
    #[cfg(feature = "json")]
    MoreLines,
    #[cfg(feature = "json")]
    Imported(Imported),
    /// Events of all later transactions follow.
    Subscribed,
    Event(LiveEvent),
    /// The tracker is closed: no event follows.
    EventsEnded,
}

/// An error in the form in which it reaches the client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Failure {
    pub kind: ErrorKind,
    pub message: String,
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        Self { kind: error.kind(), message: error.to_string() }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::new(failure.kind, failure.message)
    }
}

/// The hello of this version.
pub(super) fn hello() -> [u8; HELLO] {
    let mut hello = [0; HELLO];
    let (magic, version) = hello.split_at_mut(MAGIC.len());
    magic.copy_from_slice(&MAGIC);
    version.copy_from_slice(&VERSION.to_be_bytes());
    hello
}

/// Checks the hello of the other process.
pub(super) fn check_hello(hello: [u8; HELLO]) -> Result<()> {
    let [a, b, c, d, version @ ..] = hello;
    if [a, b, c, d] != MAGIC {
        return Err(Error::new(ErrorKind::Foreign, "the other process does not speak the protocol of live commands"));
    }
    match u32::from_be_bytes(version) {
        VERSION => Ok(()),
        other => Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "the other process uses version {other} of live commands, this one version {VERSION}: use the same version of the tracker in both"
            ),
        )),
    }
}

/// Encodes a value as a frame.
pub(crate) fn encode(value: &impl Serialize, longest: usize) -> Result<Vec<u8>> {
    let bytes = rmp_serde::to_vec_named(value)
        .map_err(|error| Error::caused(ErrorKind::Invalid, "a live command cannot be encoded", error))?;
    frame(&bytes, longest)
}

/// The frame of a value: its length in four bytes, and the value.
pub(super) fn frame(value: &[u8], longest: usize) -> Result<Vec<u8>> {
    let length = u32::try_from(value.len()).ok().filter(|_| value.len() <= longest);
    let length = length.ok_or_else(|| Error::too_large("a live command or its answer", value.len(), longest))?;
    Ok([&length.to_be_bytes(), value].concat())
}

/// Reads the value of a frame. A length over the limit is an error before a byte of the value is read.
pub(super) fn read(reader: &mut impl Read, longest: usize) -> Result<Vec<u8>> {
    let mut length = [0; 4];
    reader.read_exact(&mut length).map_err(|error| connection_error(&error))?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > longest {
        return Err(Error::too_large("a live command or its answer", length, longest));
    }
    let mut bytes = Vec::new();
    let read = reader.take(length as u64).read_to_end(&mut bytes).map_err(|error| connection_error(&error))?;
    if read < length { Err(connection_error(&io::ErrorKind::UnexpectedEof.into())) } else { Ok(bytes) }
}

/// Decodes the value of a frame. Unknown fields and variants are errors, and so are bytes after the value.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let invalid = |error: &dyn std::fmt::Display| Error::invalid(format!("a live command cannot be decoded: {error}"));
    let mut rest = bytes;
    let value = T::deserialize(&mut rmp_serde::Deserializer::new(&mut rest)).map_err(|error| invalid(&error))?;
    if rest.is_empty() { Ok(value) } else { Err(invalid(&format!("{} bytes follow the value", rest.len()))) }
}

/// The error of a connection that broke or took too long.
pub(super) fn connection_error(error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            Error::new(ErrorKind::Busy, "the other process did not answer in time: try again")
        }
        _ => Error::new(ErrorKind::Io, format!("the connection to the other process broke: {error}")),
    }
}

/// The error of an answer that does not fit the call.
pub(super) fn unexpected_reply(reply: &Reply) -> Error {
    Error::invalid(format!("the other process answered another question: {reply:?}"))
}
