//! `Timestamp` converts times to JSON and back, and refuses numbers and texts that could mean two times. `Timestamp::recorded` refuses times of past
//! events that are more than a day ahead. Used by most of `portable`; pure.

use chrono::{DateTime, Datelike, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::SerializeMap};

use crate::model::{
    payload::Node,
    time::{Micros, micros_at},
};

/// A time to the microsecond: RFC 3339 in UTC with six digits of fraction, or `"never"`; `{"$micros": …}`, microseconds since
/// 1970, if the year has not four digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Timestamp(pub Micros);

const NEVER: &str = "never";
const MICROS: &str = "$micros";

/// Bare numbers that are taken as microseconds: from March 1973 to the year 9999. Seconds, milliseconds and nanoseconds of
/// any time that a computer has recorded lie outside.
const BARE: std::ops::Range<Micros> = 100_000_000_000_000..253_402_300_800_000_000;

/// How far a recorded time may lie after the file's time: clocks of other computers differ, and local time written as UTC
/// is up to 14 hours ahead.
const AHEAD: Micros = 24 * 60 * 60 * 1_000_000;

/// The recorded times that are accepted.
#[derive(Clone, Copy)]
pub(super) struct Recorded {
    /// The file's time.
    pub now: Micros,
    /// Whether they may lie ahead of it.
    pub future: bool,
}

impl Timestamp {
    /// The time of something that has happened; refused if it lies more than a day ahead, unless that is allowed.
    pub(super) fn recorded(self, field: &str, times: Recorded) -> Result<Micros, String> {
        if times.future || self.0.saturating_sub(times.now) <= AHEAD {
            return Ok(self.0);
        }
        let (time, now) = (self.to_text(), Self(times.now).to_text());
        Err(format!(
            "its time \"{field}\" is {time}, more than a day after now ({now}): correct the time or this computer's clock, or allow such times (`allow_future`)"
        ))
    }

    fn to_text(self) -> String {
        match self.calendar() {
            _ if self.0 == Micros::MAX => NEVER.to_owned(),
            Some(time) => time.to_rfc3339_opts(SecondsFormat::Micros, true),
            None => format!("{} microseconds after 1970", self.0),
        }
    }

    /// The time, if its year has four digits.
    fn calendar(self) -> Option<DateTime<Utc>> {
        DateTime::<Utc>::from_timestamp_micros(self.0).filter(|time| (0..=9999).contains(&time.year()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if self.0 == Micros::MAX || self.calendar().is_some() {
            return to.serialize_str(&self.to_text());
        }
        let mut map = to.serialize_map(Some(1))?;
        map.serialize_entry(MICROS, &self.0)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let node = Node::deserialize(from)?;
        let time = match (node.escaped(), &node) {
            (Some((MICROS, number)), _) => number.whole(),
            (_, Node::Text(text)) if text == NEVER => Some(Micros::MAX),
            (_, Node::Text(text)) => DateTime::parse_from_rfc3339(text).ok().map(|time| micros_at(time.to_utc())),
            (_, number) => match number.whole() {
                Some(micros) if !BARE.contains(&micros) => return Err(D::Error::custom(ambiguous_number(micros))),
                micros => micros,
            },
        };
        time.map(Self).ok_or_else(|| {
            D::Error::custom(
                "a time is text like \"2026-01-31T12:00:00Z\", a number of microseconds since 1970, or \"never\"",
            )
        })
    }
}

/// Why a bare number is no time.
fn ambiguous_number(number: Micros) -> String {
    let unit = match number.unsigned_abs() {
        100_000_000..100_000_000_000 => "; it looks like seconds: write it as text (`todate` in jq)",
        100_000_000_000..100_000_000_000_000 => {
            "; it looks like milliseconds: write it as text (`. / 1000 | todate` in jq)"
        }
        100_000_000_000_000_000.. => "; it looks like nanoseconds: write it as text (`. / 1000000000 | todate` in jq)",
        _ => ": write it as text",
    };
    format!(
        "the time {number} is not a number of microseconds from 1973 to 9999{unit}, like \"2026-01-31T12:00:00Z\", or as {{\"{MICROS}\": {number}}} if it counts microseconds"
    )
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn times_come_back_to_the_microsecond() {
        for micros in
            [0, 1, -1, 1_700_000_000_123_456, Micros::MIN, Micros::MAX, Micros::MAX - 1, -62_200_000_000_000_000]
        {
            let text = serde_json::to_string(&Timestamp(micros)).unwrap();
            assert_eq!(serde_json::from_str::<Timestamp>(&text).unwrap().0, micros, "{text}");
        }
        assert_eq!(
            serde_json::to_string(&Timestamp(1_700_000_000_123_456)).unwrap(),
            r#""2023-11-14T22:13:20.123456Z""#
        );
        assert_eq!(
            serde_json::from_str::<Timestamp>(r#""2023-11-14T23:13:20+01:00""#).unwrap().0,
            1_700_000_000_000_000
        );
        let error = serde_json::from_str::<Timestamp>(r#""yesterday""#).unwrap_err();
        assert!(error.to_string().contains("microseconds since 1970"), "{error}");
    }

    #[test]
    fn bare_number_in_another_unit_is_refused() {
        for (number, says) in [
            ("1700000000", "looks like seconds"),
            ("1700000000123", "looks like milliseconds"),
            ("1700000000123456789", "looks like nanoseconds"),
            ("-1700000000", "looks like seconds"),
            ("0", "write it as text"),
            ("99999999999999", "looks like milliseconds"),
            ("253402300800000000", "looks like nanoseconds"),
            ("9223372036854775808", "a time is text like"),
            ("1700000000.5", "a time is text like"),
            ("true", "a time is text like"),
        ] {
            let error = serde_json::from_str::<Timestamp>(number).unwrap_err().to_string();
            assert!(error.contains(says), "{number}: {error}");
        }
        for micros in [BARE.start, 1_700_000_000_123_456, BARE.end - 1] {
            assert_eq!(serde_json::from_str::<Timestamp>(&micros.to_string()).unwrap().0, micros);
        }
        for micros in [0, 1_700_000_000, Micros::MIN, Micros::MAX] {
            assert_eq!(serde_json::from_str::<Timestamp>(&format!(r#"{{"$micros": {micros}}}"#)).unwrap().0, micros);
        }
    }

    #[test]
    fn recorded_time_may_be_a_day_ahead_at_most() {
        let now = 1_700_000_000_000_000;
        let times = |future| Recorded { now, future };
        for fine in [Micros::MIN, 0, now, now + AHEAD] {
            assert_eq!(Timestamp(fine).recorded("updated", times(false)), Ok(fine));
        }
        for ahead in [now + AHEAD + 1, Micros::MAX - 1, Micros::MAX] {
            assert_eq!(Timestamp(ahead).recorded("updated", times(true)), Ok(ahead));
            let error = Timestamp(ahead).recorded("updated", times(false)).unwrap_err();
            assert!(error.contains("\"updated\"") && error.contains("more than a day after now"), "{error}");
        }
    }
}
