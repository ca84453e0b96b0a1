use serde::Serialize;
use tracker_core::{
    inspect::{Explanation, KindInfo, LeasedTask, Plan},
    status::Role,
};

use crate::{commands::counts::CountsView, output::number};

/// Something that needs a look.
#[derive(Serialize)]
pub struct Problem {
    /// A word for programs.
    pub what: &'static str,
    pub count: u64,
    /// What it is, and what to do.
    pub text: String,
}

impl Problem {
    /// What is wrong with a kind, as far as counters and the heads of its lines tell. Deserted is a file that nobody is
    /// seen to work on.
    pub fn all(kind: &KindInfo, counts: &CountsView, leased: &[LeasedTask], plan: &Plan, deserted: bool) -> Vec<Self> {
        let given_up = counts.counts.iter().filter(|counted| counted.status.means == Role::Exhausted);
        let given_up = number::sum(given_up.map(|counted| counted.count));
        let over = leased.iter().filter(|leased| leased.is_over).count() as u64;
        // What a ticket holds needs no process.
        let left = leased.iter().filter(|leased| deserted && !leased.is_over && !leased.lease.detached).count() as u64;
        let crashing = leased.iter().filter(|leased| leased.crashes >= 2).count() as u64;
        let held_back = |why: &Explanation| {
            number::sum(plan.rest.iter().filter(|rest| rest.why == *why).map(|rest| rest.amount.count))
        };
        let unreadable = held_back(&Explanation::Unreadable);
        let waiting = held_back(&Explanation::Paused).saturating_add(plan.in_line.count);
        let found = [
            ("exhausted", given_up, "given up: `tracker errors` tells why, `tracker retry` starts them again"),
            (
                "left",
                left,
                "held by workers, though no process is seen here that has the file open: free when the application starts, or by `tracker rescue`",
            ),
            (
                "lease_over",
                over,
                "held by workers that have gone: the next claim frees them, or `tracker rescue` where nobody claims",
            ),
            ("crashing", crashing, "running although their last attempts crashed: they may kill their process"),
            (
                "unreadable",
                unreadable,
                "that could not be decoded: open the kind with a type that fits, or `tracker edit` them",
            ),
            ("paused", if kind.paused { waiting } else { 0 }, "waiting while the kind is paused"),
        ];
        let told = |(what, count, text): (_, u64, &str)| Self {
            what,
            count,
            text: format!("{} {text}", number::counted(count, "task", "tasks")),
        };
        found.into_iter().filter(|(_, count, _)| *count > 0).map(told).collect()
    }
}
