//! Defines the calls of an operator on single tasks, and pauses kinds. Called by users, `api/deferred` and `api/live/perform`; `order` and
//! `api/inspect` use `command`. Each call is one action of `Engine`, but `update` reads and decodes the task, runs the user's function and
//! encodes the task, again if it has changed meanwhile. `ignore` calls `Options::redact`.

use super::Tasks;
#[cfg(feature = "tokio")]
use crate::api::asynchronous::AsyncTasks;
use crate::{
    api::{
        deferred::DeferredTasks,
        port::{Port, calls},
        schema::Schema,
        single_call::{SingleCall, single_calls},
    },
    engine::{Pause, Target, TaskCommand},
    model::{
        bounds::TEXT,
        codec,
        error::{ErrorKind, Reason, Result},
        status::TaskStatus,
        task::{TaskId, TaskKey, TrackedTask},
        transition::{Command, Header, Requeue},
    },
};

calls! {
    (&self) => (tasks, port);
    impl[T: TrackedTask] Tasks<T> => self;
    impl[T: TrackedTask] AsyncTasks<T> => &self.tasks;

    /// Changes a task without a lease: reads it, runs `change` outside any transaction, and replaces the task unless another call
    /// changed it meanwhile. In that case `update` reads the task again, so `change` may run more than once. Indexes, unique keys and
    /// the priority of a priority field are updated too.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # use tracker_core::Tracker;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tracker = Tracker::in_memory()?;
    /// # let jobs = tracker.tasks::<Job>()?;
    /// # jobs.submit(&job("one"))?;
    /// jobs.update("one", |job| job.host = "b".into())?;
    /// assert_eq!(jobs.query().index("host", "b").total()?, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// - [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if the task does not exist.
    /// - [`ErrorKind::Leased`](crate::ErrorKind::Leased) if a worker holds its lease.
    /// - [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if `change` has changed the id, or if the changed task is too large or
    ///   cannot be serialized.
    /// - [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) if another task has a unique key of the changed task.
    /// - [`ErrorKind::NotStartable`](crate::ErrorKind::NotStartable) if the task has a status that the kind does not define.
    /// - [`ErrorKind::Unreadable`](crate::ErrorKind::Unreadable) if the stored task cannot be decoded.
    pub fn update(id: impl TaskId, change: impl FnMut(&mut T)) -> Result<()> {
        let (id, mut change) = (id.to_key(), change);
        loop {
            let changed = tasks.changed(&id, &mut change)?;
            match port.call(&tasks.shared, changed).await {
                Err(error) if error.kind() == ErrorKind::Stale => {}
                other => return other.map(drop),
            }
        }
    }
}

single_calls! {
    (&self) => tasks;
    impl[T: TrackedTask] Tasks<T> => self;
    impl[T: TrackedTask] AsyncTasks<T> => &self.tasks;
    impl[T: TrackedTask] DeferredTasks<T> => &self.tasks;

    /// Moves a task between parked and startable statuses.
    ///
    /// # Errors
    /// - [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if the task does not exist.
    /// - [`ErrorKind::Leased`](crate::ErrorKind::Leased) if a worker holds its lease.
    /// - [`ErrorKind::Ended`](crate::ErrorKind::Ended) if it has ended.
    /// - [`ErrorKind::NotStartable`](crate::ErrorKind::NotStartable) if `status` is neither parked nor startable.
    pub fn move_to(&self, id: impl TaskId, status: T::Status) -> Result<()> {
        tasks.command(id, Command::Move { code: status.code() })
    }
}

