//! `Fault` turns an error of redb or of the operating system into an error of the tracker, with the path and advice. Made in all of
//! `storage/file`; an error of a redb call in another folder passes through it when `?` converts it into `Error`. Touches no file, and runs the
//! `Display` of errors of the user's storage backend.

use std::{error::Error as StdError, io, path::Path};

use redb::{
    BackendError, CommitError, CompactionError, CursorError, DatabaseError, SavepointError, SetDurabilityError,
    StorageError, TableError, TransactionError,
};

use crate::model::error::{EarlierFailure, Error, ErrorKind};

/// An error of redb or of the operating system in the tracker's words, before the path of the file is added.
#[derive(Debug)]
pub(crate) struct Fault {
    pub kind: ErrorKind,
    text: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Fault {
    pub fn new(kind: ErrorKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into(), source: None }
    }

    pub fn caused(kind: ErrorKind, text: impl Into<String>, source: io::Error) -> Self {
        Self { kind, text: text.into(), source: Some(source.into()) }
    }

    /// Returns the error, naming the file.
    pub fn at(self, path: &Path) -> Error {
        let text = format!("{}: {}", path.display(), self.text);
        Self { text, ..self }.into()
    }

    /// Returns the fault of a repair that an open for reading needed.
    pub fn in_repair(self) -> Self {
        match (self.kind, &self.source) {
            (ErrorKind::Io | ErrorKind::NoSpace, Some(source)) => Self {
                text: format!(
                    "it was not closed cleanly and must be opened for writing once, to be repaired, which failed ({source}); copy it to where that can be done, and look at the copy"
                ),
                ..self
            },
            _ => self,
        }
    }

    /// Returns the fault of a file without a byte.
    pub fn empty() -> Self {
        Self::new(
            ErrorKind::Foreign,
            "the file is empty, so it is no tracker file; delete it if it is of no use, and a new one will be created",
        )
    }

    fn damaged(what: &str) -> Self {
        Self::new(
            ErrorKind::Corrupted,
            format!("the file is damaged: {what}; copy what is readable into a new file with Tracker::recover"),
        )
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault.source {
            Some(source) => Self::caused(fault.kind, fault.text, source),
            None => Self::new(fault.kind, fault.text),
        }
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind as Io;

        let (kind, what, advice) = match error.kind() {
            _ if is_loop(&error) => {
                (ErrorKind::Io, "symbolic links in the path lead to each other", "check the path with `namei -l`")
            }
            _ if is_out_of_files(&error) => (
                ErrorKind::Io,
                "too many open files",
                "close some, or raise the limit (`ulimit -n`), and open the tracker again",
            ),
            Io::InvalidFilename => (
                ErrorKind::Io,
                "a name in the path is too long",
                "most file systems take 255 bytes; choose a shorter one",
            ),
            Io::OutOfMemory => (ErrorKind::Io, "no memory left", "free some and open the tracker again"),
            Io::StorageFull | Io::QuotaExceeded => {
                (ErrorKind::NoSpace, "no room left", "free some space and open the tracker again")
            }
            Io::FileTooLarge => (
                ErrorKind::NoSpace,
                "the file cannot grow",
                "raise the limit on the size of files, or move it to a file system without one",
            ),
            // redb says "invalid data" only of files without its mark.
            Io::InvalidData => {
                (ErrorKind::Foreign, "this is no tracker file", "give the path of a tracker file, or of none yet")
            }
            Io::UnexpectedEof => (
                ErrorKind::Corrupted,
                "the file is damaged: it is shorter than it says",
                "restore a copy of it, or copy what is readable into a new file with Tracker::recover",
            ),
            Io::NotFound => (ErrorKind::Io, "there is no such file or folder", "check the path"),
            Io::NotADirectory => (ErrorKind::Io, "a part of the path is no folder", "check the path"),
            Io::PermissionDenied => (
                ErrorKind::Io,
                "no permission",
                "let this user read and write the file and its folder, or only look, with inspect",
            ),
            Io::ReadOnlyFilesystem => (
                ErrorKind::Io,
                "the file system is read-only",
                "use a path on one that can be written, or only look, with inspect",
            ),
            Io::Unsupported => return Self::from(StorageError::Unsupported),
            _ => (ErrorKind::Io, "the disk failed", "check it, then open the tracker again"),
        };
        Self { kind, text: format!("{what} ({error}); {advice}"), source: Some(error.into()) }
    }
}

#[cfg(unix)]
fn is_loop(error: &io::Error) -> bool {
    // `ELOOP`; the standard library has no stable name for it.
    let code = if cfg!(any(target_os = "linux", target_os = "android")) { 40 } else { 62 };
    error.raw_os_error() == Some(code)
}

#[cfg(not(unix))]
fn is_loop(_: &io::Error) -> bool {
    false
}

#[cfg(unix)]
fn is_out_of_files(error: &io::Error) -> bool {
    // `ENFILE` and `EMFILE`, the same on all systems.
    matches!(error.raw_os_error(), Some(23 | 24))
}

#[cfg(not(unix))]
fn is_out_of_files(_: &io::Error) -> bool {
    false
}

