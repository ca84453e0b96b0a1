//! Submits one task (`NewTask`), several with dependencies among them (`SubmitGroup`), or one that starts at once (`SubmitAndStart`): finds the
//! task with this id or unique key, then creates it, submits it again, or leaves it. Queued by `api`, and run by user transactions, by other
//! actions that submit tasks (`bulk`, `finish`, `schedule`), and by `engine/writer/batches`; writes through `Writer`.

use std::sync::Arc;

use uuid::Uuid;

use super::{Action, Claimed};
use crate::{
    engine::writer::Writer,
    model::{
        error::{Reason, Result},
        kind::Kind,
        kinds::Kinds,
        new_task::NewTask,
        task::{TaskId, TaskKey, TaskRef},
        task_row::TaskRow,
        throttle::AcceptedSubmit,
        time::Micros,
        transition::{Command, CommandResult, Start},
    },
    storage::read::expected_rows::ExpectedRows,
};

/// The task that a submit found or created.
#[derive(Clone, Debug)]
pub(crate) struct Submitted {
    pub task: TaskRef,
    pub id: TaskKey,
    pub result: CommandResult,
}

impl NewTask {
    fn task_row(&self, id: TaskKey) -> TaskRow {
        TaskRow { id, indexes: self.indexes.clone(), uniques: self.uniques.clone(), payload: self.payload.clone() }
    }

    /// Expects reads of its id and its unique keys.
    pub(super) fn expect_keys(&self, rows: &mut ExpectedRows) {
        self.id.iter().for_each(|id| rows.id(self.kind, id));
        for (number, value) in (0..).zip(&self.uniques).filter(|(_, value)| !value.is_empty()) {
            rows.unique_key(self.kind, number, value);
        }
    }

    /// The task with this id or one of these unique keys.
    fn matching(&self, writer: &mut Writer<'_>, kind: &Kind) -> Result<Option<TaskRef>> {
        let mut found = match &self.id {
            Some(id) => writer.rows().with_id(self.kind, id)?,
            None => None,
        };
        for (number, value) in (0..).zip(&self.uniques).filter(|(_, value)| !value.is_empty()) {
            let holder = writer.rows().with_unique(self.kind, number, value)?;
            match (found, holder) {
                (Some(one), Some(other)) if one != other => {
                    let id = self.id.clone().unwrap_or_else(|| "(new)".to_key());
                    let other = writer.rows().task_row(other)?.id;
                    return Err(kind.refuse(id, Reason::KeyTaken { other }));
                }
                _ => found = found.or(holder),
            }
        }
        Ok(found)
    }
}

impl NewTask {
    /// Ends the expired leases of tasks that hold a unique key of this task which is unique among unfinished tasks only. That may finish them,
    /// which frees the key.
    pub(in crate::engine) fn end_expired_leases(&self, writer: &mut Writer<'_>) -> Result<()> {
        let kind: Arc<Kind> = writer.kind(self.kind)?;
        for ((number, value), (_, while_unfinished)) in (0..).zip(&self.uniques).zip(&kind.uniques) {
            if !while_unfinished || value.is_empty() {
                continue;
            }
            if let Some(task) = writer.rows().with_unique(kind.id, number, value)? {
                writer.free(&kind, task)?;
            }
        }
        Ok(())
    }

    /// Submits the task if it exists or its kind has room for it.
    pub(super) fn submit_if_room(&self, writer: &mut Writer<'_>) -> Result<Submitted> {
        self.submit_checking(writer, true)
    }

    /// Submits the task as a part of a larger action, without a check of `max_waiting` and of budgets.
    pub(in crate::engine) fn submit(&self, writer: &mut Writer<'_>) -> Result<Submitted> {
        self.submit_checking(writer, false)
    }

    fn submit_checking(&self, writer: &mut Writer<'_>, checks_room: bool) -> Result<Submitted> {
        let kind: Arc<Kind> = writer.kind(self.kind)?;
        let found = self.matching(writer, &kind)?;
        let Some(throttle) = &self.throttle else { return self.submit_found(writer, &kind, found, checks_room) };
        if !self.starts_a_run(writer, found)? {
            return self.submit_found(writer, &kind, found, checks_room);
        }
        if let Some(AcceptedSubmit { id, .. }) = writer.throttled_by(kind.id, &throttle.key)? {
            // A task that was deleted since has no number. The answer then has number 0, which no task has.
            let task = writer.rows().with_id(kind.id, &id)?.unwrap_or(kind.task(0));
            return Ok(Submitted { task, id, result: CommandResult::Throttled });
        }
        writer.all_or_nothing(|writer| {
            let submitted = self.submit_found(writer, &kind, found, checks_room)?;
            writer.accept_submit(kind.id, throttle, &submitted.id)?;
            Ok(submitted)
        })
    }

