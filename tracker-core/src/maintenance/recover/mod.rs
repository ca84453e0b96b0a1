//! Copies what is readable of a damaged file into a new one.

mod dependencies;
mod source;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use redb::ReadTransaction;

use crate::{
    api::tracker::Tracker,
    engine::Writer,
    model::{
        error::{Error, Result},
        kind::Kind,
        task::{TaskKey, TaskRef},
        transition::TimeShift,
    },
    storage::{
        definitions,
        file::{Sharing, guard},
        read::task_rows::{NUMBERS, TaskRows},
        tables::Tables,
    },
};

/// What [`Tracker::recover`] could copy, and what it could not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovered {
    /// Tasks that stand in the new file.
    pub tasks: u64,
    /// Tasks that could not be read, or not completely: their kind, their id where at least that was readable, and what is
    /// missing. A task of which only its history, a waiting payload or a dependency is missing is in the new file.
    pub lost: Vec<LostTask>,
    /// What was wrong with batches that could not be read; their tasks belong to none in the new file.
    pub batches_lost: Vec<String>,
    /// Whether the new file is as of the commit before the latest one, since that one cannot be read. What the latest commit
    /// changed is missing, and nothing names it.
    pub earlier_commit: bool,
}

/// A task that could not be read, or not whole.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LostTask {
    /// The kind's name.
    pub kind: String,
    /// The id, where it was readable.
    pub id: Option<TaskKey>,
    /// What was wrong.
    pub what: String,
}

/// How many tasks are copied in one commit.
const BATCH: usize = 1_000;

impl Tracker {
    /// Copies every readable task of a damaged file, with its history, into a new one, and reports what it could not.
    /// Work on a copy of the damaged file: if it was not closed cleanly, opening it repairs it first.
    ///
    /// # Errors
    /// There is a file at `into` already; redb cannot open the damaged file at all; or a failure of the storage.
    pub fn recover(from: impl AsRef<Path>, into: impl AsRef<Path>) -> Result<Recovered> {
        recover(from.as_ref(), into.as_ref())
    }
}

fn recover(from: &Path, into: &Path) -> Result<Recovered> {
    if into.exists() {
        return Err(Error::invalid(format!("{}: there is a file already; give a new path", into.display())));
    }
    let (source, earlier_commit) = source::open(from)?;
    let target = Tracker::options().sharing(Sharing::Exclusive).open(into)?;
    let mut report = Recovered { earlier_commit, ..Recovered::default() };
    // A time that lies ahead, be it damaged or from a wrong clock, would become the new file's time.
    let shift = TimeShift::to(target.shared.engine.now());
    source.read(|txn| {
        let kinds = Tables::new(txn).all_kinds()?;
        let mut dependents = Dependents::new();
        let seals = dependencies::copy_batches(txn, &target, &shift, &mut report)?;
        for kind in kinds.all() {
            let kind: Arc<Kind> = target.shared.engine.user_transaction(|writer| writer.put_kind((**kind).clone()))?;
            copy_kind(txn, &target, &kind, &shift, &mut report, &mut dependents)?;
        }
        dependencies::copy_needs(txn, &target, &dependents, &mut report)?;
        // Tasks that are gone may have had higher fences than those that are here.
        let state = guard("reading the next fence", || Tables::new(txn).file_state());
        if let Some(fence) = state.ok().map(|state| state.next_fence).filter(|fence| *fence < NUMBERS) {
            target.shared.engine.user_transaction(|writer| {
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
    dependents: &mut Dependents,
) -> Result<()> {
    let mut batch = Vec::new();
    let (tasks, cut_short) = candidates(txn, kind.id);
    if let Some(error) = cut_short {
        let what =
            format!("further tasks of this kind may be missing, since no table could be read to its end: {error}");
        report.lost.push(LostTask { kind: kind.name.clone(), id: None, what });
    }
    for task in tasks {
        match guard("reading a task", || task_rows(txn, task)) {
            Ok((task_rows, history)) => {
                if let Err(error) = history {
                    let what = format!("its history cannot be read: {error}");
                    report.lost.push(LostTask { kind: kind.name.clone(), id: Some(task_rows.row.id.clone()), what });
                }
                if task_rows.header.waits > 0 {
                    let named = (kind.name.clone(), task_rows.row.id.clone());
                    dependents.insert(task, (named, task_rows.header.waits));
                }
                if task_rows.lacks_successor() {
                    let what = "the changed payload that waited for the end of its run cannot be read: submit it again";
                    let id = Some(task_rows.row.id.clone());
                    report.lost.push(LostTask { kind: kind.name.clone(), id, what: what.to_owned() });
                }
                batch.push(task_rows.shifted(shift).with_place(kind));
            }
            Err(error) => {
                let row = guard("reading a task", || Tables::new(txn).find_task_row(task)).ok().flatten();
                let lost = LostTask { kind: kind.name.clone(), id: row.map(|row| row.id), what: error.to_string() };
                report.lost.push(lost);
            }
        }
        if batch.len() >= BATCH {
            store(target, kind, &mut batch, report)?;
        }
    }
    store(target, kind, &mut batch, report)
}

/// The tasks that have dependencies: the kind's name and the id of each, and how many of its dependencies have not ended.
type Dependents = BTreeMap<TaskRef, ((String, TaskKey), u32)>;

/// Reads a task. Also tells whether its history could be read.
fn task_rows(txn: &ReadTransaction, task: TaskRef) -> Result<(TaskRows, Result<()>)> {
    let mut rows = Tables::new(txn);
    let header = rows.header(task)?.ok_or_else(|| Error::corrupted("tracker.headers", task, "it has no header"))?;
    let row = rows.task_row(task)?;
    // A task is worth more than its history, and than a payload that waits.
    let (past, history) = match guard("reading a history", || rows.past(task)) {
        Ok(past) => (past, Ok(())),
        Err(error) => (Vec::new(), Err(error)),
    };
    let waits = header.successor;
    let successor = if waits { guard("reading a payload", || rows.successor(task)).ok().flatten() } else { None };
    let task_rows = TaskRows { task, header, row, past, progress: None, successor };
    if task_rows.has_room() {
        Ok((task_rows, history))
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
    for table in [definitions::HEADERS, definitions::PAYLOADS] {
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
    let kinds = Tables::new(txn).all_kinds()?;
    Ok(kinds.all().map(|kind| candidates(txn, kind.id).0.len()).sum())
}

fn store(target: &Tracker, kind: &Arc<Kind>, batch: &mut Vec<TaskRows>, report: &mut Recovered) -> Result<()> {
    let copied = std::mem::take(batch);
    report.tasks += copied.len() as u64;
    target.shared.engine.user_transaction(|writer: &mut Writer<'_>| {
        for task_rows in &copied {
            writer.restore(kind, task_rows)?;
        }
        Ok(())
    })
}
