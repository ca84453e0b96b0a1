//! `ScheduleRow` is a schedule as the file stores it. Made by `engine/action/schedule` and `portable/schedule`, changed by the first, and read by
//! `api/schedule`, `portable/schedule` and `maintenance/recover`; plain data.

use serde::{Deserialize, Serialize};

#[cfg(feature = "json")]
use crate::model::error::{Error, Result};
use crate::model::time::Micros;

/// The treatment of occurrences that were missed: the program did not run, the machine slept, or the schedule was paused.
///
/// An occurrence is missed if it is noticed more than a minute after its time. Of occurrences that are due together, also within
/// that minute, `Skip` and `Latest` submit only the latest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum CatchUp {
    /// Submits no missed occurrence.
    Skip,
    /// Submits the latest missed occurrence.
    #[default]
    Latest,
    /// Submits the latest `max` missed occurrences, oldest first.
    All {
        /// The largest number of occurrences submitted together: 1 to 100.
        max: u32,
    },
}

/// The treatment of an occurrence that is due while an earlier one is unfinished.
///
/// Occurrences that [`CatchUp::All`] submits together do not overlap each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Overlap {
    /// Skips the new occurrence.
    #[default]
    Skip,
    /// Submits it if at most one earlier occurrence is unfinished. It starts when that one has ended.
    QueueOne,
    /// Cancels the earlier occurrences. The new one starts when they have ended.
    CancelEarlier,
}

/// The largest `max` of [`CatchUp::All`], and the number of occurrences that a row lists.
pub(crate) const OCCURRENCES: usize = 100;
/// The largest number of fixed dates.
#[cfg(feature = "json")]
const DATES: usize = 10_000;
/// The shortest interval: 1 second.
#[cfg(feature = "json")]
const SHORTEST: Micros = 1_000_000;
#[cfg(feature = "json")]
const DAY: Micros = 86_400_000_000;
/// The longest interval, in days.
#[cfg(feature = "json")]
const LONGEST_DAYS: Micros = 36_500;

/// When the occurrences of a schedule are, as text and numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Timing {
    /// A cron expression in the wall-clock time of a zone.
    Cron { expression: String, zone: String },
    /// Elapsed time between two occurrences, in microseconds.
    Every(Micros),
    /// Fixed times, ascending.
    Dates(Vec<Micros>),
}

/// A schedule without its state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Definition {
    pub timing: Timing,
    /// The longest delay of an occurrence, in microseconds.
    pub jitter: Micros,
    pub catch_up: CatchUp,
    pub overlap: Overlap,
}

#[cfg(feature = "json")]
impl Definition {
    /// Refuses an interval out of range, no dates or too many, too many occurrences to catch up, and a negative jitter.
    pub(crate) fn check_ranges(&self) -> Result<()> {
        let refusal = match (&self.timing, self.catch_up) {
            (Timing::Every(period), _) if !(SHORTEST..=LONGEST_DAYS * DAY).contains(period) => {
                format!(
                    "an interval of {period} microseconds is out of range: expected 1 second to {LONGEST_DAYS} days"
                )
            }
            (Timing::Dates(dates), _) if dates.is_empty() || dates.len() > DATES => {
                format!("a schedule of {} dates: expected 1 to {DATES}", dates.len())
            }
            (_, CatchUp::All { max }) if !(1..=OCCURRENCES).contains(&usize::try_from(max).unwrap_or(usize::MAX)) => {
                format!("the schedule would catch up {max} occurrences at most: expected 1 to {OCCURRENCES}")
            }
            _ if self.jitter < 0 => "the jitter is negative".to_owned(),
            _ => return Ok(()),
        };
        Err(Error::invalid(refusal))
    }
}

/// A schedule in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ScheduleRow {
    /// The kind of its tasks.
    pub kind: u32,
    pub definition: Definition,
    /// The payload of each occurrence as JSON, with `{scheduled_at}` and `{id}` in its texts. `None` if the program builds the tasks.
    pub template: Option<String>,
    /// When the definition was stored: intervals count from here.
    pub anchor: Micros,
    /// Every nominal time before this is submitted or skipped; `None` after the last one.
    pub next: Option<Micros>,
    pub paused: bool,
    pub counters: Counters,
    /// The error of the latest occurrence that could not be submitted.
    pub last_error: Option<String>,
    /// The nominal times of the latest occurrences that were submitted, oldest first.
    pub recent: Vec<Micros>,
    /// The nominal times of the submitted occurrences that were unfinished when the schedule was last advanced.
    pub unfinished: Vec<Micros>,
}

/// The number of occurrences by their result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    pub submitted: u64,
    /// Missed and not caught up. A gap counts at most [`OCCURRENCES`].
    pub missed: u64,
    /// Skipped because an earlier one was unfinished.
    pub overlapped: u64,
    /// Not submitted because the task could not be built or was refused.
    pub failed: u64,
}

impl ScheduleRow {
    /// A new schedule.
    #[cfg(any(feature = "json", test))]
    pub(crate) fn new(
        kind: u32,
        definition: Definition,
        template: Option<String>,
        anchor: Micros,
        next: Option<Micros>,
    ) -> Self {
        Self {
            kind,
            definition,
            template,
            anchor,
            next,
            paused: false,
            counters: Counters::default(),
            last_error: None,
            recent: Vec::new(),
            unfinished: Vec::new(),
        }
    }

    /// Lists an occurrence that was submitted.
    #[cfg(feature = "schedules")]
    pub(crate) fn list(&mut self, nominal: Micros) {
        for list in [&mut self.recent, &mut self.unfinished] {
            list.retain(|listed| *listed != nominal);
            list.push(nominal);
            let surplus = list.len().saturating_sub(OCCURRENCES);
            list.drain(..surplus);
        }
    }
}