    /// Whether the task is new or starts again with a changed fingerprint.
    fn starts_a_run(&self, writer: &mut Writer<'_>, found: Option<TaskRef>) -> Result<bool> {
        let Some(task) = found else { return Ok(true) };
        let header = writer.indexed_header(task)?;
        if !self.submit.changes(&header) {
            return Ok(false);
        }
        match &self.id {
            // A task found by a unique key, but with another id, is left unchanged: see `resubmit`.
            Some(id) => Ok(writer.rows().task_row(task)?.id == *id),
            None => Ok(true),
        }
    }

    fn submit_found(
        &self,
        writer: &mut Writer<'_>,
        kind: &Kind,
        found: Option<TaskRef>,
        checks_room: bool,
    ) -> Result<Submitted> {
        if found.is_none() && checks_room {
            self.check_room(writer, kind)?;
            self.check_needs(writer, kind)?;
        }
        match found {
            None if self.dependencies.is_empty() => self.create(writer, kind),
            None => writer.all_or_nothing(|writer| {
                let submitted = self.create(writer, kind)?;
                writer.set_dependencies(kind, submitted.task, &submitted.id, &self.dependencies)?;
                Ok(submitted)
            }),
            Some(task) if self.dependencies.is_empty() && self.submit.batch.is_none() => {
                self.resubmit(writer, kind, task)
            }
            Some(task) => writer.all_or_nothing(|writer| {
                // Before the requeue: the other batch counts the task by its old role.
                if let Some(batch) = self.submit.batch {
                    let id = writer.rows().task_row(task)?.id;
                    writer.join(kind, task, &id, batch)?;
                }
                let submitted = self.resubmit(writer, kind, task)?;
                if submitted.result == CommandResult::Requeued && !self.dependencies.is_empty() {
                    writer.set_dependencies(kind, task, &submitted.id, &self.dependencies)?;
                }
                Ok(submitted)
            }),
        }
    }
}

impl NewTask {
    /// Submits the task in the commit that ends `ended_tasks`. Refused if it is one of these and the submit would change nothing.
    pub(in crate::engine) fn submit_within(
        &self,
        writer: &mut Writer<'_>,
        ended_tasks: &[TaskRef],
    ) -> Result<Submitted> {
        let submitted = self.submit(writer)?;
        if !self.has_effect_on_existing() {
            submitted.check_within(writer, ended_tasks)?;
        }
        Ok(submitted)
    }

    /// Whether the submit changes an existing task even if its fingerprint is the same: the task joins a batch.
    pub(crate) fn has_effect_on_existing(&self) -> bool {
        self.submit.batch.is_some()
    }
}

impl Submitted {
    /// Refuses the submit of a task that ends in the same commit, unless a changed fingerprint starts it again.
    pub(crate) fn check_within(&self, writer: &mut Writer<'_>, ended_tasks: &[TaskRef]) -> Result<()> {
        if self.result != CommandResult::Existing || !ended_tasks.contains(&self.task) {
            return Ok(());
        }
        let will_run_again = writer.header(self.task)?.is_some_and(|header| header.successor);
        if will_run_again {
            Ok(())
        } else {
            Err(writer.kind(self.task.kind)?.refuse(self.id.clone(), Reason::SubmitsItself))
        }
    }
}

impl NewTask {
    fn check_room(&self, writer: &mut Writer<'_>, kind: &Kind) -> Result<()> {
        writer.rows().lock_waiting(kind)?;
        if kind.policy.max_waiting.is_none() {
            return Ok(());
        }
        let waiting = writer.count_where(kind, |status| kind.is_claimable(status.code))?;
        kind.check_room(waiting)
            .map_err(|reason| kind.refuse(self.id.clone().unwrap_or_else(|| "(new)".to_key()), reason))
    }

