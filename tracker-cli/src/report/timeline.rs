//! `Timeline`: ended attempts over time, in bars of equal width. Filled by `gather`, drawn by `chart`; pure.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};

/// The largest number of bars.
const BARS: i64 = 80;
/// The smallest number of bars: the axis of a shorter time goes on with empty bars, so that its labels have space and differ.
const FEWEST: i64 = 10;
const SECOND: i64 = 1_000;
const HOUR: i64 = 3_600 * SECOND;
const WEEK: i64 = 168 * HOUR;
/// The possible widths of a bar in milliseconds.
const WIDTHS: [i64; 27] = [
    1,
    2,
    5,
    10,
    20,
    50,
    100,
    200,
    500,
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    15 * SECOND,
    30 * SECOND,
    60 * SECOND,
    120 * SECOND,
    300 * SECOND,
    600 * SECOND,
    900 * SECOND,
    1_800 * SECOND,
    HOUR,
    2 * HOUR,
    6 * HOUR,
    12 * HOUR,
    24 * HOUR,
    WEEK,
];

/// Counts by millisecond.
#[derive(Clone, Debug, Default)]
pub struct Timeline(BTreeMap<i64, (u64, u64)>);

/// The attempts that ended in one interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    pub start: DateTime<Utc>,
    pub succeeded: u64,
    /// Failed or crashed.
    pub failed: u64,
}

impl Timeline {
    pub fn add(&mut self, at: DateTime<Utc>, succeeded: bool) {
        let counts = self.0.entry(at.timestamp_millis()).or_default();
        if succeeded {
            counts.0 += 1;
        } else {
            counts.1 += 1;
        }
    }

    /// Returns the width of a bar and all bars, without gaps.
    pub fn bars(&self) -> (Duration, Vec<Bar>) {
        let (Some((first, _)), Some((last, _))) = (self.0.first_key_value(), self.0.last_key_value()) else {
            return (Duration::ZERO, Vec::new());
        };
        let needs = |width: i64| last.div_euclid(width) - first.div_euclid(width) + 1;
        // Several weeks if a week is too short.
        let width = WIDTHS.into_iter().find(|width| needs(*width) <= BARS);
        let width = width.unwrap_or_else(|| WEEK * (needs(WEEK) / BARS + 1));
        let start = first.div_euclid(width);
        let mut bars: Vec<Bar> = (0..needs(width).max(FEWEST))
            .map(|at| Bar {
                start: DateTime::from_timestamp_millis((start + at) * width).unwrap_or_default(),
                succeeded: 0,
                failed: 0,
            })
            .collect();
        for (milli, (succeeded, failed)) in &self.0 {
            let at = usize::try_from(milli.div_euclid(width) - start).unwrap_or(usize::MAX);
            if let Some(bar) = bars.get_mut(at) {
                bar.succeeded += succeeded;
                bar.failed += failed;
            }
        }
        (Duration::from_millis(width.unsigned_abs()), bars)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn at(milli: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(milli).unwrap()
    }

    #[test]
    fn empty_timeline_has_no_bars() {
        assert_eq!(Timeline::default().bars().1, []);
    }

    #[test]
    fn every_attempt_is_in_one_bar() {
        for reach in [0, 1, 79, 80, 999, SECOND, HOUR - 1, 25 * HOUR, 30 * 24 * HOUR, 52 * WEEK, 5_200 * WEEK] {
            let mut timeline = Timeline::default();
            for step in 0..=100 {
                timeline.add(at(1_000_003 + reach * step / 100), step % 4 != 0);
            }
            let (width, bars) = timeline.bars();
            let sum = bars.iter().fold((0, 0), |sum, bar| (sum.0 + bar.succeeded, sum.1 + bar.failed));
            assert_eq!(sum, (75, 26), "{reach}");
            assert!(bars.len() >= usize::try_from(FEWEST).unwrap());
            assert!(bars.len() <= usize::try_from(BARS).unwrap(), "{reach}: {} bars of {width:?}", bars.len());
            assert!(bars.windows(2).all(|two| (two[1].start - two[0].start).to_std() == Ok(width)), "{reach}");
        }
    }
}
