//! The calls that name types of redb, as extension traits: code that does not import them works with any store.

use std::{io, sync::Arc};

use redb::{Key, StorageBackend, Table, TableDefinition, TableError, TableHandle as _, Value};

use crate::{
    api::{options::Options, tracker::Tracker, transaction::Transaction},
    model::error::{Error, ErrorKind, Result},
    storage::{definitions::RESERVED, file::Location},
};

/// Adds tables of redb to [`Transaction`].
pub trait TransactionExt<'t> {
    /// Opens a table of your own in this transaction. Names that start with `tracker.` are reserved.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the name is reserved, the table holds other types, or it is already open in this transaction.
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
        let name = definition.name();
        if name.starts_with(RESERVED) {
            return Err(Error::invalid(format!("the table name {name:?} is reserved for the tracker: choose another")));
        }
        self.redb().open_table(definition).map_err(|error| match error {
            TableError::TableTypeMismatch { .. } => Error::caused(
                ErrorKind::Invalid,
                format!("your table {name:?} holds other types of keys or values: {error}"),
                error,
            ),
            TableError::TableAlreadyOpen(..) => {
                Error::invalid(format!("your table {name:?} is open already in this transaction: drop it first"))
            }
            other => other.into(),
        })
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
}

impl OptionsExt for Options {
    fn open_backend(
        self,
        make: impl Fn() -> io::Result<Box<dyn StorageBackend>> + Send + Sync + 'static,
    ) -> Result<Tracker> {
        self.start(Location::Backend(Arc::new(make)), false)
    }
}
