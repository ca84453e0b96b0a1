//! Writes the difference of two row sets of one task, and finds the rival for a unique key. Called by `change`, `engine/writer/rebuild`, and
//! `Writer` for rivals; writes the index tables, which `rows_of` derives, and the limit tables through `concurrency_limit`.

use crate::{
    model::{error::Result, kind::Kind, task::TaskRef},
    storage::{
        keys,
        rows_of::{DerivedRows, KeyRows, UniqueRow},
        tables::{Tables, Writing},
    },
};

impl Tables<Writing<'_>> {
    /// Replaces the rows of a task. Where both sets exist, both or neither have the rows of keys: without them, these stay.
    pub(crate) fn replace_rows(
        &mut self,
        kind: &Kind,
        task: TaskRef,
        before: Option<&DerivedRows<'_>>,
        after: Option<&DerivedRows<'_>>,
    ) -> Result<()> {
        self.replace_limit_rows(kind, before, after)?;
        self.remove_rows(kind.id, task, before, after)?;
        self.insert_rows(kind.id, task, before, after)
    }

    /// Removes the rows of `before` that are not in `after`, except for those of a concurrency limit.
    pub(crate) fn remove_rows(
        &mut self,
        kind: u32,
        task: TaskRef,
        before: Option<&DerivedRows<'_>>,
        after: Option<&DerivedRows<'_>>,
    ) -> Result<()> {
        let Some(before) = before else { return Ok(()) };
        if after.is_none_or(|after| after.claim_order != before.claim_order) {
            self.claim_order()?.remove(&before.claim_order.pack())?;
        }
        if let Some(key) = before.updated
            && after.is_none_or(|after| after.updated != before.updated)
        {
            self.updated()?.remove(&key.pack())?;
        }
        if let Some(key) = before.member
            && after.is_none_or(|after| after.member != before.member)
        {
            self.batch_members()?.remove(&key.pack())?;
        }
        let kept = after.map(|after| after.keys.as_ref());
        let (Some(left), None | Some(Some(_))) = (&before.keys, kept) else { return Ok(()) };
        let kept = kept.flatten();
        for (number, value) in differing_indexes(left, kept) {
            self.indexes()?.remove(keys::index_key(kind, number, value, task.seq).as_slice())?;
        }
        for row in left.uniques.iter().filter(|row| kept.is_none_or(|kept| !kept.uniques.contains(row))) {
            self.unique_keys()?.remove(keys::unique_key(kind, row.number, row.value).as_slice())?;
        }
        if kept.is_none_or(|kept| kept.id != left.id) {
            self.ids()?.remove(keys::id_key(kind, left.id).as_slice())?;
        }
        Ok(())
    }

    /// Inserts the rows of `after` that are not in `before`, except for those of a concurrency limit.
    pub(crate) fn insert_rows(
        &mut self,
        kind: u32,
        task: TaskRef,
        before: Option<&DerivedRows<'_>>,
        after: Option<&DerivedRows<'_>>,
    ) -> Result<()> {
        let Some(after) = after else { return Ok(()) };
        if before.is_none_or(|before| before.claim_order != after.claim_order) {
            self.claim_order()?.insert(&after.claim_order.pack(), ())?;
        }
        if let Some(key) = after.updated
            && before.is_none_or(|before| before.updated != after.updated)
        {
            self.updated()?.insert(&key.pack(), ())?;
        }
        if let Some(key) = after.member
            && before.is_none_or(|before| before.member != after.member)
        {
            self.batch_members()?.insert(&key.pack(), ())?;
        }
        let known = before.map(|before| before.keys.as_ref());
        let (Some(entered), None | Some(Some(_))) = (&after.keys, known) else { return Ok(()) };
        let known = known.flatten();
        for (number, value) in differing_indexes(entered, known) {
            self.indexes()?.insert(keys::index_key(kind, number, value, task.seq).as_slice(), ())?;
        }
        for row in entered.uniques.iter().filter(|row| known.is_none_or(|known| !known.uniques.contains(row))) {
            self.unique_keys()?.insert(keys::unique_key(kind, row.number, row.value).as_slice(), task.seq)?;
        }
        if known.is_none_or(|known| known.id != entered.id) {
            self.ids()?.insert(keys::id_key(kind, entered.id).as_slice(), task.seq)?;
        }
        Ok(())
    }

    /// The task that holds a unique key which `after` has and `before` has not.
    pub(crate) fn rival(
        &mut self,
        kind: u32,
        task: TaskRef,
        before: Option<&DerivedRows<'_>>,
        after: Option<&DerivedRows<'_>>,
    ) -> Result<Option<TaskRef>> {
        let known = unique_rows(before);
        for row in unique_rows(after).iter().filter(|row| !known.contains(row)) {
            if let Some(other) = self.with_unique(kind, row.number, row.value)?
                && other != task
            {
                return Ok(Some(other));
            }
        }
        Ok(None)
    }
}

fn unique_rows<'r, 'p>(rows: Option<&'r DerivedRows<'p>>) -> &'r [UniqueRow<'p>] {
    rows.and_then(|rows| rows.keys.as_ref()).map_or(&[], |keys| &keys.uniques)
}

/// The index rows of one set that the other set does not have.
fn differing_indexes<'p>(rows: &KeyRows<'p>, other: Option<&KeyRows<'p>>) -> impl Iterator<Item = (u16, &'p [u8])> {
    let other = other.map_or(&[][..], |other| other.indexes);
    let numbered = (0..).zip(rows.indexes).enumerate();
    numbered
        .filter(move |(at, (_, value))| other.get(*at) != Some(value))
        .map(|(_, (number, value))| (number, value.as_slice()))
}
