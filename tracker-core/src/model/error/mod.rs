//! What can go wrong, as values with a kind that callers branch on and words that people understand.

mod refusal;

pub use refusal::{Reason, Refusal};

use std::{error::Error as StdError, fmt, path::Path};

/// The result of the tracker's calls.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call did not do what was asked. Branch on [`Error::kind`]; print it for people.
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// # use tracker_core::{ErrorKind, TaskStatus, TrackedTask, Tracker};
/// # #[derive(TaskStatus, Clone, Copy)]
/// # enum Status { Pending = 1, InProgress = 2, Failed = 3, Succeeded = 4, Exhausted = 5 }
/// # #[derive(TrackedTask, Serialize, Deserialize, Debug)]
/// # #[task(name = "job", status = Status)]
/// # struct Job { #[task(id)] name: String }
/// let jobs = Tracker::in_memory()?.tasks::<Job>()?;
/// let error = jobs.start("nobody").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::NotFound);
/// assert_eq!(error.to_string(), "job \"nobody\" was refused: there is no such task");
/// # Ok::<(), tracker_core::Error>(())
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    refusal: Option<Refusal>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The kind of an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Refused: there is no such task.
    NotFound,
    /// Refused: somebody holds the task's lease.
    Leased,
    /// Refused: the task is in another step of its pipeline.
    WrongStep,
    /// Refused: the task has succeeded already.
    AlreadySucceeded,
    /// Refused: the task has no attempts left.
    Exhausted,
    /// Refused: the task is ignored.
    Ignored,
    /// Refused: the task is cancelled.
    Cancelled,
    /// Refused: what was asked cannot be done from the task's status.
    NotStartable,
    /// Refused: the task waits for others.
    Waiting,
    /// Refused: tasks would wait for each other in a circle.
    Circle,
    /// Refused: no more tasks come into the batch.
    Sealed,
    /// Refused: the status type has no role that the call needs.
    MissingRole,
    /// The task belongs to somebody else now; nothing was written.
    LeaseLost,
    /// An id and a unique key belong to different tasks; or the task belongs to another batch.
    Conflict,
    /// The task cannot be decoded into the type that asks for it.
    Unreadable,
    /// The task cannot be written: its serialization failed.
    Unwritable,
    /// An argument is out of its range.
    Invalid,
    /// A value is larger than the tracker takes.
    TooLarge,
    /// The kind's definition does not fit what the file holds.
    SchemaMismatch,
    /// A call of the tracker itself, made inside a transaction's closure.
    InsideTransaction,
    /// The closure of a transaction returned an error: all of it was rolled back.
    RolledBack,
    /// The file is open elsewhere in a way that does not allow this.
    AlreadyOpen,
    /// Another process held the file for longer than the deadline.
    Busy,
    /// The file was opened for reading only.
    ReadOnly,
    /// The file was removed, moved or replaced while it was open: what is written to it is not found again.
    FileReplaced,
    /// The tracker is closed.
    Closed,
    /// The file is no tracker file.
    Foreign,
    /// The file was written by a newer version.
    NewerFormat,
    /// The file was written by an older version, in a format that this version does not read.
    OlderFormat,
    /// Bytes in the file are damaged.
    Corrupted,
    /// The operating system refused or failed.
    Io,
    /// No room left on the device.
    NoSpace,
    /// A commit failed and nobody can say whether it is on disk; the tracker has stopped.
    OutcomeUnknown,
    /// User code panicked outside an attempt: a clock or a `tracing` subscriber on a thread of a worker.
    Panicked,
}

impl Error {
    /// What kind of error it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The refusal with its reason, where the call was refused.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        self.0.refusal.as_ref()
    }

    /// Whether the task's state refused the call, and not the storage or the arguments.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.0.refusal.is_some()
    }

    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), refusal: None, source: None }))
    }

    pub(crate) fn caused(
        kind: ErrorKind,
        message: impl Into<String>,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        let source = Some(source.into());
        Self(Box::new(Inner { kind, message: message.into(), refusal: None, source }))
    }

    pub(crate) fn refused(refusal: Refusal) -> Self {
        let kind = refusal.reason.kind();
        Self(Box::new(Inner { kind, message: refusal.to_string(), refusal: Some(refusal), source: None }))
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    pub(crate) fn too_large(what: &str, bytes: usize, limit: usize) -> Self {
        Self::new(ErrorKind::TooLarge, format!("{what} has {bytes} bytes; the limit is {limit}"))
    }

    pub(crate) fn too_many(whose: &str, what: &str, count: usize, limit: usize) -> Self {
        Self::new(ErrorKind::TooLarge, format!("{whose} has {count} {what}; the limit is {limit}"))
    }

    pub(crate) fn corrupted(table: &str, key: impl fmt::Display, what: impl fmt::Display) -> Self {
        Self::new(
            ErrorKind::Corrupted,
            format!(
                "the file is damaged in table {table} at {key}: {what}; copy what is readable into a new file with Tracker::recover"
            ),
        )
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
            ErrorKind::InsideTransaction,
            "a transaction of this tracker is open on this thread: make the call through the transaction",
        )
    }

    pub(crate) fn inside_commit() -> Self {
        Self::new(
            ErrorKind::InsideTransaction,
            "this thread is committing for the tracker (a log subscriber or a clock called back): make the call from another thread",
        )
    }

    pub(crate) fn outcome_unknown(cause: &str) -> Self {
        Self::new(
            ErrorKind::OutcomeUnknown,
            format!(
                "a commit failed ({cause}) and the file could not be reopened to see whether it holds it; open the tracker again"
            ),
        )
    }

    /// The same error with the file's path in front, if the operating system refused and the text does not name it.
    pub(crate) fn about_file(mut self, path: &Path) -> Self {
        let prefix = format!("{}: ", path.display());
        if matches!(self.kind(), ErrorKind::Io | ErrorKind::NoSpace) && !self.0.message.starts_with(&prefix) {
            self.0.message.insert_str(0, &prefix);
        }
        self
    }

    /// Whether the storage failed and not the call: whatever shares the transaction must be tried again.
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

    /// The same error for one more of the callers whose commands shared a commit.
    pub(crate) fn share(&self) -> Self {
        let source = self.0.source.as_ref().map(|source| source.to_string().into());
        Self(Box::new(Inner {
            kind: self.0.kind,
            message: self.0.message.clone(),
            refusal: self.0.refusal.clone(),
            source,
        }))
    }
}

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
