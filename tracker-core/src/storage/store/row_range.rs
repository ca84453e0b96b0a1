//! `RowRange` iterates over the rows of a range of keys, from both ends. Made by `StoredTable`, which also removes the range of a store with it;
//! read by `storage/read/rows`, and by reads of whole tables in `storage` and `maintenance`. Loads the rows of a store when they are reached.

use std::marker::PhantomData;

use redb::{Range, Value};

use super::{RowGuard, RowKey, StoreKey, StoreTable, WorkingSet, working_set::FIRST_ROWS};
use crate::model::error::{Error, Result};

/// The rows of a range.
pub(crate) enum RowRange<'r, K: StoreKey, V: Value + 'static> {
    File(Range<'r, K, V>),
    Store(StoreRange<K, V>),
}

/// The rows of a range that lie between two keys of a store.
pub(crate) struct StoreRange<K, V> {
    set: WorkingSet,
    table: StoreTable,
    from: RowKey,
    /// The first key after the range; `None` for the end of the table.
    to: Option<RowKey>,
    /// Number of rows that the next load asks for.
    most: usize,
    types: PhantomData<(K, V)>,
}

/// A range that is read further asks for more rows, up to this number.
const MOST_ROWS: usize = 1_024;

type Row<'r, K, V> = (RowGuard<'r, K>, RowGuard<'r, V>);

impl<K: StoreKey, V: Value + 'static> StoreRange<K, V> {
    pub(super) fn new(set: WorkingSet, table: StoreTable, from: RowKey, to: Option<RowKey>) -> Self {
        Self { set, table, from, to, most: FIRST_ROWS, types: PhantomData }
    }

    fn next(&mut self, newest_first: bool) -> Result<Option<Row<'static, K, V>>> {
        if self.to.as_ref().is_some_and(|to| self.from >= *to) {
            return Ok(None);
        }
        let row = self.set.next(self.table, &self.from, self.to.as_ref(), newest_first, self.most)?;
        let Some((key, value)) = row else { return Ok(None) };
        self.most = (self.most * 2).min(MOST_ROWS);
        let damaged = || Error::corrupted(self.table.name(), format_args!("key {key:02x?}"), "it has another length");
        let row = (
            K::to_redb(&key).and_then(RowGuard::of_key).ok_or_else(damaged)?,
            RowGuard::of_store(value).ok_or_else(damaged)?,
        );
        if newest_first {
            self.to = Some(key);
        } else {
            self.from = key.after();
        }
        Ok(Some(row))
    }
}

impl<'r, K: StoreKey, V: Value + 'static> Iterator for RowRange<'r, K, V> {
    type Item = Result<Row<'r, K, V>>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::File(range) => range.next().map(of_file),
            Self::Store(range) => range.next(false).transpose(),
        }
    }
}

impl<K: StoreKey, V: Value + 'static> DoubleEndedIterator for RowRange<'_, K, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        match self {
            Self::File(range) => range.next_back().map(of_file),
            Self::Store(range) => range.next(true).transpose(),
        }
    }
}

fn of_file<'r, K: StoreKey, V: Value + 'static>(
    row: Result<(redb::AccessGuard<'r, K>, redb::AccessGuard<'r, V>), redb::StorageError>,
) -> Result<Row<'r, K, V>> {
    let (key, value) = row?;
    Ok((RowGuard::File(key), RowGuard::File(value)))
}

impl<K: StoreKey, V: Value + 'static> StoreRange<K, V> {
    /// Removes all rows of the range.
    pub(super) fn remove_all(mut self) -> Result<()> {
        while let Some(key) =
            self.set.next(self.table, &self.from, self.to.as_ref(), false, self.most)?.map(|(key, _)| key)
        {
            self.most = (self.most * 2).min(MOST_ROWS);
            self.from = key.after();
            self.set.put(self.table, key, None);
        }
        Ok(())
    }
}
