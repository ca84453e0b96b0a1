//! Reads stored payloads as their type, those of an earlier version through the type's migration, and states why one cannot be read. Called
//! by `model/codec` and `payload_codec`; runs user code, whose panics the callers catch.

use std::fmt;

use serde::de::DeserializeOwned;

use super::{read, stored::StoredPayload};
use crate::model::{
    error::{Error, ErrorKind, Result},
    task::TrackedTask,
};

/// A stored payload of an earlier version than that of its type, as a migration gets it: the function that
/// `#[task(version = 2, migrate = from_old)]` names.
///
/// One function reads all earlier versions. It runs whenever such a task is read, so it has no effects besides its result. A read does not
/// write the task in the new version; the next call that stores the task does.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use tracker_core::{Result, TaskStatus, TrackedTask, Tracker, task::OldPayload};
///
/// # #[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
/// # enum JobStatus { Pending = 10, InProgress = 20, Failed = 30, Succeeded = 40, Exhausted = 50 }
/// /// Version 1.
/// #[derive(TrackedTask, Serialize, Deserialize)]
/// #[task(name = "download", status = JobStatus)]
/// struct DownloadV1 {
///     #[task(id)]
///     url: String,
///     seconds: u64,
/// }
///
/// #[derive(TrackedTask, Serialize, Deserialize)]
/// #[task(name = "download", status = JobStatus, version = 2, migrate = from_old)]
/// struct Download {
///     #[task(id)]
///     url: String,
///     timeout_ms: u64,
/// }
///
/// fn from_old(old: OldPayload<'_>) -> Result<Download> {
///     let DownloadV1 { url, seconds } = old.decode()?; // old.version() is 1 here
///     Ok(Download { url, timeout_ms: seconds * 1_000 })
/// }
///
/// # let tracker = Tracker::in_memory()?;
/// tracker.tasks::<DownloadV1>()?.submit(&DownloadV1 { url: "a".to_owned(), seconds: 3 })?;
/// let downloads = tracker.tasks::<Download>()?;
/// assert_eq!(downloads.get("a")?.unwrap().task.timeout_ms, 3_000);
/// # Ok::<(), tracker_core::Error>(())
/// ```
///
/// Index values, unique keys and the fingerprint of a task stay as they were stored until the task is stored again, or the definition of the
/// kind's keys changes. If a migration fails, panics or changes the id, the task cannot be read, with the kind
/// [`Unreadable`](ErrorKind::Unreadable): a list names it beside the others, and a claim puts it aside at no cost until a program that
/// can read it opens the kind.
#[derive(Clone, Copy)]
pub struct OldPayload<'p> {
    version: u16,
    bytes: &'p [u8],
}

impl OldPayload<'_> {
    /// Returns the version of the type that stored it: 1 or more, and less than that of the type now.
    #[must_use]
    pub fn version(&self) -> u16 {
        self.version
    }

    /// Decodes it, as the type that it had in its version.
    ///
    /// # Errors
    /// [`ErrorKind::Unreadable`] if the payload does not fit the type.
    pub fn decode<V: DeserializeOwned>(&self) -> Result<V> {
        read(self.bytes).map_err(|error| {
            let what = format!("it cannot be read as {}: {error}", std::any::type_name::<V>());
            Error::caused(ErrorKind::Unreadable, what, error)
        })
    }
}

impl fmt::Debug for OldPayload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OldPayload(version {}, {} bytes)", self.version, self.bytes.len())
    }
}

/// The reason why a stored payload cannot be read as its type.
#[derive(Debug)]
pub(super) enum ReadError {
    /// The bytes before the payload are damaged.
    Prefix,
    /// A codec has encoded it that this program has not.
    Encoded(String),
    /// Its codec failed or panicked, as this text says.
    Codec {
        name: String,
        text: String,
    },
    Malformed(rmp_serde::decode::Error),
    Newer {
        version: u16,
        known: u16,
    },
    /// Its migration failed with this text, or gave it another id.
    Migration {
        version: u16,
        known: u16,
        text: String,
    },
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix => f.write_str("the bytes before its payload are damaged"),
            Self::Encoded(name) => write!(
                f,
                "its payload is encoded with {name:?}, and this program has no codec of that name: give it to Options::payload_codec"
            ),
            Self::Codec { name, text } => write!(f, "the decoding of its payload with {name:?} {text}"),
            Self::Malformed(error) => error.fmt(f),
            Self::Newer { version, known } => write!(
                f,
                "its payload has version {version}, and this program knows versions up to {known}: use the program that stored it, or a newer one"
            ),
            Self::Migration { version, known, text } => {
                write!(f, "the migration of its payload from version {version} to {known} failed: {text}")
            }
        }
    }
}

impl std::error::Error for ReadError {}

/// Reads plain bytes, with their version, as a task, through its migration if they are of an earlier version. Runs user code, which may panic.
pub(super) fn read_task<T: TrackedTask>(stored: &[u8]) -> Result<T, ReadError> {
    let StoredPayload { version, codec, bytes } = StoredPayload::read(stored).ok_or(ReadError::Prefix)?;
    if let Some(name) = codec {
        return Err(ReadError::Encoded(name.to_owned()));
    }
    let known = T::VERSION;
    if version == known {
        return read(bytes).map_err(ReadError::Malformed);
    }
    if version > known {
        return Err(ReadError::Newer { version, known });
    }
    T::migrate(OldPayload { version, bytes }).map_err(|error| ReadError::Migration {
        version,
        known,
        text: error.to_string(),
    })
}
