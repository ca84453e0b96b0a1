//! The HTML page about a file: gathered from its tasks, then written as HTML. Called by `tracker report`.

mod chart;
mod durations;
mod gather;
mod html;
mod timeline;

pub use durations::Durations;
pub use html::page;
pub use timeline::{Bar, Timeline};

use std::time::Duration;

use chrono::{DateTime, Utc};
use tracker_core::{inspect::ErrorGroups, status::StatusInfo};

use crate::output::number;

/// The content of the page.
pub struct Report {
    pub file: String,
    pub at: DateTime<Utc>,
    pub kinds: Vec<KindReport>,
}

/// One kind of tasks.
pub struct KindReport {
    pub name: String,
    pub paused: bool,
    /// In the order of their declaration.
    pub counts: Vec<(StatusInfo, u64)>,
    /// The number of tasks that have ended.
    pub ended: u64,
    /// The number of tasks that were read, the latest first.
    pub examined: u64,
    pub attempts: Attempts,
    /// The durations of successful attempts.
    pub durations: Durations,
    pub timeline: Timeline,
    pub slowest: Vec<SlowTask>,
    pub most_failed: Vec<OftenFailed>,
    pub errors: ErrorGroups,
}

/// Attempts in the histories, by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    pub succeeded: u64,
    pub failed: u64,
    pub crashed: u64,
    /// Ended with their process: no failures.
    pub interrupted: u64,
    pub other: u64,
}

/// A task with a long attempt.
#[derive(Clone, Debug)]
pub struct SlowTask {
    pub id: String,
    pub status: StatusInfo,
    pub duration: Duration,
    pub worker: String,
    pub ended_at: DateTime<Utc>,
    pub payload: String,
}

/// A task that has failed often.
#[derive(Clone, Debug)]
pub struct OftenFailed {
    pub id: String,
    pub status: StatusInfo,
    /// Failed and crashed attempts in its history.
    pub failures: u64,
    pub attempts: u32,
    pub error: String,
    pub payload: String,
}

impl Report {
    pub fn tasks(&self) -> u64 {
        number::sum(self.kinds.iter().map(KindReport::tasks))
    }

    pub fn examined(&self) -> u64 {
        self.kinds.iter().map(|kind| kind.examined).sum()
    }
}

impl KindReport {
    pub fn tasks(&self) -> u64 {
        number::sum(self.counts.iter().map(|(_, count)| *count))
    }
}
