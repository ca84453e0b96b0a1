//! Copies what is readable of a damaged file into a new one.

mod source;
mod ties;

use std::{collections::BTreeSet, path::Path, sync::Arc};

use redb::ReadTransaction;

use crate::{
    disk::{
        file::{Sharing, guard},
        keys::TaskRef,
        tables,
    },
    engine::Writer,
    error::{Error, Result},
    rules::TimeShift,
    store::{Handles, Kind, NUMBERS, Whole},
    task::TaskKey,
    tracker::Tracker,
};

/// What [`Tracker::recover`] could copy, and what it could not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovered {
    /// Tasks that stand in the new file.
    pub tasks: u64,
    /// Tasks that could not be read, or not whole: their kind, their id where at least that was readable, and what was
    /// wrong.
    pub lost: Vec<Lost>,
    /// What was wrong with batches that could not be read; their tasks belong to none in the new file.
    pub batches_lost: Vec<String>,
    /// Whether the new file is as of the commit before the latest one, since that one cannot be read. What the latest commit
    /// changed is missing, and nothing names it.
    pub earlier_commit: bool,
}

/// A task that could not be read, or not whole.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lost {
    /// The kind's name.
    pub kind: String,
    /// The id, where it was readable.
    pub id: Option<TaskKey>,
    /// What was wrong.
    pub what: String,
}

/// How many tasks are copied in one commit.
const BATCH: usize = 1_000;

pub(crate) fn recover(from: &Path, into: &Path) -> Result<Recovered> {
    if into.exists() {
        return Err(Error::invalid(format!("{}: there is a file already; give a new path", into.display())));
    }
    let (source, earlier_commit) = source::open(from)?;
    let target = Tracker::options().sharing(Sharing::Exclusive).open(into)?;
    let mut report = Recovered { earlier_commit, ..Recovered::default() };
    // A time that lies ahead, be it damaged or from a wrong clock, would become the new file's time.
    let shift = TimeShift::to(target.shared.engine.now());
    source.read(|txn| {
        let kinds = Handles::new(txn).all_kinds()?;
        let seals = ties::copy_batches(txn, &target, &shift, &mut report)?;
        for kind in kinds.all() {
            let kind: Arc<Kind> = target.shared.engine.turn(|writer| writer.put_kind((**kind).clone()))?;
            copy_kind(txn, &target, &kind, &shift, &mut report)?;
        }
        ties::copy_needs(txn, &target)?;
        // Tasks that are gone may have had higher fences than those that are here.
        let state = guard("reading the next fence", || Handles::new(txn).pulse());
        if let Some(fence) = state.ok().map(|state| state.next_fence).filter(|fence| *fence < NUMBERS) {
            target.shared.engine.turn(|writer| {
                writer.raise_fence(fence);
                Ok::<_, Error>(())
            })?;
        }
        for seal in seals {
            target.shared.engine.call(seal)?;
        }
        Ok(())
    })?;
    source.close()?;
    target.close()?;
    Ok(report)
}

fn copy_kind(
    txn: &ReadTransaction,
    target: &Tracker,
    kind: &Arc<Kind>,
    shift: &TimeShift,
    report: &mut Recovered,
) -> Result<()> {
    let mut batch = Vec::new();
    let (tasks, cut_short) = candidates(txn, kind.id);
    if let Some(error) = cut_short {
        let what =
            format!("further tasks of this kind may be missing, since no table could be read to its end: {error}");
        report.lost.push(Lost { kind: kind.name.clone(), id: None, what });
    }
    for task in tasks {
        match guard("reading a task", || whole(txn, task)) {
            Ok(whole) => {
                if whole.lacks_successor() {
                    let what = "the changed payload that waited for the end of its run cannot be read: submit it again";
                    let id = Some(whole.body.id.clone());
                    report.lost.push(Lost { kind: kind.name.clone(), id, what: what.to_owned() });
                }
                batch.push(whole.shifted(shift));
            }
            Err(error) => {
                let body = guard("reading a task", || Handles::new(txn).body(task)).ok().flatten();
                let lost = Lost { kind: kind.name.clone(), id: body.map(|body| body.id), what: error.to_string() };
                report.lost.push(lost);
            }
        }
        if batch.len() >= BATCH {
            store(target, kind, &mut batch, report)?;
        }
    }
    store(target, kind, &mut batch, report)
}

fn whole(txn: &ReadTransaction, task: TaskRef) -> Result<Whole> {
    let mut rows = Handles::new(txn);
    let header = rows.header(task)?.ok_or_else(|| Error::corrupted("tracker.headers", task, "it has no header"))?;
    let body = rows.body_of(task)?;
    // A task is worth more than its history, and than a payload that waits.
    let past = guard("reading a history", || rows.past(task)).unwrap_or_default();
    let waits = header.successor;
    let successor = if waits { guard("reading a payload", || rows.successor(task)).ok().flatten() } else { None };
    let whole = Whole { task, header, body, past, progress: None, successor };
    if whole.has_room() {
        Ok(whole)
    } else {
        Err(Error::corrupted("tracker.headers", task, "its number or its fence is one that no file gives out"))
    }
}

/// Returns the numbers of all tasks that some table names, from both of its ends up to where it cannot be read. Returns the
/// error too if no table could be read to its end.
fn candidates(txn: &ReadTransaction, kind: u32) -> (BTreeSet<TaskRef>, Option<Error>) {
    let mut found = BTreeSet::new();
    let (mut complete, mut refused) = (false, None);
    let (first, last) = (TaskRef { kind, seq: 0 }.pack(), TaskRef { kind, seq: u64::MAX }.pack());
    for table in [tables::HEADERS, tables::BODIES] {
        for backwards in [false, true] {
            let walked = guard("looking for tasks", || {
                let table = txn.open_table(table)?;
                let mut range = table.range::<&[u8; TaskRef::LEN]>(&first..=&last)?;
                while let Some(entry) = if backwards { range.next_back() } else { range.next() } {
                    found.insert(TaskRef::unpack(entry?.0.value()));
                }
                Ok(())
            });
            match walked {
                Ok(()) => {
                    complete = true;
                    break;
                }
                Err(error) => drop(refused.get_or_insert(error)),
            }
        }
    }
    (found, refused.filter(|_| !complete))
}

/// Returns how many tasks the tables name.
fn count_tasks(txn: &ReadTransaction) -> Result<usize> {
    let kinds = Handles::new(txn).all_kinds()?;
    Ok(kinds.all().map(|kind| candidates(txn, kind.id).0.len()).sum())
}

fn store(target: &Tracker, kind: &Arc<Kind>, batch: &mut Vec<Whole>, report: &mut Recovered) -> Result<()> {
    let copied = std::mem::take(batch);
    report.tasks += copied.len() as u64;
    target.shared.engine.turn(|writer: &mut Writer<'_>| {
        for whole in &copied {
            writer.restore(kind, whole)?;
        }
        Ok(())
    })
}
