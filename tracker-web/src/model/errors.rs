//! `ErrorsPage`: failures grouped by message, of one kind or of all kinds. Called by `routes`; reads the tracker.

use std::time::Duration;

use tracker_core::{
    Tracker,
    chrono::{DateTime, Utc},
    inspect::ErrorGroups,
};

use super::Budget;
use crate::{failure::Failure, params::Params};

pub struct ErrorsPage {
    /// The kinds with failures, each with its groups.
    pub kinds: Vec<(String, ErrorGroups)>,
    /// Kinds whose failures were not read, for the time of the page was spent.
    pub skipped: Vec<String>,
    pub now: DateTime<Utc>,
}

/// The number of failed tasks that are read of each kind, the latest first.
const MOST: usize = 5_000;
const BUDGET: Duration = Duration::from_millis(150);

impl ErrorsPage {
    pub fn read(tracker: &Tracker, params: &Params) -> Result<Self, Failure> {
        let budget = Budget::new(BUDGET);
        let mut page = Self { kinds: Vec::new(), skipped: Vec::new(), now: tracker.now() };
        for tasks in tracker.untyped_kinds(params.get("kind"))? {
            let name = tasks.name().to_owned();
            if budget.is_spent() {
                page.skipped.push(name);
                continue;
            }
            let errors = tasks.errors(MOST)?;
            if !errors.groups.is_empty() {
                page.kinds.push((name, errors));
            }
        }
        Ok(page)
    }
}
