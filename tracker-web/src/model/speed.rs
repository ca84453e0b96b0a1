//! `Speed`: how fast the tasks of a kind end, and the time left at that rate.

use std::time::Duration;

use tracker_core::{Tasks, Tracker, inspect::KindInfo, query::Counts, status::Role, untyped::Untyped};

use crate::{failure::Failure, format::between};

/// The attempts that ended lately.
#[derive(Clone, Debug)]
pub struct Speed {
    pub window: Duration,
    pub succeeded: u64,
    pub failed: u64,
    /// Successes per second since the first success in the period.
    pub per_second: f64,
    pub median: Option<Duration>,
    pub p95: Option<Duration>,
    /// The time that the remaining tasks take at this rate.
    pub left: Option<Duration>,
}

const WINDOW: Duration = Duration::from_secs(300);
/// The number of tasks that are read, the latest first.
const MOST: usize = 2_000;

impl Speed {
    pub fn read(tracker: &Tracker, tasks: &Tasks<Untyped>, kind: &KindInfo, counts: &Counts) -> Result<Self, Failure> {
        let (found, now) = (tasks.throughput(WINDOW, MOST)?, tracker.now());
        // A run that began within the period is measured from its first success.
        let ended = tasks.query().role(Role::Succeeded).changed_since(found.since).oldest_first().limit(1).page()?;
        let first = ended.first().map_or(found.since, |record| record.updated_at.max(found.since));
        let per_second = rate(found.succeeded, between(first, now));
        let left = attempts_left(kind, counts);
        let left = (per_second > 0.0 && left > 0).then(|| float(left) / per_second);
        Ok(Self {
            window: between(found.since, found.until),
            succeeded: found.succeeded,
            failed: found.failed,
            per_second,
            median: found.percentile(50),
            p95: found.percentile(95),
            left: left.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        })
    }
}

/// Excludes the first success, which begins the period. A single success has no rate.
fn rate(succeeded: u64, span: Duration) -> f64 {
    let seconds = span.as_secs_f64();
    if succeeded < 2 || seconds <= 0.0 { 0.0 } else { float(succeeded - 1) / seconds }
}

/// Returns the number of attempts that must still succeed: in a pipeline one for each remaining step.
fn attempts_left(kind: &KindInfo, counts: &Counts) -> u64 {
    let left = kind.statuses.iter().map(|status| {
        let steps = (kind.steps.len() as u64).saturating_sub(u64::from(status.step));
        let attempts = match status.role {
            Role::Pending | Role::InProgress | Role::Failed => steps,
            Role::Succeeded => steps.saturating_sub(1),
            Role::Exhausted | Role::Ignored | Role::Cancelled | Role::Parked => 0,
        };
        attempts.saturating_mul(counts.of_code(status.code))
    });
    left.fold(0, u64::saturating_add)
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_excludes_the_first_success() {
        for (succeeded, seconds, expected) in [(0, 10, 0.0), (1, 10, 0.0), (11, 10, 1.0), (5, 0, 0.0)] {
            assert!((rate(succeeded, Duration::from_secs(seconds)) - expected).abs() < 1e-9);
        }
    }
}
