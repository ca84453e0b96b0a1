//! `CompletionRate` measures how fast the tasks of a batch end, as a mean in which recent ends weigh more. Part of `Batch`, stored with it;
//! also read by `portable/batch`. Pure.

use std::time::Duration;

use crate::model::time::{Micros, between};

/// The weight of the latest end in the mean, after many ends.
const RECENT: f64 = 0.05;

/// How fast the tasks of a batch end: a mean in which recent ends weigh more.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct CompletionRate {
    /// Number of measured ends.
    pub ends: u64,
    /// Mean time between two ends, in microseconds.
    pub each: f64,
    /// Time of the last end.
    pub last: Micros,
}

impl CompletionRate {
    /// Adds `ends` tasks that end now; their attempts took `ran` in all.
    ///
    /// The time since the last end counts, so tasks that run at the same time lower the mean. It counts at most as long as the runs: a
    /// longer time includes a pause, in which nothing ran.
    pub(crate) fn add(&mut self, ends: u64, ran: Micros, now: Micros) {
        if ends == 0 {
            return;
        }
        let passed = if self.ends == 0 { ran } else { now.saturating_sub(self.last).clamp(0, ran.max(0)) };
        let count = |ends: u64| f64::from(u32::try_from(ends).unwrap_or(u32::MAX));
        let each = Duration::from_micros(passed.cast_unsigned()).as_secs_f64() * 1e6 / count(ends);
        let recent = 1.0 - (1.0 - RECENT).powf(count(ends));
        let share = recent.max(count(ends) / count(self.ends.saturating_add(ends)));
        self.each += (each - self.each) * share;
        self.ends = self.ends.saturating_add(ends);
        self.last = now;
    }

    /// Estimates the time until `more` tasks have ended. `None` if nothing was measured.
    pub(crate) fn time_for(&self, more: u64) -> Option<Duration> {
        let count = f64::from(u32::try_from(more).unwrap_or(u32::MAX));
        let known = self.ends > 0;
        known.then(|| Duration::try_from_secs_f64(self.each * count / 1e6).unwrap_or(between(0, Micros::MAX)))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const SECOND: Micros = 1_000_000;

    fn seconds(rate: CompletionRate, more: u64) -> f64 {
        rate.time_for(more).unwrap().as_secs_f64().round()
    }

    #[test]
    fn one_after_the_other_the_rest_takes_as_long_as_the_runs() {
        let mut rate = CompletionRate::default();
        assert_eq!(rate.time_for(5), None);
        for end in 1..=10 {
            rate.add(1, 10 * SECOND, end * 10 * SECOND);
        }
        assert_eq!((rate.time_for(5), rate.time_for(0)), (Some(Duration::from_secs(50)), Some(Duration::ZERO)));
    }

    #[test]
    fn rate_of_four_at_a_time_does_not_depend_on_commits() {
        let (mut together, mut apart) = (CompletionRate::default(), CompletionRate::default());
        for round in 1..=200 {
            together.add(4, 40 * SECOND, round * 10 * SECOND);
            for end in 0..4 {
                apart.add(1, 10 * SECOND, round * 10 * SECOND + end * 5 * SECOND / 2);
            }
        }
        assert_eq!([seconds(together, 100), seconds(apart, 100)].map(|time| (time - 250.0).abs() < 1.0), [true; 2]);
    }

    #[test]
    fn a_night_without_work_is_no_part_of_the_pace() {
        let mut rate = CompletionRate::default();
        rate.add(1, 10 * SECOND, 10 * SECOND);
        rate.add(1, 10 * SECOND, 50_000 * SECOND);
        assert_eq!(rate.time_for(1), Some(Duration::from_secs(10)));
    }

    #[test]
    fn rate_follows_a_slowdown() {
        for in_a_commit in [1, 25] {
            let mut rate = CompletionRate::default();
            for end in 1..=1_000 {
                rate.add(1, SECOND, end * SECOND);
            }
            for end in 1..=100 / in_a_commit {
                let ran = 9 * SECOND * in_a_commit;
                rate.add(in_a_commit.cast_unsigned(), ran, 1_000 * SECOND + end * ran);
            }
            assert!((seconds(rate, 10) - 90.0).abs() < 2.0, "{in_a_commit} in a commit");
        }
    }
}
