//! The content of the pages as plain data, read through the public calls of tracker-core. Called by `routes` and `site`. Every read is bounded:
//! no page costs more with more tasks, and no read transaction stays open while a page is written.

pub mod batch;
pub mod batches;
pub mod count;
pub mod errors;
pub mod health;
pub mod kinds;
#[cfg(feature = "schedules")]
pub mod schedules;
pub mod task;
pub mod tasks;
pub mod workers;

use std::time::{Duration, Instant};

use tracker_core::{
    Record,
    inspect::KindInfo,
    status::{Role, StatusInfo},
    untyped::Payload,
};

/// A task without its type.
pub type UntypedRecord = Record<Payload, StatusInfo>;

/// A time after which a page reads no more than it must.
#[derive(Clone, Copy)]
pub struct Budget(Instant);

impl Budget {
    pub fn new(time: Duration) -> Self {
        Self(Instant::now() + time)
    }

    pub fn is_spent(self) -> bool {
        Instant::now() >= self.0
    }
}

/// The role by which a status is coloured: between two steps, a task is pending.
pub fn shown_role(status: &StatusInfo, kind: &KindInfo) -> Role {
    if status.role == Role::Succeeded && !kind.has_ended(status) { Role::Pending } else { status.role }
}

/// The name of the step of a status; empty if the kind has no steps.
pub fn step_of(status: &StatusInfo, kind: &KindInfo) -> String {
    kind.steps.get(usize::from(status.step)).cloned().unwrap_or_default()
}
