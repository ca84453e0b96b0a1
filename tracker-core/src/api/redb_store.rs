//! Extension traits for users of redb: tables of their own in a transaction (`TransactionExt`) or in a read (`TrackerExt`), and a storage backend
//! of their own (`OptionsExt`), with a redo log if it is a `LoggedBackend`. Called by users and `tracker-cli`; opens the user's tables in the open transaction or a snapshot, and runs the
//! user's functions that read a table and make a backend. Code that does not import them works with any store.

use std::{fmt, io, sync::Arc};

use redb::{Key, ReadOnlyTable, StorageBackend, Table, TableDefinition, TableError, TableHandle, Value};

use crate::{
    api::{options::Options, tracker::Tracker, transaction::Transaction},
    engine::Place,
    model::error::{Error, ErrorKind, Result},
    storage::{
        definitions::RESERVED,
        file::{Backend, Location, LogWriter},
        tables::Reading,
    },
};

/// Adds tables of redb to [`Transaction`].
pub trait TransactionExt<'t> {
    /// Opens a table of your own in this transaction. Names that start with `tracker.` are reserved.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the name is reserved, the table holds other types, or it is already open in this transaction;
    /// [`ErrorKind::Unsupported`] if the tracker is in a [store](crate::store).
    fn table<K: Key + 'static, V: Value + 'static>(
        &self,
        definition: TableDefinition<'_, K, V>,
    ) -> Result<Table<'t, K, V>>;
}

impl<'t> TransactionExt<'t> for Transaction<'_, 't> {
    fn table<K: Key + 'static, V: Value + 'static>(
        &self,
        definition: TableDefinition<'_, K, V>,
    ) -> Result<Table<'t, K, V>> {
        check_name(&definition)?;
        let txn = self.redb().ok_or_else(|| no_tables(&definition))?;
        txn.open_table(definition).map_err(|error| table_error(&definition, error))
    }
}

/// Adds reads of redb tables to [`Tracker`].
pub trait TrackerExt {
    /// Reads a table of your own in the state of the last commit, also in a file that is opened only for inspection. Returns `None` if
    /// the file has no table of this name.
    ///
    /// The file does not reuse the pages of the snapshot until `read` returns, so keep it short.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the name is reserved, or the table holds other types; [`ErrorKind::Unsupported`] if the tracker is in a
    /// [store](crate::store).
    fn read_table<K: Key + 'static, V: Value + 'static, R>(
        &self,
        definition: TableDefinition<'_, K, V>,
        read: impl FnOnce(&ReadOnlyTable<K, V>) -> R,
    ) -> Result<Option<R>>;
}

impl TrackerExt for Tracker {
    fn read_table<K: Key + 'static, V: Value + 'static, R>(
        &self,
        definition: TableDefinition<'_, K, V>,
        read: impl FnOnce(&ReadOnlyTable<K, V>) -> R,
    ) -> Result<Option<R>> {
        check_name(&definition)?;
        let table = self.shared.engine.read(|tables| {
            let Reading::File(txn) = tables.source() else { return Err(no_tables(&definition)) };
            match txn.open_table(definition) {
                Ok(table) => Ok(Some(table)),
                Err(TableError::TableDoesNotExist(_)) => Ok(None),
                Err(error) => Err(table_error(&definition, error)),
            }
        })?;
        Ok(table.as_ref().map(read))
    }
}

/// Refuses the names of the tracker's own tables.
fn check_name(definition: &impl TableHandle) -> Result<()> {
    let name = definition.name();
    if name.starts_with(RESERVED) {
        return Err(Error::invalid(format!("the table name {name:?} is reserved for the tracker: choose another")));
    }
    Ok(())
}

/// The error of a tracker that is not in a redb file.
fn no_tables(definition: &impl TableHandle) -> Error {
    let name = definition.name();
    Error::new(
        ErrorKind::Unsupported,
        format!(
            "cannot open your redb table {name:?}: this tracker is in a store that is no redb file; keep the table in a file of its own"
        ),
    )
}

fn table_error(definition: &impl TableHandle, error: TableError) -> Error {
    let name = definition.name();
    match error {
        TableError::TableTypeMismatch { .. } => Error::caused(
            ErrorKind::Invalid,
            format!("your table {name:?} holds other types of keys or values: {error}"),
            error,
        ),
        TableError::TableAlreadyOpen(..) => {
            Error::invalid(format!("your table {name:?} is open already in this transaction: drop it first"))
        }
        other => other.into(),
    }
}

/// Adds storage backends of redb to [`Options`].
pub trait OptionsExt {
    /// Opens a tracker on a storage backend, for tests that inject faults. The tracker reopens its storage after an error, so
    /// each call of `make` must return a handle to the same bytes.
    ///
    /// # Errors
    /// As [`Options::open`].
    fn open_backend(
        self,
        make: impl Fn() -> io::Result<Box<dyn StorageBackend>> + Send + Sync + 'static,
    ) -> Result<Tracker>;

    /// Opens a tracker on a storage backend into which it writes a redo log, as into a file, once it has flushed it a few times.
    ///
    /// # Errors
    /// As [`Options::open`].
    fn open_logged_backend(
        self,
        make: impl Fn() -> io::Result<LoggedBackend> + Send + Sync + 'static,
    ) -> Result<Tracker>;
}

/// A storage backend with room for a redo log.
#[non_exhaustive]
pub struct LoggedBackend {
    storage: Box<dyn StorageBackend>,
    log: LogWriter,
}

impl LoggedBackend {
    /// `write_through` writes bytes at an offset of `storage`, and returns once they would survive a power loss; other writes need not. The log
    /// has `log_length` bytes, rounded up to a multiple of 64 KiB, and 512 more, so that redb without the log refuses the storage.
    #[must_use]
    pub fn new(
        storage: Box<dyn StorageBackend>,
        write_through: impl Fn(u64, &[u8]) -> io::Result<()> + Send + Sync + 'static,
        log_length: u32,
    ) -> Self {
        let length = u64::from(log_length).max(1).next_multiple_of(1 << 16) + 512;
        Self { storage, log: LogWriter { write_through: Box::new(write_through), length } }
    }
}

impl fmt::Debug for LoggedBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoggedBackend").field("storage", &self.storage).finish_non_exhaustive()
    }
}

impl OptionsExt for Options {
    fn open_backend(
        self,
        make: impl Fn() -> io::Result<Box<dyn StorageBackend>> + Send + Sync + 'static,
    ) -> Result<Tracker> {
        self.start(Place::File(Location::backend(make)), false)
    }

    fn open_logged_backend(
        self,
        make: impl Fn() -> io::Result<LoggedBackend> + Send + Sync + 'static,
    ) -> Result<Tracker> {
        let location = Location::Backend(Arc::new(move || {
            let LoggedBackend { storage, log } = make()?;
            Ok(Backend { storage, log: Some(log) })
        }));
        self.start(Place::File(location), false)
    }
}
