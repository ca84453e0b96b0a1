//! Waits for the end of a task, and registers the callback for tasks that are given up. Called by users and `tracker-cli`; waits for queued
//! commits, reads and decodes the task, and registers in `Engine`, which runs the user's callback on its thread for callbacks.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use super::Tasks;
#[cfg(feature = "tokio")]
use crate::{api::asynchronous::AsyncTasks, model::task::TrackedTask};
use crate::{
    api::{
        port::{Port, calls},
        record::Record,
        schema::Schema,
    },
    engine::{Engine, Flush},
    model::{
        error::{Error, Reason, Result},
        panics::{self, catch_panic},
        task::{TaskId, TaskKey, TaskRef},
        transition::DependencyEnd,
    },
};

/// The result of [`Tasks::wait`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Waited<T, S> {
    /// The task has ended: succeeded, given up, ignored or cancelled.
    Ended(Box<Record<T, S>>),
    /// The task was deleted.
    Deleted,
    /// The task has not ended within the time.
    TimedOut,
}

impl<T, S> Waited<T, S> {
    /// Returns the task if it has ended.
    #[must_use]
    pub fn ended(self) -> Option<Record<T, S>> {
        if let Self::Ended(record) = self { Some(*record) } else { None }
    }
}

calls! {
    (&self) => (tasks, port);
    impl[T: Schema] Tasks<T> => self;
    impl[T: TrackedTask] AsyncTasks<T> => &self.tasks;

    /// Waits up to `within` until a task has ended: until it is succeeded in its last step, given up, ignored or cancelled. Returns at
    /// once if it has. `Duration::ZERO` asks without waiting, `Duration::MAX` waits without a bound.
    ///
    /// The commit that ends the task wakes the call; it does not poll. In a file that other processes write to
    /// ([`Sharing::Writers`](crate::file::Sharing), or a file opened by [`Tracker::inspect`](crate::Tracker::inspect)) it also
    /// looks at the task at intervals of up to 100 ms. A task that is requeued right after its end can be seen as not ended.
    ///
    /// The call starts nothing: a worker must run the task, or free it if its process has died. A handler that waits occupies its thread.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # use tracker_core::Tracker;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use std::time::Duration;
    /// # use tracker_core::{Execution, events::Waited};
    /// # let tracker = Tracker::in_memory()?;
    /// # let jobs = tracker.tasks::<Job>()?;
    /// jobs.submit(&job("one"))?;
    /// assert!(matches!(jobs.wait("one", Duration::ZERO)?, Waited::TimedOut));
    ///
    /// let worker = jobs.worker().spawn(|job: &mut Execution<Job>| {
    ///     job.result = Some(7);
    ///     Ok::<_, std::io::Error>(())
    /// })?;
    /// let record = jobs.wait("one", Duration::from_secs(60))?.ended().expect("the worker has ended it");
    /// assert_eq!((record.status, record.task.result), (Status::Succeeded, Some(7)));
    /// # worker.join()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// - [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if no task has the id.
    /// - [`ErrorKind::Unreadable`](crate::ErrorKind::Unreadable) if the task has ended and cannot be decoded.
    /// - [`ErrorKind::Closed`](crate::ErrorKind::Closed) if the tracker is closed before the task has ended.
    /// - [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) inside a [`Tracker::transaction`](crate::Tracker::transaction).
    /// - A [storage error](crate::ErrorKind#storage-errors).
    ///
    /// # Panics
    /// The async call panics outside a tokio runtime whose time driver is enabled.
    pub fn wait(id: impl TaskId, within: Duration) -> Result<Waited<T::Task, T::Status>>, async Result<Waited<T, T::Status>> {
        let id = id.to_key();
        let engine = &tasks.shared.engine;
        let mut found = tasks.find(&id)?;
        if found.is_none() && !engine.file().is_read_only() {
            // A relaxed submit of the task may still be in the queue.
            port.call(&tasks.shared, Flush).await?;
            found = tasks.find(&id)?;
        }
        let Some(task) = found else { return Err(tasks.kind()?.refuse(id, Reason::NotFound)) };
        let mut wait = engine.wait_for_end(task, within);
        loop {
            // Read before the task, so that an end in between is not missed.
            let seen = wait.signal.seen();
            if let Some(waited) = tasks.waited(task)? {
                return Ok(waited);
            }
            let Some(pause) = wait.next_pause() else { return Ok(Waited::TimedOut) };
            port.changed(&wait.signal, seen, pause).await;
        }
    }
}

