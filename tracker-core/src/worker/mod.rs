//! Runs worker pools: threads, or futures of tokio, that claim tasks, run handlers and store outcomes. Defines `Worker` and the options that all
//! workers share. Called by users and `tracker-cli`; starts threads, runs user code, changes stored tasks through `Engine`, and reads `/proc`
//! for start conditions.

#[cfg(feature = "tokio")]
mod async_slot;
#[cfg(feature = "tokio")]
mod async_worker;
mod background;
mod cause;
mod config;
mod finished_attempt;
#[cfg(test)]
mod fixture;
mod heartbeats;
#[cfg(feature = "tokio")]
mod join;
mod kind_runner;
#[cfg(not(feature = "tokio"))]
mod missing_tokio;
mod pool;
mod pool_size;
mod pool_state;
mod shared_dispatcher;
mod start_condition;
mod stop_handle;
mod summary;
mod threads;

pub use crate::api::{
    handler::{IntoOutcome, RunError},
    shutdown::{RunningHandler, Shutdown},
};
#[cfg(feature = "tokio")]
pub use async_worker::AsyncWorker;
pub use background::WorkerHandle;
pub(crate) use config::Settings;
pub use pool::WorkerPool;
pub use pool_size::PoolSize;
pub use start_condition::{
    BlockingCondition, CpuLoad, FreeMemory, RecentStarts, StartCheck, StartCondition, StartStatus,
};
pub use stop_handle::StopHandle;
pub use summary::Summary;

use std::{error::Error as StdError, fmt};

use crate::{
    api::{execution::Execution, tasks::Tasks},
    model::{error::Result, task::TrackedTask},
};

/// A worker for the tasks of one kind, built by [`Tasks::worker`]. [`WorkerPool`] serves several kinds.
pub struct Worker<T: TrackedTask> {
    tasks: Tasks<T>,
    settings: Settings,
}

