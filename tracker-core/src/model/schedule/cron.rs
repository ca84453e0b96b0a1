//! `CronTimes` finds the times of a cron expression in a time zone. No other file knows the cron parser and its rules for a zone that
//! changes its clock. Called by `timing`; pure.

use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use croner::Cron;

use crate::model::{
    error::{Error, Result},
    time::{Micros, micros_at},
};

/// The times of a cron expression in a zone.
///
/// croner has the rules of Vixie cron for one time of day: a time that the zone leaves out is the next valid instant, and one that the
/// zone repeats is its first. It counts a list or range of times as a wildcard, which skips the first and has both of the second. As in
/// Vixie cron, a list or range is a number of fixed times here, each with its own expression.
#[derive(Clone, Debug)]
pub(crate) struct CronTimes {
    expressions: Vec<Cron>,
    zone: Tz,
}

/// The most times of day that a list or range is split into.
const FIXED_TIMES: usize = 100;

impl CronTimes {
    /// Parses an expression of 5 fields, 6 with seconds first, or 7 with the year last.
    pub(crate) fn parse(expression: &str, zone: Tz) -> Result<Self> {
        let whole = parse_cron(expression)?;
        let expressions = fixed_times(expression, &whole).unwrap_or_else(|| vec![whole]);
        Ok(Self { expressions, zone })
    }

    /// The first time after `after`.
    pub(crate) fn next(&self, after: Micros) -> Option<Micros> {
        // croner works in whole seconds.
        let after = DateTime::<Utc>::from_timestamp(after.div_euclid(1_000_000), 0)?.with_timezone(&self.zone);
        self.expressions.iter().filter_map(|cron| next_of(cron, &after)).min()
    }
}

/// The first time of an expression after `after`.
fn next_of(cron: &Cron, after: &DateTime<Tz>) -> Option<Micros> {
    let next = match cron.find_next_occurrence(after, false) {
        Ok(next) => next,
        // croner gives up in a gap of more than two hours, such as the day that Samoa left out in 2011. The search continues after it.
        Err(_) => (1..=48).find_map(|hours| {
            let later = after.checked_add_signed(TimeDelta::hours(hours))?;
            cron.find_next_occurrence(&later, true).ok()
        })?,
    };
    Some(micros_at(next.to_utc()))
}

/// Splits an expression whose second, minute and hour are lists or ranges; `None` for a wildcard, a step, or too many times of day.
fn fixed_times(expression: &str, whole: &Cron) -> Option<Vec<Cron>> {
    let pattern = &whole.pattern;
    let [seconds, minutes, hours] = [&pattern.seconds, &pattern.minutes, &pattern.hours]
        .map(|field| (field.step == 1 && !field.from_wildcard).then(|| field.values()));
    let (seconds, minutes, hours) = (seconds?, minutes?, hours?);
    let count = seconds.len() * minutes.len() * hours.len();
    if !(2..=FIXED_TIMES).contains(&count) {
        return None;
    }
    let fields: Vec<_> = expression.split_whitespace().collect();
    let days = fields.get(if fields.len() == 5 { 2 } else { 3 }..)?.join(" ");
    let mut crons = Vec::with_capacity(count);
    for hour in &hours {
        for minute in &minutes {
            for second in &seconds {
                crons.push(Cron::from_str(&format!("{second} {minute} {hour} {days}")).ok()?);
            }
        }
    }
    Some(crons)
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
