//! Ended attempts over time, in bars of equal width.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};

/// The largest number of bars.
const BARS: i64 = 80;
/// The possible widths of a bar in seconds.
const WIDTHS: [i64; 18] =
    [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400, 604_800];

/// Counts by second.
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
        let second = self.0.entry(at.timestamp()).or_default();
        if succeeded {
            second.0 += 1;
        } else {
            second.1 += 1;
        }
    }

    /// Returns the width of a bar and all bars, without gaps.
    pub fn bars(&self) -> (Duration, Vec<Bar>) {
        let (Some((first, _)), Some((last, _))) = (self.0.first_key_value(), self.0.last_key_value()) else {
            return (Duration::ZERO, Vec::new());
        };
        let needs = |width: i64| last.div_euclid(width) - first.div_euclid(width) + 1;
        let widest = WIDTHS[WIDTHS.len() - 1];
        // Several weeks if a week is too short.
        let width = WIDTHS.into_iter().find(|width| needs(*width) <= BARS);
        let width = width.unwrap_or_else(|| widest * (needs(widest) / BARS + 1));
        let start = first.div_euclid(width);
        let mut bars: Vec<Bar> = (0..needs(width))
            .map(|at| Bar {
                start: DateTime::from_timestamp((start + at) * width, 0).unwrap_or_default(),
                succeeded: 0,
                failed: 0,
            })
            .collect();
        for (second, (succeeded, failed)) in &self.0 {
            let at = usize::try_from(second.div_euclid(width) - start).unwrap_or(usize::MAX);
            if let Some(bar) = bars.get_mut(at) {
                bar.succeeded += succeeded;
                bar.failed += failed;
            }
        }
        (Duration::from_secs(width.unsigned_abs()), bars)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    #[test]
    fn empty_timeline_has_no_bars() {
        assert_eq!(Timeline::default().bars().1, []);
    }

    #[test]
    fn every_attempt_is_in_one_bar() {
        for reach in [0, 1, 79, 80, 3_599, 90_000, 86_400 * 365, 86_400 * 36_500] {
            let mut timeline = Timeline::default();
            for step in 0..=100 {
                timeline.add(at(1_000_003 + reach * step / 100), step % 4 != 0);
            }
            let (width, bars) = timeline.bars();
            let sum = bars.iter().fold((0, 0), |sum, bar| (sum.0 + bar.succeeded, sum.1 + bar.failed));
            assert_eq!(sum, (75, 26), "{reach}");
            assert!(bars.len() <= usize::try_from(BARS).unwrap(), "{reach}: {} bars of {width:?}", bars.len());
            assert!(bars.windows(2).all(|two| (two[1].start - two[0].start).to_std() == Ok(width)), "{reach}");
        }
    }
}