impl From<StorageError> for Fault {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Corrupted(what) => Self::damaged(&what),
            StorageError::ValueTooLarge(bytes) => {
                Self::new(ErrorKind::Invalid, format!("a value has {bytes} bytes; redb takes 3 GiB"))
            }
            StorageError::Io(error) => error.into(),
            StorageError::Backend(error) => Self {
                kind: ErrorKind::Io,
                text: format!("the storage backend failed ({error}); open the tracker again"),
                source: Some(error),
            },
            StorageError::Unsupported => Self::new(
                ErrorKind::Io,
                "this storage cannot lock ranges of bytes, without which it cannot be shared; open it with Sharing::Exclusive",
            ),
            StorageError::PreviousIo => Self {
                kind: ErrorKind::Io,
                text: "an earlier failure of the disk has stopped this tracker; open it again".to_owned(),
                source: Some(EarlierFailure.into()),
            },
            StorageError::DatabaseClosed => Self::new(ErrorKind::Closed, "the tracker is closed; open it again"),
            StorageError::LockPoisoned(place) => Self::new(
                ErrorKind::Corrupted,
                format!(
                    "an earlier panic inside redb ({place}) has stopped this tracker; open it again with check_on_open"
                ),
            ),
            other => Self::new(ErrorKind::Io, format!("the storage failed ({other}); open the tracker again")),
        }
    }
}

impl From<BackendError> for Fault {
    fn from(error: BackendError) -> Self {
        StorageError::from(error).into()
    }
}

impl From<DatabaseError> for Fault {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::Storage(error) => error.into(),
            DatabaseError::DatabaseAlreadyOpen => Self::new(
                ErrorKind::Busy,
                "it is open in another process or elsewhere in this one, in a way that excludes this; close it there, \
                 look at it with inspect (Sharing::Readers allows one writer beside any number of those who look), \
                 or open it with Sharing::Writers in all of them",
            ),
            DatabaseError::LockProtocolMismatch => Self::new(
                ErrorKind::Busy,
                "it is open in a process whose version of redb locks in another way; close it there, or build both with the same version",
            ),
            DatabaseError::RepairAborted => Self::new(
                ErrorKind::ReadOnly,
                "it was not closed cleanly and must be repaired, which takes opening it for writing once",
            ),
            DatabaseError::UpgradeRequired(version) => Self::new(
                ErrorKind::Foreign,
                format!(
                    "this is no tracker file: it is a redb database of the old format {version}, which no tracker has ever written"
                ),
            ),
            DatabaseError::TransactionInProgress => {
                Self::new(ErrorKind::Busy, "a transaction is still open; end it first")
            }
            other => Self::new(ErrorKind::Io, format!("the file cannot be opened ({other})")),
        }
    }
}

impl From<TransactionError> for Fault {
    fn from(error: TransactionError) -> Self {
        match error {
            TransactionError::Storage(error) => error.into(),
            TransactionError::WouldBlock => Self::new(
                ErrorKind::Busy,
                "another write holds the file; try again, and keep transactions short in the process that holds it",
            ),
            other => {
                Self::new(ErrorKind::Busy, format!("the transaction cannot be begun or ended now ({other}); try again"))
            }
        }
    }
}

impl From<TableError> for Fault {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Storage(error) => error.into(),
            TableError::TableDoesNotExist(name) => Self::new(
                ErrorKind::Foreign,
                format!("there is no table {name:?}; unless it is one of your own, this is no tracker file"),
            ),
            TableError::TableAlreadyOpen(name, place) => Self::new(
                ErrorKind::Invalid,
                format!("table {name:?} is open already in this transaction ({place}); drop it first"),
            ),
            TableError::TableExists(name) => {
                Self::new(ErrorKind::Invalid, format!("there is a table {name:?} already; choose another name"))
            }
            other => Self::new(
                ErrorKind::Foreign,
                format!("a table is not of the expected type ({other}); another program or version has made it"),
            ),
        }
    }
}

impl From<CommitError> for Fault {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Storage(error) => error.into(),
            other => Self::new(
                ErrorKind::Invalid,
                format!("nothing was written: a call inside the transaction had failed ({other})"),
            ),
        }
    }
}

impl From<CompactionError> for Fault {
    fn from(error: CompactionError) -> Self {
        match error {
            CompactionError::Storage(error) => error.into(),
            other => Self::new(
                ErrorKind::Busy,
                format!(
                    "the file cannot be compacted while a transaction or savepoint is open ({other}); end it first"
                ),
            ),
        }
    }
}

impl From<SetDurabilityError> for Fault {
    fn from(error: SetDurabilityError) -> Self {
        Self::new(
            ErrorKind::Invalid,
            format!(
                "this durability cannot be had ({error}); only Sharing::Exclusive allows commits that are not durable"
            ),
        )
    }
}

impl From<SavepointError> for Fault {
    fn from(error: SavepointError) -> Self {
        match error {
            SavepointError::Storage(error) => error.into(),
            other => Self::new(ErrorKind::Invalid, format!("the savepoint was refused ({other})")),
        }
    }
}

impl From<CursorError> for Fault {
    fn from(error: CursorError) -> Self {
        match error {
            CursorError::Storage(error) => error.into(),
            other => Self::new(ErrorKind::Invalid, format!("the cursor refused the key ({other})")),
        }
    }
}

macro_rules! into_error {
    ($($source:ty),* $(,)?) => {
        $(impl From<$source> for Error {
            fn from(error: $source) -> Self {
                Fault::from(error).into()
            }
        })*
    };
}

into_error!(
    StorageError,
    BackendError,
    DatabaseError,
    TransactionError,
    TableError,
    CommitError,
    CompactionError,
    SetDurabilityError,
    SavepointError,
    CursorError,
);
