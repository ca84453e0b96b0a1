//! `SchedulesPage`: the schedules with their latest occurrences. Called by `routes`; reads the tracker.

use tracker_core::{
    Tracker,
    chrono::{DateTime, Utc},
    schedule::{OccurrenceRecord, ScheduleInfo},
};

use crate::{failure::Failure, params::Params};

pub struct SchedulesPage {
    pub schedules: Vec<ScheduleSummary>,
    /// The last schedule of this page, if more follow.
    pub next: Option<String>,
    pub now: DateTime<Utc>,
}

pub struct ScheduleSummary {
    pub info: ScheduleInfo,
    /// The latest occurrences, the latest first.
    pub occurrences: Vec<OccurrenceRecord>,
}

/// The number of schedules on a page.
const SCHEDULES: usize = 25;
/// The number of occurrences that are shown of each.
const OCCURRENCES: usize = 5;

impl SchedulesPage {
    pub fn read(tracker: &Tracker, params: &Params) -> Result<Self, Failure> {
        let mut found = tracker.schedules_after(params.get("after"), SCHEDULES + 1)?;
        let has_more = found.len() > SCHEDULES;
        found.truncate(SCHEDULES);
        let next = found.last().filter(|_| has_more).map(|last| last.name.clone());
        let schedules = found.into_iter().map(|info| ScheduleSummary::read(tracker, info)).collect::<Result<_, _>>()?;
        Ok(Self { schedules, next, now: tracker.now() })
    }
}

impl ScheduleSummary {
    fn read(tracker: &Tracker, info: ScheduleInfo) -> Result<Self, Failure> {
        // It may have been removed since the list was read.
        let occurrences = match tracker.schedule(&info.name)? {
            Some(schedule) => schedule.occurrences(OCCURRENCES)?,
            None => Vec::new(),
        };
        Ok(Self { info, occurrences })
    }
}
