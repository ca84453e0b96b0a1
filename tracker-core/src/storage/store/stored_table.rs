//! `StoredTable` is a table of the file or of a store, with one set of calls. Opened by `storage/tables`; used by all reads and writes of
//! rows in `storage`, and through `Tables` by `maintenance`.

use std::{
    borrow::Borrow,
    marker::PhantomData,
    ops::{Bound, RangeBounds},
};

use redb::{ReadableTable, Table, Value};

use super::{RowGuard, RowKey, RowRange, StoreKey, StoreTable, WorkingSet, row_range::StoreRange};
use crate::model::error::{Error, Result};

/// A table. `T` is the table of redb.
pub(crate) enum StoredTable<T, K, V> {
    File(T),
    Store(StoreRows<K, V>),
}

/// The rows of a table as a unit of work sees them.
pub(crate) struct StoreRows<K, V> {
    set: WorkingSet,
    table: StoreTable,
    types: PhantomData<(K, V)>,
}

impl<K: StoreKey, V: Value + 'static> StoreRows<K, V> {
    pub(crate) fn new(set: WorkingSet, table: StoreTable) -> Self {
        Self { set, table, types: PhantomData }
    }

    fn get(&self, key: &K::SelfType<'_>) -> Result<Option<RowGuard<'static, V>>> {
        let key = K::to_store(key);
        let Some(bytes) = self.set.get(self.table, &key)? else { return Ok(None) };
        let damaged = || Error::corrupted(self.table.name(), format_args!("key {key:02x?}"), "it has another length");
        RowGuard::of_store(bytes).map(Some).ok_or_else(damaged)
    }

    fn range(&self, from: Bound<RowKey>, to: Bound<RowKey>) -> StoreRange<K, V> {
        let from = match from {
            Bound::Included(key) => key,
            Bound::Excluded(key) => key.after(),
            Bound::Unbounded => RowKey::from(&[][..]),
        };
        let to = match to {
            Bound::Included(key) => Some(key.after()),
            Bound::Excluded(key) => Some(key),
            Bound::Unbounded => None,
        };
        StoreRange::new(self.set.clone(), self.table, from, to)
    }
}

impl<T: ReadableTable<K, V>, K: StoreKey, V: Value + 'static> StoredTable<T, K, V> {
    pub(crate) fn get<'k>(&self, key: impl Borrow<K::SelfType<'k>>) -> Result<Option<RowGuard<'_, V>>> {
        match self {
            Self::File(table) => Ok(table.get(key)?.map(RowGuard::File)),
            Self::Store(rows) => rows.get(key.borrow()),
        }
    }

    /// Loads rows of a store that are read soon, all at once.
    pub(crate) fn prefetch<'k>(&self, keys: impl IntoIterator<Item = K::SelfType<'k>>) -> Result<()> {
        match self {
            Self::File(_) => Ok(()),
            Self::Store(rows) => rows.set.prefetch(rows.table, keys.into_iter().map(|key| K::to_store(&key))),
        }
    }

    /// Loads the first rows of several ranges of a store, all at once: first key, last key, number of rows.
    pub(crate) fn prefetch_ranges<'k>(
        &self,
        ranges: impl IntoIterator<Item = (K::SelfType<'k>, K::SelfType<'k>, usize)>,
    ) -> Result<()> {
        match self {
            Self::File(_) => Ok(()),
            Self::Store(rows) => {
                let bytes = |(first, last, most)| (K::to_store(&first), Some(K::to_store(&last).after()), most);
                rows.set.prefetch_ranges(rows.table, ranges.into_iter().map(bytes))
            }
        }
    }

    /// The rows whose keys lie in a range.
    pub(crate) fn range<'k, Q>(&self, range: impl RangeBounds<Q> + 'k) -> Result<RowRange<'_, K, V>>
    where
        Q: Borrow<K::SelfType<'k>> + 'k,
    {
        match self {
            Self::File(table) => Ok(RowRange::File(table.range(range)?)),
            Self::Store(rows) => {
                let bytes = |key: &Q| K::to_store(key.borrow());
                Ok(RowRange::Store(rows.range(range.start_bound().map(bytes), range.end_bound().map(bytes))))
            }
        }
    }

    /// All rows.
    pub(crate) fn rows(&self) -> Result<RowRange<'_, K, V>> {
        match self {
            Self::File(table) => Ok(RowRange::File(table.iter()?)),
            Self::Store(rows) => Ok(RowRange::Store(rows.range(Bound::Unbounded, Bound::Unbounded))),
        }
    }
}

