//! `Transaction` is the user's own transaction, with the calls that may run inside it. Made by `Tracker::transaction`,
//! `Execution::succeed_with` and `api/store`, used by users, `api/redb_store` and `tracker-postgres`; runs the closure
//! of `update` and the encoding of tasks, which are user code, and writes through `Writer`.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use redb::WriteTransaction;

use crate::{
    api::{
        batch::{Batch, BatchOptions},
        shared::Shared,
        tasks::{Receipt, SubmitOptions, Tasks},
    },
    engine::{Action, Submitted, Target, TaskCommand, Writer},
    model::{
        codec,
        error::{ErrorKind, Result},
        task::{TaskId, TaskRef, TrackedTask},
        transition::{Command, CommandResult, Requeue},
    },
    storage::{file::catch_redb_panic, tables::Writing},
};

/// One transaction over tasks and the caller's own tables. Made by [`Tracker::transaction`](crate::Tracker::transaction).
pub struct Transaction<'a, 't> {
    shared: &'a Arc<Shared>,
    writer: &'a mut Writer<'t>,
    source: Writing<'t>,
    ended: &'a mut EndedExecution,
    /// The tasks that succeed in this transaction.
    ended_tasks: Vec<TaskRef>,
    /// Tasks that a submit found unchanged: the transaction cannot end one of them.
    existing: Vec<Submitted>,
}

/// The executions that end with a transaction. They are marked as ended once it has committed.
#[derive(Default)]
pub(crate) struct EndedExecution(Vec<Arc<AtomicBool>>);

impl EndedExecution {
    /// Marks the executions as ended, so that dropping them writes nothing.
    pub(crate) fn mark_all(self) {
        for ended in self.0 {
            ended.store(true, Ordering::Relaxed);
        }
    }
}

impl<'a, 't> Transaction<'a, 't> {
    pub(crate) fn new(shared: &'a Arc<Shared>, writer: &'a mut Writer<'t>, ended: &'a mut EndedExecution) -> Self {
        let source = writer.rows().source();
        Self { shared, writer, source, ended, ended_tasks: Vec::new(), existing: Vec::new() }
    }

    /// The transaction ends with the success of this task.
    pub(crate) fn within(mut self, task: TaskRef) -> Self {
        self.ended_tasks.push(task);
        self
    }

