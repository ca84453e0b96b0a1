//! Tests of the errors of redb and of the system: their kinds, causes and messages.

use std::{error::Error as _, io, path::Path};

use redb::{CommitError, CompactionError, DatabaseError, StorageError, TableError, TransactionError};

use super::*;

#[test]
fn errors_of_the_operating_system_keep_their_cause() {
    for (code, kind) in [
        (1, ErrorKind::Io),
        (5, ErrorKind::Io),
        (13, ErrorKind::Io),
        (27, ErrorKind::NoSpace),
        (28, ErrorKind::NoSpace),
        (30, ErrorKind::Io),
    ] {
        let error = Error::from(StorageError::Io(io::Error::from_raw_os_error(code)));
        assert_eq!(error.kind(), kind, "{error}");
        let cause = error.source().and_then(|source| source.downcast_ref::<io::Error>()).unwrap();
        assert_eq!(cause.raw_os_error(), Some(code));
        assert!(error.to_string().contains("; "), "{error} does not say what to do");
    }
    for (kind, says) in
        [(io::ErrorKind::NotFound, "check the path"), (io::ErrorKind::Unsupported, "Sharing::Exclusive")]
    {
        let error = Error::from(StorageError::Io(kind.into()));
        assert!(error.kind() == ErrorKind::Io && error.to_string().contains(says), "{error}");
    }
    assert_eq!(Error::from(StorageError::Io(io::ErrorKind::QuotaExceeded.into())).kind(), ErrorKind::NoSpace);
    assert_eq!(Error::from(StorageError::Io(io::ErrorKind::UnexpectedEof.into())).kind(), ErrorKind::Corrupted);
}

#[test]
fn each_error_of_redb_has_its_kind() {
    let kinds = [
        (Error::from(StorageError::Corrupted("x".into())), ErrorKind::Corrupted),
        (StorageError::ValueTooLarge(1 << 40).into(), ErrorKind::Invalid),
        (StorageError::PreviousIo.into(), ErrorKind::Io),
        (StorageError::DatabaseClosed.into(), ErrorKind::Closed),
        (StorageError::Unsupported.into(), ErrorKind::Io),
        (DatabaseError::DatabaseAlreadyOpen.into(), ErrorKind::Busy),
        (DatabaseError::LockProtocolMismatch.into(), ErrorKind::Busy),
        (DatabaseError::RepairAborted.into(), ErrorKind::ReadOnly),
        (DatabaseError::UpgradeRequired(1).into(), ErrorKind::Foreign),
        (DatabaseError::TransactionInProgress.into(), ErrorKind::Busy),
        (TransactionError::WouldBlock.into(), ErrorKind::Busy),
        (TableError::TableDoesNotExist("x".into()).into(), ErrorKind::Foreign),
        (TableError::TableIsMultimap("x".into()).into(), ErrorKind::Foreign),
        (TableError::TableExists("x".into()).into(), ErrorKind::Invalid),
        (CommitError::TransactionPoisoned.into(), ErrorKind::Invalid),
        (CommitError::Storage(StorageError::PreviousIo).into(), ErrorKind::Io),
        (CompactionError::TransactionInProgress.into(), ErrorKind::Busy),
    ];
    for (error, kind) in kinds {
        assert_eq!(error.kind(), kind, "{error}");
        let text = error.to_string();
        assert!(text.starts_with(char::is_lowercase) && !text.ends_with('.'), "{text}");
    }
}

#[test]
fn impossible_repair_is_reported() {
    let fault = fault::Fault::from(io::Error::from_raw_os_error(30)).in_repair();
    let error = fault.at(Path::new("jobs.redb"));
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().starts_with("jobs.redb: it was not closed cleanly"), "{error}");
    assert!(error.source().is_some());
}

#[test]
fn the_file_is_named_first() {
    let error = fault::Fault::from(StorageError::PreviousIo).at(Path::new("/data/jobs.redb"));
    assert!(error.to_string().starts_with("/data/jobs.redb: an earlier failure"), "{error}");
}