impl<K: StoreKey, V: Value + 'static> StoredTable<Table<'_, K, V>, K, V> {
    /// Stores a row in place of that with the same key.
    pub(crate) fn insert<'k, 'v>(
        &mut self,
        key: impl Borrow<K::SelfType<'k>>,
        value: impl Borrow<V::SelfType<'v>>,
    ) -> Result<()> {
        match self {
            Self::File(table) => drop(table.insert(key, value)?),
            Self::Store(rows) => rows.put(key.borrow(), Some(value.borrow())),
        }
        Ok(())
    }

    /// [`Self::insert`]; returns the row that was there.
    pub(crate) fn replace<'k, 'v>(
        &mut self,
        key: impl Borrow<K::SelfType<'k>>,
        value: impl Borrow<V::SelfType<'v>>,
    ) -> Result<Option<RowGuard<'_, V>>> {
        match self {
            Self::File(table) => Ok(table.insert(key, value)?.map(RowGuard::File)),
            Self::Store(rows) => {
                let before = rows.get(key.borrow())?;
                rows.put(key.borrow(), Some(value.borrow()));
                Ok(before)
            }
        }
    }

    /// Stores a new row. False if there is one with its key: in a file at once, in a store when the unit of work commits.
    pub(crate) fn insert_new<'k, 'v>(
        &mut self,
        key: impl Borrow<K::SelfType<'k>>,
        value: impl Borrow<V::SelfType<'v>>,
    ) -> Result<bool> {
        match self {
            Self::File(table) => Ok(table.insert(key, value)?.is_none()),
            Self::Store(rows) => {
                let is_new = !rows.set.has(rows.table, &K::to_store(key.borrow()));
                rows.put(key.borrow(), Some(value.borrow()));
                Ok(is_new)
            }
        }
    }

    /// Removes a row, if it exists.
    pub(crate) fn remove<'k>(&mut self, key: impl Borrow<K::SelfType<'k>>) -> Result<()> {
        match self {
            Self::File(table) => drop(table.remove(key)?),
            Self::Store(rows) => rows.put(key.borrow(), None),
        }
        Ok(())
    }

    /// [`Self::remove`]; returns the row.
    pub(crate) fn take<'k>(&mut self, key: impl Borrow<K::SelfType<'k>>) -> Result<Option<RowGuard<'_, V>>> {
        match self {
            Self::File(table) => Ok(table.remove(key)?.map(RowGuard::File)),
            Self::Store(rows) => {
                let before = rows.get(key.borrow())?;
                rows.put(key.borrow(), None);
                Ok(before)
            }
        }
    }

    /// Removes the rows whose keys lie in a range.
    pub(crate) fn remove_range<'k, Q>(&mut self, range: impl RangeBounds<Q> + 'k) -> Result<()>
    where
        Q: Borrow<K::SelfType<'k>> + 'k,
    {
        match self {
            Self::File(table) => Ok(table.retain_in(range, |_, _| false)?),
            Self::Store(rows) => {
                let bytes = |key: &Q| K::to_store(key.borrow());
                let range = rows.range(range.start_bound().map(bytes), range.end_bound().map(bytes));
                range.remove_all()
            }
        }
    }
}

impl<K: StoreKey, V: Value + 'static> StoreRows<K, V> {
    fn put(&self, key: &K::SelfType<'_>, value: Option<&V::SelfType<'_>>) {
        let value = value.map(|value| V::as_bytes(value).as_ref().to_vec());
        self.set.put(self.table, K::to_store(key), value);
    }
}
