//! Writes many new tasks: the sorted union of their rows, table by table. Called by `engine/writer/bulk`, and by `engine/action/bulk` to ask
//! whether a kind allows it; writes headers, payloads, ids and index rows.

use std::ops::Bound;

use redb::{CursorError, Entry, Key, Table, Value};

use super::change::occupied;
use crate::{
    model::{
        error::Result,
        kind::Kind,
        task::{TaskKey, TaskRef},
        transition::Header,
    },
    storage::{
        encoding, keys,
        rows_of::{PayloadKeys, rows_of},
        store::{StoreKey, StoredTable},
        tables::{Tables, Writing},
    },
};

/// A task that is not in the file yet; the row of its id is, with its number.
pub(crate) struct NewRow<'a> {
    pub task: TaskRef,
    pub id: &'a TaskKey,
    pub header: Header,
    /// The encoded value of each index.
    pub indexes: &'a [Vec<u8>],
    /// The encoded payload row.
    pub record: &'a [u8],
}

impl<'a> NewRow<'a> {
    /// Only kinds without unique keys are written here.
    fn keys(&self) -> PayloadKeys<'a> {
        PayloadKeys { id: self.id, indexes: self.indexes, uniques: &[] }
    }
}

impl Kind {
    /// Whether new tasks of this kind need no rows but their own, and none is refused: no unique keys, no queues beside the claim order and no
    /// `max_waiting`.
    pub(crate) fn is_plain(&self) -> bool {
        self.uniques.is_empty() && !self.has_queues() && self.policy.max_waiting.is_none()
    }
}

impl Tables<Writing<'_>> {
    /// Stores the rows of ids that are new, and returns which were. The ids are sorted and unique.
    pub(crate) fn insert_new_ids(&mut self, ids: &[(Vec<u8>, u64)]) -> Result<Vec<bool>> {
        let table = match self.ids()? {
            StoredTable::File(table) => table,
            table @ StoredTable::Store(_) => return insert_new_ids_in_store(table, ids),
        };
        let done = fill_gap(table, ids.iter().map(|(id, seq)| (id.as_slice(), *seq)))?;
        let mut new = vec![true; done];
        for (id, seq) in &ids[done..] {
            new.push(match table.entry(id.as_slice())? {
                Entry::Occupied(_) => false,
                Entry::Vacant(entry) => {
                    entry.insert(seq)?;
                    true
                }
            });
        }
        Ok(new)
    }

    /// Writes new tasks of a plain kind, in the order of their numbers.
    pub(crate) fn apply_new(&mut self, kind: &Kind, rows: &[NewRow<'_>]) -> Result<()> {
        let keys: Vec<_> = rows.iter().map(|row| row.task.pack()).collect();
        let mut headers: Vec<([u8; TaskRef::LEN], Vec<u8>)> = Vec::with_capacity(rows.len());
        for (at, row) in rows.iter().enumerate() {
            // Most headers are equal, so that their records differ only by the key.
            let alike = at > 0 && rows[at - 1].header == row.header;
            let record = if alike {
                let (key, mut record) = headers[at - 1].clone();
                encoding::bind(&mut record, &key);
                encoding::bind(&mut record, &keys[at]);
                record
            } else {
                encoding::encode_at(&keys[at], &row.header)?
            };
            headers.push((keys[at], record));
        }
        insert_sorted(
            "tracker.headers",
            self.headers()?,
            headers.iter().map(|(key, record)| (key, record.as_slice())),
        )?;
        drop(headers);
        let payloads: Vec<_> = keys.iter().zip(rows).map(|(key, row)| bound_to_key(key, row.record)).collect();
        insert_sorted(
            "tracker.payloads",
            self.payloads()?,
            keys.iter().zip(&payloads).map(|(key, row)| (key, row.as_slice())),
        )?;
        drop(payloads);
        let derived: Vec<_> = rows.iter().map(|row| rows_of(kind, row.task, &row.header, Some(row.keys()))).collect();
        let mut claim_order: Vec<_> = derived.iter().map(|rows| rows.claim_order.pack()).collect();
        claim_order.sort_unstable();
        insert_sorted("tracker.claim_order", self.claim_order()?, claim_order.iter().map(|key| (key, ())))?;
        let mut updated: Vec<_> = derived.iter().filter_map(|rows| Some(rows.updated?.pack())).collect();
        updated.sort_unstable();
        if !updated.is_empty() {
            insert_sorted("tracker.updated", self.updated()?, updated.iter().map(|key| (key, ())))?;
        }
        let mut members: Vec<_> = derived.iter().filter_map(|rows| Some(rows.member?.pack())).collect();
        members.sort_unstable();
        if !members.is_empty() {
            insert_sorted("tracker.batch_members", self.batch_members()?, members.iter().map(|key| (key, ())))?;
        }
        let mut indexes: Vec<_> = rows
            .iter()
            .zip(&derived)
            .flat_map(|(row, derived)| {
                let values = (0..).zip(derived.keys.iter().flat_map(|keys| keys.indexes));
                values.map(|(number, value)| keys::index_key(kind.id, number, value, row.task.seq))
            })
            .collect();
        indexes.sort_unstable();
        if !indexes.is_empty() {
            insert_sorted("tracker.indexes", self.indexes()?, indexes.iter().map(|key| (key.as_slice(), ())))?;
        }
        Ok(())
    }
}

