//! Names each metric, with its type, unit and help text. Read by `api/inspect` for the OpenMetrics text and by `engine/process_metrics` for
//! the crate `metrics`, so that both feed the same dashboard. Constants.

/// The metrics of one name.
pub(crate) struct MetricFamily {
    pub name: &'static str,
    /// The type in OpenMetrics.
    pub kind: &'static str,
    pub unit: Option<&'static str>,
    pub help: &'static str,
}

const fn gauge(name: &'static str, help: &'static str) -> MetricFamily {
    MetricFamily { name, kind: "gauge", unit: None, help }
}

const fn seconds(name: &'static str, kind: &'static str, help: &'static str) -> MetricFamily {
    MetricFamily { name, kind, unit: Some("seconds"), help }
}

// Numbers of a file at one time.
pub(crate) const TASKS: MetricFamily = gauge("tracker_tasks", "Tasks by kind, step, status and role.");
pub(crate) const KIND_PAUSED: MetricFamily =
    gauge("tracker_kind_paused", "1 if no task of the kind is claimed until it is resumed.");
pub(crate) const OLDEST_WAITING: MetricFamily = seconds(
    "tracker_oldest_waiting_seconds",
    "gauge",
    "Age of the due task that has waited longest; absent if no task waits.",
);
pub(crate) const LEASES: MetricFamily = gauge("tracker_leases", "Tasks in progress.");
pub(crate) const EXPIRED_LEASES: MetricFamily =
    gauge("tracker_expired_leases", "Leases that have expired, at most 1,000.");
pub(crate) const WINDOW: MetricFamily =
    seconds("tracker_window_seconds", "gauge", "Length of the time over which ended attempts are counted.");
pub(crate) const WINDOW_ATTEMPTS: MetricFamily =
    gauge("tracker_window_attempts", "Attempts that ended within the window, by how they ended.");
pub(crate) const WINDOW_DURATION: MetricFamily = seconds(
    "tracker_window_duration_seconds",
    "gaugehistogram",
    "How long the attempts within the window ran that succeeded.",
);

/// Totals of a process since it opened the file.
#[cfg(feature = "metrics")]
pub(crate) mod process {
    use super::{MetricFamily, seconds};

    const fn counter(name: &'static str, help: &'static str) -> MetricFamily {
        MetricFamily { name, kind: "counter", unit: None, help }
    }

    pub(crate) const SUBMITTED: MetricFamily =
        counter("tracker_submitted_tasks_total", "Tasks that this process has stored as new.");
    pub(crate) const STARTED: MetricFamily =
        counter("tracker_started_attempts_total", "Tasks that this process has claimed or started.");
    pub(crate) const ENDED: MetricFamily = counter(
        "tracker_attempts_total",
        "Attempts whose end this process has stored, by how they ended; crashed and interrupted ones are leases without an outcome.",
    );
    pub(crate) const DURATION: MetricFamily =
        seconds("tracker_attempt_duration_seconds", "histogram", "How long the attempts ran that succeeded.");
    pub(crate) const WAIT: MetricFamily =
        seconds("tracker_wait_duration_seconds", "histogram", "How long the claimed tasks had been due.");
    pub(crate) const COMMITS: MetricFamily =
        counter("tracker_commits_total", "Commits of this process that changed the file.");
}
