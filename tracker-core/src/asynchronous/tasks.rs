use std::{error::Error as StdError, fmt};

use super::calls;
use crate::{
    body::{IntoOutcome, RunError, finish_body},
    engine::{Claim, StartById, Target, TaskCommand},
    error::{ErrorKind, Result},
    execution::Execution,
    record::Record,
    rules::{Command, Requeue},
    task::{TaskId, TrackedTask},
    tasks::{Counts, Receipt, StartOptions, SubmitOptions, Tasks},
    worker::{AsyncWorker, attempt},
};

/// The tasks of one kind, for async callers. Made by [`Tasks::asynchronous`].
///
/// A change is queued when its future is first polled (submits and changes by hand wait while 16,384 calls are in the
/// queue), and is then made, whatever becomes of the future: dropping the
/// future gives up the answer, not the change. A task that was claimed for a future that is gone is given back at once.
///
/// An [`Execution`] that comes from here and is dropped without an outcome is given back as if it had not been claimed,
/// since the cancellation of an async task looks like that; an early return out of your code does too. By a panic it has
/// failed, as always. [`AsyncTasks::run`] and [`Tasks::async_worker`] see the difference and store a body's error.
///
/// Of the methods of an execution, use those that end in `_async`: the others wait for the disk on the runtime's thread.
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// # use tracker_core::{TaskStatus, TrackedTask, Tracker};
/// # #[derive(TaskStatus, Clone, Copy, PartialEq, Debug)]
/// # enum Status { Pending = 1, InProgress = 2, Failed = 3, Succeeded = 4, Exhausted = 5 }
/// # #[derive(TrackedTask, Serialize, Deserialize)]
/// # #[task(name = "job", status = Status)]
/// # struct Job { #[task(id)] name: String, length: usize }
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let tracker = Tracker::in_memory()?;
/// let jobs = tracker.tasks::<Job>()?.asynchronous();
/// jobs.submit(&Job { name: "a".into(), length: 0 }).await?;
/// while let Some(mut job) = jobs.claim().await? {
///     job.length = job.name.len();
///     job.succeed_async().await?;
/// }
/// assert_eq!(jobs.counts()?.get(Status::Succeeded), 1);
/// # Ok::<(), tracker_core::Error>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct AsyncTasks<T: TrackedTask> {
    tasks: Tasks<T>,
}

impl<T: TrackedTask> Tasks<T> {
    /// The same tasks for async callers.
    #[must_use]
    pub fn asynchronous(&self) -> AsyncTasks<T> {
        AsyncTasks { tasks: self.clone() }
    }

    /// A worker for async bodies.
    #[must_use]
    pub fn async_worker(&self) -> AsyncWorker<T> {
        AsyncWorker::new(self.clone())
    }
}

impl<T: TrackedTask> AsyncTasks<T> {
    /// The tasks for callers on threads.
    #[must_use]
    pub fn tasks(&self) -> &Tasks<T> {
        &self.tasks
    }

    /// [`Tasks::submit`] for async callers.
    ///
    /// # Errors
    /// As [`Tasks::submit`].
    pub async fn submit(&self, task: &T) -> Result<Receipt> {
        self.submit_with(task, &SubmitOptions::default()).await
    }

    /// [`Tasks::submit_with`] for async callers.
    ///
    /// # Errors
    /// As [`Tasks::submit`].
    pub async fn submit_with(&self, task: &T, options: &SubmitOptions) -> Result<Receipt> {
        let (new, queued) = self.tasks.receipt(self.tasks.new_task_with(task, options)?, options);
        let engine = &self.tasks.shared.engine;
        engine.room().await;
        match queued {
            Some(receipt) => engine.post(new).map(|()| receipt),
            None => Ok(calls::queue(&self.tasks.shared, new).await?.into()),
        }
    }

    /// [`Tasks::claim`] for async callers.
    ///
    /// # Errors
    /// As [`Tasks::claim`].
    pub async fn claim(&self) -> Result<Option<Execution<T>>> {
        let kind = self.tasks.kind()?;
        let start = self.tasks.start_command(&kind, &StartOptions::default(), true)?;
        let claim = Claim { kind: self.tasks.kind_id(), start, most: 1, begin: 1, suspects: true, held: false };
        match calls::claim(&self.tasks.shared, claim).await?.tasks.pop() {
            Some(claimed) => calls::execution(&self.tasks.shared, &kind, claimed).await.map(Some),
            None => Ok(None),
        }
    }

