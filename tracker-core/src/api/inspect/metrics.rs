//! `Metrics` holds the numbers of all kinds at one time, for monitoring. Called by users, `tracker-cli` and `tracker-web`, and read by
//! `open_metrics`, `gauges` and `recorded_gauges`; reads the file, and writes nothing.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Throughput, open_metrics};
use crate::{
    api::{schema::Untyped, tasks::Tasks, tracker::Tracker},
    model::{
        error::Result,
        status::{Role, StatusInfo},
    },
};

/// How many leases of a kind are read to count the expired ones.
const LEASES: usize = 1_000;

/// The numbers of all kinds of a file at one time.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Metrics {
    /// The time of the snapshot.
    pub at: DateTime<Utc>,
    /// Each kind, in the order of [`Tracker::kinds`].
    pub kinds: Vec<KindMetrics>,
}

/// The numbers of one kind.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct KindMetrics {
    /// The kind's name.
    pub kind: String,
    /// The names of its steps; one empty name if it has none.
    pub steps: Vec<String>,
    /// The number of tasks in each status, in the order of their declaration.
    pub tasks: Vec<(StatusInfo, u64)>,
    /// Whether no task of the kind is claimed until it is resumed.
    pub paused: bool,
    /// How long the oldest due task has waited, see [`Tasks::oldest_waiting`]; `None` if no task waits.
    pub oldest_waiting: Option<Duration>,
    /// The number of tasks in progress.
    pub leases: u64,
    /// The number of leases that have expired, at most 1,000.
    pub expired_leases: u64,
    /// The attempts that ended lately, and how long they ran.
    pub throughput: Throughput,
}

impl Tracker {
    /// Reads the numbers of all kinds for monitoring. Attempts are those of the last `window`, from at most `most` tasks of each kind, the latest
    /// first: [`Throughput::since`] is the time from which they were counted.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # use std::time::Duration;
    /// # use tracker_core::Tracker;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tracker = Tracker::in_memory()?;
    /// # tracker.tasks::<Job>()?.submit(&job("one"))?;
    /// let metrics = tracker.metrics(Duration::from_secs(300), 5_000)?;
    /// assert_eq!(metrics.kinds[0].tasks[0].1, 1);
    /// println!("{}", metrics.open_metrics());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn metrics(&self, window: Duration, most: usize) -> Result<Metrics> {
        let at = self.now();
        let names = self.kinds()?;
        let kinds = names.iter().map(|kind| KindMetrics::read(&self.untyped(kind)?, at, window, most));
        Ok(Metrics { at, kinds: kinds.collect::<Result<_>>()? })
    }
}

impl KindMetrics {
    fn read(tasks: &Tasks<Untyped>, at: DateTime<Utc>, window: Duration, most: usize) -> Result<Self> {
        let (info, counts) = (tasks.info()?, tasks.counts()?);
        let in_progress = info.statuses.iter().filter(|status| status.role == Role::InProgress);
        let leases = in_progress.map(|status| counts.of_code(status.code)).fold(0, u64::saturating_add);
        let expired = tasks.leases(LEASES)?.iter().filter(|leased| leased.has_expired).count();
        let waiting = tasks.oldest_waiting()?;
        Ok(Self {
            tasks: info.statuses.iter().map(|status| (status.clone(), counts.of_code(status.code))).collect(),
            paused: info.paused,
            oldest_waiting: waiting.map(|oldest| (at - oldest.since).to_std().unwrap_or_default()),
            leases,
            expired_leases: expired as u64,
            throughput: tasks.throughput(window, most)?,
            kind: info.name,
            steps: info.steps,
        })
    }
}

impl Metrics {
    /// The media type of [`open_metrics`](Self::open_metrics), for the header `Content-Type`.
    pub const CONTENT_TYPE: &'static str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// Returns the numbers as text in the format OpenMetrics 1.0, which Prometheus and OpenTelemetry collectors read.
    ///
    /// All metrics are gauges, because they describe the file at one time, and histories are pruned, so that totals over all time are not known.
    #[must_use]
    pub fn open_metrics(&self) -> String {
        open_metrics::render(self)
    }
}

#[cfg(test)]
impl Metrics {
    /// One kind with awkward names.
    pub(super) fn sample() -> Self {
        use crate::model::{time::utc, transition::AttemptStatus};

        let status = |code, name: &str, role| StatusInfo { code, name: name.to_owned(), role, step: 0 };
        let throughput = Throughput {
            since: utc(0),
            until: utc(300_000_000),
            succeeded: 3,
            failed: 1,
            other: 0,
            first_success: None,
            statuses: vec![(AttemptStatus::Succeeded, 3), (AttemptStatus::Crashed, 1)],
            minutes: Vec::new(),
            durations: [1, 250, 90_000_000].map(Duration::from_millis).to_vec(),
        };
        let kind = KindMetrics {
            kind: "a \"kind\"\\with\nlines\u{1b}".to_owned(),
            steps: vec!["first".to_owned()],
            tasks: vec![(status(1, "Pending", Role::Pending), 2), (status(2, "Läuft", Role::InProgress), 1)],
            paused: true,
            oldest_waiting: Some(Duration::from_millis(1_500)),
            leases: 1,
            expired_leases: 0,
            throughput,
        };
        let idle = KindMetrics { kind: "idle".to_owned(), oldest_waiting: None, paused: false, ..kind.clone() };
        Self { at: utc(300_000_000), kinds: vec![kind, idle] }
    }
}