macro_rules! settings {
    () => {
        $crate::worker::settings!(common);

        /// Sets the number of threads, and so how many tasks run at once: 1 to [`PoolSize::MAX`](crate::worker::PoolSize::MAX). 1 by default; 0
        /// counts as 1. [`pool_size`](Self::pool_size) changes it while the worker runs, also to 0.
        ///
        /// Where the handlers of one kind take less than 50 µs on average, one thread runs the tasks of several, since it does so faster than others
        /// wake up. If one of its handlers takes longer, the others continue after a millisecond or two.
        #[must_use]
        pub fn threads(self, threads: usize) -> Self {
            self.settings.size.set(threads.max(1));
            self
        }
    };
    (common) => {
        /// Waits for further tasks when nothing is left, until the worker is stopped. By default it ends when no task waits, not even
        /// for a later time, and no handler runs here.
        #[must_use]
        pub fn keep_running(mut self) -> Self {
            self.settings.keep_running = true;
            self
        }

        /// Claims up to `tasks` tasks, of all kinds together, before a handler is free for them, and starts the next handler while the
        /// outcomes of the last ones are being stored. 0 by default: a task is claimed for a handler that can start now. If the process dies, at
        /// most as many handlers that had ended run again as run at once.
        ///
        /// With prefetch many short handlers share one commit, also on a single thread. The costs:
        ///
        /// - If the process dies, up to `tasks` handlers that had ended run again, or as many as there are threads, if that is more.
        ///   Handlers with effects outside the file should be few, or repeatable.
        /// - Up to `tasks` tasks are leased to this worker and wait behind a long handler. If the process dies before they start, it
        ///   costs them nothing. Use a small number if several processes share the work.
        /// - A worker that stops after failures has started up to `tasks` more handlers by then.
        /// - If handlers take less than 50 µs, an outcome waits up to 100 ms for those after it, as it also does without prefetch on several
        ///   threads.
        ///
        /// Tasks of a kind with a concurrency limit or a rate limit are not prefetched. A task whose process died is not prefetched again before its start is
        /// stored: a task that kills its process is recognised at the latest the second time. The outcomes that [`run`](Self::run) reports are
        /// durable, and a stop gives back the tasks that have not started.
        #[must_use]
        pub fn prefetch(mut self, tasks: usize) -> Self {
            self.settings.prefetch = tasks;
            self
        }

        /// Stops when `failures` attempts have failed, 1 or more.
        #[must_use]
        pub fn stop_after_failures(mut self, failures: u64) -> Self {
            self.settings.stop_after_failures = Some(failures);
            self
        }

        /// Stops when this share of the attempts has failed, above 0 and at most 1. Counts from the twentieth attempt on.
        #[must_use]
        pub fn stop_at_failure_rate(mut self, share: f64) -> Self {
            self.settings.failure_rate = Some(share);
            self
        }

        /// Sets the timeout of one attempt, more than zero, instead of the kind's. An attempt that takes longer is stored as failed
        /// and its lease ends. [`Execution::is_cancelled`](crate::Execution::is_cancelled) tells its handler, and its thread is free when the handler returns.
        #[must_use]
        pub fn timeout(mut self, limit: std::time::Duration) -> Self {
            self.settings.timeout = Some(limit);
            self
        }

        /// Starts a handler only while `condition` holds, such as [`CpuLoad`](crate::worker::CpuLoad), [`FreeMemory`](crate::worker::FreeMemory) or a
        /// function of your own: see [`StartCondition`](crate::worker::StartCondition). With several conditions, all must hold.
        ///
        /// The conditions are checked before each start, never twice for the same start, and not before the time that a condition names. While
        /// one does not hold, tasks wait in the file and the worker does not end. Handlers that run are left alone. A condition that fails or
        /// panics holds back all starts, and is logged once as a warning. Tasks are not prefetched, and an outcome and the next claim are two
        /// commits.
        #[must_use]
        pub fn start_when(mut self, condition: impl $crate::worker::StartCondition + 'static) -> Self {
            self.settings.start_conditions.add(condition);
            self
        }

        /// Sets the shortest time between the starts of two handlers of this worker. A start condition like those of
        /// [`start_when`](Self::start_when).
        #[must_use]
        pub fn delay_between_starts(mut self, delay: std::time::Duration) -> Self {
            self.settings.start_conditions.delay = Some(delay);
            self
        }

        /// Sets the budget of a resource that tasks need ([`Policy::needs`](crate::task::Policy::needs)): 1 or more, in the unit of the needs. A resource
        /// without a budget holds nothing back.
        ///
        /// Tasks in progress of all kinds in the file count, also those that other pools or processes started: a machine has one memory. A task
        /// that needs more than the budget is left out, which is logged once as a warning, and the worker does not wait for it.
        ///
        /// ```
        /// # use serde::{Deserialize, Serialize};
        /// # use tracker_core::{TaskStatus, TrackedTask, Tracker};
        /// # #[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
        /// # enum Status { Pending = 10, InProgress = 20, Failed = 30, Succeeded = 40 }
        /// #[derive(TrackedTask, Serialize, Deserialize)]
        /// #[task(name = "render", status = Status, needs(mem = "size", gpu = 1))]
        /// struct Render {
        ///     #[task(id)]
        ///     scene: String,
        ///     #[task(index)]
        ///     size: u64,
        /// }
        ///
        /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
        /// # let tracker = Tracker::in_memory()?;
        /// # let renders = tracker.tasks::<Render>()?;
        /// renders.submit(&Render { scene: "a".to_owned(), size: 3 << 30 })?;
        /// let worker = renders.worker().threads(8).budget("mem", 8 << 30).budget("gpu", 2);
        /// assert_eq!(worker.run(|_| Ok::<_, std::io::Error>(()))?.succeeded, 1);
        /// # Ok(())
        /// # }
        /// ```
        #[must_use]
        pub fn budget(mut self, resource: impl Into<String>, amount: u64) -> Self {
            self.settings.budgets.0.insert(resource.into(), amount);
            self
        }

        /// Returns a handle that stops this worker, or shuts it down, from anywhere, such as a Ctrl-C handler.
        #[must_use]
        pub fn stop_handle(&self) -> $crate::worker::StopHandle {
            self.settings.stop.clone()
        }

        /// Returns a handle that changes, also while the worker runs, how many handlers run at once.
        #[must_use]
        pub fn pool_size(&self) -> $crate::worker::PoolSize {
            self.settings.size.clone()
        }

        /// Returns a handle that tells, also while the worker runs, which start condition lets no handler start.
        #[must_use]
        pub fn start_status(&self) -> $crate::worker::StartStatus {
            self.settings.start_status.clone()
        }

        /// Uses `handle`, so that one handle stops several workers.
        #[must_use]
        pub fn stopped_by(mut self, handle: &$crate::worker::StopHandle) -> Self {
            self.settings.stop = handle.clone();
            self
        }
    };
}
pub(crate) use settings;

