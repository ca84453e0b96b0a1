//! `StopHandle` stops worker pools from any thread. Held by users, `tracker-cli`, `worker/config`, `worker/background` and `shared_dispatcher`;
//! wakes the slots of each pool, which then see the stop. `shutdown` also waits for their end. Touches no row.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::shared_dispatcher::SharedDispatcher;
use crate::{
    api::{
        port::{Blocking, run_blocking},
        shutdown::{RunningPool, Shutdown, refuse_inside, shut_down},
    },
    model::error::Result,
};

/// Stops workers, from any thread. Clones stop the same workers.
#[derive(Clone, Default)]
pub struct StopHandle(Arc<Stop>);

#[derive(Default)]
struct Stop {
    stopped: AtomicBool,
    finishing: AtomicBool,
    pools: Mutex<Vec<Weak<SharedDispatcher>>>,
}

impl StopHandle {
    /// Returns a handle that has not stopped anything yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Stops the workers: no handler starts, and the workers return when the running handlers have ended. Handlers see it by
    /// [`Execution::is_stopping`](crate::Execution::is_stopping). Does not wait.
    pub fn stop(&self) {
        self.0.stopped.store(true, Ordering::Relaxed);
        self.wake();
    }

    /// Stops the workers as [`stop`](Self::stop) does, and waits up to `within` until they have ended. `Duration::ZERO` stops without
    /// waiting, `Duration::MAX` waits without a bound.
    ///
    /// Handlers that return in time end with their own outcome. The result names the others. Their tasks stay leased, and they may still store
    /// their outcome, until the process ends; then the attempt is interrupted. [`run`](super::Worker::run) returns its summary when all its handlers have
    /// returned.
    ///
    /// A worker that was started by [`spawn`](super::Worker::spawn) can be left behind: `main` may return. `run` on a scoped thread cannot:
    /// the scope waits for its thread, and so for the handlers. On a thread of a tokio runtime use
    /// [`Tracker::shutdown`](crate::Tracker::shutdown) in its async form, or `spawn_blocking`.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use std::time::Duration;
    /// # use tracker_core::{Execution, Outcome, Tracker};
    /// # let tracker = Tracker::in_memory()?;
    /// # let jobs = tracker.tasks::<Job>()?;
    /// # jobs.submit(&job("one"))?;
    /// # let (started, starts) = std::sync::mpsc::channel();
    /// let worker = jobs.worker().keep_running().spawn(move |job: &mut Execution<Job>| {
    ///     # started.send(()).unwrap();
    ///     while !job.is_stopping() {
    ///         // … a part of the work …
    ///         # std::thread::yield_now();
    ///     }
    ///     Ok::<_, std::io::Error>(Outcome::Release) // without a failed attempt: it starts again in the next session
    /// })?;
    /// # starts.recv()?;
    /// let shutdown = worker.shutdown(Duration::from_secs(5))?;
    /// assert!(shutdown.is_complete(), "{shutdown}");
    /// assert_eq!(worker.join()?.other, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) in a handler of one of the workers on a thread, because it would wait for itself.
    pub fn shutdown(&self, within: Duration) -> Result<Shutdown> {
        let pools = {
            let pools = self.0.pools.lock().unwrap_or_else(PoisonError::into_inner);
            let running: Vec<Arc<dyn RunningPool>> =
                pools.iter().filter_map(Weak::upgrade).map(|pool| pool as _).collect();
            refuse_inside(&running)?;
            // Under the lock: a pool that is added later sees the stop.
            self.0.stopped.store(true, Ordering::Relaxed);
            running
        };
        Ok(run_blocking(shut_down(Blocking, &pools, within)))
    }

    /// Has workers that [keep running](super::Worker::keep_running) return when nothing is left. Call it when no more tasks will come.
    pub fn finish(&self) {
        self.0.finishing.store(true, Ordering::Release);
        self.wake();
    }

    fn pools(&self) -> Vec<Arc<SharedDispatcher>> {
        let pools = self.0.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.iter().filter_map(Weak::upgrade).collect()
    }

    fn wake(&self) {
        for pool in self.pools() {
            pool.notice_stop();
        }
    }

    pub(super) fn is_finishing(&self) -> bool {
        self.0.finishing.load(Ordering::Acquire)
    }

    /// Returns whether [`stop`](Self::stop) was called.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.stopped.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, pool: &Arc<SharedDispatcher>) {
        let mut pools = self.0.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.retain(|pool| pool.strong_count() > 0);
        pools.push(Arc::downgrade(pool));
    }
}

impl fmt::Debug for StopHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StopHandle").field(&self.is_stopped()).finish()
    }
}
