use std::fmt;

use crate::{
    api::{
        record::Record,
        tasks::{Counts, Tasks},
    },
    model::{
        error::Result,
        task::{IndexValue, TaskId, TrackedTask},
    },
};

/// The tasks of one kind, for async callers. Made by [`Tasks::asynchronous`].
///
/// A change is queued when its future is first polled (submits and changes by hand wait while 16,384 calls are in the
/// queue), and is then made, whatever becomes of the future: dropping the
/// future gives up the answer, not the change. A task that was claimed for a future that is gone is given back at once.
///
/// An [`Execution`](crate::Execution) that comes from here and is dropped without an outcome is given back as if it had not been claimed,
/// since the cancellation of an async task looks like that; an early return out of your code does too. By a panic it has
/// failed, as always. [`AsyncTasks::run`] and [`Tasks::async_worker`] see the difference and store a body's error.
///
/// Of the methods of an execution, use those that end in `_async`: the others wait for the disk on the runtime's thread.
///
/// What reads a few rows has no async form: [`AsyncTasks::get`], and by [`AsyncTasks::tasks`] `needs`, `explain` and
/// `queue_position`. What reads or commits page by page (queries and what is done to all that they find, `rescue`, `prune`,
/// `export`, and [`Batch`](crate::batch::Batch) as a whole), and what runs your code in a transaction
/// ([`Tracker::transaction`](crate::Tracker::transaction), [`Execution::succeed_with`](crate::Execution::succeed_with)),
/// belongs on a thread of its own: tokio's `spawn_blocking`. `Tasks` are cheap to clone into it.
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
    pub(super) tasks: Tasks<T>,
}

impl<T: TrackedTask> Tasks<T> {
    /// The same tasks for async callers.
    #[must_use]
    pub fn asynchronous(&self) -> AsyncTasks<T> {
        AsyncTasks { tasks: self.clone() }
    }
}

impl<T: TrackedTask> AsyncTasks<T> {
    /// The tasks for callers on threads.
    #[must_use]
    pub fn tasks(&self) -> &Tasks<T> {
        &self.tasks
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

    /// [`Tasks::get_by_key`]. It is no async call either.
    ///
    /// # Errors
    /// As [`Tasks::get_by_key`].
    pub fn get_by_key(&self, key: &str, values: &[&dyn IndexValue]) -> Result<Option<Record<T, T::Status>>> {
        self.tasks.get_by_key(key, values)
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