impl<T: TrackedTask> Tasks<T> {
    /// Returns a worker for these tasks.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # use tracker_core::Tracker;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tracker = Tracker::in_memory()?;
    /// # let jobs = tracker.tasks::<Job>()?;
    /// # jobs.submit_all((0..20).map(|number| job(&number.to_string())))?;
    /// let worker = jobs.worker().threads(4);
    /// let stop = worker.stop_handle(); // for a Ctrl-C handler
    /// let summary = worker.run(|job| {
    ///     job.result = Some(job.name.parse()?);
    ///     Ok::<_, std::num::ParseIntError>(())
    /// })?;
    /// assert_eq!(summary.succeeded, 20);
    /// # assert!(!stop.is_stopped());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A handler that ends with a plain `Ok(())` does not name its error type, and the compiler asks for it (E0283). Write
    /// `Ok::<_, E>(())` with the error type, for example `Ok::<_, tracker_core::Error>(())`.
    #[must_use]
    pub fn worker(&self) -> Worker<T> {
        Worker::new(self.clone())
    }
}

impl<T: TrackedTask> Worker<T> {
    pub(crate) fn new(tasks: Tasks<T>) -> Self {
        Self { tasks, settings: Settings::default() }
    }

    settings!();

    /// Runs `handler` on every task until nothing is left, or the worker is stopped. Returns when all outcomes are durable.
    ///
    /// A panic of the handler fails its attempt, and so does a panic in the `Display`, `Debug`, `source` or `Drop` of its error, or in
    /// the `Serialize` or `Drop` of the task. An attempt whose task cannot be serialized fails too. Leases are renewed while a handler runs.
    ///
    /// # Errors
    /// When an error is returned, all threads have ended:
    /// - a [storage error](crate::ErrorKind#storage-errors);
    /// - [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if [`stop_after_failures`](Self::stop_after_failures) or
    ///   [`timeout`](Self::timeout) is zero, [`stop_at_failure_rate`](Self::stop_at_failure_rate) is not above 0 and at most 1, or
    ///   [`threads`](Self::threads) is higher than [`PoolSize::MAX`], a [start condition](StartCondition::validate) is refused, or a
    ///   [`budget`](Self::budget) is zero or of a resource that no kind of the worker needs;
    /// - [`ErrorKind::Io`](crate::ErrorKind::Io) if the system refuses every thread at the start. Where it refuses some of them, the
    ///   worker logs a warning and runs on the others;
    /// - [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if user code panicked outside an attempt, such as a clock.
    pub fn run<F, R, E>(self, handler: F) -> Result<Summary>
    where
        F: Fn(&mut Execution<T>) -> Result<R, E> + Send + Sync,
        R: IntoOutcome,
        E: Into<Box<dyn StdError + Send + Sync>> + fmt::Debug,
    {
        WorkerPool::with(self.settings).serve(&self.tasks, handler).run()
    }
}

impl<T: TrackedTask> fmt::Debug for Worker<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("tasks", &self.tasks).field("settings", &self.settings).finish()
    }
}
