//! `Problem`: a problem of a kind that `status` and `doctor` report, found from counters, leases and the plan. Called by both.

use serde::Serialize;
use tracker_core::{
    inspect::{Explanation, KindInfo, LeasedTask, Plan},
    status::Role,
};

use crate::{output::number, task::CountsView};

#[derive(Serialize)]
pub struct Problem {
    /// The problem in JSON.
    pub what: &'static str,
    pub count: u64,
    /// The problem and the way out.
    pub text: String,
}

impl Problem {
    /// Finds the problems of a kind. `no_worker` means that no process has the file open for writing.
    pub fn all(kind: &KindInfo, counts: &CountsView, leased: &[LeasedTask], plan: &Plan, no_worker: bool) -> Vec<Self> {
        let given_up = counts.counts.iter().filter(|counted| counted.status.means == Role::Exhausted);
        let given_up = number::sum(given_up.map(|counted| counted.count));
        let expired = leased.iter().filter(|leased| leased.has_expired).count() as u64;
        // A lease of a ticket needs no process.
        let orphaned =
            leased.iter().filter(|leased| no_worker && !leased.has_expired && !leased.lease.detached).count() as u64;
        let crashing = leased.iter().filter(|leased| leased.crashes >= 2).count() as u64;
        let blocked = |why: &Explanation| {
            number::sum(plan.rest.iter().filter(|rest| rest.why == *why).map(|rest| rest.amount.count))
        };
        let unreadable = blocked(&Explanation::Unreadable);
        let waiting = blocked(&Explanation::Paused).saturating_add(plan.queued.count);
        let found = [
            ("exhausted", given_up, "given up: `tracker errors` shows why, `tracker retry` starts them again"),
            (
                "orphaned",
                orphaned,
                "leased, but no process has the file open: they are free when the application starts, or after `tracker rescue`",
            ),
            ("lease_expired", expired, "with expired leases: the next claim rescues them, or `tracker rescue`"),
            ("crashing", crashing, "running after crashes: they may crash their process again"),
            (
                "unreadable",
                unreadable,
                "that cannot be decoded: open the kind with a matching type, or use `tracker edit`",
            ),
            ("paused", if kind.paused { waiting } else { 0 }, "waiting while the kind is paused"),
        ];
        let problem = |(what, count, text): (_, u64, &str)| Self {
            what,
            count,
            text: format!("{} {text}", number::counted(count, "task", "tasks")),
        };
        found.into_iter().filter(|(_, count, _)| *count > 0).map(problem).collect()
    }
}