    /// Refuses a task that needs more of a resource than the budget that the file has.
    fn check_needs(&self, writer: &mut Writer<'_>, kind: &Kind) -> Result<()> {
        if !kind.has_needs() {
            return Ok(());
        }
        let budgets = writer.rows().stored_budgets()?;
        let exceeded = kind.policy.needs.iter().zip(kind.amounts(&self.indexes)).find_map(|(need, amount)| {
            let budget = *budgets.0.get(&*need.resource).filter(|budget| amount > **budget)?;
            Some(Reason::ExceedsBudget { resource: need.resource.to_string(), amount, budget })
        });
        exceeded.map_or(Ok(()), |reason| Err(kind.refuse(self.id.clone().unwrap_or_else(|| "(new)".to_key()), reason)))
    }

    /// Creates a task.
    fn create(&self, writer: &mut Writer<'_>, kind: &Kind) -> Result<Submitted> {
        let id = self.id.clone().unwrap_or_else(|| Uuid::now_v7().to_key());
        if let Some(batch) = self.submit.batch {
            writer.check_can_join(kind, &id, None, batch)?;
        }
        let task = kind.task(writer.new_seq()?);
        let row = self.task_row(id.clone());
        writer.decide(kind, task, None, &Command::Submit(self.submit.clone()), Some(&row), &id)?;
        Ok(Submitted { task, id, result: CommandResult::New })
    }

    /// Submits a task that exists.
    fn resubmit(&self, writer: &mut Writer<'_>, kind: &Kind, task: TaskRef) -> Result<Submitted> {
        let header = writer.header(task)?;
        let id = writer.rows().task_row(task)?.id;
        // A task found by a unique key, but with another id, is left unchanged, since its payload holds its id.
        if self.id.as_ref().is_some_and(|own| *own != id) {
            return Ok(Submitted { task, id, result: CommandResult::Existing });
        }
        let row = self.task_row(id.clone());
        let command = Command::Submit(self.submit.clone());
        let done = writer.decide(kind, task, header.as_ref(), &command, Some(&row), &id)?;
        Ok(Submitted { task, id, result: done.result })
    }
}

impl Action for NewTask {
    type Out = Submitted;

    fn expect_rows(&self, _: &Kinds, _: Micros, rows: &mut ExpectedRows) {
        self.expect_keys(rows);
    }

    fn run(&self, writer: &mut Writer<'_>) -> Result<Submitted> {
        self.end_expired_leases(writer)?;
        self.submit_if_room(writer)
    }
}

/// Submits tasks with dependencies among them: all, or none.
#[derive(Clone, Debug)]
pub(crate) struct SubmitGroup(pub Vec<NewTask>);

impl Action for SubmitGroup {
    type Out = Vec<Submitted>;

    fn expect_rows(&self, _: &Kinds, _: Micros, rows: &mut ExpectedRows) {
        self.0.iter().for_each(|new| new.expect_keys(rows));
    }

    fn run(&self, writer: &mut Writer<'_>) -> Result<Vec<Submitted>> {
        for new in &self.0 {
            new.end_expired_leases(writer)?;
        }
        writer.all_or_nothing(|writer| {
            let mut all = Vec::with_capacity(self.0.len());
            for new in &self.0 {
                all.push(NewTask { dependencies: Vec::new(), ..new.clone() }.submit_if_room(writer)?);
            }
            for (new, submitted) in self.0.iter().zip(&all).filter(|(new, _)| !new.dependencies.is_empty()) {
                if matches!(submitted.result, CommandResult::New | CommandResult::Requeued) {
                    let kind = writer.kind(new.kind)?;
                    writer.set_dependencies(&kind, submitted.task, &submitted.id, &new.dependencies)?;
                }
            }
            Ok(all)
        })
    }
}

/// Submits and starts a task in one commit.
pub(crate) struct SubmitAndStart {
    pub new: NewTask,
    pub start: Start,
}

impl Action for SubmitAndStart {
    type Out = (Submitted, Claimed);

    fn expect_rows(&self, _: &Kinds, _: Micros, rows: &mut ExpectedRows) {
        self.new.expect_keys(rows);
    }

    fn run(&self, writer: &mut Writer<'_>) -> Result<Self::Out> {
        self.new.end_expired_leases(writer)?;
        writer.all_or_nothing(|writer| {
            let submitted = self.new.submit(writer)?;
            let kind = writer.kind(self.new.kind)?;
            let claimed = super::start::start(writer, &kind, submitted.task, &submitted.id, &self.start)?;
            Ok((submitted, claimed))
        })
    }
}
