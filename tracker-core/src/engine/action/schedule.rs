//! Stores the definition of a schedule, submits the tasks of its due occurrences and moves its position past them, pauses and removes it. Queued by
//! `api/schedule`; writes the row of the schedule and its tasks through `Writer`.

use std::sync::Arc;

use super::Action;
use crate::{
    engine::writer::Writer,
    model::{
        error::{Error, ErrorKind, Result},
        kind::Kind,
        new_task::{DependencyRef, NewDependency, NewTask},
        schedule::{
            decide::admit,
            occurrence::Occurrence,
            row::{Definition, ScheduleRow},
        },
        task::{TaskId, TaskKey, TaskRef},
        time::Micros,
        transition::{Command, OnDependencyFailure},
    },
};

fn stored(writer: &mut Writer<'_>, name: &str) -> Result<ScheduleRow> {
    writer.rows().schedule(name)?.ok_or_else(|| unknown_schedule(name))
}

/// The error of a name that no schedule has.
pub(crate) fn unknown_schedule(name: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no schedule {name:?}"))
}

/// Stores a schedule, or its changed definition. The pause and the counters stay.
#[derive(Clone, Debug)]
pub(crate) struct RegisterSchedule {
    pub name: String,
    pub kind: u32,
    pub definition: Definition,
    pub template: Option<String>,
    /// The instant from which intervals count, and the first nominal time after it.
    pub anchor: Micros,
    pub first: Option<Micros>,
}

impl Action for RegisterSchedule {
    type Out = ScheduleRow;

    fn run(&self, writer: &mut Writer<'_>) -> Result<ScheduleRow> {
        let Self { name, kind, definition, template, anchor, first } = self;
        let Some(old) = writer.rows().schedule(name)? else {
            let new = ScheduleRow::new(*kind, definition.clone(), template.clone(), *anchor, *first);
            writer.put_schedule(name, &new)?;
            return Ok(new);
        };
        if old.kind != *kind {
            let (other, own) = (writer.kind(old.kind)?.name.clone(), writer.kind(*kind)?.name.clone());
            return Err(Error::new(
                ErrorKind::SchemaMismatch,
                format!(
                    "the schedule {name:?} makes tasks of kind {other:?}, not {own:?}: remove it first, or choose another name"
                ),
            ));
        }
        let mut new = ScheduleRow { definition: definition.clone(), template: template.clone(), ..old.clone() };
        if old.definition.timing != definition.timing {
            (new.anchor, new.next) = (*anchor, *first);
        }
        if new != old {
            writer.put_schedule(name, &new)?;
        }
        Ok(new)
    }
}

/// A change of a schedule by an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScheduleCommand {
    Pause,
    Resume,
    Remove,
}

/// Changes one schedule. Returns its new row, or `None` if it was removed.
#[derive(Clone, Debug)]
pub(crate) struct ChangeSchedule {
    pub name: String,
    pub command: ScheduleCommand,
}

impl Action for ChangeSchedule {
    type Out = Option<ScheduleRow>;

    fn run(&self, writer: &mut Writer<'_>) -> Result<Option<ScheduleRow>> {
        let mut row = stored(writer, &self.name)?;
        let paused = match self.command {
            ScheduleCommand::Remove => {
                writer.remove_schedule(&self.name)?;
                return Ok(None);
            }
            ScheduleCommand::Pause => true,
            ScheduleCommand::Resume => false,
        };
        if row.paused != paused {
            row.paused = paused;
            writer.put_schedule(&self.name, &row)?;
        }
        Ok(Some(row))
    }
}

/// An occurrence, and its task or the reason why it could not be built.
#[derive(Clone, Debug)]
pub(crate) struct BuiltOccurrence {
    pub nominal: Micros,
    pub task: Result<NewTask, String>,
}

/// The position and the definition that the caller has read, and the position to store. Not applied if the row has changed since.
#[derive(Clone, Debug)]
pub(crate) struct Advance {
    pub seen: Option<Micros>,
    pub definition: Definition,
    pub next: Option<Micros>,
    /// Number of occurrences that are not caught up.
    pub missed: u64,
}

/// Submits occurrences of a schedule in the commit that advances it.
#[derive(Clone, Debug)]
pub(crate) struct SubmitOccurrences {
    pub name: String,
    pub kind: u32,
    pub occurrences: Vec<BuiltOccurrence>,
    /// `None` for an occurrence that an operator asks for: it leaves the position as it is, and neither a pause nor an unfinished
    /// occurrence prevents it.
    pub advance: Option<Advance>,
}

/// The result of an advance.
#[derive(Clone, Debug)]
pub(crate) struct Advanced {
    /// The row as it is stored now, also if the advance was not made; `None` if there is no schedule of the name.
    pub row: Option<ScheduleRow>,
    /// Nominal times and ids of the tasks that were submitted.
    pub submitted: Vec<(Micros, TaskKey)>,
    /// The reasons why occurrences were not submitted.
    pub failed: Vec<(Micros, String)>,
}

