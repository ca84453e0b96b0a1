//! `Tracker::recover`: copies the readable part of a damaged file into a new file, and sets back times that lie in the future. Called by users and
//! the CLI. Writes the new file; redb repairs a damaged file that was not closed cleanly, which changes it too.

mod dependencies;
mod source;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use crate::{
    api::tracker::Tracker,
    engine::Writer,
    model::{
        error::{Error, Result},
        kind::Kind,
        schedule::row::ScheduleRow,
        task::{TaskKey, TaskRef},
        throttle::AcceptedSubmit,
        transition::TimeShift,
    },
    storage::{
        definitions,
        file::{Sharing, catch_redb_panic},
        read::task_rows::{NUMBERS, TaskRows},
        tables::{Reading, Source, Tables},
    },
};

/// The result of [`Tracker::recover`]: what was copied and what was lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovered {
    /// Number of tasks in the new file.
    pub tasks: u64,
    /// Tasks that were lost completely or in part. A task that lost only its history, a pending payload or a dependency is in the
    /// new file.
    pub lost: Vec<LostTask>,
    /// The errors of batches that could not be read. Their tasks are copied without a batch.
    pub batches_lost: Vec<String>,
    /// The errors of schedules that could not be read. A program that registers them stores them anew.
    pub schedules_lost: Vec<String>,
    /// The errors of throttle keys that could not be read. The next submit with such a key is accepted.
    pub throttles_lost: Vec<String>,
    /// The error of the budgets of resources if they could not be read. Set them anew.
    pub budgets_lost: Option<String>,
    /// Whether the latest commit could not be read, so that the copy was made from the commit before it. Changes of the latest
    /// commit are lost and are not listed in `lost`.
    pub earlier_commit: bool,
}

/// A task that was lost completely or in part.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LostTask {
    /// The kind's name.
    pub kind: String,
    /// The id, if it was readable.
    pub id: Option<TaskKey>,
    /// The lost data, and the reason.
    pub what: String,
}

/// Number of tasks that one commit copies.
const BATCH: usize = 1_000;

