use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

/// The leases that workers of this process hold and renew by themselves, by fence: as long as they stand here, their
/// owners live, whatever the wall clock says.
#[derive(Debug, Default)]
pub(crate) struct Held(Mutex<HashSet<u64>>);

impl Held {
    pub(crate) fn add(&self, fence: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(fence);
    }

    pub(crate) fn remove(&self, fence: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&fence);
    }

    pub(crate) fn has(&self, fence: u64) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&fence)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use uuid::Uuid;

    use crate::{Tracker, rules::Lease};

    /// Whoever lives by a lease stands in the engine's own list, as long as he does.
    #[test]
    fn a_lease_is_held_from_its_entry_to_its_end_and_only_in_its_own_process() {
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