/// Binds a record to its key. It was encoded before its task had a number.
fn bound_to_key(key: &[u8], record: &[u8]) -> Vec<u8> {
    let mut bytes = record.to_vec();
    encoding::bind(&mut bytes, key);
    bytes
}

/// Inserts rows in the order of their keys; a row that is there already is damage.
fn insert_sorted<'e, K: StoreKey, V: Value + 'static>(
    name: &str,
    table: &mut StoredTable<Table<'_, K, V>, K, V>,
    rows: impl Iterator<Item = (K::SelfType<'e>, V::SelfType<'e>)> + Clone,
) -> Result<()> {
    let StoredTable::File(table) = table else {
        for (key, value) in rows {
            if !table.insert_new(key, value)? {
                return Err(occupied(name, "the number of a new task"));
            }
        }
        return Ok(());
    };
    let done = fill_gap(table, rows.clone())?;
    for (key, value) in rows.skip(done) {
        if table.insert(key, value)?.is_some() {
            return Err(occupied(name, "the number of a new task"));
        }
    }
    Ok(())
}

/// [`Tables::insert_new_ids`] in a store: all rows are loaded at once.
fn insert_new_ids_in_store(
    table: &mut StoredTable<Table<'_, &'static [u8], u64>, &'static [u8], u64>,
    ids: &[(Vec<u8>, u64)],
) -> Result<Vec<bool>> {
    table.prefetch(ids.iter().map(|(id, _)| id.as_slice()))?;
    let mut new = Vec::with_capacity(ids.len());
    for (id, seq) in ids {
        let is_new = table.get(id.as_slice())?.is_none();
        if is_new {
            table.insert(id.as_slice(), seq)?;
        }
        new.push(is_new);
    }
    Ok(new)
}

/// Inserts rows page by page, as long as no stored row lies between them. Returns how many.
fn fill_gap<'e, K: Key + 'static, V: Value + 'static>(
    table: &mut Table<'_, K, V>,
    rows: impl Iterator<Item = (K::SelfType<'e>, V::SelfType<'e>)> + Clone,
) -> Result<usize> {
    let Some((first, _)) = rows.clone().next() else { return Ok(0) };
    let mut cursor = table.lower_bound_mut(Bound::Included(first))?;
    let mut done = 0;
    for (key, value) in rows {
        match cursor.insert_before(key, value) {
            Ok(()) => done += 1,
            Err(CursorError::UnorderedKey) => break,
            Err(error) => return Err(error.into()),
        }
    }
    cursor.close()?;
    Ok(done)
}
