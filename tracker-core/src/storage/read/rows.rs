//! `Rows` iterates over a range and checks the rows against the order of their keys. A damaged key would make a search skip rows or return rows
//! outside of the range, and a listing that continues after its last row would never end. Used by `storage/tables`, `storage/read` and
//! `storage/write`; writes no row.

use std::ops::{Bound, RangeBounds};

use redb::{ReadableTable, Value};

use crate::{
    model::error::{Error, Result},
    storage::store::{RowGuard, RowRange, StoredTable},
};

pub(crate) struct Rows<'r, const N: usize, V: Value + 'static> {
    table: &'static str,
    range: RowRange<'r, &'static [u8; N], V>,
    bounds: (Bound<[u8; N]>, Bound<[u8; N]>),
    last: Option<[u8; N]>,
    newest_first: bool,
}

type Row<'r, const N: usize, V> = (RowGuard<'r, &'static [u8; N]>, RowGuard<'r, V>);

impl<'r, const N: usize, V: Value + 'static> Rows<'r, N, V> {
    /// The rows of a table, of this name, whose keys lie in a range.
    pub(crate) fn of(
        name: &'static str,
        table: &'r StoredTable<impl ReadableTable<&'static [u8; N], V>, &'static [u8; N], V>,
        range: impl RangeBounds<[u8; N]>,
    ) -> Result<Self> {
        let bounds = (range.start_bound().cloned(), range.end_bound().cloned());
        let range = table.range::<&[u8; N]>((bounds.0.as_ref(), bounds.1.as_ref()))?;
        Ok(Self { table: name, range, bounds, last: None, newest_first: false })
    }

    /// Reverses the order if `newest_first`.
    pub(crate) fn newest_first(self, newest_first: bool) -> Self {
        Self { newest_first, ..self }
    }

    fn check(&mut self, key: [u8; N]) -> Result<()> {
        let beyond = self.last.is_none_or(|last| if self.newest_first { key < last } else { key > last });
        self.last = Some(key);
        if beyond && self.bounds.contains(&key) {
            return Ok(());
        }
        Err(Error::corrupted(self.table, format_args!("key {key:02x?}"), "its rows are out of order"))
    }
}

impl<'r, const N: usize, V: Value + 'static> Iterator for Rows<'r, N, V> {
    type Item = Result<Row<'r, N, V>>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = if self.newest_first { self.range.next_back() } else { self.range.next() };
        Some(entry?.and_then(|(key, value)| self.check(*key.value()).map(|()| (key, value))))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use redb::{Database, ReadableDatabase, TableDefinition, backends::InMemoryBackend};

    use super::*;

    const TABLE: TableDefinition<&[u8; 1], ()> = TableDefinition::new("table");

    /// Returns for each of these keys whether a read between two keys accepts its row.
    fn accepted(low: u8, high: u8, newest_first: bool, keys: &[u8]) -> Vec<bool> {
        let db = Database::builder().create_with_backend(InMemoryBackend::new()).unwrap();
        let write = db.begin_write().unwrap();
        drop(write.open_table(TABLE).unwrap());
        write.commit().unwrap();
        let table = StoredTable::File(db.begin_read().unwrap().open_table(TABLE).unwrap());
        let mut rows = Rows::of("table", &table, [low]..=[high]).unwrap().newest_first(newest_first);
        keys.iter().map(|key| rows.check([*key]).is_ok()).collect()
    }

    #[test]
    fn rows_come_in_key_order_within_their_bounds() {
        assert_eq!(accepted(3, 7, false, &[3, 5, 7]), [true; 3]);
        assert_eq!(accepted(3, 7, true, &[7, 5, 3]), [true; 3]);
        for newest_first in [false, true] {
            assert_eq!(accepted(3, 7, newest_first, &[2]), [false]);
            assert_eq!(accepted(3, 7, newest_first, &[8]), [false]);
            assert_eq!(accepted(3, 7, newest_first, &[5, 5]), [true, false], "again");
        }
        assert_eq!(accepted(3, 7, false, &[5, 4]), [true, false]);
        assert_eq!(accepted(3, 7, true, &[5, 6]), [true, false]);
    }
}