impl<T: Schema> Tasks<T> {
    fn find(&self, id: &TaskKey) -> Result<Option<TaskRef>> {
        self.shared.engine.read(|rows| {
            let kind = self.kind_in(rows)?;
            rows.look_up(&kind, id)
        })
    }

    /// The result of a wait for the task now. `None` if the task has not ended.
    fn waited(&self, task: TaskRef) -> Result<Option<Waited<T::Task, T::Status>>> {
        let now = self.shared.engine.now();
        self.shared.engine.read(|rows| {
            let Some(header) = rows.header(task)? else { return Ok(Some(Waited::Deleted)) };
            let kind = self.kind_in(rows)?;
            if DependencyEnd::of(kind.rules(now).overall_role(&header)).is_none() {
                return Ok(None);
            }
            let task_rows = rows.task_rows(task)?;
            task_rows
                .map(|rows| Ok(Waited::Ended(Box::new(Record::of::<T>(self.shared.engine.codecs(), &kind, rows)?))))
                .transpose()
        })
    }

    /// Calls `callback` with each task of the kind that is given up from now on: by its handler, by
    /// [`max_attempts`](crate::task::Policy::max_attempts) or [`max_crashes`](crate::task::Policy::max_crashes). It is called after the
    /// commit, on the tracker's thread for callbacks, with one task after the other.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # use tracker_core::Tracker;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tracker = Tracker::in_memory()?;
    /// # let jobs = tracker.tasks::<Job>()?;
    /// # jobs.submit(&job("one"))?;
    /// # let (alerts, alerted) = std::sync::mpsc::channel();
    /// jobs.on_given_up(move |record| {
    ///     let error = record.history.last().and_then(|attempt| attempt.failure.as_ref()).map(|failure| failure.error.clone());
    ///     let _ = alerts.send((record.task.name, error));
    /// })?;
    /// jobs.start("one")?.give_up("no such host")?;
    /// assert_eq!(alerted.recv()?, ("one".to_owned(), Some("no such host".to_owned())));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// - The callback gets the task as it is when it is called. A task that is deleted by then, or cannot be decoded, is logged instead.
    /// - A panic of the callback is logged, and the next task is not affected.
    /// - It is called at most once for each time that a task is given up. A process that dies after the commit does not call it. For an
    ///   effect that must not be lost, submit a task [`after`](crate::submit::SubmitOptions::after) this one.
    /// - Only commits of this tracker are noticed, not those of other processes.
    /// - [`Tracker::close`](crate::Tracker::close), and the drop of the last handle, wait for the callbacks that are due. A callback that
    ///   holds a handle of the tracker keeps the file open until `close`.
    ///
    /// # Errors
    /// - [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the kind has a callback already.
    /// - [`ErrorKind::ReadOnly`](crate::ErrorKind::ReadOnly) if the file is open for inspection.
    /// - [`ErrorKind::Io`](crate::ErrorKind::Io) if the system refuses the thread.
    /// - [`ErrorKind::Closed`](crate::ErrorKind::Closed) if the tracker is closed.
    pub fn on_given_up(&self, callback: impl Fn(Record<T::Task, T::Status>) + Send + Sync + 'static) -> Result<()> {
        let name = self.name.clone();
        let callback = move |engine: &Engine, task: TaskRef| {
            let record = record_of::<T>(engine, task);
            let called = match record {
                Ok(Some(record)) => catch_panic(AssertUnwindSafe(|| callback(record))),
                Ok(None) => Err("the task was deleted before the call".to_owned()),
                Err(error) => Err(error.to_string()),
            };
            if let Err(error) = called {
                panics::log_catching_panics(
                    || tracing::warn!(kind = &*name, %task, error, "the callback for a task that was given up failed"),
                );
            }
        };
        if self.shared.engine.on_given_up(self.kind, Arc::new(callback))? {
            return Ok(());
        }
        Err(Error::invalid(format!("kind {:?} has a callback for tasks that are given up: a kind has one", self.name)))
    }
}

/// A task as it is now, without a handle that would keep the tracker open.
fn record_of<T: Schema>(engine: &Engine, task: TaskRef) -> Result<Option<Record<T::Task, T::Status>>> {
    let Some(kind) = engine.kinds().get(task.kind).cloned() else { return Ok(None) };
    let task_rows = engine.read(|rows| rows.task_rows(task))?;
    task_rows
        .map(|rows| {
            catch_panic(|| Record::of::<T>(engine.codecs(), &kind, rows))
                .unwrap_or_else(|panic| Err(Error::invalid(panic)))
        })
        .transpose()
}
