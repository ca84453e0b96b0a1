//! `HeldLeases` registers the leases that workers of this process hold, and the attempts that can be cancelled. Used by `engine`, `api/execution`
//! and `worker`; in memory, behind locks.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use super::Signal;

/// The leases that workers of this process hold, by fence: while they are registered, no clock ends them. And the attempts of
/// this process that can be cancelled.
#[derive(Debug, Default)]
pub(crate) struct HeldLeases {
    leases: Mutex<HashSet<u64>>,
    attempts: Mutex<HashMap<u64, Attempt>>,
    cancels: Signal,
}

#[derive(Debug)]
enum Attempt {
    /// It runs, and its handler reads this flag.
    Running(Arc<AtomicBool>),
    /// It was cancelled between its claim and its start.
    Cancelled,
}

impl HeldLeases {
    fn leases(&self) -> MutexGuard<'_, HashSet<u64>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn attempts(&self) -> MutexGuard<'_, HashMap<u64, Attempt>> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, fence: u64) {
        self.leases().insert(fence);
    }

    pub(crate) fn remove(&self, fence: u64) {
        self.leases().remove(&fence);
    }

    pub(crate) fn has(&self, fence: u64) -> bool {
        self.leases().contains(&fence)
    }

    /// Registers an attempt: `cancelled` is set when its cancellation is stored.
    pub(crate) fn begin(&self, fence: u64, cancelled: &Arc<AtomicBool>) {
        if let Some(Attempt::Cancelled) = self.attempts().insert(fence, Attempt::Running(cancelled.clone())) {
            cancelled.store(true, Ordering::Relaxed);
        }
    }

    /// Removes an attempt, unless another one has taken its place under the same fence.
    pub(crate) fn end(&self, fence: u64, cancelled: &Arc<AtomicBool>) {
        let mut attempts = self.attempts();
        if let Some(Attempt::Running(flag)) = attempts.get(&fence)
            && Arc::ptr_eq(flag, cancelled)
        {
            attempts.remove(&fence);
        }
    }

    /// Removes a lease whose task was released before it began.
    pub(crate) fn give_back(&self, fence: u64) {
        self.remove(fence);
        self.attempts().remove(&fence);
    }

    /// Sets the flag of an attempt whose cancellation is stored.
    pub(crate) fn cancel(&self, fence: u64) {
        match self.attempts().entry(fence).or_insert(Attempt::Cancelled) {
            Attempt::Running(flag) => flag.store(true, Ordering::Relaxed),
            Attempt::Cancelled => {}
        }
    }

    /// Rises after the flag of an attempt is set.
    pub(crate) fn cancels(&self) -> &Signal {
        &self.cancels
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use uuid::Uuid;

    use crate::{Tracker, model::transition::Lease};

    #[test]
    fn lease_is_held_from_entry_to_end_in_its_process() {
        let tracker = Tracker::in_memory().unwrap();
        let engine = &tracker.shared.engine;
        let lease = |instance: Uuid, fence: u64| Lease {
            token: Uuid::nil(),
            fence,
            worker: String::new(),
            instance,
            started: 0,
            expires: 0,
            length: 0,
            from: 0,
            due: 0,
            begun: true,
            detached: false,
        };
        let here = |fence: u64| engine.holds(&lease(engine.instance(), fence));
        engine.held().add(7);
        engine.held().add(8);
        assert_eq!([here(7), here(8), here(9)], [true, true, false]);
        assert!(!engine.holds(&lease(Uuid::nil(), 7)), "another process may have the same fences");
        engine.held().remove(7);
        assert_eq!([here(7), here(8)], [false, true]);
    }
}
