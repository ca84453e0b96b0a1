//! `Calendar`: the nominal times of a timing. The only module that knows the cron parser and its rules at changes of the clock.
//! Pure; called by `definition` and by `api/schedule`.

use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use croner::Cron;

use super::{
    decide::Times,
    occurrence::Occurrence,
    row::{ScheduleRow, Timing},
    time_zone::zone_named,
};
use crate::model::{
    error::{Error, Result},
    time::{Micros, micros_at, utc},
};

/// The nominal times of a timing, ready to be asked.
#[derive(Clone, Debug)]
pub(crate) enum Calendar {
    Cron(Box<Cron>, Tz),
    /// Every so many microseconds after an instant.
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
            Timing::Cron { expression, zone } => Self::Cron(Box::new(parse_cron(expression)?), zone_named(zone)?),
            Timing::Every(period) => Self::Every { period: (*period).max(1), anchor },
            Timing::Dates(dates) => Self::Dates(dates.clone()),
        })
    }

    /// The first nominal time after `after`.
    pub(crate) fn next(&self, after: Micros) -> Option<Micros> {
        match self {
            Self::Cron(cron, zone) => next_of_cron(cron, *zone, after),
            Self::Every { period, anchor } => {
                let passed = after.saturating_sub(*anchor).max(0) / period;
                passed.checked_add(1)?.checked_mul(*period)?.checked_add(*anchor)
            }
            Self::Dates(dates) => dates.get(dates.partition_point(|date| *date <= after)).copied(),
        }
    }
}

/// The next time of an expression. croner has the rules of Vixie cron: a fixed time that the zone skips is the next valid instant,
/// and one that the zone repeats is its first; an expression with a wildcard, list or range in its time skips what the zone skips, and
/// has both of what it repeats.
fn next_of_cron(cron: &Cron, zone: Tz, after: Micros) -> Option<Micros> {
    // croner works in whole seconds.
    let after = DateTime::<Utc>::from_timestamp(after.div_euclid(1_000_000), 0)?.with_timezone(&zone);
    let next = match cron.find_next_occurrence(&after, false) {
        Ok(next) => next,
        // croner gives up in a gap of more than two hours, such as the day that Samoa left out in 2011. The search goes on after it.
        Err(_) => (1..=48).find_map(|hours| {
            let later = after.checked_add_signed(TimeDelta::hours(hours))?;
            cron.find_next_occurrence(&later, true).ok()
        })?,
    };
    Some(micros_at(next.to_utc()))
}

/// The field names of an expression with seconds and year, and the values that each takes.
const FIELDS: [(&str, &str); 7] = [
    ("second", "0 to 59"),
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day of month", "1 to 31, L, or a day with W"),
    ("month", "1 to 12 or JAN to DEC"),
    ("day of week", "0 to 7 or SUN to SAT, also with L or #"),
    ("year", "1 to 5000"),
];

/// Parses a cron expression of 5 fields, 6 with seconds first, or 7 with the year last.
fn parse_cron(expression: &str) -> Result<Cron> {
    Cron::from_str(expression).map_err(|error| {
        let problem = wrong_field(expression).unwrap_or_else(|| error.to_string());
        Error::invalid(format!("cannot read the cron expression {expression:?}: {problem}"))
    })
}

/// Names the first field that is wrong by itself, with its position.
fn wrong_field(expression: &str) -> Option<String> {
    let fields: Vec<_> = expression.split_whitespace().collect();
    if expression.trim_start().starts_with('@') {
        return Some("expected @yearly, @monthly, @weekly, @daily or @hourly".to_owned());
    }
    if !(5..=7).contains(&fields.len()) {
        return Some(format!(
            "it has {} fields; expected 5 (minute, hour, day of month, month, day of week), 6 with seconds first, or 7 with the year last",
            fields.len()
        ));
    }
    let first = usize::from(fields.len() == 5);
    fields.iter().zip(FIELDS.iter().skip(first)).enumerate().find_map(|(number, (field, (name, range)))| {
        let alone: Vec<_> = (0..fields.len()).map(|other| if other == number { field } else { "*" }).collect();
        Cron::from_str(&alone.join(" ")).err()?;
        let column = field.as_ptr() as usize - expression.as_ptr() as usize;
        let column = expression.get(..column).map_or(column, |before| before.chars().count()) + 1;
        Some(format!("field {} ({name}) at character {column} is {field:?}; expected {range}", number + 1))
    })
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