    /// The redb transaction below this one, for [`redb_store`](crate::redb_store). `None` in a store.
    pub(crate) fn redb(&self) -> Option<&'t WriteTransaction> {
        match self.source {
            Writing::File(txn) => Some(txn),
            Writing::Store(_) => None,
        }
    }

    fn run<A: Action>(&mut self, action: &A) -> Result<A::Out> {
        let before = self.writer.writes();
        catch_redb_panic("writing", || action.run(self.writer)).inspect_err(|error| {
            // An action may be half done, or redb may have panicked, so the transaction is not committed, even if the caller ignores the error.
            let damage = error.stops_a_batch() || error.kind() == ErrorKind::Corrupted;
            if damage || !error.is_refusal() && self.writer.writes() != before {
                self.writer.poison(error);
            }
        })
    }

    /// Submits a task, as [`Tasks::submit`] does.
    ///
    /// # Errors
    /// As [`Tasks::submit`].
    pub fn submit<T: TrackedTask>(&mut self, tasks: &Tasks<T>, task: &T) -> Result<Receipt> {
        self.submit_with(tasks, task, &SubmitOptions::default())
    }

    /// Submits a task with options, as [`Tasks::submit_with`] does.
    ///
    /// # Errors
    /// As [`Tasks::submit_with`].
    pub fn submit_with<T: TrackedTask>(
        &mut self,
        tasks: &Tasks<T>,
        task: &T,
        options: &SubmitOptions,
    ) -> Result<Receipt> {
        let new = tasks.new_task_with(task, options)?;
        let submitted = self.run(&new)?;
        if !new.has_effect_on_existing() {
            submitted.check_within(self.writer, &self.ended_tasks)?;
        }
        if submitted.result == CommandResult::Existing && !new.has_effect_on_existing() {
            self.existing.push(submitted.clone());
        }
        Ok(submitted.into())
    }

    /// Opens a batch, as [`Tracker::open_batch`](crate::Tracker::open_batch) does. If the transaction does not commit, there is no such batch.
    ///
    /// # Errors
    /// As [`Tracker::open_batch`](crate::Tracker::open_batch).
    pub fn open_batch(&mut self, label: &str, options: &BatchOptions) -> Result<Batch> {
        let number = self.run(&options.open(label)?)?;
        Ok(Batch::new(self.shared, number, label))
    }

    /// Seals a batch, as [`Batch::seal`] does. If this ends the batch, it ends when the transaction commits.
    ///
    /// # Errors
    /// As [`Batch::seal`].
    pub fn seal(&mut self, batch: &Batch) -> Result<()> {
        self.run(&batch.sealing(true))
    }

    /// Returns the task with this id as the transaction sees it.
    ///
    /// # Errors
    /// [`ErrorKind::Unreadable`](crate::ErrorKind::Unreadable) if the task cannot be decoded as its type; or a [storage error](crate::ErrorKind#storage-errors).
    pub fn get<T: TrackedTask>(&mut self, tasks: &Tasks<T>, id: impl TaskId) -> Result<Option<T>> {
        let kind = self.writer.kind(tasks.kind_id())?;
        let rows = self.writer.rows();
        let Some(task) = rows.look_up(&kind, &id.to_key())? else { return Ok(None) };
        let row = rows.task_row(task)?;
        codec::decode(tasks.shared.engine.codecs(), tasks.name(), &row.id, &row.payload).map(Some)
    }

    /// Replaces a task's payload.
    ///
    /// # Errors
    /// - [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if the task does not exist.
    /// - [`ErrorKind::Leased`](crate::ErrorKind::Leased) if a worker holds its lease.
    /// - [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the id was changed, or if the task is too large or cannot be serialized.
    /// - [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) if another task has a unique key of the changed task.
    pub fn update<T: TrackedTask>(
        &mut self,
        tasks: &Tasks<T>,
        id: impl TaskId,
        change: impl FnOnce(&mut T),
    ) -> Result<()> {
        let id = id.to_key();
        let kind = self.writer.kind(tasks.kind_id())?;
        let (task, id) = match self.writer.rows().look_up(&kind, &id)? {
            Some(task) => (task, id),
            None => return Err(kind.refuse(id, crate::model::error::Reason::NotFound)),
        };
        let (header, now) = (self.writer.indexed_header(task)?, self.writer.now());
        let (row, revision) = self.writer.rows().changeable(task, &header, now)?;
        let codecs = tasks.shared.engine.codecs();
        let mut value: T = codec::decode(codecs, tasks.name(), &id, &row.payload)?;
        let before = value.priority();
        change(&mut value);
        let row = Some(codec::task_row(codecs, &id, &value)?);
        let priority = codec::changed_priority(&kind, before, &value);
        let target = Target::Known(task, id);
        self.run(&TaskCommand { row, ..TaskCommand::new(kind.id, target, Command::Update { revision, priority }) })?;
        Ok(())
    }

    /// Requeues a task, as [`Tasks::requeue`] does.
    ///
    /// # Errors
    /// As [`Tasks::requeue`].
    pub fn requeue<T: TrackedTask>(&mut self, tasks: &Tasks<T>, id: impl TaskId) -> Result<()> {
        self.command(tasks, id, Command::Requeue(Requeue::default()))
    }

    /// Cancels a task, as [`Tasks::cancel`] does.
    ///
    /// # Errors
    /// As [`Tasks::cancel`].
    pub fn cancel<T: TrackedTask>(&mut self, tasks: &Tasks<T>, id: impl TaskId) -> Result<()> {
        self.command(tasks, id, Command::Cancel)
    }

    /// Deletes a task, as [`Tasks::remove`] does.
    ///
    /// # Errors
    /// As [`Tasks::remove`].
    pub fn remove<T: TrackedTask>(&mut self, tasks: &Tasks<T>, id: impl TaskId) -> Result<()> {
        self.command(tasks, id, Command::Delete)
    }

    fn command<T: TrackedTask>(&mut self, tasks: &Tasks<T>, id: impl TaskId, command: Command) -> Result<()> {
        self.run(&TaskCommand::new(tasks.kind_id(), Target::Id(id.to_key()), command))?;
        Ok(())
    }

    /// Ends an execution as a success, in this transaction. If the transaction does not commit, the lease remains.
    ///
    /// # Errors
    /// - [`ErrorKind::LeaseLost`](crate::ErrorKind::LeaseLost) if another worker has the task, or the attempt has ended.
    /// - [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the changed task cannot be stored (its id was changed, it is too
    ///   large, or it cannot be serialized), or if the transaction also submits this task, which exists.
    /// - [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) if another task has a unique key of the changed task.
    pub fn succeed<T: TrackedTask>(&mut self, execution: &mut crate::Execution<T>) -> Result<()> {
        let (task, _, _) = execution.owned();
        for submitted in &self.existing {
            submitted.check_within(self.writer, &[task])?;
        }
        let finish = execution.finish_of(crate::Outcome::Succeed, None, true)?;
        self.run(&finish)?;
        self.ended_tasks.push(task);
        self.ended.0.push(execution.committed());
        Ok(())
    }
}

impl fmt::Debug for Transaction<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("ended_tasks", &self.ended_tasks).finish_non_exhaustive()
    }
}
