//! `Summary` reports on a worker that has ended. Filled by `pool_state`, read by users and `tracker-cli`; plain data.

use std::{collections::BTreeMap, fmt, time::Duration};

/// The work of a worker that has ended. It counts attempts, not tasks: a task that is tried three times counts three times.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Summary {
    /// Attempts that ended as succeeded.
    pub succeeded: u64,
    /// Attempts that failed, by error, panic or timeout.
    pub failed: u64,
    /// Of these, those by panic.
    pub panicked: u64,
    /// Attempts that ended in another way that their handler asked for: snoozed, parked, ignored, released.
    pub other: u64,
    /// Attempts whose lease was lost before they ended; nothing of them was stored.
    pub lost: u64,
    /// Tasks that could not be decoded. No claim takes them any more.
    pub unreadable: u64,
    /// Whether the worker stopped because of too many failures.
    pub halted: bool,
    /// How often each error text occurred, for at most 100 different texts.
    pub errors: BTreeMap<String, u64>,
    /// Run times, by logarithmic bucket.
    times: BTreeMap<u32, u64>,
}

/// The buckets of run times are logarithmic: each doubling of the run time has this many.
const BUCKETS_PER_DOUBLING: u32 = 16;

impl Summary {
    /// Returns the number of all attempts.
    #[must_use]
    pub fn attempts(&self) -> u64 {
        self.succeeded + self.failed + self.other + self.lost
    }

    /// Returns the run time that a share (0 to 1) of the attempts did not exceed, within 5 %. Zero if there were no attempts.
    #[must_use]
    pub fn percentile(&self, share: f64) -> Duration {
        let all: u64 = self.times.values().sum();
        #[expect(clippy::cast_precision_loss, reason = "a share of a count needs no more than 52 bits")]
        let wanted = all as f64 * share.clamp(0.0, 1.0);
        let mut seen = 0.0;
        for (bucket, count) in &self.times {
            #[expect(clippy::cast_precision_loss, reason = "as above")]
            let count = *count as f64;
            seen += count;
            if seen >= wanted {
                return Duration::from_secs_f64(
                    (f64::from(*bucket + 1) / f64::from(BUCKETS_PER_DOUBLING)).exp2() / 1e6,
                );
            }
        }
        Duration::ZERO
    }

    pub(super) fn record_time(&mut self, run: Duration) {
        let micros = (run.as_secs_f64() * 1e6).max(1.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at most 64 doublings, not negative"
        )]
        let bucket = (micros.log2() * f64::from(BUCKETS_PER_DOUBLING)) as u32;
        *self.times.entry(bucket).or_default() += 1;
    }

    pub(super) fn record_error(&mut self, text: &str) {
        if self.errors.len() < 100 || self.errors.contains_key(text) {
            *self.errors.entry(text.to_owned()).or_default() += 1;
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A task that is tried again counts with each of its attempts.
        let (attempts, plural) = (self.attempts(), if self.attempts() == 1 { "" } else { "s" });
        write!(f, "{attempts} attempt{plural}: {} succeeded, {} failed", self.succeeded, self.failed)?;
        for (count, what) in
            [(self.other, "otherwise"), (self.lost, "lost their lease"), (self.unreadable, "unreadable")]
        {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        if self.attempts() > 0 {
            let [p50, p95, p99] = [0.5, 0.95, 0.99].map(|share| self.percentile(share));
            write!(f, "; run times p50 {p50:.1?}, p95 {p95:.1?}, p99 {p99:.1?}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_counts_every_way_an_attempt_ends() {
        let mut summary = Summary { succeeded: 3, failed: 2, ..Summary::default() };
        assert_eq!(summary.attempts(), 5);
        (0..5).for_each(|_| summary.record_time(Duration::from_millis(10)));
        let text = summary.to_string();
        assert!(text.starts_with("5 attempts: 3 succeeded, 2 failed; run times p50 10."), "{text}");
        (summary.other, summary.lost, summary.unreadable) = (4, 5, 6);
        assert_eq!(summary.attempts(), 14);
        let text = summary.to_string();
        assert!(
            text.starts_with(
                "14 attempts: 3 succeeded, 2 failed, 4 otherwise, 5 lost their lease, 6 unreadable; run times"
            ),
            "{text}"
        );
        assert_eq!(Summary::default().to_string(), "0 attempts: 0 succeeded, 0 failed");
    }

    #[test]
    fn errors_are_counted_for_a_hundred_different_texts() {
        let mut summary = Summary::default();
        for round in 0..2 {
            for number in 0..102 {
                summary.record_error(&format!("error {number}"));
            }
            assert_eq!((summary.errors.len(), summary.errors.get("error 99")), (100, Some(&(round + 1))));
        }
    }

    #[test]
    fn percentiles_are_within_five_percent() {
        let mut summary = Summary::default();
        for milli in 1..=1000 {
            summary.record_time(Duration::from_millis(milli));
        }
        for (share, expected) in [(0.5, 500.0), (0.95, 950.0), (0.99, 990.0)] {
            let found = summary.percentile(share).as_secs_f64() * 1e3;
            assert!((found - expected).abs() < expected * 0.05, "{share}: {found}");
        }
    }
}
