//! `AsyncTasks` is the async twin of `Tasks`. Called by users. Its calls are defined in `api/tasks`, beside their blocking forms; the
//! handle itself touches nothing.

use std::{fmt, ops::Deref};

use crate::{api::tasks::Tasks, model::task::TrackedTask};

/// The [`Tasks`] of one kind for async callers. Made by [`Tasks::asynchronous`].
///
/// A change is queued when its future is first polled (submits and changes by an operator wait while 16,384 calls are in the
/// queue), and is then made: dropping the future gives up the answer, not the change. A task that was claimed for a dropped future
/// is given back at once.
///
/// An [`AsyncExecution`](super::AsyncExecution) that is dropped without an outcome is given back as if it had not been claimed,
/// since a cancelled future cannot be told from a drop, and neither can an early return of your code. If it is dropped by a panic, the attempt
/// has failed. [`AsyncTasks::run`] and [`Tasks::async_worker`] see the difference and store the error of a handler.
///
/// It derefs to [`Tasks`]. Of the calls without an async form, [`get`](Tasks::get), [`counts`](Tasks::counts),
/// [`check_start`](Tasks::check_start) and [`explain`](Tasks::explain) do not wait for writers and read a few rows, so that another thread would
/// cost more than the read. Calls that read or commit page by page (queries and their changes, `rescue`, `prune`, `export`, and
/// [`Batch`](crate::batch::Batch) as a whole), and calls that run your code in a transaction
/// ([`Tracker::transaction`](crate::Tracker::transaction), [`Execution::succeed_with`](crate::Execution::succeed_with)), belong on a
/// separate thread: use tokio's `spawn_blocking`. `Tasks` are cheap to clone into it.
///
/// The examples of the calls show the blocking form: add `.await`. Batches and groups have async twins too: see
/// [`Tracker::asynchronous`](crate::Tracker::asynchronous).
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
///     job.succeed().await?;
/// }
/// assert_eq!(jobs.counts()?.get(Status::Succeeded), 1);
/// # Ok::<(), tracker_core::Error>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct AsyncTasks<T: TrackedTask> {
    pub(crate) tasks: Tasks<T>,
}

impl<T: TrackedTask> Tasks<T> {
    /// Returns the tasks for async callers.
    #[must_use]
    pub fn asynchronous(&self) -> AsyncTasks<T> {
        AsyncTasks { tasks: self.clone() }
    }
}

impl<T: TrackedTask> AsyncTasks<T> {
    /// Returns the tasks for callers on threads.
    #[must_use]
    pub fn tasks(&self) -> &Tasks<T> {
        &self.tasks
    }
}

impl<T: TrackedTask> Deref for AsyncTasks<T> {
    type Target = Tasks<T>;

    fn deref(&self) -> &Tasks<T> {
        &self.tasks
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
