//! `MoveTask` moves a task in the claim order of its kind, to the front of its priority or before another task. Queued by `api/tasks/order`
//! and `api/query/all`; writes the headers of the tasks that it moves through `Writer`.

use std::sync::Arc;

use super::{Action, Target, task::check_condition};
use crate::{
    engine::writer::Writer,
    model::{
        error::{Error, Reason, Result},
        kind::Kind,
        place::{Window, between},
        task::{TaskKey, TaskRef},
        time::Micros,
        transition::{Command, Condition, Header, LATEST},
    },
    storage::{keys::ClaimKey, order::order_keys},
};

/// The destination of a move.
#[derive(Clone, Debug)]
pub(crate) enum Destination {
    /// Before all tasks of its priority.
    Front,
    /// Directly before this task, which has the same priority.
    Before(TaskKey),
}

/// Moves one task.
#[derive(Clone, Debug)]
pub(crate) struct MoveTask {
    pub kind: u32,
    pub target: Target,
    pub destination: Destination,
    /// A condition that the task must still meet, because it may have changed since a query found it.
    pub condition: Option<Arc<Condition>>,
}

impl Action for MoveTask {
    type Out = ();

    fn run(&self, writer: &mut Writer<'_>) -> Result<()> {
        let kind = writer.kind(self.kind)?;
        let (task, id) = self.target.find(writer, &kind)?;
        let header = writer.header(task)?.ok_or_else(|| kind.refuse(id.clone(), Reason::NotFound))?;
        check_condition(&kind, &id, &header, self.condition.as_deref())?;
        let context = MoveContext { kind: &kind, task, id: &id, header: &header };
        let done = match &self.destination {
            Destination::Front => context.to_front(writer),
            Destination::Before(other) => context.before(writer, other),
        };
        writer.end_lease_if_refused(&kind, task, done)
    }
}

/// A task to move, as the transaction found it.
struct MoveContext<'m> {
    kind: &'m Kind,
    task: TaskRef,
    id: &'m TaskKey,
    header: &'m Header,
}

impl MoveContext<'_> {
    /// Sets a due time just before the first task of the same priority, and not later than now.
    fn to_front(&self, writer: &mut Writer<'_>) -> Result<()> {
        let (kind, codes) = (self.kind.id, claimable(self.kind));
        let rank = u8::MAX - self.header.priority;
        let first = writer.rows().first_of(kind, &codes, rank, self.task)?;
        let due = match first {
            Some(first) if first.at <= writer.now() => first.at.saturating_sub(1),
            _ => writer.now(),
        };
        self.set_place(writer, due, None)
    }

    /// Sets the due time of `other`, and a place (a fractional index) between `other` and its predecessor.
    fn before(&self, writer: &mut Writer<'_>, other: &TaskKey) -> Result<()> {
        let next = self.target(writer, other)?;
        let codes = claimable(self.kind);
        let previous = writer.rows().last_before(next, &codes, self.task)?;
        let previous = previous.filter(|previous| previous.at == next.at).map(|previous| previous.place);
        if let Some(place) = between(previous, next.place) {
            return self.set_place(writer, next.at, Some(place));
        }
        // The rules may refuse the move, so this task is moved before its neighbours, and a refusal has written nothing.
        self.set_place(writer, next.at, Some(next.place))?;
        let rank = next.rank;
        let window = Window::around(next.place, |window| {
            let found = writer.rows().in_window(self.kind.id, &codes, rank, next.at, window, self.task)?;
            Ok::<_, Error>(found.len())
        })?;
        let mut tasks = writer.rows().in_window(self.kind.id, &codes, rank, next.at, window, self.task)?;
        let position = tasks.iter().position(|key| key.seq == next.seq).unwrap_or(tasks.len());
        tasks.insert(position, ClaimKey { seq: self.task.seq, ..next });
        for (key, place) in tasks.iter().zip(window.spread(tasks.len() as u64)) {
            let header = writer.indexed_header(key.task())?;
            let id = writer.rows().task_row(key.task())?.id;
            let command = Command::SetPlace { due: next.at, place: Some(place) };
            writer.decide(self.kind, key.task(), Some(&header), &command, None, &id)?;
        }
        Ok(())
    }

    /// Returns the claim key of `other`, if this task can be moved before it.
    fn target(&self, writer: &mut Writer<'_>, other: &TaskKey) -> Result<ClaimKey> {
        if other == self.id {
            return Err(Error::invalid(format!("{} \"{other}\" cannot be moved before itself", self.kind.name)));
        }
        let refuse = |reason| self.kind.refuse(other.clone(), reason);
        let task = writer.rows().look_up(self.kind, other)?.ok_or_else(|| refuse(Reason::NotFound))?;
        let header = writer.header(task)?.ok_or_else(|| refuse(Reason::NotFound))?;
        self.kind.rules(writer.now()).check_movable(&header).map_err(refuse)?;
        if header.priority != self.header.priority {
            return Err(self.kind.refuse(self.id.clone(), Reason::OtherPriority { other: other.clone() }));
        }
        Ok(order_keys(&self.kind.graph, task, &header).claim_order)
    }

    fn set_place(&self, writer: &mut Writer<'_>, due: Micros, place: Option<u64>) -> Result<()> {
        let command = Command::SetPlace { due: due.min(LATEST), place };
        writer.decide(self.kind, self.task, Some(self.header), &command, None, self.id).map(drop)
    }
}

/// The statuses from which claims start tasks.
fn claimable(kind: &Kind) -> Vec<i32> {
    kind.graph.statuses().iter().map(|status| status.code).filter(|code| kind.is_claimable(*code)).collect()
}
