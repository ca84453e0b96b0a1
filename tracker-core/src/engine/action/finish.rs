//! `FinishTask` ends an attempt, and submits the tasks that follow from it. Made by `api/execution`, `api/handler`, `worker` and `engine/calls` (a
//! release), and queued by these or by `api/asynchronous`; writes through `Writer`.

use std::sync::Arc;

use super::{Action, Claimed};
use crate::{
    engine::writer::Writer,
    model::{
        error::{ErrorKind, Reason, Result},
        kind::Kind,
        kinds::Kinds,
        new_task::NewTask,
        task::{TaskKey, TaskRef},
        task_row::TaskRow,
        time::Micros,
        transition::{Annotations, Command, Failure, Finish, Header, Outcome, Owner},
    },
    storage::read::expected_rows::ExpectedRows,
};

/// The end of an attempt, with the tasks that follow from it. All of it takes effect, or nothing.
#[derive(Clone, Debug)]
pub(crate) struct FinishTask {
    pub task: TaskRef,
    pub id: TaskKey,
    pub finish: Finish,
    /// The changed task, if the end stores it.
    pub row: Option<TaskRow>,
    pub next: Vec<NewTask>,
}

impl Action for FinishTask {
    type Out = Header;

    fn expect_rows(&self, _: &Kinds, _: Micros, rows: &mut ExpectedRows) {
        rows.task(self.task);
        self.next.iter().for_each(|new| new.expect_keys(rows));
    }

    fn run(&self, writer: &mut Writer<'_>) -> Result<Header> {
        let kind: Arc<Kind> = writer.kind(self.task.kind)?;
        if self.next.is_empty() {
            return self.finish(writer, &kind);
        }
        writer.all_or_nothing(|writer| {
            for new in &self.next {
                new.submit_within(writer, &[self.task])?;
            }
            self.finish(writer, &kind)
        })
    }
}

impl FinishTask {
    /// Releases a task as if it had not been claimed.
    pub(crate) fn release(claimed: Claimed) -> Self {
        let Claimed { task, owner, row, .. } = claimed;
        Self::plain(task, row.id, owner, Outcome::Release, None)
    }

    /// An end without changes of the task, notes, metrics and following tasks.
    pub(crate) fn plain(task: TaskRef, id: TaskKey, owner: Owner, outcome: Outcome, failure: Option<Failure>) -> Self {
        let finish = Finish {
            owner,
            outcome,
            with_changes: false,
            priority: None,
            failure,
            annotations: Annotations::default(),
            run: None,
            random: 0.5,
        };
        Self { task, id, finish, row: None, next: Vec::new() }
    }

    fn finish(&self, writer: &mut Writer<'_>, kind: &Kind) -> Result<Header> {
        let header = writer.header(self.task)?;
        let lost = || kind.refuse(self.id.clone(), Reason::LeaseLost);
        let waits = matches!(self.finish.outcome, Outcome::Fail { retry_in: None });
        let random = if waits { Writer::random_fraction() } else { 0.5 };
        let command = Command::Finish(Finish { random, ..self.finish.clone() });
        let done = writer.decide(kind, self.task, header.as_ref(), &command, self.row.as_ref(), &self.id);
        match done {
            Ok(done) => done.header.ok_or_else(lost),
            // The task was deleted meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => Err(lost()),
            Err(error) => Err(error),
        }
    }
}
