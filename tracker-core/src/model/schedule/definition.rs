//! `Schedule` is the definition of a schedule as users write it, checked when it is made. Made by users, read by `api/schedule`, which
//! stores it, and carried by `api/live/request`; pure.

use std::time::Duration;

use chrono::{DateTime, NaiveTime, Utc, Weekday};
use serde::{Deserialize, Serialize};

use super::{
    CatchUp, Overlap,
    row::{Definition, Timing},
    timing::{Calendar, upcoming},
};
use crate::model::{
    error::{Error, Result},
    time::{Micros, micros_at, micros_of},
};

/// The times at which occurrences run, and the treatment of missed and overlapping ones.
///
/// ```
/// use std::time::Duration;
/// use tracker_core::schedule::{CatchUp, Overlap, Schedule};
///
/// # fn main() -> tracker_core::Result<()> {
/// let nightly = Schedule::cron("0 3 * * *")?.time_zone("Europe/Berlin")?.catch_up(CatchUp::Skip)?;
/// let often = Schedule::every(Duration::from_secs(900))?.overlap(Overlap::QueueOne);
/// let after = "2026-03-28T12:00:00Z".parse().expect("a time");
/// // The clock is set ahead in the night of 29 March.
/// assert_eq!(nightly.next_runs(after, 2)[0].to_string(), "2026-03-29 01:00:00 UTC");
/// assert_eq!(often.next_runs(after, 1)[0].to_string(), "2026-03-28 12:15:00 UTC");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[must_use]
pub struct Schedule {
    definition: Definition,
}

/// Number of occurrences of a definition whose distances are compared with its jitter.
const COMPARED: usize = 400;
/// An instant from which definitions are checked: 2024-01-01 in UTC.
const CHECKED_FROM: Micros = 1_704_067_200_000_000;

impl Schedule {
    /// Runs at the times of a cron expression: 5 fields (minute, hour, day of month, month, day of week), 6 with seconds first, or 7
    /// with the year last; also `@yearly`, `@monthly`, `@weekly`, `@daily` and `@hourly`. `L`, `W` and `#` have the
    /// meaning that the crate `croner` gives them.
    ///
    /// The expression is wall-clock time in its zone, which is UTC unless [`Self::time_zone`] names another. Where the clock is set
    /// ahead, a fixed time that is left out runs once, at the next valid instant; if it is set back, a fixed time that is repeated
    /// runs once, the first time. An expression of numbers, lists and ranges with up to 100 times a day has fixed times. An expression with a
    /// wildcard or step in second, minute or hour skips the times that are left out, and runs in both repeated hours.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the expression cannot be read, naming the field and its position, or if no
    /// time ever matches.
    pub fn cron(expression: &str) -> Result<Self> {
        let timing = Timing::Cron { expression: expression.trim().to_owned(), zone: "UTC".to_owned() };
        if Calendar::of(&timing, 0)?.next(0).is_none() {
            return Err(Error::invalid(format!("the cron expression {expression:?} matches no time")));
        }
        Ok(Self::of(timing))
    }

    /// Runs each time that this has elapsed, in any zone: 1 second to 36,500 days. The first occurrence is one interval after the
    /// schedule is stored for the first time.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the interval is out of range.
    pub fn every(interval: Duration) -> Result<Self> {
        Self::of(Timing::Every(micros_of(interval))).in_range()
    }

    /// Runs at each of these times: 1 to 10,000.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if there is no time or if there are too many.
    pub fn dates(dates: impl IntoIterator<Item = DateTime<Utc>>) -> Result<Self> {
        let mut dates: Vec<_> = dates.into_iter().map(micros_at).collect();
        dates.sort_unstable();
        dates.dedup();
        Self::of(Timing::Dates(dates)).in_range()
    }

    /// Runs each day at this wall-clock time, in whole seconds.
    ///
    /// # Errors
    /// As [`Self::cron`].
    pub fn daily(at: NaiveTime) -> Result<Self> {
        Self::cron(&format!("{} * * *", at.format("%-S %-M %-H")))
    }

    /// Runs each week on this day at this wall-clock time, in whole seconds.
    ///
    /// # Errors
    /// As [`Self::cron`].
    pub fn weekly(day: Weekday, at: NaiveTime) -> Result<Self> {
        Self::cron(&format!("{} * * {}", at.format("%-S %-M %-H"), day.num_days_from_sunday()))
    }

    /// Runs each month on this day, 1 to 31, at this wall-clock time, in whole seconds. Shorter months have no occurrence on days that
    /// they do not have; `Schedule::cron("0 3 L * *")` runs on the last day of each month.
    ///
    /// # Errors
    /// As [`Self::cron`].
    pub fn monthly(day: u32, at: NaiveTime) -> Result<Self> {
        Self::cron(&format!("{} {day} * *", at.format("%-S %-M %-H")))
    }

    fn of(timing: Timing) -> Self {
        let definition = Definition { timing, jitter: 0, catch_up: CatchUp::default(), overlap: Overlap::default() };
        Self { definition }
    }

    /// Sets the zone of a cron expression, or of `daily`, `weekly` or `monthly`, by its IANA name such as `Europe/Berlin`. The zone of the
    /// machine does not matter.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if there is no such zone, with a suggestion, or if the schedule is one of
    /// intervals or dates, which have no zone.
    pub fn time_zone(mut self, name: &str) -> Result<Self> {
        let Timing::Cron { expression, .. } = self.definition.timing else {
            return Err(Error::invalid(format!(
                "the time zone {name:?} has no effect: intervals are elapsed time and dates are in UTC; leave it out"
            )));
        };
        self.definition.timing = Timing::Cron { expression, zone: name.to_owned() };
        Calendar::of(&self.definition.timing, 0)?;
        self.checked()
    }

