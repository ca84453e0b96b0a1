use std::{error::Error as StdError, fmt, sync::Arc};

use super::{
    Settings, StopHandle, Summary,
    async_kind_runner::AsyncKindRunner,
    join::Join,
    pool::{PoolState, all_well},
    prefetch_buffer::PrefetchBuffer,
    threads,
};
use crate::{
    api::{
        asynchronous::{AsyncExecution, attempt},
        handler::IntoOutcome,
        tasks::Tasks,
    },
    model::{error::Result, task::TrackedTask},
};

/// A worker for async bodies. Made by [`Tasks::async_worker`].
///
/// All bodies run in the one task that awaits [`AsyncWorker::run`]: they overlap where they await, on any runtime of
/// tokio with time enabled, and they may borrow. A body that computes keeps the others and the renewal of the leases
/// waiting: give such work to `tokio::task::spawn_blocking` and await it.
///
/// If the future of `run` is dropped, so are the bodies, and their tasks are given back without cost.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use tracker_core::Tracker;
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let tracker = Tracker::in_memory()?;
/// let jobs = tracker.tasks::<Job>()?;
/// jobs.submit_all((0..10).map(|number| Job { name: number.to_string() }))?;
/// let summary = jobs
///     .async_worker()
///     .concurrency(4)
///     .run(async |_| {
///         tokio::task::yield_now().await;
///         Ok::<_, std::io::Error>(())
///     })
///     .await?;
/// assert_eq!(summary.succeeded, 10);
/// # })?;
/// # Ok(())
/// # }
/// ```
pub struct AsyncWorker<T: TrackedTask> {
    tasks: Tasks<T>,
    settings: Settings,
}

impl<T: TrackedTask> Tasks<T> {
    /// A worker for async bodies.
    #[must_use]
    pub fn async_worker(&self) -> AsyncWorker<T> {
        AsyncWorker::new(self.clone())
    }
}

impl<T: TrackedTask> AsyncWorker<T> {
    pub(crate) fn new(tasks: Tasks<T>) -> Self {
        Self { tasks, settings: Settings::default() }
    }

    /// How many bodies run at once, at most. 1 unless said otherwise; 0 counts as 1.
    #[must_use]
    pub fn concurrency(mut self, bodies: usize) -> Self {
        self.settings.threads = bodies.max(1);
        self
    }

    /// Only asks a handler to end whose task is cancelled: [`Execution::is_cancelled`](crate::Execution::is_cancelled) tells it. Otherwise its future is
    /// dropped where it awaits, as it is at its time limit, and the attempt ends as cancelled.
    #[must_use]
    pub fn cancel_cooperatively(mut self) -> Self {
        self.settings.cancels_cooperatively = true;
        self
    }

    super::settings!(common);

    /// Runs `body` on every task until nothing is left, or it is stopped. Returns when all outcomes are durable.
    ///
    /// A panic of the body is a failure of its task. Leases are renewed as long as a body runs. A body that takes longer
    /// than its time limit is dropped where it awaits, and its attempt has failed. One whose task is cancelled, or whose lease
    /// is lost, is dropped so too, unless [`cancel_cooperatively`](Self::cancel_cooperatively) is set.
    ///
    /// # Errors
    /// - A failure of the storage: then all bodies have ended.
    /// - [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if a setting has no meaning, as for
    ///   [`Worker::run`](super::Worker::run).
    /// - [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if user code panicked outside an attempt.
    ///
    /// # Panics
    /// Outside a tokio runtime whose time driver is enabled.
    pub async fn run<F, R, E>(self, body: F) -> Result<Summary>
    where
        F: AsyncFn(&mut AsyncExecution<T>) -> Result<R, E>,
        R: IntoOutcome,
        E: Into<Box<dyn StdError + Send + Sync>> + fmt::Debug,
    {
        self.settings.check()?;
        self.settings.stop.wakes(&self.tasks.shared.engine.signal);
        let shift = PoolState::new(&self.settings, 1);
        let _closing = Closing(shift.buffer.clone());
        let lanes = (0..self.settings.threads).map(|number| {
            let tasks = self.tasks.worker_name(&format!("pid {} lane {number}", std::process::id()));
            let (lane, shift) = (AsyncKindRunner { tasks, body: &body, shift: &shift }.run(), &shift);
            let signal = &self.tasks.shared.engine.signal;
            // The last resort, as on a thread: a panic that no attempt has taken halts the worker with an error.
            async move { attempt::caught(lane).await.unwrap_or_else(|payload| threads::halt(shift, signal, payload)) }
        });
        let ended = tokio::select! {
            ended = Join::new(lanes) => ended,
            never = shift.running.renew() => match never {},
        };
        all_well(ended)?;
        Ok(shift.into_summary())
    }
}

/// Gives back what was claimed ahead, also when the worker's future is dropped.
struct Closing(Arc<PrefetchBuffer>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl<T: TrackedTask> fmt::Debug for AsyncWorker<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncWorker").field("tasks", &self.tasks).field("settings", &self.settings).finish()
    }
}
