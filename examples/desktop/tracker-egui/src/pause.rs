//! `PauseRequests`: which running tasks are to pause. Written by the feed, asked by handlers on their threads.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tracker_core::task::TaskKey;

/// Tells handlers that their task, or all tasks, were paused. A handler that can stop returns `Outcome::Release` then: its task waits, paused,
/// and the attempt does not count. Clones are of the same panel.
#[derive(Clone, Debug, Default)]
pub struct PauseRequests(Arc<State>);

#[derive(Debug, Default)]
struct State {
    all: AtomicBool,
    tasks: Mutex<HashSet<TaskKey>>,
}

impl PauseRequests {
    /// Whether the running task is to pause.
    #[must_use]
    pub fn is_requested(&self, id: &TaskKey) -> bool {
        self.0.all.load(Ordering::Relaxed) || self.tasks().contains(id)
    }

    pub(crate) fn set_all(&self, paused: bool) {
        self.0.all.store(paused, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, id: &TaskKey, paused: bool) {
        if paused {
            self.tasks().insert(id.clone());
        } else {
            self.tasks().remove(id);
        }
    }

    fn tasks(&self) -> std::sync::MutexGuard<'_, HashSet<TaskKey>> {
        self.0.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