single_calls! {
    (&self) => tasks;
    impl[T: Schema] Tasks<T> => self;
    impl[T: TrackedTask] AsyncTasks<T> => &self.tasks;
    impl[T: Schema] DeferredTasks<T> => &self.tasks;

    /// Makes a task startable again in its current step, and resets its counts of failures and crashes.
    ///
    /// # Errors
    /// - [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if the task does not exist.
    /// - [`ErrorKind::Leased`](crate::ErrorKind::Leased) if a worker holds its lease.
    /// - [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) if another unfinished task holds its unique key.
    pub fn requeue(&self, id: impl TaskId) -> Result<()> {
        tasks.command(id, Command::Requeue(Requeue::default()))
    }

    /// Requeues a task that has failed or was given up. Refuses tasks of every other status.
    ///
    /// # Errors
    /// - As [`Tasks::requeue`].
    /// - [`ErrorKind::Ended`](crate::ErrorKind::Ended) if the task has succeeded, or is ignored or cancelled.
    /// - [`ErrorKind::NotStartable`](crate::ErrorKind::NotStartable) if it waits or is parked.
    pub fn retry(&self, id: impl TaskId) -> Result<()> {
        tasks.command(id, Command::Requeue(Requeue { failed_only: true, ..Requeue::default() }))
    }

    /// Makes a task startable again in the first step of a pipeline.
    ///
    /// # Errors
    /// As [`Tasks::requeue`].
    pub fn requeue_from_start(&self, id: impl TaskId) -> Result<()> {
        tasks.command(id, Command::Requeue(Requeue { from_start: true, ..Requeue::default() }))
    }

    /// Cancels a task. A waiting task is cancelled at once. A running task gets a cancellation request, and ends as cancelled
    /// unless it succeeds.
    ///
    /// # Errors
    /// - [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if the task does not exist.
    /// - [`ErrorKind::Ended`](crate::ErrorKind::Ended) if it has ended.
    /// - [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the status type has neither a cancelled nor an ignored status.
    pub fn cancel(&self, id: impl TaskId) -> Result<()> {
        tasks.command(id, Command::Cancel)
    }

    /// Ignores a task without a lease. The reason goes into its history.
    ///
    /// # Errors
    /// - [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if the task does not exist.
    /// - [`ErrorKind::Leased`](crate::ErrorKind::Leased) if a worker holds its lease.
    /// - [`ErrorKind::Ended`](crate::ErrorKind::Ended) if it has ended.
    /// - [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the status type has no ignored status.
    pub fn ignore(&self, id: impl TaskId, reason: &str) -> Result<()> {
        let reason = tasks.shared.text(reason, TEXT);
        // The action takes the fence in its transaction.
        tasks.command(id, Command::Ignore { fence: 0, reason })
    }

    /// Deletes a task without a lease, with its history.
    ///
    /// # Errors
    /// - [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if the task does not exist.
    /// - [`ErrorKind::Leased`](crate::ErrorKind::Leased) if a worker holds its lease.
    pub fn remove(&self, id: impl TaskId) -> Result<()> {
        tasks.command(id, Command::Delete)
    }

    /// Stops claims of this kind until [`Tasks::resume`]. The pause is stored in the file.
    ///
    /// # Errors
    /// A [storage error](crate::ErrorKind#storage-errors).
    pub fn pause(&self) -> Result<()> {
        SingleCall::new(Pause { kind: tasks.kind, paused: true })
    }

    /// Ends a pause.
    ///
    /// # Errors
    /// A [storage error](crate::ErrorKind#storage-errors).
    pub fn resume(&self) -> Result<()> {
        SingleCall::new(Pause { kind: tasks.kind, paused: false })
    }
}

impl<T: Schema> Tasks<T> {
    pub(crate) fn command(&self, id: impl TaskId, command: Command) -> CommandCall {
        SingleCall::new(TaskCommand::new(self.kind, Target::Id(id.to_key()), command))
    }
}

/// The call of a command that returns nothing about the task.
type CommandCall = SingleCall<TaskCommand, fn(Option<Header>) -> Result<()>>;

impl<T: TrackedTask> Tasks<T> {
    /// Reads a task, changes it, and returns the command that stores it unless another call has changed it meanwhile.
    fn changed(&self, id: &TaskKey, change: &mut impl FnMut(&mut T)) -> Result<TaskCommand> {
        let (kind, now) = (self.kind()?, self.shared.engine.now());
        let read = self.shared.engine.read(|rows| {
            let Some(task) = rows.look_up(&kind, id)? else { return Ok(None) };
            let Some(header) = rows.header(task)? else { return Ok(None) };
            Ok(Some((task, rows.changeable(task, &header, now)?)))
        })?;
        let Some((task, (row, revision))) = read else {
            return Err(self.kind()?.refuse(id.clone(), Reason::NotFound));
        };
        let codecs = self.shared.engine.codecs();
        let mut value: T = codec::decode(codecs, &self.name, id, &row.payload)?;
        let before = value.priority();
        change(&mut value);
        let row = Some(codec::task_row(codecs, id, &value)?);
        let priority = codec::changed_priority(&*self.kind()?, before, &value);
        let target = Target::Known(task, id.clone());
        Ok(TaskCommand { row, ..TaskCommand::new(self.kind, target, Command::Update { revision, priority }) })
    }
}
