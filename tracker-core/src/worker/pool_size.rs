//! `PoolSize` changes the number of handlers that a pool runs at once, also while the pool runs. Held by users, `worker/config` and
//! `worker/background`, connected to the pool by `pool_state`. Keeps the number behind a lock, and passes changes to `SharedDispatcher`.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use super::shared_dispatcher::SharedDispatcher;
use crate::model::error::{Error, Result};

/// The number of handlers that a worker or pool runs at once: its threads, or the slots of an [`AsyncWorker`](super::AsyncWorker). It can
/// be changed from anywhere while the pool runs, also to 0 and back. Clones are of the same pool.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use std::time::Duration;
/// # use tracker_core::{Execution, Tracker};
/// # let tracker = Tracker::in_memory()?;
/// # let jobs = tracker.tasks::<Job>()?;
/// let worker = jobs.worker().threads(4).keep_running();
/// let size = worker.pool_size(); // for a slider in the user interface
/// let worker = worker.spawn(|_: &mut Execution<Job>| Ok::<_, std::io::Error>(()))?;
/// size.resize(0)?; // no handler starts any more, and the worker waits
/// jobs.submit(&job("one"))?;
/// size.resize(8)?;
/// jobs.wait("one", Duration::from_secs(60))?;
/// assert_eq!(size.get(), 8);
/// # assert!(worker.shutdown(Duration::from_secs(60))?.is_complete());
/// # assert_eq!(worker.join()?.succeeded, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PoolSize(Arc<Mutex<State>>);

struct State {
    slots: usize,
    /// The pool, once it has started.
    pool: Option<Weak<SharedDispatcher>>,
}

impl PoolSize {
    /// The highest number of handlers that a pool runs at once.
    pub const MAX: usize = 1 << 16;

    pub(super) fn new(slots: usize) -> Self {
        Self(Arc::new(Mutex::new(State { slots, pool: None })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the number of handlers that the pool is to run at once.
    #[must_use]
    pub fn get(&self) -> usize {
        self.lock().slots
    }

    /// Has the pool run this many handlers at once, 0 to [`PoolSize::MAX`] (65,536). Does not wait.
    ///
    /// If the number falls, handlers that run are not disturbed: the first ones that return make room, and no handler starts before enough
    /// have returned. If it rises, the pool starts threads at once. If the system refuses a thread, the pool logs a warning and continues with
    /// the threads that it has; a further `resize` tries again.
    ///
    /// With 0 no handler starts. Tasks that were claimed in advance are released at no cost, the leases of the handlers that still run are
    /// renewed, and the pool waits: it does not end by itself, even if no task is left. A stop or a shutdown ends it.
    ///
    /// Before the start of the pool, the number applies at its start.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the number is higher than [`PoolSize::MAX`], or the pool is stopped or has
    /// ended. The number stays as it was.
    pub fn resize(&self, handlers: usize) -> Result<()> {
        check(handlers)?;
        let mut state = self.lock();
        if let Some(pool) = &state.pool
            && !pool.upgrade().is_some_and(|pool| pool.resize(handlers))
        {
            return Err(Error::invalid(format!(
                "cannot resize the worker to {handlers} handlers: it is stopped or has ended"
            )));
        }
        state.slots = handlers;
        Ok(())
    }

    /// Sets the number before the start.
    pub(super) fn set(&self, slots: usize) {
        self.lock().slots = slots;
    }

    /// Creates the pool with this many slots, and connects it.
    pub(super) fn start(&self, create: impl FnOnce(usize) -> Arc<SharedDispatcher>) -> Arc<SharedDispatcher> {
        let mut state = self.lock();
        let pool = create(state.slots);
        state.pool = Some(Arc::downgrade(&pool));
        pool
    }

    pub(super) fn check(&self) -> Result<()> {
        check(self.get())
    }
}

fn check(handlers: usize) -> Result<()> {
    if handlers > PoolSize::MAX {
        return Err(Error::invalid(format!(
            "a worker cannot run {handlers} handlers at once: give at most {}",
            PoolSize::MAX
        )));
    }
    Ok(())
}

impl fmt::Debug for PoolSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PoolSize").field(&self.get()).finish()
    }
}
