//! Many new tasks at once: the rows are those of `apply`, but each table gets its own in the order of its keys.

use std::ops::Bound;

use redb::{CursorError, Entry, Key, Table, Value, WriteTransaction};

use super::change::occupied;
use crate::{
    model::{error::Result, kind::Kind, task::TaskRef, transition::Header},
    storage::{encoding, keys, order::position, tables::Tables},
};

/// A task that is not in the file yet; its id is, with its number.
pub(crate) struct NewRow<'a> {
    pub task: TaskRef,
    pub header: Header,
    /// The encoded value of each index.
    pub indexes: &'a [Vec<u8>],
    /// The body's record.
    pub record: &'a [u8],
}

impl Kind {
    /// Whether new tasks of this kind need nothing besides rows of their own: no key that others may hold, no slot.
    pub(crate) fn is_plain(&self) -> bool {
        self.uniques.is_empty() && self.limit().is_none()
    }
}

impl Tables<&WriteTransaction> {
    /// Gives numbers to the ids that are new, and says which were. The ids come in their order, each once.
    pub(crate) fn number(&mut self, ids: &[(Vec<u8>, u64)]) -> Result<Vec<bool>> {
        let table = self.ids()?;
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
            // Most are alike.
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
        let bodies: Vec<_> = keys.iter().zip(rows).map(|(key, row)| bound(key, row.record)).collect();
        insert_sorted(
            "tracker.bodies",
            self.bodies()?,
            keys.iter().zip(&bodies).map(|(key, body)| (key, body.as_slice())),
        )?;
        drop(bodies);
        let places: Vec<_> = rows.iter().map(|row| position(&kind.graph, row.task, &row.header)).collect();
        let mut line: Vec<_> = places.iter().map(|place| place.line.pack()).collect();
        line.sort_unstable();
        insert_sorted("tracker.line", self.line()?, line.iter().map(|key| (key, ())))?;
        let mut updated: Vec<_> = places.iter().filter_map(|place| Some(place.updated?.pack())).collect();
        updated.sort_unstable();
        if !updated.is_empty() {
            insert_sorted("tracker.updated", self.updated()?, updated.iter().map(|key| (key, ())))?;
        }
        if !kind.indexes.is_empty() {
            let of = |row: &NewRow<'_>| {
                let values = (0..).zip(row.indexes).take(kind.indexes.len());
                values.map(|(number, value)| keys::index_key(kind.id, number, value, row.task.seq)).collect::<Vec<_>>()
            };
            let mut indexes: Vec<_> = rows.iter().flat_map(of).collect();
            indexes.sort_unstable();
            insert_sorted("tracker.indexes", self.indexes()?, indexes.iter().map(|key| (key.as_slice(), ())))?;
        }
        Ok(())
    }
}

/// A record that was made before its task had a number.
fn bound(key: &[u8], record: &[u8]) -> Vec<u8> {
    let mut bytes = record.to_vec();
    encoding::bind(&mut bytes, key);
    bytes
}

/// Inserts rows in the order of their keys; a row that is there already is damage.
fn insert_sorted<'e, K: Key + 'static, V: Value + 'static>(
    name: &str,
    table: &mut Table<'_, K, V>,
    rows: impl Iterator<Item = (K::SelfType<'e>, V::SelfType<'e>)> + Clone,
) -> Result<()> {
    let done = fill_gap(table, rows.clone())?;
    for (key, value) in rows.skip(done) {
        if table.insert(key, value)?.is_some() {
            return Err(occupied(name, "the number of a new task"));
        }
    }
    Ok(())
}

/// Inserts rows, as long as they lie between the same two that are there: whole pages at a time. Says how many.
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