impl Tracker {
    /// Copies every readable task of a damaged file, with its history, into a new file, and reports what was lost.
    ///
    /// Make a copy of the damaged file first, and recover from the copy: redb repairs a file that was not closed cleanly when it
    /// opens it, and so may change it.
    ///
    /// # Errors
    /// - [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if there is a file at `into` already.
    /// - As [`Options::inspect`](crate::Options::inspect) if redb cannot open the damaged file at all.
    /// - A [storage error](crate::ErrorKind#storage-errors) if the new file cannot be written.
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
    // A time in the future, from damage or from a wrong clock, would advance the clock of the new file.
    let shift = TimeShift::to(target.shared.engine.now());
    source.read_once(|source| {
        let kinds = Tables::new(source).all_kinds()?;
        let mut dependents = Dependents::new();
        let seals = dependencies::copy_batches(source, &target, &shift, &mut report)?;
        for kind in kinds.all() {
            let kind: Arc<Kind> = target.shared.engine.user_transaction(|writer| writer.put_kind((**kind).clone()))?;
            copy_kind(source, &target, &kind, &shift, &mut report, &mut dependents)?;
        }
        dependencies::copy_dependencies(source, &target, &dependents, &mut report)?;
        copy_schedules(source, &target, &shift, &mut report)?;
        copy_throttles(source, &target, &shift, &mut report)?;
        copy_budgets(source, &target, &mut report)?;
        // Lost tasks may have had higher fences than the copied ones.
        let state = catch_redb_panic("reading the next fence", || Tables::new(source).file_state());
        if let Some(fence) = state.ok().map(|state| state.next_fence).filter(|fence| *fence < NUMBERS) {
            target.shared.engine.user_transaction(|writer| writer.raise_fence(fence))?;
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
    source: Reading<'_>,
    target: &Tracker,
    kind: &Arc<Kind>,
    shift: &TimeShift,
    report: &mut Recovered,
    dependents: &mut Dependents,
) -> Result<()> {
    let mut batch = Vec::new();
    let (tasks, cut_short) = candidates(source, kind.id);
    if let Some(error) = cut_short {
        let what =
            format!("further tasks of this kind may be missing, since no table could be read to its end: {error}");
        report.lost.push(LostTask { kind: kind.name.clone(), id: None, what });
    }
    for task in tasks {
        match catch_redb_panic("reading a task", || task_rows(source, task)) {
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
                let row = catch_redb_panic("reading a task", || Tables::new(source).find_task_row(task)).ok().flatten();
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

/// Reads rows. An error is added to what is lost.
fn readable<R>(what: &str, lost: &mut Vec<String>, read: impl FnOnce() -> Result<R>) -> Option<R> {
    catch_redb_panic(what, read).map_err(|error| lost.push(error.to_string())).ok()
}

/// Copies the schedules. Their latest occurrences are found by their ids, which stay.
fn copy_schedules(source: Reading<'_>, target: &Tracker, shift: &TimeShift, report: &mut Recovered) -> Result<()> {
    let read = || Tables::new(source).schedules_after(None, usize::MAX);
    let Some(found) = readable("reading the schedules", &mut report.schedules_lost, read) else { return Ok(()) };
    target.shared.engine.user_transaction(|writer: &mut Writer<'_>| {
        for (name, row) in found {
            match row {
                Ok(row) => {
                    let anchor = shift.corrected(row.anchor);
                    writer.put_schedule(&name, &ScheduleRow { anchor, ..row })?;
                }
                Err(error) => report.schedules_lost.push(error.to_string()),
            }
        }
        Ok(())
    })
}

/// Copies the throttle keys.
fn copy_throttles(source: Reading<'_>, target: &Tracker, shift: &TimeShift, report: &mut Recovered) -> Result<()> {
    let read = || Tables::new(source).throttles_after(None, usize::MAX);
    let Some(found) = readable("reading the throttle keys", &mut report.throttles_lost, read) else { return Ok(()) };
    target.shared.engine.user_transaction(|writer: &mut Writer<'_>| {
        for row in found {
            match row.accepted {
                Ok(accepted) => {
                    let at = shift.corrected(accepted.at);
                    writer.put_accepted_submit(row.kind, &row.key, &AcceptedSubmit { at, ..accepted })?;
                }
                Err(error) => report.throttles_lost.push(error.to_string()),
            }
        }
        Ok(())
    })
}

/// Copies the budgets of resources.
fn copy_budgets(source: Reading<'_>, target: &Tracker, report: &mut Recovered) -> Result<()> {
    match catch_redb_panic("reading the budgets", || Tables::new(source).stored_budgets()) {
        Ok(budgets) => target.shared.engine.user_transaction(|writer: &mut Writer<'_>| {
            budgets.0.iter().try_for_each(|(resource, amount)| writer.put_budget(resource, Some(*amount)).map(drop))
        }),
        Err(error) => {
            report.budgets_lost = Some(error.to_string());
            Ok(())
        }
    }
}

/// Tasks with unresolved dependencies: kind name and id, and the number of unresolved dependencies.
type Dependents = BTreeMap<TaskRef, ((String, TaskKey), u32)>;

/// Reads a task. The inner result is the error of its history, if the history cannot be read.
fn task_rows(source: Reading<'_>, task: TaskRef) -> Result<(TaskRows, Result<()>)> {
    let mut rows = Tables::new(source);
    let header = rows.header(task)?.ok_or_else(|| Error::corrupted("tracker.headers", task, "it has no header"))?;
    let row = rows.task_row(task)?;
    // The task is kept even if its history or its pending payload cannot be read.
    let (past_attempts, history) = match catch_redb_panic("reading a history", || rows.past_attempts(task)) {
        Ok(past_attempts) => (past_attempts, Ok(())),
        Err(error) => (Vec::new(), Err(error)),
    };
    let waits = header.successor;
    let successor =
        if waits { catch_redb_panic("reading a payload", || rows.successor(task)).ok().flatten() } else { None };
    let task_rows = TaskRows { task, header, row, past_attempts, progress: None, successor };
    if task_rows.has_room() {
        Ok((task_rows, history))
    } else {
        Err(Error::corrupted("tracker.headers", task, "its number or its fence is one that no file gives out"))
    }
}

/// Returns the sequence numbers of all tasks in the headers or the payloads. Each table is scanned forwards, and also backwards if
/// the forward scan fails. Returns the first error too if no scan was complete.
fn candidates(source: Reading<'_>, kind: u32) -> (BTreeSet<TaskRef>, Option<Error>) {
    let mut found = BTreeSet::new();
    let (mut complete, mut refused) = (false, None);
    let (first, last) = (TaskRef { kind, seq: 0 }.pack(), TaskRef { kind, seq: u64::MAX }.pack());
    for table in [definitions::HEADERS, definitions::PAYLOADS] {
        for backwards in [false, true] {
            let walked = catch_redb_panic("looking for tasks", || {
                let table = source.open(table)?;
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
fn count_tasks(source: Reading<'_>) -> Result<usize> {
    let kinds = Tables::new(source).all_kinds()?;
    Ok(kinds.all().map(|kind| candidates(source, kind.id).0.len()).sum())
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
