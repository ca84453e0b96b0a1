//! `StartById` starts one task by its id. Queued by `api/tasks/start`. `start` and `lease` give a task to its new owner, also for
//! `engine/action/claim` and `engine/action/submit`. Writes through `Writer`.

use std::sync::Arc;

use uuid::Uuid;

use super::{Action, Claimed, Target};
use crate::{
    engine::writer::Writer,
    model::{
        error::{Reason, Result},
        kind::Kind,
        kinds::Kinds,
        task::{TaskKey, TaskRef},
        task_row::TaskRow,
        time::Micros,
        transition::{Command, Header, Owner, PayloadChange, Start},
    },
    storage::read::expected_rows::ExpectedRows,
};

/// Starts one task by its id.
#[derive(Clone, Debug)]
pub(crate) struct StartById {
    pub kind: u32,
    pub target: Target,
    pub start: Start,
}

impl Action for StartById {
    type Out = Claimed;

    fn expect_rows(&self, _: &Kinds, _: Micros, rows: &mut ExpectedRows) {
        self.target.expect_row(self.kind, rows);
    }

    fn run(&self, writer: &mut Writer<'_>) -> Result<Claimed> {
        let kind: Arc<Kind> = writer.kind(self.kind)?;
        let (task, id) = self.target.find(writer, &kind)?;
        let started = start(writer, &kind, task, &id, &self.start);
        writer.end_lease_if_refused(&kind, task, started)
    }
}

pub(super) fn start(
    writer: &mut Writer<'_>,
    kind: &Kind,
    task: TaskRef,
    id: &TaskKey,
    start: &Start,
) -> Result<Claimed> {
    let header = writer.header(task)?.ok_or_else(|| kind.refuse(id.clone(), Reason::NotFound))?;
    let row = writer.rows().task_row(task)?;
    lease(writer, kind, task, &header, row, start, start.begun)
}

/// Gives the caller the lease of a task.
pub(super) fn lease(
    writer: &mut Writer<'_>,
    kind: &Kind,
    task: TaskRef,
    header: &Header,
    row: TaskRow,
    start: &Start,
    begun: bool,
) -> Result<Claimed> {
    let token = Uuid::new_v4();
    let known =
        header.lease.as_ref().map(|lease| lease.fence).into_iter().chain(header.last.as_ref().map(|last| last.fence));
    let owner = Owner { fence: writer.reserve_fence(task, known.max())?, token };
    let command =
        Command::Start(Start { token, fence: owner.fence, begun, random: Writer::fraction_of(token), ..start.clone() });
    let done = writer.decide(kind, task, Some(header), &command, None, &row.id)?;
    writer.take_reserved_fence()?;
    let (now, reenters) = (writer.now(), header.lease.as_ref().is_some_and(|lease| start.reenter == Some(lease.token)));
    if !reenters {
        writer.rows().count_start(kind, now)?;
    }
    // The start may have ended an expired lease for which another payload waited.
    let row = if done.payload == PayloadChange::TakeSuccessor { writer.rows().task_row(task)? } else { row };
    let header = done.header.ok_or_else(|| kind.refuse(row.id.clone(), Reason::NotFound))?;
    Ok(Claimed { task, owner, header, row })
}
