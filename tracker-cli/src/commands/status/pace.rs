use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tracker_core::{Tasks, inspect::KindInfo, status::Role, untyped::Untyped};

use crate::{commands::counts::CountsView, failure::Failure, output::number, span::Span};

/// How fast attempts have ended lately.
#[derive(Serialize)]
pub struct PaceView {
    /// The time that it is about: what was asked for, or a shorter one where so much ended in it.
    pub window_seconds: f64,
    pub succeeded: u64,
    pub failed: u64,
    /// Attempts that succeeded, from the first of them until now.
    pub per_second: f64,
    pub p50_seconds: Option<f64>,
    pub p95_seconds: Option<f64>,
    pub p99_seconds: Option<f64>,
    /// How long the rest takes at this pace.
    pub eta_seconds: Option<f64>,
}

/// So many tasks are looked at: the latest.
const MOST: usize = 5_000;

impl PaceView {
    pub fn of(
        tasks: &Tasks<Untyped>,
        kind: &KindInfo,
        counts: &CountsView,
        window: Duration,
        now: DateTime<Utc>,
    ) -> Result<Self, Failure> {
        let pace = tasks.throughput(window, MOST)?;
        // A run that has just begun was not idle before: its pace counts from its first success.
        let ended = tasks.query().role(Role::Succeeded).changed_since(pace.since).oldest_first();
        let first = ended.first()?.map(|record| record.updated_at);
        let span = (now - first.unwrap_or(pace.since).max(pace.since)).to_std().unwrap_or_default();
        let per_second = rate(pace.succeeded, span);
        let percentile = |percent| pace.percentile(percent).map(|span| span.as_secs_f64());
        let left = attempts_left(kind, counts);
        Ok(Self {
            window_seconds: (pace.until - pace.since).to_std().unwrap_or_default().as_secs_f64(),
            succeeded: pace.succeeded,
            failed: pace.failed,
            per_second,
            p50_seconds: percentile(50),
            p95_seconds: percentile(95),
            p99_seconds: percentile(99),
            eta_seconds: (per_second > 0.0 && left > 0).then(|| float(left) / per_second),
        })
    }
}

impl PaceView {
    /// What it is for people, each with the name of its line.
    pub fn facts(&self) -> Vec<(&'static str, String)> {
        let span = |seconds: f64| Span(Duration::try_from_secs_f64(seconds).unwrap_or_default());
        let window = span(self.window_seconds);
        if self.succeeded + self.failed == 0 {
            return vec![("pace", format!("nothing ended within the last {window}"))];
        }
        let (succeeded, failed) = (number::grouped(self.succeeded), number::grouped(self.failed));
        let mut facts = vec![("ended", format!("{succeeded} succeeded, {failed} failed within {window}"))];
        if let (Some(p50), Some(p95), Some(p99)) = (self.p50_seconds, self.p95_seconds, self.p99_seconds) {
            facts.push(("took", format!("p50 {}, p95 {}, p99 {}", span(p50), span(p95), span(p99))));
        }
        if self.per_second > 0.0 {
            let left = self.eta_seconds.map_or_else(String::new, |eta| format!(", about {} left", span(eta)));
            facts.push(("pace", format!("{:.1} per second{left}", self.per_second)));
        }
        facts
    }
}

/// The first success began the span, so it does not count; one alone tells nothing.
fn rate(succeeded: u64, span: Duration) -> f64 {
    let seconds = span.as_secs_f64();
    if succeeded < 2 || seconds <= 0.0 { 0.0 } else { float(succeeded - 1) / seconds }
}

/// How many attempts must still succeed: of a pipeline, one for each step that is left.
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
    fn a_rate_is_that_between_the_first_and_now() {
        for (succeeded, seconds, expected) in [(0, 10, 0.0), (1, 10, 0.0), (11, 10, 1.0), (5, 0, 0.0)] {
            assert!((rate(succeeded, Duration::from_secs(seconds)) - expected).abs() < 1e-9);
        }
    }
}
