//! Threads and async slots that claim tasks and run handlers: pools, stopping, summaries, and what a handler returns.

#[cfg(feature = "tokio")]
mod async_kind_runner;
#[cfg(feature = "tokio")]
mod async_worker;
mod config;
mod heartbeats;
mod isolation;
#[cfg(feature = "tokio")]
mod join;
mod kind_runner;
#[cfg(not(feature = "tokio"))]
mod missing_tokio;
mod pass;
mod pool;
mod prefetch;
mod prefetch_buffer;
mod prefetch_visit;
mod summary;
mod threads;

pub use crate::api::handler::{IntoOutcome, RunError};
#[cfg(feature = "tokio")]
pub use async_worker::AsyncWorker;
pub(crate) use config::Settings;
pub use pool::{StopHandle, WorkerPool};
pub use summary::Summary;

use std::{error::Error as StdError, fmt};

use crate::{
    api::{execution::Execution, tasks::Tasks},
    model::{error::Result, task::TrackedTask},
};

/// A worker for the tasks of one kind. Made by [`Tasks::worker`]. For several kinds at once see [`WorkerPool`].
pub struct Worker<T: TrackedTask> {
    tasks: Tasks<T>,
    settings: Settings,
}

macro_rules! settings {
    () => {
        $crate::worker::settings!(common);

        /// How many tasks run at once, at most: exactly so many threads. 1 unless said otherwise; 0 counts as 1.
        #[must_use]
        pub fn threads(mut self, threads: usize) -> Self {
            self.settings.threads = threads.max(1);
            self
        }
    };
    (common) => {
        /// Goes on when nothing is left, and waits for more, until it is stopped. Otherwise it ends when no task waits,
        /// not even for a later time, and none runs here.
        #[must_use]
        pub fn keep_running(mut self) -> Self {
            self.settings.keep_running = true;
            self
        }

        /// Works ahead by up to so many tasks of each kind it serves together: claims them before it needs them, and
        /// begins the next body while the outcomes of the last ones are still on their way to disk. 0 unless said
        /// otherwise: a body's outcome is on disk before its thread begins another one.
        ///
        /// Many short bodies then share one commit, also on a single thread. What it costs:
        ///
        /// - If the process dies, up to `tasks` bodies run again that had ended (where `tasks` is less than the number of
        ///   bodies at once, up to one for each of these: as many as without this option). With 0 to 1,000 that is a few
        ///   milliseconds of work, but bodies with effects outside the file should be few, or bear being repeated.
        /// - Up to `tasks` more than run are leased to this worker, and wait for it behind a long body. If the process
        ///   dies before they begin, it costs them nothing. Give a small number where several processes share the work.
        /// - A worker that halts after failures has begun up to `tasks` more bodies by then.
        /// - Where bodies take less than 50 µs, an outcome waits for those after it, 100 ms at most should a long body
        ///   follow.
        ///
        /// Tasks of a kind with a limit or a rate are not claimed ahead.
        ///
        /// A task whose process died is not claimed ahead again before it has begun for certain: one that kills its
        /// process is found out, at the latest with its second time. What [`run`](Self::run) reports is durable, as
        /// always; a stop gives back what has not begun.
        #[must_use]
        pub fn prefetch(mut self, tasks: usize) -> Self {
            self.settings.prefetch = tasks;
            self
        }

        /// Stops when so many attempts have failed: 1 or more.
        #[must_use]
        pub fn stop_after_failures(mut self, failures: u64) -> Self {
            self.settings.stop_after_failures = Some(failures);
            self
        }

        /// Stops when this share of the attempts has failed, once there were twenty. Above 0, at most 1.
        #[must_use]
        pub fn stop_at_failure_rate(mut self, share: f64) -> Self {
            self.settings.failure_rate = Some(share);
            self
        }

        /// The longest time of one attempt, more than zero, in place of the kind's. An attempt that takes longer is stored as failed and
        /// its lease ends; its body is told by [`Execution::is_cancelled`], and its thread is free when it returns.
        #[must_use]
        pub fn timeout(mut self, limit: std::time::Duration) -> Self {
            self.settings.timeout = Some(limit);
            self
        }

        /// A handle that stops this worker from anywhere, such as a Ctrl-C handler: tasks that run end, none begins.
        #[must_use]
        pub fn stop_handle(&self) -> StopHandle {
            self.settings.stop.clone()
        }

        /// Uses this handle, so that one handle stops several workers.
        #[must_use]
        pub fn stopped_by(mut self, handle: &StopHandle) -> Self {
            self.settings.stop = handle.clone();
            self
        }
    };
}
pub(crate) use settings;

impl<T: TrackedTask> Tasks<T> {
    /// A worker for these tasks.
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

    /// Runs `body` on every task until nothing is left, or it is stopped. Returns when all outcomes are durable.
    ///
    /// A panic of the body is a failure of its task, and so is one of the `Display`, `Debug`, `source` or `Drop` of its error, and of
    /// the `Serialize` or `Drop` of the task. A task that cannot be serialized after the body has failed too. Leases are renewed as long as a body runs.
    ///
    /// # Errors
    /// Where one of these is returned, all threads have stopped:
    /// - a failure of the storage;
    /// - [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if [`stop_after_failures`](Self::stop_after_failures) or
    ///   [`timeout`](Self::timeout) is zero, or [`stop_at_failure_rate`](Self::stop_at_failure_rate) is not above 0 and at most 1;
    /// - [`ErrorKind::Io`](crate::ErrorKind::Io) if the system refuses every thread. Where it refuses some of them, the worker logs
    ///   a warning and runs on the others;
    /// - [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if user code panicked outside an attempt, such as a clock.
    pub fn run<F, R, E>(self, body: F) -> Result<Summary>
    where
        F: Fn(&mut Execution<T>) -> Result<R, E> + Send + Sync,
        R: IntoOutcome,
        E: Into<Box<dyn StdError + Send + Sync>> + fmt::Debug,
    {
        WorkerPool::with(self.settings).serve(&self.tasks, body).run()
    }
}

impl<T: TrackedTask> fmt::Debug for Worker<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("tasks", &self.tasks).field("settings", &self.settings).finish()
    }
}
