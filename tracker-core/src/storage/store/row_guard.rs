//! `RowGuard` holds a key or a value that was read, from a page of the file or from a store. Returned by `StoredTable` and `RowRange` to
//! all reads of rows in `storage`; loads nothing.

use redb::{AccessGuard, Value};

use super::RowKey;

/// A key or a value. Of the file it borrows the page.
pub(crate) enum RowGuard<'r, V: Value + 'static> {
    File(AccessGuard<'r, V>),
    /// Bytes whose length was checked.
    Store(Vec<u8>),
    /// The bytes of a key, whose length was checked.
    Key(RowKey),
}

impl<V: Value + 'static> RowGuard<'_, V> {
    /// Bytes of a store; `None` if their length is not that of the type.
    pub(super) fn of_store(bytes: Vec<u8>) -> Option<Self> {
        V::fixed_width().is_none_or(|width| width == bytes.len()).then_some(Self::Store(bytes))
    }

    /// A key of a store; `None` if its length is not that of the type.
    pub(super) fn of_key(key: RowKey) -> Option<Self> {
        V::fixed_width().is_none_or(|width| width == key.len()).then_some(Self::Key(key))
    }

    pub(crate) fn value(&self) -> V::SelfType<'_> {
        match self {
            Self::File(guard) => guard.value(),
            Self::Store(bytes) => V::from_bytes(bytes),
            Self::Key(key) => V::from_bytes(key),
        }
    }
}
