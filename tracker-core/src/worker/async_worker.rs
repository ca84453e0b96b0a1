//! `AsyncWorker` runs handlers that are futures, all in one tokio task. Called by users; drives an async pool by polling each `async_slot` and
//! the heartbeat, and acts through `Engine`.

use std::{error::Error as StdError, fmt};

use super::{
    Settings, Summary,
    async_slot::AsyncSlot,
    cause::first_cause,
    join::Join,
    pool_state::{Closing, PoolState},
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

/// A worker for async handlers, built by [`Tasks::async_worker`].
///
/// All handlers run in the one tokio task that awaits [`AsyncWorker::run`]: they overlap while they await, on any runtime of
/// tokio with time enabled, and they may borrow. A handler that computes delays the others and the renewal of the leases:
/// run such work in `tokio::task::spawn_blocking` and await it.
///
/// If the future of `run` is dropped, so are the handlers, and their tasks are released without counting a failed attempt.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use tracker_core::Tracker;
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let tracker = Tracker::in_memory()?;
/// let jobs = tracker.tasks::<Job>()?;
/// jobs.submit_all((0..10).map(|number| job(&number.to_string())))?;
/// let summary = jobs
///     .async_worker()
///     .concurrency(4)
///     .run(async |_| {
///         tokio::task::yield_now().await;
///         Ok::<_, std::io::Error>(())
///     })
///     .await?;
/// assert_eq!(summary.succeeded, 10);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok(())
/// # }
/// ```
pub struct AsyncWorker<T: TrackedTask> {
    tasks: Tasks<T>,
    settings: Settings,
}

impl<T: TrackedTask> Tasks<T> {
    /// Returns a worker for async handlers.
    #[must_use]
    pub fn async_worker(&self) -> AsyncWorker<T> {
        AsyncWorker::new(self.clone())
    }
}

impl<T: TrackedTask> AsyncWorker<T> {
    pub(crate) fn new(tasks: Tasks<T>) -> Self {
        Self { tasks, settings: Settings::default() }
    }

    /// Sets the highest number of handlers that run at once: 1 to [`PoolSize::MAX`](crate::worker::PoolSize::MAX). 1 by default; 0 counts as 1.
    /// [`pool_size`](Self::pool_size) changes it while the worker runs, also to 0.
    #[must_use]
    pub fn concurrency(self, handlers: usize) -> Self {
        self.settings.size.set(handlers.max(1));
        self
    }

    /// Lets a handler whose task is cancelled run on: it is expected to check [`Execution::is_cancelled`](crate::Execution::is_cancelled) and end by itself.
    /// Without this setting, its future is dropped at its next await, as at its timeout, and the attempt ends as cancelled.
    #[must_use]
    pub fn cancel_cooperatively(mut self) -> Self {
        self.settings.cancels_cooperatively = true;
        self
    }

    super::settings!(common);

    /// Runs `handler` on every task until nothing is left, or the worker is stopped. Returns when all outcomes are durable.
    ///
    /// A panic of the handler fails its attempt. Leases are renewed while a handler runs. A handler that takes longer than its time
    /// limit is dropped at the point where it awaits, and its attempt fails. A handler whose task is cancelled, or whose lease is lost, is dropped
    /// too, unless [`cancel_cooperatively`](Self::cancel_cooperatively) is set.
    ///
    /// # Errors
    /// - A [storage error](crate::ErrorKind#storage-errors). All handlers have ended then.
    /// - [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if a setting is invalid, as for
    ///   [`Worker::run`](super::Worker::run).
    /// - [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if user code panicked outside an attempt.
    ///
    /// # Panics
    /// Outside a tokio runtime whose time driver is enabled.
    pub async fn run<F, R, E>(self, handler: F) -> Result<Summary>
    where
        F: AsyncFn(&mut AsyncExecution<T>) -> Result<R, E>,
        R: IntoOutcome,
        E: Into<Box<dyn StdError + Send + Sync>> + fmt::Debug,
    {
        self.settings.check()?;
        let kind = self.tasks.kind()?;
        self.settings.check_budgets(std::slice::from_ref(&kind))?;
        let pool = PoolState::new(&self.settings, &self.tasks.shared, vec![kind.is_limited()]);
        let _closing = Closing(pool.dispatcher.clone());
        let run_slot = |slot| {
            let tasks = self.tasks.worker_name(&format!("pid {} slot {slot}", std::process::id()));
            let (slot, pool) = (AsyncSlot { slot, tasks, handler: &handler, pool: &pool }.run(), &pool);
            // As on a thread, a panic outside an attempt halts the worker with an error.
            async move { attempt::catch_panics(slot).await.unwrap_or_else(|payload| threads::halt(pool, payload)) }
        };
        let (mut slots, dispatcher) = (Join::new(), &pool.dispatcher);
        let open_until_over = async {
            loop {
                let seen = dispatcher.driver.seen();
                let Some(opened) = dispatcher.open_slots() else { break };
                for slot in opened {
                    slots.push(run_slot(slot));
                }
                tokio::select! {
                    never = &mut slots => match never {},
                    () = dispatcher.driver.changed(seen, None) => {}
                }
            }
            slots.into_errors()
        };
        let ended = tokio::select! {
            ended = open_until_over => ended,
            never = dispatcher.heartbeats.renew() => match never {},
        };
        pool.with_cause(first_cause(ended))?;
        Ok(pool.into_summary())
    }
}

impl<T: TrackedTask> fmt::Debug for AsyncWorker<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncWorker").field("tasks", &self.tasks).field("settings", &self.settings).finish()
    }
}
