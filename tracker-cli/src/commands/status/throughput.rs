//! The throughput of a kind over the last minutes, and the time left at that rate.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tracker_core::{Tasks, inspect::KindInfo, status::Role, untyped::Untyped};

use crate::{error::CliError, human_duration::HumanDuration, output::number, task::CountsView};

#[derive(Serialize)]
pub struct ThroughputView {
    /// The period: the requested one, or a shorter one if it has more attempts than are read.
    pub window_seconds: f64,
    pub succeeded: u64,
    pub failed: u64,
    /// Successes per second since the first success in the period.
    pub per_second: f64,
    pub p50_seconds: Option<f64>,
    pub p95_seconds: Option<f64>,
    pub p99_seconds: Option<f64>,
    /// The time that the remaining tasks take at this rate.
    pub eta_seconds: Option<f64>,
}

/// The number of tasks that are read, the latest first.
const MOST: usize = 5_000;

impl ThroughputView {
    pub fn of(
        tasks: &Tasks<Untyped>,
        kind: &KindInfo,
        counts: &CountsView,
        window: Duration,
        now: DateTime<Utc>,
    ) -> Result<Self, CliError> {
        let throughput = tasks.throughput(window, MOST)?;
        // A run that began within the period is measured from its first success.
        let ended = tasks.query().role(Role::Succeeded).changed_since(throughput.since).oldest_first();
        let first = ended.first()?.map(|record| record.updated_at);
        let span = (now - first.unwrap_or(throughput.since).max(throughput.since)).to_std().unwrap_or_default();
        let per_second = rate(throughput.succeeded, span);
        let percentile = |percent| throughput.percentile(percent).map(|span| span.as_secs_f64());
        let left = attempts_left(kind, counts);
        Ok(Self {
            window_seconds: (throughput.until - throughput.since).to_std().unwrap_or_default().as_secs_f64(),
            succeeded: throughput.succeeded,
            failed: throughput.failed,
            per_second,
            p50_seconds: percentile(50),
            p95_seconds: percentile(95),
            p99_seconds: percentile(99),
            eta_seconds: (per_second > 0.0 && left > 0).then(|| float(left) / per_second),
        })
    }
}

impl ThroughputView {
    /// Returns the lines of the answer, each with its label.
    pub fn facts(&self) -> Vec<(&'static str, String)> {
        let duration = |seconds: f64| HumanDuration(Duration::try_from_secs_f64(seconds).unwrap_or_default());
        let window = duration(self.window_seconds);
        if self.succeeded + self.failed == 0 {
            return vec![("rate", format!("no attempt ended within the last {window}"))];
        }
        let (succeeded, failed) = (number::grouped(self.succeeded), number::grouped(self.failed));
        let mut facts = vec![("ended", format!("{succeeded} succeeded, {failed} failed within {window}"))];
        if let (Some(p50), Some(p95), Some(p99)) = (self.p50_seconds, self.p95_seconds, self.p99_seconds) {
            facts.push(("took", format!("p50 {}, p95 {}, p99 {}", duration(p50), duration(p95), duration(p99))));
        }
        if self.per_second > 0.0 {
            let left = self.eta_seconds.map_or_else(String::new, |eta| format!(", about {} left", duration(eta)));
            facts.push(("rate", format!("{:.1} per second{left}", self.per_second)));
        }
        facts
    }
}

/// Excludes the first success, which begins the period. A single success has no rate.
fn rate(succeeded: u64, span: Duration) -> f64 {
    let seconds = span.as_secs_f64();
    if succeeded < 2 || seconds <= 0.0 { 0.0 } else { float(succeeded - 1) / seconds }
}

/// Returns the number of attempts that must still succeed: in a pipeline one for each remaining step.
fn attempts_left(kind: &KindInfo, counts: &CountsView) -> u64 {
    let left = kind.statuses.iter().zip(&counts.counts).map(|(status, counted)| {
        let steps = (kind.steps.len() as u64).saturating_sub(u64::from(status.step));
        let attempts = match status.role {
            Role::Pending | Role::InProgress | Role::Failed => steps,
            Role::Succeeded => steps.saturating_sub(1),
            Role::Exhausted | Role::Ignored | Role::Cancelled | Role::Parked => 0,
        };
        attempts.saturating_mul(counted.count)
    });
    number::sum(left)
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
