use std::{fmt, str::FromStr, time::Duration};

/// A span of time as people write it: `90s`, `1h30m`, `250ms`, `2d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

/// With the number of microseconds in each; longer names first where one begins another.
const UNITS: [(&str, u64); 7] = [
    ("ms", 1_000),
    ("us", 1),
    ("w", 604_800_000_000),
    ("d", 86_400_000_000),
    ("h", 3_600_000_000),
    ("m", 60_000_000),
    ("s", 1_000_000),
];

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text).map(|micros| Self(Duration::from_micros(micros))).ok_or_else(|| {
            format!("{text:?} is no span of time: write a number with its unit (ms, s, m, h, d, w), as in 90s or 1h30m")
        })
    }
}

fn parse(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    let mut sum = 0_u64;
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|char: char| !char.is_ascii_digit() && char != '.')?;
        let (number, after) = rest.split_at(digits);
        let (name, micros) = UNITS.iter().find(|(name, _)| after.starts_with(name))?;
        sum = sum.checked_add(times(number, *micros)?)?;
        rest = after.get(name.len()..)?.trim_start();
    }
    Some(sum)
}

/// A decimal number of units, in microseconds.
fn times(number: &str, micros: u64) -> Option<u64> {
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(micros);
    }
    let seconds = number.parse::<f64>().ok()? * Duration::from_micros(micros).as_secs_f64();
    u64::try_from(Duration::try_from_secs_f64(seconds).ok()?.as_micros()).ok()
}

/// In two units at most, as in `1h 30m`, `5m`, `12.3s`, `250ms`, `40us`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, millis) = (self.0.as_secs(), self.0.as_millis());
        let mut two = |(great, unit): (u64, &str), (small, sub): (u64, &str)| match small {
            0 => write!(f, "{great}{unit}"),
            _ => write!(f, "{great}{unit} {small:02}{sub}"),
        };
        match seconds {
            60..3_600 => two((seconds / 60, "m"), (seconds % 60, "s")),
            3_600..86_400 => two((seconds / 3_600, "h"), (seconds / 60 % 60, "m")),
            86_400.. => two((seconds / 86_400, "d"), (seconds / 3_600 % 24, "h")),
            0 if millis < 1 => write!(f, "{}us", self.0.as_micros()),
            0 if millis < 10 => write!(f, "{:.1}ms", self.0.as_secs_f64() * 1e3),
            0 => write!(f, "{millis}ms"),
            1..60 => write!(f, "{:.1}s", self.0.as_secs_f64()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_people_write_them() {
        for (text, millis) in [
            ("250ms", 250),
            ("90s", 90_000),
            ("1h30m", 5_400_000),
            ("1h 30m", 5_400_000),
            ("0", 0),
            ("1.5s", 1_500),
            ("2d", 172_800_000),
        ] {
            assert_eq!(text.parse(), Ok(Span(Duration::from_millis(millis))), "{text}");
        }
        for text in ["", "5", "s", "5x", "-1s", "1h30", "99999999999999w", "1..5s", "ms5"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn spans_are_shown_in_the_units_that_matter() {
        for (micros, text) in [
            (40, "40us"),
            (3_000, "3.0ms"),
            (250_000, "250ms"),
            (12_340_000, "12.3s"),
            (61_000_000, "1m 01s"),
            (300_000_000, "5m"),
            (5_400_000_000, "1h 30m"),
            (180_000_000_000, "2d 02h"),
        ] {
            assert_eq!(Span(Duration::from_micros(micros)).to_string(), text);
        }
    }
}
