//! Recovers batches, before the tasks that belong to them, and dependencies, after all tasks. Called by `recover/mod.rs`; reads the damaged
//! file, and writes the new one through `Writer`.

use std::collections::{BTreeMap, BTreeSet};

use super::{Dependents, LostTask, Recovered};
use crate::{
    api::tracker::Tracker,
    engine::Seal,
    model::{
        error::{Error, Result},
        task::TaskRef,
        transition::{Batch, OnDependencyFailure, Roles, TimeShift},
    },
    storage::{
        definitions,
        encoding::on_failure_of,
        file::catch_redb_panic,
        keys::DependencyKey,
        read::task_rows::NUMBERS,
        tables::{Reading, Source, Tables},
    },
};

/// Copies the batches that can be read, with no tasks: each task is counted when it is copied. Returns the sealed batches. The caller seals them
/// after all tasks are copied, because a sealed batch without unfinished tasks ends.
pub(super) fn copy_batches(
    source: Reading<'_>,
    target: &Tracker,
    shift: &TimeShift,
    report: &mut Recovered,
) -> Result<Vec<Seal>> {
    let mut numbers = BTreeSet::new();
    let walked = walk("looking for batches", |backwards| {
        let table = source.open(definitions::BATCHES)?;
        let mut range = table.rows()?;
        while let Some(entry) = if backwards { range.next_back() } else { range.next() } {
            numbers.insert(entry?.0.value());
        }
        Ok(())
    });
    if let Err(error) = walked {
        let what = format!("further batches may be missing, since their table could not be read to its end: {error}");
        report.batches_lost.push(what);
    }
    let mut seals = Vec::new();
    for number in numbers {
        let read = catch_redb_panic("reading a batch", || {
            let mut rows = Tables::new(source);
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
                let batch = Batch { members: Roles::default(), has_dependents: false, sealed: false, ..batch };
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

/// Copies the dependencies of tasks. A dependency on a task that is lost counts as one on a deleted task. Reports each task of
/// which a dependency cannot be read, because it may start too early.
pub(super) fn copy_dependencies(
    source: Reading<'_>,
    target: &Tracker,
    dependents: &Dependents,
    report: &mut Recovered,
) -> Result<()> {
    let mut dependencies: BTreeMap<TaskRef, BTreeMap<TaskRef, OnDependencyFailure>> = BTreeMap::new();
    // A missing dependency is noticed below: the header of the task has the number of its dependencies.
    let _ = walk("looking for dependencies", |backwards| {
        let table = source.open(definitions::DEPENDENCIES)?;
        let mut range = table.rows()?;
        while let Some(entry) = if backwards { range.next_back() } else { range.next() } {
            let (key, value) = entry?;
            let key = DependencyKey::unpack(key.value());
            if let Ok(on_failure) = on_failure_of(value.value()) {
                dependencies.entry(key.from).or_default().insert(key.to, on_failure);
            }
        }
        Ok(())
    });
    for (task, ((kind, id), waits)) in dependents {
        let read = dependencies.get(task).map_or(0, BTreeMap::len);
        let missing = usize::try_from(*waits).unwrap_or(usize::MAX).saturating_sub(read);
        if missing > 0 {
            let what =
                format!("{missing} of its {waits} dependencies cannot be read: it may start before they have ended");
            report.lost.push(LostTask { kind: kind.clone(), id: Some(id.clone()), what });
        }
    }
    target.shared.engine.user_transaction(|writer| {
        for (dependent, dependencies) in &dependencies {
            writer.restore_dependencies(*dependent, dependencies)?;
        }
        Ok(())
    })
}

/// Reads a table from both of its ends, up to the first row that cannot be read. Returns the first error if neither reached the end.
fn walk(what: &str, mut read: impl FnMut(bool) -> Result<()>) -> Result<()> {
    catch_redb_panic(what, || read(false)).or_else(|error| catch_redb_panic(what, || read(true)).map_err(|_| error))
}
