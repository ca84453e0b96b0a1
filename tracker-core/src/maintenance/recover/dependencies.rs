//! What tasks have to do with others, copied after the tasks themselves.

use std::collections::{BTreeMap, BTreeSet};

use redb::{ReadTransaction, ReadableTable};

use super::Recovered;
use crate::{
    api::tracker::Tracker,
    engine::Seal,
    model::{
        error::{Error, Result},
        task::TaskRef,
        transition::{Batch, OnDependencyFailure, Roles, TimeShift},
    },
    storage::{
        definitions, encoding::otherwise_of, file::guard, keys::DependencyKey, read::task_rows::NUMBERS, tables::Tables,
    },
};

/// Copies the batches that can be read; their tasks are counted as they come.
///
/// Gives those back that no more tasks come into. They are to be sealed when all tasks are there, lest they be over before.
pub(super) fn copy_batches(
    txn: &ReadTransaction,
    target: &Tracker,
    shift: &TimeShift,
    report: &mut Recovered,
) -> Result<Vec<Seal>> {
    let mut numbers = BTreeSet::new();
    walk("looking for batches", |backwards| {
        let table = txn.open_table(definitions::BATCHES)?;
        let mut range = table.iter()?;
        while let Some(entry) = if backwards { range.next_back() } else { range.next() } {
            numbers.insert(entry?.0.value());
        }
        Ok(())
    });
    let mut seals = Vec::new();
    for number in numbers {
        let read = guard("reading a batch", || {
            let mut rows = Tables::new(txn);
            let batch = rows.batch(number)?.ok_or_else(|| Error::corrupted("tracker.batches", number, "it is gone"))?;
            if number >= NUMBERS {
                return Err(Error::corrupted("tracker.batches", number, "its number is one that no file gives out"));
            }
            Ok((batch, rows.follow_up(number)?))
        });
        match read {
            Ok((batch, follow_up)) => {
                let batch = shift.batch(&batch);
                if batch.sealed {
                    seals.push(Seal { batch: number, sealed: true });
                }
                let batch = Batch { members: Roles::default(), watched: false, sealed: false, ..batch };
                target
                    .shared
                    .engine
                    .user_transaction(|writer| writer.restore_batch(number, batch, follow_up.as_ref()))?;
            }
            Err(error) => report.batches_lost.push(error.to_string()),
        }
    }
    Ok(seals)
}

/// Copies who waits for whom. Whoever waited for one that is lost hears that it was deleted.
pub(super) fn copy_needs(txn: &ReadTransaction, target: &Tracker) -> Result<()> {
    let mut needs: BTreeMap<TaskRef, BTreeMap<TaskRef, OnDependencyFailure>> = BTreeMap::new();
    walk("looking for dependencies", |backwards| {
        let table = txn.open_table(definitions::NEEDS)?;
        let mut range = table.iter()?;
        while let Some(entry) = if backwards { range.next_back() } else { range.next() } {
            let (key, value) = entry?;
            let key = DependencyKey::unpack(key.value());
            if let Ok(otherwise) = otherwise_of(value.value()) {
                needs.entry(key.from).or_default().insert(key.to, otherwise);
            }
        }
        Ok(())
    });
    target.shared.engine.user_transaction(|writer| {
        for (waiter, needs) in &needs {
            writer.restore_needs(*waiter, needs)?;
        }
        Ok(())
    })
}

/// Reads a table from both of its ends, up to where it cannot be read.
fn walk(what: &str, mut read: impl FnMut(bool) -> Result<()>) {
    if guard(what, || read(false)).is_err() {
        drop(guard(what, || read(true)));
    }
}