    /// [`Tasks::start`] for async callers.
    ///
    /// # Errors
    /// As [`Tasks::start`].
    pub async fn start(&self, id: impl TaskId) -> Result<Execution<T>> {
        self.start_with(id, &StartOptions::default()).await
    }

    /// [`Tasks::start_with`] for async callers.
    ///
    /// # Errors
    /// As [`Tasks::start`].
    pub async fn start_with(&self, id: impl TaskId, options: &StartOptions<T::Status>) -> Result<Execution<T>> {
        let kind = self.tasks.kind()?;
        let start = self.tasks.start_command(&kind, options, false)?;
        let start = StartById { kind: self.tasks.kind_id(), target: Target::Id(id.to_key()), start };
        let claimed = calls::start(&self.tasks.shared, start).await?;
        calls::execution(&self.tasks.shared, &kind, claimed).await
    }

    /// [`Tasks::run`] with an async body. If the future is dropped, the body is too, and the task is given back without
    /// cost.
    ///
    /// # Errors
    /// As [`Tasks::run`].
    ///
    /// # Panics
    /// With the panic of `body`, after it was stored as a failure.
    pub async fn run<R, E>(
        &self,
        id: impl TaskId,
        body: impl AsyncFnOnce(&mut Execution<T>) -> Result<R, E>,
    ) -> Result<(), RunError>
    where
        R: IntoOutcome,
        E: Into<Box<dyn StdError + Send + Sync>> + fmt::Debug,
    {
        let mut execution = self.start(id).await.map_err(RunError::from_start)?;
        let result = attempt::caught(body(&mut execution)).await;
        let finished = finish_body(&mut execution, result);
        let stored = match finished.action {
            Some(Ok(action)) => calls::queue(&self.tasks.shared, action).await.map(drop),
            Some(Err(error)) => Err(error),
            None => Ok(()),
        };
        if let Some(panic) = finished.panic {
            std::panic::resume_unwind(panic);
        }
        stored.map_err(RunError::from_end)?;
        finished.error.map_or(Ok(()), |error| Err(RunError::Body(error)))
    }

    /// [`Tasks::get`]. It is no async call: it reads a few pages, mostly from the cache, and waits for no writer, so that
    /// handing it to another thread would cost more than the read. For [queries](Tasks::query) of many tasks, use
    /// `spawn_blocking` with [`AsyncTasks::tasks`].
    ///
    /// # Errors
    /// As [`Tasks::get`].
    pub fn get(&self, id: impl TaskId) -> Result<Option<Record<T, T::Status>>> {
        self.tasks.get(id)
    }

    /// [`Tasks::counts`]. It is no async call: it reads one row for each status.
    ///
    /// # Errors
    /// As [`Tasks::counts`].
    pub fn counts(&self) -> Result<Counts> {
        self.tasks.counts()
    }

    /// [`Tasks::update`] for async callers: `change` may run more than once.
    ///
    /// # Errors
    /// As [`Tasks::update`].
    pub async fn update(&self, id: impl TaskId, mut change: impl FnMut(&mut T)) -> Result<()> {
        let id = id.to_key();
        loop {
            let changed = self.tasks.changed(&id, &mut change)?;
            match calls::queue(&self.tasks.shared, changed).await {
                // Somebody changed it since it was read.
                Err(error) if error.kind() == ErrorKind::NotStartable => {}
                other => return other.map(drop),
            }
        }
    }

    /// [`Tasks::requeue`] for async callers.
    ///
    /// # Errors
    /// As [`Tasks::requeue`].
    pub async fn requeue(&self, id: impl TaskId) -> Result<()> {
        self.command(id, Command::Requeue(Requeue::default())).await
    }

    /// [`Tasks::cancel`] for async callers.
    ///
    /// # Errors
    /// As [`Tasks::cancel`].
    pub async fn cancel(&self, id: impl TaskId) -> Result<()> {
        self.command(id, Command::Cancel).await
    }

    async fn command(&self, id: impl TaskId, command: Command) -> Result<()> {
        let command = TaskCommand::new(self.tasks.kind_id(), Target::Id(id.to_key()), command);
        self.tasks.shared.engine.room().await;
        calls::queue(&self.tasks.shared, command).await.map(drop)
    }
}

impl<T: TrackedTask> Clone for AsyncTasks<T> {
    fn clone(&self) -> Self {
        Self { tasks: self.tasks.clone() }
    }
}

impl<T: TrackedTask> fmt::Debug for AsyncTasks<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AsyncTasks").field(&self.tasks).finish()
    }
}
