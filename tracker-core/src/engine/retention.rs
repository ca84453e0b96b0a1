//! `Retention` schedules the deletion of ended tasks and empty batches on the background thread, in idle moments, and runs `ApplyRetention` there.
//! Called by `engine/background`; `Tracker::start` requests a run if the file has more to delete. Intervals follow the monotonic clock of the
//! system.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{
    Engine,
    action::{AppliedRetention, ApplyRetention, PruneBatches},
    writer::CommitEffects,
};

/// The most tasks that one run deletes, and the most batches that it examines. Calls wait meanwhile, for a few milliseconds.
const PER_RUN: usize = 256;

/// When the retention is applied next.
pub(super) struct Retention {
    /// `None` if only calls delete.
    every: Option<Duration>,
    /// How long batches without tasks are kept.
    keep_batches: Duration,
    next: Mutex<Option<Instant>>,
    /// The batch after which the next run continues.
    batch: Mutex<Option<u64>>,
}

impl Retention {
    pub(super) fn new(every: Option<Duration>, keep_batches: Duration) -> Self {
        let retention = Self { every, keep_batches, next: Mutex::default(), batch: Mutex::default() };
        retention.schedule_in(every);
        retention
    }

    /// Sets the time until the next run; `None` if only calls delete.
    fn schedule_in(&self, delay: Option<Duration>) {
        let next = delay.and_then(|delay| Instant::now().checked_add(delay));
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = next;
    }

    /// Time until the next run; `None` if none is scheduled.
    pub(super) fn due_in(&self) -> Option<Duration> {
        let next = *self.next.lock().unwrap_or_else(PoisonError::into_inner);
        next.map(|next| next.saturating_duration_since(Instant::now()))
    }
}

impl Engine {
    /// Applies the retention in the next idle moment.
    pub(crate) fn apply_retention_soon(&self) {
        self.retention.schedule_in(Some(Duration::ZERO));
        self.queue.wake_background();
    }

    /// Applies the retention to one part of the tasks and batches. The caller is the leader, and logs the effects after it
    /// has handed over the lead.
    pub(super) fn apply_retention(&self) -> CommitEffects {
        let Retention { keep_batches, batch, .. } = &self.retention;
        let beyond = *batch.lock().unwrap_or_else(PoisonError::into_inner);
        let batches = PruneBatches { keep: *keep_batches, beyond, most: PER_RUN };
        let (more, effects) = match self.write_for(&ApplyRetention { most: PER_RUN, batches }) {
            Ok((AppliedRetention { tasks, next_batch }, effects)) => {
                *batch.lock().unwrap_or_else(PoisonError::into_inner) = next_batch;
                (tasks == PER_RUN || next_batch.is_some(), effects)
            }
            Err(error) => {
                crate::model::panics::log_catching_panics(
                    || tracing::warn!(%error, "the retention could not be applied"),
                );
                (false, CommitEffects::default())
            }
        };
        // The rest in the next idle moment.
        self.retention.schedule_in(if more { Some(Duration::ZERO) } else { self.retention.every });
        effects
    }
}
