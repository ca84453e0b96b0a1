//! `BatchInfo` holds the counters and times of a batch. Made by `api/batch` and `Tracker::batches`, read by users and `tracker-web`; plain
//! data.

use std::{collections::BTreeMap, fmt, time::Duration};

use chrono::{DateTime, Utc};

use crate::model::{status::Role, time::utc, transition::Batch as State};

/// The state of a batch at one moment, from kept counters without a scan.
///
/// Tasks count by their roles over all kinds and steps: between two steps a task is pending, and one that was given up is
/// exhausted, under any status name. Tasks that were deleted after they had ended, by retention for example, still count.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct BatchInfo {
    /// Its number in the file; rises from batch to batch.
    pub number: u64,
    /// Its label.
    pub label: String,
    /// When it was opened.
    pub created_at: DateTime<Utc>,
    /// Whether no more tasks come.
    pub sealed: bool,
    /// When it was over for the first time: a requeue of one of its tasks opens it again.
    pub finished_at: Option<DateTime<Utc>>,
    /// How long the open tasks will take at the rate of the last ones; `None` until a task has ended after a run.
    pub eta: Option<Duration>,
    /// Why its follow-up task could not be submitted, if it could not.
    pub follow_up_refused: Option<String>,
    counts: [u64; Role::ALL.len()],
    open: u64,
}

impl BatchInfo {
    pub(crate) fn new(number: u64, state: State) -> Self {
        let open = state.open();
        // The time at which a parked task continues is unknown.
        let unparked = open.saturating_sub(state.count(Role::Parked));
        Self {
            number,
            created_at: utc(state.created),
            sealed: state.sealed,
            finished_at: state.finished.map(utc),
            eta: state.throughput.time_for(unparked),
            counts: Role::ALL.map(|role| state.count(role)),
            open,
            label: state.label,
            follow_up_refused: state.refused,
        }
    }

    /// Returns how many tasks count as a role.
    #[must_use]
    pub fn count(&self, role: Role) -> u64 {
        self.counts[role as usize]
    }

    /// Returns how many tasks there are.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().copied().fold(0, u64::saturating_add)
    }

    /// Returns how many tasks have not ended.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.open
    }

    /// Returns whether no more tasks come and all have ended.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.sealed && self.open == 0
    }

    /// Returns the share of tasks that have ended, from 0 to 1; 1 if there are none.
    #[must_use]
    pub fn progress(&self) -> f64 {
        let count = |tasks: u64| f64::from(u32::try_from(tasks).unwrap_or(u32::MAX));
        if self.total() == 0 { 1.0 } else { count(self.total().saturating_sub(self.open)) / count(self.total()) }
    }
}

/// The counts by the names of the roles.
impl fmt::Debug for BatchInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = Role::ALL.map(|role| (role.name(), self.count(role)));
        let counts: BTreeMap<_, _> = counts.into_iter().filter(|(_, tasks)| *tasks > 0).collect();
        f.debug_struct("BatchInfo")
            .field("number", &self.number)
            .field("label", &self.label)
            .field("created_at", &self.created_at)
            .field("sealed", &self.sealed)
            .field("finished_at", &self.finished_at)
            .field("eta", &self.eta)
            .field("follow_up_refused", &self.follow_up_refused)
            .field("counts", &counts)
            .field("open", &self.open)
            .finish()
    }
}
