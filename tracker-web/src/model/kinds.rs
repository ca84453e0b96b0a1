//! `KindsPage`: every kind with its counts, its throughput and its oldest waiting task. Called by `routes` for the start page; reads the
//! tracker.

use std::{collections::BTreeSet, time::Duration};

use tracker_core::{
    Tracker,
    chrono::{DateTime, Utc},
    inspect::{Throughput, WaitingTask},
    status::{Role, StatusInfo},
};

use super::{Budget, shown_role, step_of};
use crate::{failure::Failure, params::Params};

pub struct KindsPage {
    pub kinds: Vec<KindSummary>,
    /// The last kind of this page, if more follow.
    pub next: Option<String>,
    pub now: DateTime<Utc>,
}

pub struct KindSummary {
    pub name: String,
    pub paused: bool,
    pub total: u64,
    pub ended: u64,
    pub statuses: Vec<StatusCount>,
    /// `None` if the time of the page was spent before.
    pub throughput: Option<Throughput>,
    /// The attempts that must still succeed until every task has ended.
    pub attempts_left: u64,
    pub oldest: Option<WaitingTask>,
    pub leases: usize,
    /// Whether there are more leases than were read.
    pub more_leases: bool,
    pub workers: usize,
}

/// A status with the number of its tasks.
pub struct StatusCount {
    pub status: StatusInfo,
    pub role: Role,
    pub step: String,
    pub count: u64,
}

/// The number of kinds on a page.
const KINDS: usize = 25;
/// The time of the throughput, and the number of tasks that are read for it, the latest first.
const WINDOW: Duration = Duration::from_secs(300);
const MOST: usize = 2_000;
/// The number of leases that are read of each kind.
const LEASES: usize = 200;
/// After this time, the page shows no throughput of further kinds.
const BUDGET: Duration = Duration::from_millis(150);

impl KindsPage {
    pub fn read(tracker: &Tracker, params: &Params) -> Result<Self, Failure> {
        let names = tracker.kinds()?;
        let after = params.get("after").and_then(|after| names.iter().position(|name| name == after));
        let start = after.map_or(0, |after| after + 1);
        let shown: Vec<_> = names.iter().skip(start).take(KINDS).collect();
        let next = if start + shown.len() < names.len() { shown.last().map(ToString::to_string) } else { None };
        let budget = Budget::new(BUDGET);
        let kinds = shown.into_iter().map(|name| KindSummary::read(tracker, name, budget)).collect::<Result<_, _>>()?;
        Ok(Self { kinds, next, now: tracker.now() })
    }
}

impl KindSummary {
    pub fn read(tracker: &Tracker, name: &str, budget: Budget) -> Result<Self, Failure> {
        let tasks = tracker.untyped(name)?;
        let (kind, counts) = (tasks.info()?, tasks.counts()?);
        let throughput = if budget.is_spent() { None } else { Some(tasks.throughput(WINDOW, MOST)?) };
        let leases = tasks.leases(LEASES)?;
        let workers: BTreeSet<_> = leases.iter().map(|leased| &leased.lease.worker).collect();
        let ended = kind.statuses.iter().filter(|status| kind.has_ended(status));
        let ended = ended.fold(0_u64, |sum, status| sum.saturating_add(counts.of_code(status.code)));
        let statuses = kind.statuses.iter().map(|status| StatusCount {
            status: status.clone(),
            role: shown_role(status, &kind),
            step: step_of(status, &kind),
            count: counts.of_code(status.code),
        });
        Ok(Self {
            statuses: statuses.collect(),
            total: counts.total(),
            ended,
            throughput,
            attempts_left: kind.attempts_left(&counts),
            oldest: tasks.oldest_waiting()?,
            workers: workers.len(),
            more_leases: leases.len() >= LEASES,
            leases: leases.len(),
            paused: kind.paused,
            name: kind.name,
        })
    }
}
