//! `WorkersPage`: the running tasks and the workers that hold their leases. Called by `routes`; reads the tracker.

use std::collections::BTreeSet;

use tracker_core::{
    Tracker,
    chrono::{DateTime, Utc},
    inspect::LeasedTask,
};

use crate::failure::Failure;

pub struct WorkersPage {
    /// The running tasks with the names of their kinds, by worker, the longest attempt of each first.
    pub tasks: Vec<(String, LeasedTask)>,
    /// The number of workers.
    pub workers: usize,
    /// Whether there are more leases than were read.
    pub has_more: bool,
    pub now: DateTime<Utc>,
}

/// The number of leases that are read of each kind, those that expire first.
const LEASES: usize = 200;
/// The number of leases on the page.
const SHOWN: usize = 500;
/// The number of kinds that are read.
const KINDS: usize = 100;

impl WorkersPage {
    pub fn read(tracker: &Tracker) -> Result<Self, Failure> {
        let kinds = tracker.untyped_kinds(None)?;
        let (mut all, mut has_more) = (Vec::new(), kinds.len() > KINDS);
        for tasks in kinds.iter().take(KINDS) {
            let leases = tasks.leases(LEASES)?;
            has_more |= leases.len() >= LEASES;
            all.extend(leases.into_iter().map(|leased| (tasks.name().to_owned(), leased)));
        }
        all.sort_by(|(_, one), (_, other)| {
            (&one.lease.worker, one.lease.since).cmp(&(&other.lease.worker, other.lease.since))
        });
        has_more |= all.len() > SHOWN;
        all.truncate(SHOWN);
        let workers = all.iter().map(|(_, leased)| &leased.lease.worker).collect::<BTreeSet<_>>().len();
        Ok(Self { tasks: all, workers, has_more, now: tracker.now() })
    }
}
