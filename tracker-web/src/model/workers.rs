//! The workers that hold leases, and their tasks.

use std::collections::BTreeMap;

use tracker_core::{
    Tracker,
    chrono::{DateTime, Utc},
    inspect::LeasedTask,
};

use crate::failure::Failure;

pub struct WorkersPage {
    pub workers: Vec<WorkerLeases>,
    /// Whether there are more leases than were read.
    pub has_more: bool,
    pub now: DateTime<Utc>,
}

pub struct WorkerLeases {
    pub worker: String,
    /// The tasks with the names of their kinds, the longest attempt first.
    pub tasks: Vec<(String, LeasedTask)>,
}

/// The number of leases that are read of each kind, those that expire first.
const LEASES: usize = 200;
/// The number of kinds that are read.
const KINDS: usize = 100;

impl WorkersPage {
    pub fn read(tracker: &Tracker) -> Result<Self, Failure> {
        let mut by_worker: BTreeMap<String, Vec<(String, LeasedTask)>> = BTreeMap::new();
        let kinds = tracker.untyped_kinds(None)?;
        let mut has_more = kinds.len() > KINDS;
        for tasks in kinds.iter().take(KINDS) {
            let leases = tasks.leases(LEASES)?;
            has_more |= leases.len() >= LEASES;
            for leased in leases {
                by_worker.entry(leased.lease.worker.clone()).or_default().push((tasks.name().to_owned(), leased));
            }
        }
        let worker = |(worker, mut tasks): (String, Vec<(String, LeasedTask)>)| {
            tasks.sort_by_key(|(_, leased)| leased.lease.since);
            WorkerLeases { worker, tasks }
        };
        Ok(Self { workers: by_worker.into_iter().map(worker).collect(), has_more, now: tracker.now() })
    }
}
