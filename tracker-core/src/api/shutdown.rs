//! Shuts worker pools down: stops them, waits for their end, and names the handlers that have not returned. Called by `Tracker::shutdown` and
//! the handles in `worker`, which registers its pools here; `api/shared` keeps the pools, and `api/execution` reads whether they stop. Keeps them
//! behind a lock, and blocks while it waits. `inside` runs a handler, which may not wait for the shutdown of its own pool.

use std::{
    cell::Cell,
    fmt, ptr,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};

#[cfg(feature = "tokio")]
use crate::api::asynchronous::AsyncTracker;
use crate::{
    api::{
        port::{Port, calls},
        tracker::Tracker,
    },
    engine::Signal,
    model::{
        error::{Error, Result},
        task::TaskKey,
    },
};

/// A worker pool that runs.
pub(crate) trait RunningPool: Send + Sync {
    /// Starts no further handler, and has the pool end when its handlers have returned.
    fn stop(&self);

    fn is_stopping(&self) -> bool;

    /// Rises once, when the pool has ended.
    fn ended(&self) -> &Signal;

    /// The handlers that have not returned.
    fn running(&self) -> Vec<RunningHandler>;
}

/// A handler that has not returned when a shutdown returned.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunningHandler {
    /// The kind of its task.
    pub kind: String,
    /// The id of its task.
    pub id: TaskKey,
    /// The number of the claim: it rises over the whole file.
    pub fence: u64,
    /// How long it has been running.
    pub run_time: Duration,
}

/// The result of a shutdown.
#[derive(Clone, Debug)]
#[must_use = "handlers that have not returned are named here"]
#[non_exhaustive]
pub struct Shutdown {
    /// The handlers that have not returned in time, the longest-running first. Their tasks stay leased while this process runs.
    pub running: Vec<RunningHandler>,
    ended: bool,
}

impl Shutdown {
    /// Returns whether all handlers have returned, and all their outcomes are stored.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.ended
    }
}

/// Names the handlers that have not returned.
impl fmt::Display for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.ended, self.running.as_slice()) {
            (true, _) => f.write_str("all handlers have returned"),
            (false, []) => f.write_str("all handlers have returned, and outcomes are still being stored"),
            (false, running) => {
                let plural = if running.len() == 1 { "handler has" } else { "handlers have" };
                write!(f, "{} {plural} not returned:", running.len())?;
                for (number, RunningHandler { kind, id, run_time, .. }) in running.iter().enumerate() {
                    let comma = if number == 0 { "" } else { "," };
                    write!(f, "{comma} {kind} \"{id}\" after {run_time:.1?}")?;
                }
                Ok(())
            }
        }
    }
}

/// The pools of one tracker.
#[derive(Default)]
pub(crate) struct Pools(Mutex<PoolList>);

#[derive(Default)]
struct PoolList {
    pools: Vec<Weak<dyn RunningPool>>,
    shut_down: bool,
}

impl Pools {
    /// Registers a pool before its first handler starts. A pool of a tracker that is shut down starts none.
    pub(crate) fn add(&self, pool: &Arc<dyn RunningPool>) {
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        list.pools.retain(|pool| pool.strong_count() > 0);
        list.pools.push(Arc::downgrade(pool));
        if list.shut_down {
            drop(list);
            pool.stop();
        }
    }

    /// Has pools that are registered later start nothing. Returns those that run.
    fn shut_down(&self) -> Result<Vec<Arc<dyn RunningPool>>> {
        let mut list = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let running: Vec<_> = list.pools.iter().filter_map(Weak::upgrade).collect();
        refuse_inside(&running)?;
        list.shut_down = true;
        Ok(running)
    }

    pub(crate) fn is_shut_down(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).shut_down
    }
}

thread_local! {
    /// The pool whose handler runs on this thread.
    static POOL: Cell<*const ()> = const { Cell::new(ptr::null()) };
}

