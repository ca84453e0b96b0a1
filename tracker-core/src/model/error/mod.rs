//! `Error` is the error of every call: a kind to branch on, a message for people, the reason of a refusal, and the cause, whose `Display` and
//! `Debug` can be user code. Also decides which errors stop a transaction, end a read or allow a retry. Made in all folders except `dispatch`.

mod refusal;

pub use refusal::{Reason, Refusal};

use std::{error::Error as StdError, fmt, path::Path};

use serde::{Deserialize, Serialize};

/// The result of the tracker's calls.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call failed. Branch on [`Error::kind`]; print it for people.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use tracker_core::{ErrorKind, Tracker};
/// let jobs = Tracker::in_memory()?.tasks::<Job>()?;
/// let error = jobs.start("missing").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::NotFound);
/// assert_eq!(error.to_string(), "job \"missing\" was refused: there is no such task");
/// # Ok(())
/// # }
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    refusal: Option<Refusal>,
    source: Option<Box<dyn StdError + Send + Sync>>,
    /// Two units of work competed for rows of a store: the unit can run again.
    is_conflict: bool,
}

/// The reaction that an [`Error`] calls for: one kind for each.
///
/// | kind | reaction of a program |
/// |---|---|
/// | [`NotFound`](Self::NotFound) | submit the task first, or skip it |
/// | [`Leased`](Self::Leased) | leave the task to its worker, or try again after the lease |
/// | [`LeaseLost`](Self::LeaseLost) | stop working on the task; nothing was written |
/// | [`Stale`](Self::Stale) | read the task again and repeat the change |
/// | [`Ended`](Self::Ended) | nothing, or requeue the task |
/// | [`NotStartable`](Self::NotStartable) | wait until its status, step or dependencies allow the call |
/// | [`Conflict`](Self::Conflict) | choose another id, key, batch or dependency |
/// | [`Full`](Self::Full) | wait until tasks have started, then submit again |
/// | [`Invalid`](Self::Invalid) | correct the call or the value |
/// | [`Unreadable`](Self::Unreadable) | make the type accept the stored task, for example with `#[serde(default)]` |
/// | [`SchemaMismatch`](Self::SchemaMismatch) | make the definition of the kind fit the file |
/// | [`Busy`](Self::Busy) | try again when the other process is done |
/// | [`ReadOnly`](Self::ReadOnly) | open the file for writing |
/// | [`Foreign`](Self::Foreign) | choose another file |
/// | [`Unsupported`](Self::Unsupported) | use the version of the library that reads the file, to export its tasks |
/// | [`Moved`](Self::Moved) | open the place that the message names, or let the move end |
/// | [`Corrupted`](Self::Corrupted) | recover the file |
/// | [`FileReplaced`](Self::FileReplaced) | open the file again, or copy what the open one holds |
/// | [`NoSpace`](Self::NoSpace) | free space and try again |
/// | [`Io`](Self::Io) | report the disk |
/// | [`Closed`](Self::Closed) | open the tracker again |
/// | [`OutcomeUnknown`](Self::OutcomeUnknown) | open the tracker again and look whether the change is stored |
///
/// Where the state of a task refused the call, [`Error::refusal`] has the exact [`Reason`].
///
/// # Storage errors
/// A call that reads or writes also fails if the file or the store does. Documentation of calls names these kinds a
/// *storage error*: [`Io`](Self::Io), [`NoSpace`](Self::NoSpace), [`Corrupted`](Self::Corrupted), [`FileReplaced`](Self::FileReplaced),
/// [`Busy`](Self::Busy), [`ReadOnly`](Self::ReadOnly), [`Closed`](Self::Closed) and [`OutcomeUnknown`](Self::OutcomeUnknown).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// Refused: the task, or a dependency of it, does not exist.
    NotFound,
    /// Refused: a worker holds the task's lease.
    Leased,
    /// The caller's lease is gone: another worker has the task, or it has ended. Nothing was written.
    LeaseLost,
    /// Refused: the task was changed after the caller read it.
    Stale,
    /// Refused: the task has ended (succeeded, exhausted, ignored or cancelled).
    Ended,
    /// Refused: the task's status, step or dependencies do not allow the call.
    NotStartable,
    /// Refused: another task has the unique key, the batch is sealed or another one, or dependencies form a cycle.
    Conflict,
    /// Refused: as many tasks of the kind wait as its `max_waiting` allows.
    Full,
    /// The call or its value is wrong: out of range, too large, not serializable, without a status for the needed role, or made
    /// inside a transaction. User code that panics outside an attempt is reported so too.
    Invalid,
    /// The stored task cannot be decoded into its type.
    Unreadable,
    /// The definition of the kind does not fit the file.
    SchemaMismatch,
    /// Another process has the file open, or kept it locked for longer than the deadline; or too many deferred calls wait.
    Busy,
    /// The file is open for inspection only, or needs a repair that only an open for writing can make.
    ReadOnly,
    /// The file is no tracker file.
    Foreign,
    /// The file has the format of another version of the library, or is on a network file system.
    Unsupported,
    /// The tasks were moved to another file or server, or a move of them has not ended.
    Moved,
    /// Bytes in the file are damaged.
    Corrupted,
    /// The file was removed, moved or replaced while it was open: no later open finds what is written to it.
    FileReplaced,
    /// The device is full.
    NoSpace,
    /// The operating system refused or failed.
    Io,
    /// The tracker is closed.
    Closed,
    /// A commit failed, and the file could not be read to see whether it is stored. The tracker has stopped.
    OutcomeUnknown,
}

