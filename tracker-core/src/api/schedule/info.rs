//! `ScheduleInfo` is a stored schedule as users see it. Made by `ScheduleHandle` and `Tracker::schedules`, read by users, `tracker-cli` and
//! `tracker-web`; plain data.

use std::fmt;

use chrono::{DateTime, Utc};

use crate::model::{
    kinds::Kinds,
    schedule::{
        CatchUp, Overlap,
        decide::{Times as _, first_of},
        row::{ScheduleRow, Timing},
        timing::{Calendar, ScheduleTimes},
    },
    time::utc,
};

/// A stored schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScheduleInfo {
    /// The name.
    pub name: String,
    /// The kind of its tasks.
    pub kind: String,
    /// When it runs, as text: `cron 0 3 * * * (Europe/Berlin)`, `every 15m`, `2 dates`.
    pub timing: String,
    /// The treatment of missed occurrences.
    pub catch_up: CatchUp,
    /// The treatment of overlapping occurrences.
    pub overlap: Overlap,
    /// The payload of each occurrence, if the schedule was added with [`Tracker::add_schedule`](crate::Tracker::add_schedule).
    pub template: Option<String>,
    /// The nominal time of the next occurrence; in the past while it is paused or no program submits it. `None` after the last one, or if this version
    /// cannot read the timing.
    pub next: Option<DateTime<Utc>>,
    /// When that occurrence is submitted: its nominal time plus its jitter.
    pub starts_at: Option<DateTime<Utc>>,
    /// Whether an operator has paused it.
    pub paused: bool,
    /// Number of occurrences that were submitted.
    pub submitted: u64,
    /// Number of occurrences that were missed and not caught up. Each time that due occurrences are submitted, at most 100 are counted.
    pub missed: u64,
    /// Number of occurrences that were skipped because an earlier one was unfinished.
    pub overlapped: u64,
    /// Number of occurrences whose task could not be built or was refused.
    pub failed: u64,
    /// The error of the latest failed occurrence.
    pub last_error: Option<String>,
    /// The nominal times of up to 100 of the latest occurrences that were submitted, oldest first.
    pub recent: Vec<DateTime<Utc>>,
}

impl ScheduleInfo {
    pub(super) fn new(kinds: &Kinds, name: String, row: ScheduleRow) -> Self {
        let calendar = Calendar::of(&row.definition.timing, row.anchor).ok();
        let first = calendar.as_ref().and_then(|calendar| {
            let times = ScheduleTimes::new(&name, calendar, &row);
            first_of(row.next, &times).map(|first| (first, times.start_of(first)))
        });
        Self {
            kind: kinds.get(row.kind).map_or_else(|| format!("kind {}", row.kind), |kind| kind.name.clone()),
            timing: row.definition.timing.to_string(),
            catch_up: row.definition.catch_up,
            overlap: row.definition.overlap,
            template: row.template,
            next: first.map(|(nominal, _)| utc(nominal)),
            starts_at: first.map(|(_, start)| utc(start)),
            paused: row.paused,
            submitted: row.counters.submitted,
            missed: row.counters.missed,
            overlapped: row.counters.overlapped,
            failed: row.counters.failed,
            last_error: row.last_error,
            recent: row.recent.into_iter().map(utc).collect(),
            name,
        }
    }
}

impl fmt::Display for Timing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cron { expression, zone } => write!(f, "cron {expression} ({zone})"),
            Self::Every(period) => write!(f, "every {}", period_text(*period)),
            Self::Dates(dates) => write!(f, "{} date{}", dates.len(), if dates.len() == 1 { "" } else { "s" }),
        }
    }
}

/// An interval in the largest unit that divides it.
fn period_text(micros: i64) -> String {
    const UNITS: [(i64, &str); 5] =
        [(86_400_000_000, "d"), (3_600_000_000, "h"), (60_000_000, "m"), (1_000_000, "s"), (1_000, "ms")];
    let unit = UNITS.iter().find(|(size, _)| micros % size == 0);
    unit.map_or_else(|| format!("{micros}us"), |(size, unit)| format!("{}{unit}", micros / size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timings_are_written_in_the_largest_unit() {
        for (micros, text) in
            [(900_000_000, "15m"), (172_800_000_000, "2d"), (90_000_000, "90s"), (1_500_000, "1500ms"), (1, "1us")]
        {
            assert_eq!(Timing::Every(micros).to_string(), format!("every {text}"));
        }
        assert_eq!(Timing::Dates(vec![1]).to_string(), "1 date");
        let cron = Timing::Cron { expression: "0 3 * * *".to_owned(), zone: "UTC".to_owned() };
        assert_eq!(cron.to_string(), "cron 0 3 * * * (UTC)");
    }
}
