//! A page about a file: gathered from its tasks, then written as HTML that needs nothing else.

mod chart;
mod durations;
mod gather;
mod html;
mod timeline;

pub use durations::Durations;
pub use html::page;
pub use timeline::{Bar, Timeline};

use std::{path::PathBuf, time::Duration};

use chrono::{DateTime, Utc};
use tracker_core::{inspect::ErrorGroups, status::StatusInfo};

use crate::output::number;

/// What the page tells.
pub struct Report {
    pub file: PathBuf,
    pub at: DateTime<Utc>,
    pub kinds: Vec<KindReport>,
}

/// One kind of tasks.
pub struct KindReport {
    pub name: String,
    pub paused: bool,
    /// In the order of their declaration.
    pub counts: Vec<(StatusInfo, u64)>,
    /// How many of them have ended.
    pub ended: u64,
    /// How many tasks were looked at, the latest first.
    pub looked_at: u64,
    pub attempts: Attempts,
    /// Of attempts that succeeded.
    pub durations: Durations,
    pub timeline: Timeline,
    pub slowest: Vec<Slow>,
    pub most_failed: Vec<Unlucky>,
    pub errors: ErrorGroups,
}

/// Attempts that the histories still hold, by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attempts {
    pub succeeded: u64,
    pub failed: u64,
    pub crashed: u64,
    pub other: u64,
}

/// A task whose longest attempt took long.
#[derive(Clone, Debug)]
pub struct Slow {
    pub id: String,
    pub status: StatusInfo,
    pub duration: Duration,
    pub worker: String,
    pub ended_at: DateTime<Utc>,
    pub payload: String,
}

/// A task that has failed often.
#[derive(Clone, Debug)]
pub struct Unlucky {
    pub id: String,
    pub status: StatusInfo,
    /// Failed and crashed attempts that its history still holds.
    pub failures: u64,
    pub attempts: u32,
    pub error: String,
    pub payload: String,
}

impl Report {
    pub fn tasks(&self) -> u64 {
        number::sum(self.kinds.iter().map(KindReport::tasks))
    }

    pub fn looked_at(&self) -> u64 {
        self.kinds.iter().map(|kind| kind.looked_at).sum()
    }
}

impl KindReport {
    pub fn tasks(&self) -> u64 {
        number::sum(self.counts.iter().map(|(_, count)| *count))
    }
}
