//! `StartStatus` shows the start condition of a worker that lets no handler start, and its reading. Written by `checker`, handed out by the
//! builders and by `worker/background`, read by users; in memory, behind a lock.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Tells which start condition of a worker lets no handler start. From `start_status` of the builders and of
/// [`WorkerHandle`](crate::worker::WorkerHandle); clones share the state.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::{thread, time::Duration};
/// use tracker_core::worker::StartCheck;
///
/// # let tracker = tracker_core::Tracker::in_memory()?;
/// # let jobs = tracker.tasks::<Job>()?;
/// # jobs.submit(&job("a"))?;
/// let on_mains = || StartCheck::wait("the machine runs on battery");
/// let worker = jobs.worker().start_when(on_mains).spawn(|_| Ok::<_, std::io::Error>(()))?;
/// let status = worker.start_status();
/// let blocking = loop {
///     match status.blocking() {
///         Some(blocking) => break blocking,
///         None => thread::yield_now(), // the worker has not checked it yet
///     }
/// };
/// assert_eq!(blocking.reading, "the machine runs on battery");
/// worker.shutdown(Duration::from_secs(10))?;
/// # worker.join()?;
/// # assert!(status.blocking().is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct StartStatus(Arc<Mutex<Option<BlockingCondition>>>);

/// A start condition that lets no handler start.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlockingCondition {
    /// [`StartCondition::name`](crate::worker::StartCondition::name) of the condition; `delay between starts` for the delay of the worker.
    pub condition: String,
    /// The reading, or why there is none: `the load is 7.2`.
    pub reading: String,
    /// Whether the condition could not be checked.
    pub failed: bool,
}

impl StartStatus {
    /// Returns the condition that let no handler start at the last check. `None` while handlers may start, and when the worker has ended or has
    /// checked nothing yet, because it checks its conditions only when a task may wait.
    #[must_use]
    pub fn blocking(&self) -> Option<BlockingCondition> {
        self.lock().clone()
    }

    pub(super) fn set(&self, blocking: Option<BlockingCondition>) {
        *self.lock() = blocking;
    }

    fn lock(&self) -> MutexGuard<'_, Option<BlockingCondition>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for StartStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StartStatus").field(&*self.lock()).finish()
    }
}
