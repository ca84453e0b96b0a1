//! The option `--delay`: the shortest time between the starts of two commands. Called by `runner`, which waits; in memory only.

use std::{
    str::FromStr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::human_duration::HumanDuration;

/// A number of seconds, as GNU parallel takes it, or a duration with units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DelayArg(pub Duration);

impl FromStr for DelayArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<f64>() {
            Ok(seconds) => Duration::try_from_secs_f64(seconds)
                .map(Self)
                .map_err(|error| format!("{error}; expected seconds such as 2 or 0.5, or a duration such as 500ms")),
            Err(_) => text.parse::<HumanDuration>().map(|duration| Self(duration.0)),
        }
    }
}

/// Gives each command the time at which it may start.
#[derive(Debug, Default)]
pub struct StartDelay {
    delay: Duration,
    next: Mutex<Option<Instant>>,
}

impl StartDelay {
    pub fn new(delay: Duration) -> Self {
        Self { delay, next: Mutex::new(None) }
    }

    /// Reserves the next start: at the earliest `now`, and the delay after the start before it.
    pub fn reserve(&self, now: Instant) -> Instant {
        if self.delay.is_zero() {
            return now;
        }
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let start = next.map_or(now, |next| next.max(now));
        // A delay beyond the range of the clock is left out.
        *next = start.checked_add(self.delay).or(Some(start));
        start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delay_is_a_number_of_seconds_or_a_duration() {
        for (text, millis) in [("2", 2_000), ("0.5", 500), ("500ms", 500), ("1m", 60_000), ("0", 0)] {
            assert_eq!(text.parse(), Ok(DelayArg(Duration::from_millis(millis))), "{text}");
        }
        for text in ["", "-1", "nan", "inf", "1x"] {
            assert!(text.parse::<DelayArg>().is_err(), "{text}");
        }
    }

    #[test]
    fn starts_keep_their_distance() {
        let (seconds, now) = (Duration::from_secs, Instant::now());
        let delay = StartDelay::new(seconds(10));
        let starts = [0, 1, 25, 26].map(|at| delay.reserve(now + seconds(at)));
        assert_eq!(starts, [0, 10, 25, 35].map(|at| now + seconds(at)));
        let none = StartDelay::default();
        assert_eq!([none.reserve(now), none.reserve(now)], [now, now]);
    }
}
