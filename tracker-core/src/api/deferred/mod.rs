//! `DeferredTasks` has the calls of `Tasks` that return at once and report later, for programs without a runtime. Called by users; queues
//! work in `Engine`, and never waits for a commit. A submit encodes its task, which is user code, on the thread of its caller; functions and
//! iterators of the user run on the threads of `Engine`. Calls of one action are defined beside their blocking forms, by `single_calls!`.

mod pending;

pub use pending::Pending;

use std::{borrow::Borrow, fmt};

use crate::{
    api::{
        schema::Schema,
        tasks::{Receipt, SubmitOptions, SubmitSummary, Tasks},
    },
    model::{
        error::{Error, Result},
        panics::catch_panic,
        task::{TaskId, TrackedTask},
    },
};

/// The [`Tasks`] of one kind for a thread that must not wait, such as that of a user interface. Made by [`Tasks::deferred`].
///
/// Each call queues a change and returns a [`Pending`] at once: it neither waits for the disk nor for another call, and never commits for
/// others. The background thread or the next leader commits the change at once. The calls of a tracker are made in the order in which they
/// were deferred.
///
/// - A change is made whether or not its `Pending` is kept. [`Tracker::close`](crate::Tracker::close), and the drop of the last handle,
///   make the changes that were deferred before, so that every `Pending` is answered.
/// - While 16,384 calls wait for a commit, a further one is refused with [`ErrorKind::Busy`](crate::ErrorKind::Busy).
/// - Errors of every sort come with the result.
/// - [`update`](Self::update), [`submit_all`](Self::submit_all) and [`call`](Self::call) need more than one commit. They run on a
///   thread of the tracker, and later deferred calls wait for them.
/// - Reads ([`Tasks::get`], [`Tasks::query`]) do not wait for commits and need no deferred form.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
/// # use tracker_core::Tracker;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let tracker = Tracker::in_memory()?;
/// # let jobs = tracker.tasks::<Job>()?;
/// let deferred = jobs.deferred()?;
/// let submitted = deferred.submit(&job("one"));
/// deferred.pause_task("one").on_done(|paused| {
///     if let Err(error) = paused {
///         eprintln!("cannot pause: {error}");
///     }
/// });
/// assert_eq!(submitted.wait()?.id.to_string(), "one");
/// # Ok(())
/// # }
/// ```
pub struct DeferredTasks<T: Schema> {
    pub(crate) tasks: Tasks<T>,
}

impl<T: Schema> Tasks<T> {
    /// Returns the tasks for a thread that must not wait. The first call of a tracker starts the two threads that run deferred work and
    /// callbacks.
    ///
    /// # Errors
    /// - [`ErrorKind::ReadOnly`](crate::ErrorKind::ReadOnly) if the file is open for inspection.
    /// - [`ErrorKind::Io`](crate::ErrorKind::Io) if the system refuses a thread.
    /// - [`ErrorKind::Closed`](crate::ErrorKind::Closed) if the tracker is closed.
    pub fn deferred(&self) -> Result<DeferredTasks<T>> {
        self.shared.engine.start_deferring()?;
        Ok(DeferredTasks { tasks: self.clone() })
    }
}

impl<T: Schema> DeferredTasks<T> {
    /// Returns the tasks for threads that may wait.
    #[must_use]
    pub fn tasks(&self) -> &Tasks<T> {
        &self.tasks
    }

    /// Runs blocking calls on a thread of the tracker: for changes that need several commits, such as those of a
    /// [`Query`](crate::query::Query) or a [`Batch`](crate::batch::Batch). The changes that were deferred before are durable when `work`
    /// begins, and those that are deferred later are made when it has ended. It must not [`wait`](Pending::wait) for a deferred call.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # use tracker_core::Tracker;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tracker = Tracker::in_memory()?;
    /// # let jobs = tracker.tasks::<Job>()?;
    /// # jobs.submit(&job("one"))?;
    /// let removed = jobs.deferred()?.call(|jobs| jobs.query().status(Status::Pending).remove());
    /// assert_eq!(removed.wait()?, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn call<R: Send + 'static>(&self, work: impl FnOnce(&Tasks<T>) -> Result<R> + Send + 'static) -> Pending<R> {
        let engine = &self.tasks.shared.engine;
        let (pending, answerer) = Pending::new(engine);
        let tasks = self.tasks.clone();
        engine.defer_work(Box::new(move |ready| {
            let result = ready.and_then(|()| {
                catch_panic(|| work(&tasks)).unwrap_or_else(|panic| {
                    Err(Error::invalid(format!("the work of a deferred call panicked: {panic}")))
                })
            });
            answerer.answer(result);
            // The last handle closes the tracker, so it is dropped once later calls are queued.
            Box::new(tasks)
        }));
        pending
    }
}

impl<T: TrackedTask> DeferredTasks<T> {
    /// Submits a task: see [`Tasks::submit`]. The task is encoded before the call returns.
    pub fn submit(&self, task: &T) -> Pending<Receipt> {
        self.submit_with(task, &SubmitOptions::default())
    }

    /// Submits a task with options: see [`Tasks::submit_with`]. The result comes when the task is durable, for every durability in the
    /// options.
    pub fn submit_with(&self, task: &T, options: &SubmitOptions) -> Pending<Receipt> {
        Pending::of(&self.tasks.shared, self.tasks.submit_call(task, options))
    }

    /// Submits many tasks: see [`Tasks::submit_all`]. They are taken from the iterator and encoded on a thread of the tracker.
    pub fn submit_all<B: Borrow<T>>(
        &self,
        new: impl IntoIterator<Item = B> + Send + 'static,
    ) -> Pending<SubmitSummary> {
        self.call(move |tasks| tasks.submit_all(new))
    }

    /// Submits many tasks with options: see [`Tasks::submit_all_with`].
    pub fn submit_all_with<B: Borrow<T>>(
        &self,
        new: impl IntoIterator<Item = B> + Send + 'static,
        options: SubmitOptions,
    ) -> Pending<SubmitSummary> {
        self.call(move |tasks| tasks.submit_all_with(new, &options))
    }

    /// Changes a task without a lease: see [`Tasks::update`]. `change` runs on a thread of the tracker.
    pub fn update(&self, id: impl TaskId, change: impl FnMut(&mut T) + Send + 'static) -> Pending<()> {
        let id = id.to_key();
        self.call(move |tasks| tasks.update(id, change))
    }
}

impl<T: Schema> Clone for DeferredTasks<T> {
    fn clone(&self) -> Self {
        Self { tasks: self.tasks.clone() }
    }
}

impl<T: Schema> fmt::Debug for DeferredTasks<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DeferredTasks").field(&self.tasks).finish()
    }
}