    /// Delays each occurrence by 0 to this long, so that many schedules of the same time do not start together. The delay follows from
    /// the schedule's name and the nominal time; the nominal time stays.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the jitter is not shorter than the time between two occurrences.
    pub fn jitter(mut self, longest: Duration) -> Result<Self> {
        self.definition.jitter = micros_of(longest);
        self.checked()
    }

    /// Sets the treatment of missed occurrences. By default the latest one is submitted.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if `max` is not 1 to 100.
    pub fn catch_up(mut self, catch_up: CatchUp) -> Result<Self> {
        self.definition.catch_up = catch_up;
        self.in_range()
    }

    /// Sets the treatment of an occurrence while an earlier one is unfinished. The default skips it.
    pub fn overlap(mut self, overlap: Overlap) -> Self {
        self.definition.overlap = overlap;
        self
    }

    /// Returns the next nominal times after an instant. Intervals count from that instant.
    #[must_use]
    pub fn next_runs(&self, after: DateTime<Utc>, count: usize) -> Vec<DateTime<Utc>> {
        let after = micros_at(after);
        Calendar::of(&self.definition.timing, after)
            .map_or_else(|_| Vec::new(), |calendar| upcoming(&calendar, after, count))
    }

    /// The schedule of a definition from outside, such as a line of JSON, which [`Self::checked_definition`] checks.
    pub(crate) fn from_outside(definition: Definition) -> Self {
        Self { definition }
    }

    /// The definition, checked again, because another process may have sent it.
    pub(crate) fn checked_definition(&self) -> Result<Definition> {
        Calendar::of(&self.definition.timing, 0)?;
        Ok(self.clone().in_range()?.checked()?.definition)
    }

    fn in_range(self) -> Result<Self> {
        self.definition.check_ranges()?;
        Ok(self)
    }

    /// The schedule, if its jitter is shorter than the time between its occurrences.
    fn checked(self) -> Result<Self> {
        if self.definition.jitter == 0 {
            return Ok(self);
        }
        let calendar = Calendar::of(&self.definition.timing, CHECKED_FROM)?;
        let first = calendar.next(CHECKED_FROM);
        let times: Vec<_> = std::iter::successors(first, |last| calendar.next(*last)).take(COMPARED).collect();
        let shortest = times.windows(2).filter_map(|pair| pair.last()?.checked_sub(*pair.first()?)).min();
        match shortest {
            Some(shortest) if self.definition.jitter >= shortest => Err(Error::invalid(format!(
                "the jitter of {:?} is not shorter than the {:?} between two occurrences",
                Duration::from_micros(self.definition.jitter.unsigned_abs()),
                Duration::from_micros(shortest.unsigned_abs())
            ))),
            _ => Ok(self),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn refusal(schedule: Result<Schedule>) -> String {
        schedule.map(drop).unwrap_err().to_string()
    }

    #[test]
    fn invalid_cron_is_refused_with_field_and_position() {
        for (expression, words) in [
            ("0 25 * * *", "field 2 (hour) at character 3 is \"25\"; expected 0 to 23"),
            ("0 0 3 1 13 *", "field 5 (month)"),
            ("0  3 *  * FOO", "field 5 (day of week) at character 11 is \"FOO\""),
            ("*/0 * * * *", "field 1 (minute) at character 1"),
            ("61 0 3 * * *", "field 1 (second) at character 1 is \"61\""),
            ("0 3 * *", "it has 4 fields; expected 5"),
            ("", "it has 0 fields"),
            ("@never", "expected @yearly"),
            ("0 0 30 2 *", "matches no time"),
        ] {
            let refused = Schedule::cron(expression).map_or_else(|error| error.to_string(), |_| "nothing".to_owned());
            assert!(refused.contains(words), "{expression:?}: {refused}");
        }
    }

    #[test]
    fn values_out_of_range_are_refused_with_the_range() {
        let hourly = || Schedule::cron("@hourly").unwrap();
        for (schedule, words) in [
            (Schedule::dates([]), "0 dates: expected 1 to 10000"),
            (Schedule::every(Duration::from_millis(999)), "expected 1 second to 36500 days"),
            (Schedule::every(DAY * 36_501), "out of range"),
            (Schedule::every(DAY).unwrap().time_zone("Europe/Berlin"), "has no effect"),
            (hourly().time_zone("Europe/Berlni"), "did you mean \"Europe/Berlin\"?"),
            (hourly().jitter(DAY / 24), "jitter of 3600s is not shorter than the 3600s between"),
            (Schedule::every(DAY).unwrap().jitter(DAY), "is not shorter"),
            (hourly().catch_up(CatchUp::All { max: 0 }), "expected 1 to 100"),
            (hourly().catch_up(CatchUp::All { max: 101 }), "expected 1 to 100"),
            (Schedule::monthly(32, NaiveTime::MIN), "(day of month)"),
        ] {
            let refused = refusal(schedule);
            assert!(refused.contains(words), "{refused}");
        }
        let edges =
            [hourly().jitter(Duration::from_micros(3_599_999_999)), hourly().catch_up(CatchUp::All { max: 100 })];
        assert!(edges.iter().all(Result::is_ok));
    }

    #[test]
    fn calendar_forms_are_cron_expressions() {
        let at = NaiveTime::from_hms_opt(3, 5, 7).unwrap();
        for (form, cron) in [
            (Schedule::daily(at), "7 5 3 * * *"),
            (Schedule::weekly(Weekday::Sun, at), "7 5 3 * * 0"),
            (Schedule::weekly(Weekday::Sat, at), "7 5 3 * * 6"),
            (Schedule::monthly(31, at), "7 5 3 31 * *"),
        ] {
            assert_eq!(form.unwrap(), Schedule::cron(cron).unwrap());
        }
    }
}
