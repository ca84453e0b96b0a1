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
