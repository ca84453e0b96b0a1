//! `TaskCommand` runs one command on one task. Queued by `api` and `worker/heartbeats`; `order` and `start` use its checks. Writes through
//! `Writer`.

use std::sync::Arc;

use super::Action;
use crate::{
    engine::writer::Writer,
    model::{
        error::{Reason, Result},
        kind::Kind,
        kinds::Kinds,
        task::{TaskKey, TaskRef},
        task_row::{Progress, TaskRow},
        time::Micros,
        transition::{Command, Condition, Header},
    },
    storage::read::expected_rows::ExpectedRows,
};

/// The task of a command.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    Id(TaskKey),
    Known(TaskRef, TaskKey),
}

impl Target {
    pub(super) fn expect_row(&self, kind: u32, rows: &mut ExpectedRows) {
        match self {
            Self::Known(task, _) => rows.task(*task),
            Self::Id(id) => rows.id(kind, id),
        }
    }

    /// Finds the task and its id.
    pub(crate) fn find(&self, writer: &mut Writer<'_>, kind: &Kind) -> Result<(TaskRef, TaskKey)> {
        match self {
            Self::Known(task, id) => Ok((*task, id.clone())),
            Self::Id(id) => {
                let found = writer.rows().look_up(kind, id)?;
                let task = found.ok_or_else(|| kind.refuse(id.clone(), Reason::NotFound))?;
                Ok((task, id.clone()))
            }
        }
    }
}

/// Refuses a task that has changed since a query found it.
pub(super) fn check_condition(kind: &Kind, id: &TaskKey, header: &Header, condition: Option<&Condition>) -> Result<()> {
    if condition.is_none_or(|condition| condition.holds(header)) {
        return Ok(());
    }
    let status = kind.graph.status(header.code).map_or_else(|| header.code.to_string(), |now| now.name.clone());
    Err(kind.refuse(id.clone(), Reason::NotStartable { status }))
}

/// One command about one task.
#[derive(Clone, Debug)]
pub(crate) struct TaskCommand {
    pub kind: u32,
    pub target: Target,
    pub command: Command,
    /// The payload row that the command stores.
    pub row: Option<TaskRow>,
    /// The progress that is stored with a renewal.
    pub progress: Option<Progress>,
    /// Must still hold, because a task that a query found may have changed since.
    pub condition: Option<Arc<Condition>>,
}

impl TaskCommand {
    pub(crate) fn new(kind: u32, target: Target, command: Command) -> Self {
        Self { kind, target, command, row: None, progress: None, condition: None }
    }
}

impl Action for TaskCommand {
    /// The header afterwards; `None` if the task is gone.
    type Out = Option<Header>;

    fn expect_rows(&self, _: &Kinds, _: Micros, rows: &mut ExpectedRows) {
        self.target.expect_row(self.kind, rows);
    }

    fn run(&self, writer: &mut Writer<'_>) -> Result<Option<Header>> {
        let kind: Arc<Kind> = writer.kind(self.kind)?;
        let (task, id) = self.target.find(writer, &kind)?;
        let header = writer.header(task)?;
        if let Some(header) = &header {
            check_condition(&kind, &id, header, self.condition.as_deref())?;
        }
        let mut command = self.command.clone();
        if let Command::Ignore { fence, .. } = &mut command {
            *fence = writer.take_fence()?;
        }
        let row = self.row.as_ref();
        let mut done = writer.decide(&kind, task, header.as_ref(), &command, row, &id);
        if command.ends_expired_lease() {
            done = writer.end_lease_if_refused(&kind, task, done);
        }
        let done = done?;
        if let Some(progress) = &self.progress {
            writer.put_progress(&kind, task, &id, done.header.as_ref(), progress)?;
        }
        Ok(done.header)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::{
        ErrorKind, Tracker,
        engine::Register,
        model::{kind::KindSpec, new_task::NewTask, time::Micros, transition::Requeue},
    };

    #[test]
    fn a_task_that_no_longer_is_as_the_query_found_it_is_left_alone() {
        let tracker = Tracker::in_memory().unwrap();
        let engine = &tracker.shared.engine;
        let kind =
            engine.call(Register { spec: KindSpec::sample(), id_type: None, values: Box::new(|_| None) }).unwrap();
        let tasks = ["left", "taken"].map(|id| engine.call(NewTask::sample(kind.id, id)).unwrap());
        let act = |at: usize, command: Command, condition: Condition| {
            let target = Target::Known(tasks[at].task, tasks[at].id.clone());
            let condition = Some(Arc::new(condition));
            engine.call(TaskCommand { condition, ..TaskCommand::new(kind.id, target, command) })
        };
        let cancelled = Condition { codes: Some(vec![5]), ..Condition::default() };
        act(1, Command::Cancel, Condition::default()).unwrap();
        let requeue = Command::Requeue(Requeue::default());
        let error = act(0, requeue.clone(), cancelled.clone()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotStartable);
        assert!(error.to_string().contains("while it is pending"), "{error}");
        let old = Condition { until: Some(0), ..cancelled.clone() };
        assert!(act(1, requeue.clone(), old).unwrap_err().is_refusal());
        let new = Condition { since: Some(Micros::MAX), ..cancelled.clone() };
        assert!(act(1, requeue.clone(), new).unwrap_err().is_refusal());
        assert_eq!(act(1, requeue, cancelled).unwrap().unwrap().code, 1);
    }
}