impl Action for SubmitOccurrences {
    type Out = Advanced;

    fn run(&self, writer: &mut Writer<'_>) -> Result<Advanced> {
        let mut advanced = Advanced { row: None, submitted: Vec::new(), failed: Vec::new() };
        let Some(mut row) = writer.rows().schedule(&self.name)? else { return Ok(advanced) };
        let is_current = self
            .advance
            .as_ref()
            .is_none_or(|advance| !row.paused && row.next == advance.seen && row.definition == advance.definition);
        if is_current && row.kind == self.kind {
            self.submit(writer, &mut row, &mut advanced)?;
            writer.put_schedule(&self.name, &row)?;
        }
        advanced.row = Some(row);
        Ok(advanced)
    }
}

impl SubmitOccurrences {
    fn submit(&self, writer: &mut Writer<'_>, row: &mut ScheduleRow, advanced: &mut Advanced) -> Result<()> {
        let kind = writer.kind(row.kind)?;
        let unfinished = unfinished(writer, &kind, &self.name, row)?;
        let mut admitted = &self.occurrences[..];
        let mut dependencies = Vec::new();
        if let Some(advance) = &self.advance {
            let admission = admit(row.definition.overlap, unfinished.len(), admitted.len());
            let skipped = admitted.len().saturating_sub(admission.count);
            admitted = admitted.get(skipped..).unwrap_or_default();
            if admission.cancels {
                cancel(writer, &kind, &unfinished)?;
            }
            if admission.waits {
                dependencies.extend(unfinished.iter().map(|(_, id)| after(&kind, id)));
            }
            row.next = advance.next;
            row.counters.missed = row.counters.missed.saturating_add(advance.missed);
            row.counters.overlapped = row.counters.overlapped.saturating_add(skipped as u64);
        }
        for BuiltOccurrence { nominal, task } in admitted {
            let submitted = match task {
                Ok(new) => put(writer, &NewTask { dependencies: dependencies.clone(), ..new.clone() })?,
                Err(reason) => Err(reason.clone()),
            };
            match submitted {
                Ok(id) => {
                    row.list(*nominal);
                    row.counters.submitted = row.counters.submitted.saturating_add(1);
                    advanced.submitted.push((*nominal, id));
                }
                Err(reason) => {
                    row.counters.failed = row.counters.failed.saturating_add(1);
                    row.last_error = Some(reason.clone());
                    advanced.failed.push((*nominal, reason));
                }
            }
        }
        Ok(())
    }
}

/// Submits a task. The inner error is a refusal, which has written nothing.
fn put(writer: &mut Writer<'_>, new: &NewTask) -> Result<Result<TaskKey, String>> {
    new.end_expired_leases(writer)?;
    match writer.all_or_nothing(|writer| new.submit(writer)) {
        Ok(submitted) => Ok(Ok(submitted.id)),
        Err(error) if error.is_refusal() || error.kind() == ErrorKind::Invalid => Ok(Err(error.to_string())),
        Err(error) => Err(error),
    }
}

/// Drops the finished occurrences from the row's list, and returns the tasks of the others.
fn unfinished(
    writer: &mut Writer<'_>,
    kind: &Kind,
    name: &str,
    row: &mut ScheduleRow,
) -> Result<Vec<(TaskRef, TaskKey)>> {
    let mut found = Vec::new();
    let mut listed = Vec::new();
    for nominal in std::mem::take(&mut row.unfinished) {
        let occurrence = Occurrence::new(name, nominal);
        for id in [occurrence.id().to_key(), occurrence.uuid().to_key()] {
            let Some(task) = writer.rows().with_id(kind.id, &id)? else { continue };
            if writer.header(task)?.is_some_and(|header| !kind.is_finished(&header)) {
                found.push((task, id));
                listed.push(nominal);
            }
            break;
        }
    }
    row.unfinished = listed;
    Ok(found)
}

fn cancel(writer: &mut Writer<'_>, kind: &Arc<Kind>, tasks: &[(TaskRef, TaskKey)]) -> Result<()> {
    for (task, id) in tasks {
        let header = writer.header(*task)?;
        match writer.decide(kind, *task, header.as_ref(), &Command::Cancel, None, id) {
            Ok(_) => {}
            // A task that cannot be cancelled ends by itself, and the new occurrence waits for it.
            Err(error) if error.is_refusal() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The condition that a task has ended, with any outcome.
fn after(kind: &Kind, id: &TaskKey) -> NewDependency {
    NewDependency { on: DependencyRef::Task { kind: kind.id, id: id.clone() }, on_failure: OnDependencyFailure::Run }
}