/// Runs a handler of a pool of threads. A shutdown of the pool is refused meanwhile on this thread.
pub(crate) fn inside<P: RunningPool, R>(pool: &Arc<P>, handler: impl FnOnce() -> R) -> R {
    struct Restore(*const ());
    impl Drop for Restore {
        fn drop(&mut self) {
            POOL.set(self.0);
        }
    }
    let _restore = Restore(POOL.replace(Arc::as_ptr(pool).cast()));
    handler()
}

/// Refuses a call that would wait for the handler that makes it.
pub(crate) fn refuse_inside(pools: &[Arc<dyn RunningPool>]) -> Result<()> {
    if pools.iter().any(|pool| ptr::addr_eq(Arc::as_ptr(pool), POOL.get())) {
        return Err(Error::invalid(
            "a handler cannot wait for the shutdown of its own pool: call StopHandle::stop in it, and shut down from another thread",
        ));
    }
    Ok(())
}

/// Stops the pools, and waits up to `within` until they have ended.
pub(crate) async fn shut_down(port: impl Port, pools: &[Arc<dyn RunningPool>], within: Duration) -> Shutdown {
    let deadline = Instant::now().checked_add(within);
    for pool in pools {
        pool.stop();
    }
    for pool in pools {
        while pool.ended().seen() == 0 {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                break;
            }
            port.changed(pool.ended(), 0, left).await;
        }
    }
    let ended = pools.iter().all(|pool| pool.ended().seen() > 0);
    let mut running: Vec<_> = pools.iter().flat_map(|pool| pool.running()).collect();
    running.sort_by_key(|handler| std::cmp::Reverse(handler.run_time));
    Shutdown { running, ended }
}

calls! {
    (&self) => (tracker, port);
    impl[] Tracker => self;
    impl[] AsyncTracker => &self.0;

    /// Stops all workers of this tracker, and waits up to `within` until they have ended. Workers that are started later start no
    /// handler. Handlers that return in time end with their own outcome, and the result names the others; see
    /// [`StopHandle::shutdown`](crate::worker::StopHandle::shutdown). The file stays open: [`close`](Tracker::close) it afterwards.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use std::time::Duration;
    /// # use tracker_core::{Execution, Tracker};
    /// # let tracker = Tracker::in_memory()?;
    /// # let jobs = tracker.tasks::<Job>()?;
    /// let worker = jobs.worker().keep_running().spawn(|_: &mut Execution<Job>| Ok::<_, std::io::Error>(()))?;
    /// let shutdown = tracker.shutdown(Duration::from_secs(5))?;
    /// if shutdown.is_complete() {
    ///     worker.join()?;
    /// } else {
    ///     eprintln!("{shutdown}"); // names the handlers; their tasks are interrupted when the process ends
    /// }
    /// # assert!(shutdown.is_complete());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) in a handler on a thread of one of the workers, because it would wait for itself.
    ///
    /// # Panics
    /// The async call panics outside a tokio runtime whose time driver is enabled.
    pub fn shutdown(within: Duration) -> Result<Shutdown> {
        let pools = tracker.shared.pools.shut_down()?;
        Ok(shut_down(port, &pools, within).await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::task::TaskId as _;

    #[test]
    fn display_names_the_handlers_that_have_not_returned() {
        let handler = |id: &str, seconds| RunningHandler {
            kind: "job".to_owned(),
            id: id.to_key(),
            fence: 1,
            run_time: Duration::from_secs(seconds),
        };
        let text = |ended, running| Shutdown { running, ended }.to_string();
        assert_eq!(text(true, vec![]), "all handlers have returned");
        assert_eq!(text(false, vec![]), "all handlers have returned, and outcomes are still being stored");
        assert_eq!(text(false, vec![handler("a", 3)]), "1 handler has not returned: job \"a\" after 3.0s");
        assert_eq!(
            text(false, vec![handler("a", 3), handler("b", 2)]),
            "2 handlers have not returned: job \"a\" after 3.0s, job \"b\" after 2.0s"
        );
    }
}
