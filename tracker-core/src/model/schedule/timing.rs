//! `Calendar` computes the times at which a schedule runs, before any delay, and `ScheduleTimes` adds the delay of each. Called by `definition` and
//! by `api/schedule`; pure.

use chrono::{DateTime, Utc};

use super::{
    cron::CronTimes,
    decide::Times,
    occurrence::Occurrence,
    row::{ScheduleRow, Timing},
    time_zone::zone_named,
};
use crate::model::{
    error::Result,
    time::{Micros, utc},
};

/// The nominal times of a timing, parsed. A nominal time is a scheduled time before the jitter is added.
#[derive(Clone, Debug)]
pub(crate) enum Calendar {
    Cron(CronTimes),
    /// At each multiple of `period` (in microseconds) after an instant.
    Every {
        period: Micros,
        anchor: Micros,
    },
    Dates(Vec<Micros>),
}

impl Calendar {
    /// The calendar of a timing whose intervals count from `anchor`.
    pub(crate) fn of(timing: &Timing, anchor: Micros) -> Result<Self> {
        Ok(match timing {
            Timing::Cron { expression, zone } => Self::Cron(CronTimes::parse(expression, zone_named(zone)?)?),
            Timing::Every(period) => Self::Every { period: (*period).max(1), anchor },
            Timing::Dates(dates) => Self::Dates(dates.clone()),
        })
    }

    /// The first nominal time after `after`.
    pub(crate) fn next(&self, after: Micros) -> Option<Micros> {
        match self {
            Self::Cron(times) => times.next(after),
            Self::Every { period, anchor } => {
                let passed = after.saturating_sub(*anchor).max(0) / period;
                passed.checked_add(1)?.checked_mul(*period)?.checked_add(*anchor)
            }
            Self::Dates(dates) => dates.get(dates.partition_point(|date| *date <= after)).copied(),
        }
    }
}

/// The times of a stored schedule.
pub(crate) struct ScheduleTimes<'s> {
    pub name: &'s str,
    pub calendar: &'s Calendar,
    pub jitter: Micros,
}

impl<'s> ScheduleTimes<'s> {
    pub(crate) fn new(name: &'s str, calendar: &'s Calendar, row: &ScheduleRow) -> Self {
        Self { name, calendar, jitter: row.definition.jitter }
    }
}

impl Times for ScheduleTimes<'_> {
    fn next(&self, after: Micros) -> Option<Micros> {
        self.calendar.next(after)
    }

    fn start_of(&self, nominal: Micros) -> Micros {
        nominal.saturating_add(Occurrence::delay(self.name, nominal, self.jitter))
    }
}

/// The first `count` nominal times after an instant.
pub(crate) fn upcoming(calendar: &Calendar, after: Micros, count: usize) -> Vec<DateTime<Utc>> {
    std::iter::successors(calendar.next(after), |last| calendar.next(*last)).take(count).map(utc).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests;
