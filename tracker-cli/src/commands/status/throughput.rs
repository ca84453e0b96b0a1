//! The throughput of a kind over the last minutes, and the time left at that rate. Called by `status`; pure.

use std::time::Duration;

use serde::Serialize;
use tracker_core::{Tasks, untyped::Untyped};

use crate::{error::CliError, human_duration::HumanDuration, output::number};

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
    pub fn of(tasks: &Tasks<Untyped>, attempts_left: u64, window: Duration) -> Result<Self, CliError> {
        let throughput = tasks.throughput(window, MOST)?;
        let percentile = |percent| throughput.percentile(percent).map(|span| span.as_secs_f64());
        Ok(Self {
            window_seconds: (throughput.until - throughput.since).to_std().unwrap_or_default().as_secs_f64(),
            succeeded: throughput.succeeded,
            failed: throughput.failed,
            per_second: throughput.succeeded_per_second(),
            p50_seconds: percentile(50),
            p95_seconds: percentile(95),
            p99_seconds: percentile(99),
            eta_seconds: throughput.time_for(attempts_left).map(|left| left.as_secs_f64()),
        })
    }

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
