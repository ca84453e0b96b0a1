//! The retention of kinds, applied without a call: after opening, and then in idle moments of the background thread.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{
    Engine,
    action::{PruneBatches, Tidied, Tidy},
    writer::CommitEffects,
};

/// Number of tasks that one idle moment deletes, and of batches that it looks at. Calls meanwhile wait a few milliseconds.
const BATCH: usize = 256;

/// When the retention is applied next.
pub(super) struct Retention {
    /// `None` if only calls delete.
    every: Option<Duration>,
    /// How long batches without tasks are kept.
    keep_batches: Duration,
    next: Mutex<Option<Instant>>,
    /// After which batch the next look begins.
    batch: Mutex<Option<u64>>,
}

impl Retention {
    pub(super) fn new(every: Option<Duration>, keep_batches: Duration) -> Self {
        let retention = Self { every, keep_batches, next: Mutex::default(), batch: Mutex::default() };
        retention.looks_in(every);
        retention
    }

    fn looks_in(&self, time: Option<Duration>) {
        let next = time.and_then(|time| Instant::now().checked_add(time));
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = next;
    }

    /// How long until the next look; `None` if there is none.
    pub(super) fn due_in(&self) -> Option<Duration> {
        let next = *self.next.lock().unwrap_or_else(PoisonError::into_inner);
        next.map(|next| next.saturating_duration_since(Instant::now()))
    }
}

impl Engine {
    /// Applies the retention in the next idle moment.
    pub(crate) fn tidy_soon(&self) {
        self.retention.looks_in(Some(Duration::ZERO));
        self.queue.wake_background();
    }

    /// Applies the retention to one part of the tasks and batches. The caller leads, and logs the effects once it does not.
    pub(super) fn tidy(&self) -> CommitEffects {
        let Retention { keep_batches, batch, .. } = &self.retention;
        let beyond = *batch.lock().unwrap_or_else(PoisonError::into_inner);
        let batches = PruneBatches { keep: *keep_batches, beyond, most: BATCH };
        let (more, effects) = match self.write_for(&Tidy { most: BATCH, batches }) {
            Ok((Tidied { tasks, next_batch }, effects)) => {
                *batch.lock().unwrap_or_else(PoisonError::into_inner) = next_batch;
                (tasks == BATCH || next_batch.is_some(), effects)
            }
            Err(error) => {
                crate::model::contain::log(|| tracing::warn!(%error, "the retention could not be applied"));
                (false, CommitEffects::default())
            }
        };
        // The rest in the next idle moment.
        self.retention.looks_in(if more { Some(Duration::ZERO) } else { self.retention.every });
        effects
    }
}