impl Error {
    /// Returns the kind of the error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Returns the refusal with its reason, if the call was refused.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        self.0.refusal.as_ref()
    }

    /// Returns whether the task's state refused the call, and not the storage or the arguments.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.0.refusal.is_some()
    }

    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), refusal: None, source: None, is_conflict: false }))
    }

    pub(crate) fn caused(
        kind: ErrorKind,
        message: impl Into<String>,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        let source = Some(source.into());
        Self(Box::new(Inner { kind, message: message.into(), refusal: None, source, is_conflict: false }))
    }

    pub(crate) fn refused(refusal: Refusal) -> Self {
        let kind = refusal.reason.kind();
        Self(Box::new(Inner {
            kind,
            message: refusal.to_string(),
            refusal: Some(refusal),
            source: None,
            is_conflict: false,
        }))
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    pub(crate) fn too_large(what: &str, bytes: usize, limit: usize) -> Self {
        Self::new(ErrorKind::Invalid, format!("{what} has {bytes} bytes; the limit is {limit}"))
    }

    pub(crate) fn too_many(whose: &str, what: &str, count: usize, limit: usize) -> Self {
        Self::new(ErrorKind::Invalid, format!("{whose} has {count} {what}; the limit is {limit}"))
    }

    pub(crate) fn corrupted(table: &str, key: impl fmt::Display, what: impl fmt::Display) -> Self {
        Self::new(
            ErrorKind::Corrupted,
            format!(
                "the stored data is damaged in table {table} at {key}: {what}; copy what is readable into a new file with Tracker::recover, \
                 or restore a backup of the store"
            ),
        )
    }

    /// Two units of work compete for rows of a store.
    pub(crate) fn conflict(what: impl fmt::Display) -> Self {
        let message = format!("another process is changing the same rows ({what}); try again");
        let mut error = Self::new(ErrorKind::Busy, message);
        error.0.is_conflict = true;
        error
    }

    /// Whether the unit of work can run again, since another one was in its way.
    pub(crate) fn is_conflict(&self) -> bool {
        self.0.is_conflict
    }

    pub(crate) fn closed() -> Self {
        Self::new(ErrorKind::Closed, "the tracker is closed: open it again")
    }

    pub(crate) fn read_only() -> Self {
        Self::new(
            ErrorKind::ReadOnly,
            "the tracker was opened for inspection only: open it for writing to change tasks",
        )
    }

    pub(crate) fn inside_transaction() -> Self {
        Self::new(
            ErrorKind::Invalid,
            "a transaction of this tracker is open on this thread: make the call through the transaction",
        )
    }

    pub(crate) fn inside_commit() -> Self {
        Self::new(
            ErrorKind::Invalid,
            "this thread is committing for the tracker (a log subscriber or a clock called back): make the call from another thread",
        )
    }

    pub(crate) fn queue_full(calls: usize) -> Self {
        Self::new(ErrorKind::Busy, format!("{calls} calls wait for a commit: make the call again later"))
    }

    pub(crate) fn outcome_unknown(cause: &str) -> Self {
        Self::new(
            ErrorKind::OutcomeUnknown,
            format!(
                "a commit failed ({cause}) and the file could not be reopened to see whether it holds it; open the tracker again"
            ),
        )
    }

    /// Puts the file's path in front of the error, if the operating system refused and the text does not name it.
    pub(crate) fn about_file(mut self, path: &Path) -> Self {
        let prefix = format!("{}: ", path.display());
        if matches!(self.kind(), ErrorKind::Io | ErrorKind::NoSpace) && !self.0.message.starts_with(&prefix) {
            self.0.message.insert_str(0, &prefix);
        }
        self
    }

    /// Whether the storage failed and not the call: every call of the transaction must be tried again.
    pub(crate) fn stops_a_batch(&self) -> bool {
        matches!(
            self.kind(),
            ErrorKind::Io | ErrorKind::NoSpace | ErrorKind::Busy | ErrorKind::Closed | ErrorKind::OutcomeUnknown
        )
    }

    /// Whether the disk has failed, or did not have what was to be read from it.
    pub(crate) fn is_of_the_disk(&self) -> bool {
        let source = self.0.source.as_ref();
        self.kind() == ErrorKind::Io || source.is_some_and(|source| source.is::<std::io::Error>())
    }

    /// Whether nothing more can be read: the storage has failed, or a server has ended the unit of work. Any other error is about one row.
    pub(crate) fn ends_a_read(&self) -> bool {
        self.is_of_the_disk() || self.stops_a_batch()
    }

    /// Whether redb refuses every call since an earlier one, perhaps of another thread, has failed.
    pub(crate) fn is_of_an_earlier_failure(&self) -> bool {
        self.0.source.as_ref().is_some_and(|source| source.is::<EarlierFailure>())
    }

    /// Copies the error for one more of the callers whose commands shared a commit.
    pub(crate) fn share(&self) -> Self {
        let source = self.0.source.as_ref().map(|source| source.to_string().into());
        Self(Box::new(Inner {
            kind: self.0.kind,
            message: self.0.message.clone(),
            refusal: self.0.refusal.clone(),
            source,
            is_conflict: self.0.is_conflict,
        }))
    }
}

/// The source of an error that redb returns to every call after one that failed on the disk.
#[derive(Debug)]
pub(crate) struct EarlierFailure;

impl fmt::Display for EarlierFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the disk failed in an earlier call")
    }
}

impl StdError for EarlierFailure {}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Error");
        out.field("kind", &self.0.kind).field("message", &self.0.message);
        if let Some(source) = &self.0.source {
            out.field("source", source);
        }
        out.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
