//! `HealthPage`: the health of the file: its clock, and problems of each kind. Called by `routes`; reads the tracker.

use std::time::Duration;

use tracker_core::{
    Tracker,
    chrono::{DateTime, Utc},
    inspect::Explanation,
    status::Role,
};

use super::Budget;
use crate::failure::Failure;

pub struct HealthPage {
    /// How far the time of the file is ahead of the system clock, if it is.
    pub clock_ahead: Option<Duration>,
    pub problems: Vec<Problem>,
    /// Kinds that were not looked at, for the time of the page was spent.
    pub skipped: usize,
    pub kinds: usize,
    /// Facts about the file.
    pub facts: Vec<(String, String)>,
    pub now: DateTime<Utc>,
}

/// Tasks of a kind that need a look.
pub struct Problem {
    pub kind: String,
    pub count: u64,
    pub what: What,
    /// The code of a status whose tasks are meant, if that describes them.
    pub status: Option<i32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    GivenUp,
    LeaseExpired,
    Crashing,
    Unreadable,
    Paused,
}

/// Smaller differences are usual between two processes.
const TOLERANCE: Duration = Duration::from_secs(60);
const LEASES: usize = 200;
const BUDGET: Duration = Duration::from_millis(150);

impl HealthPage {
    pub fn read(tracker: &Tracker, facts: Vec<(String, String)>) -> Result<Self, Failure> {
        let (budget, ahead) = (Budget::new(BUDGET), tracker.file_time()?.ahead());
        let names = tracker.kinds()?;
        let mut page = Self {
            clock_ahead: (ahead > TOLERANCE).then_some(ahead),
            problems: Vec::new(),
            skipped: 0,
            kinds: names.len(),
            facts,
            now: tracker.now(),
        };
        for name in names {
            if budget.is_spent() {
                page.skipped += 1;
            } else {
                page.look_at(tracker, &name)?;
            }
        }
        Ok(page)
    }

    fn look_at(&mut self, tracker: &Tracker, name: &str) -> Result<(), Failure> {
        let tasks = tracker.untyped(name)?;
        let (kind, counts, plan, leases) = (tasks.info()?, tasks.counts()?, tasks.plan(0)?, tasks.leases(LEASES)?);
        let blocked = |why: &Explanation| {
            let groups = plan.rest.iter().filter(|group| group.why == *why);
            groups.fold(0_u64, |sum, group| sum.saturating_add(group.amount.count))
        };
        let counted =
            |is: fn(&tracker_core::inspect::LeasedTask) -> bool| leases.iter().filter(|one| is(one)).count() as u64;
        let mut add = |what, count, status| {
            if count > 0 {
                self.problems.push(Problem { kind: name.to_owned(), count, what, status });
            }
        };
        for status in kind.statuses.iter().filter(|status| status.role == Role::Exhausted) {
            add(What::GivenUp, counts.of_code(status.code), Some(status.code));
        }
        add(What::LeaseExpired, counted(|one| one.has_expired), None);
        add(What::Crashing, counted(|one| one.crashes >= 2), None);
        add(What::Unreadable, blocked(&Explanation::Unreadable), None);
        add(What::Paused, if kind.paused { blocked(&Explanation::Paused) } else { 0 }, None);
        Ok(())
    }
}
