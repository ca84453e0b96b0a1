//! Defines the async twins of `Execution`, `Tracker`, `Batch` and `TaskGroup`: newtypes that deref to the blocking handle. Called by users,
//! `worker/async_slot` and `worker/async_worker`. Their calls are defined beside the blocking forms. No I/O, but an execution that is dropped without
//! an outcome queues the release of its task.

use std::{
    fmt,
    ops::{Deref, DerefMut},
};

use crate::{
    api::{batch::Batch, execution::Execution, group::TaskGroup, tracker::Tracker},
    model::task::TrackedTask,
};

/// An [`Execution`] for async callers. It derefs to the execution, and so to the task.
///
/// If it is dropped without an outcome, the task is given back as if it had not been claimed, since the cancellation of a future looks
/// like a drop. If it is dropped by a panic, the attempt has failed.
pub struct AsyncExecution<T: TrackedTask>(pub(crate) Execution<T>);

impl<T: TrackedTask> Deref for AsyncExecution<T> {
    type Target = Execution<T>;

    fn deref(&self) -> &Execution<T> {
        &self.0
    }
}

impl<T: TrackedTask> DerefMut for AsyncExecution<T> {
    fn deref_mut(&mut self) -> &mut Execution<T> {
        &mut self.0
    }
}

impl<T: TrackedTask + fmt::Debug> fmt::Debug for AsyncExecution<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AsyncExecution").field(&self.0).finish()
    }
}

/// A [`Tracker`] for async callers: its calls that wait for the disk. It derefs to the tracker.
#[derive(Clone, Debug)]
pub struct AsyncTracker(pub(crate) Tracker);

/// A [`Batch`] for async callers: its calls that wait for the disk. It derefs to the batch.
///
/// The calls about all tasks of a batch read and commit page by page: make them on a separate thread, with
/// `tokio::task::spawn_blocking`.
#[derive(Clone, Debug)]
pub struct AsyncBatch(pub(crate) Batch);

/// A [`TaskGroup`] for async callers. It derefs to the group.
#[derive(Debug)]
#[must_use = "nothing is submitted before `submit` is called"]
pub struct AsyncTaskGroup(pub(crate) TaskGroup);

macro_rules! deref {
    ($($twin:ident => $own:ident),+) => {
        $(
            impl Deref for $twin {
                type Target = $own;

                fn deref(&self) -> &$own {
                    &self.0
                }
            }
        )+
    };
}
deref!(AsyncTracker => Tracker, AsyncBatch => Batch, AsyncTaskGroup => TaskGroup);

impl DerefMut for AsyncTaskGroup {
    fn deref_mut(&mut self) -> &mut TaskGroup {
        &mut self.0
    }
}

impl Tracker {
    /// Returns the tracker for async callers.
    #[must_use]
    pub fn asynchronous(&self) -> AsyncTracker {
        AsyncTracker(self.clone())
    }
}

impl Batch {
    /// Returns the batch for async callers.
    #[must_use]
    pub fn asynchronous(&self) -> AsyncBatch {
        AsyncBatch(self.clone())
    }
}

impl<T: TrackedTask> From<Execution<T>> for AsyncExecution<T> {
    fn from(execution: Execution<T>) -> Self {
        Self(execution.released_on_drop(true))
    }
}

impl From<Batch> for AsyncBatch {
    fn from(batch: Batch) -> Self {
        Self(batch)
    }
}

impl AsyncTracker {
    /// Starts a group of tasks that are submitted together: see [`TaskGroup`].
    pub fn group(&self) -> AsyncTaskGroup {
        AsyncTaskGroup(self.0.group())
    }
}
