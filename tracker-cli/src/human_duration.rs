//! `HumanDuration`: durations as text: parsed from options, and shown in one or two units. Used by all commands; pure.

use std::{fmt, str::FromStr, time::Duration};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HumanDuration(pub Duration);

impl FromStr for HumanDuration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        tracker_duration::parse(text).map(Self)
    }
}

/// Shows at most two units: `1h 30m`, `5m`, `12.3s`, `250ms`, `40us`.
impl fmt::Display for HumanDuration {
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
    fn options_are_parsed_as_the_derives_parse_attributes() {
        let millis = |text: &str| text.parse::<HumanDuration>().map(|duration| duration.0.as_millis());
        for (text, expected) in [("250ms", 250), ("1h30m", 5_400_000), ("0", 0), ("1.5s", 1_500), ("2d", 172_800_000)] {
            assert_eq!(millis(text), Ok(expected), "{text}");
        }
        assert!(millis("5").is_err() && millis("-1s").is_err());
    }

    #[test]
    fn durations_are_shown_in_at_most_two_units() {
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
            assert_eq!(HumanDuration(Duration::from_micros(micros)).to_string(), text);
        }
    }
}
