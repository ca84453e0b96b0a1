//! A crate that depends on tracker-core under the name `tasks` only.

use serde::{Deserialize, Serialize};

/// The statuses of a job.
#[derive(tasks::TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
#[status(crate = ::tasks)]
pub enum JobStatus {
    /// Waits.
    Pending = 10,
    /// Runs.
    InProgress = 20,
    /// Ended badly.
    Failed = 30,
    /// Done.
    Succeeded = 40,
    /// Set aside.
    Ignored = 50,
}

/// A task that uses every word which makes the derive write a path.
#[derive(tasks::TrackedTask, Serialize, Deserialize)]
#[task(
    crate = ::tasks,
    status = JobStatus,
    max_attempts = "unlimited",
    backoff = "linear(1s, 1m)",
    startable(Ignored),
    retention(succeeded = "30d"),
    unique(host, etag)
)]
pub struct Job<T> {
    /// The id.
    #[task(id)]
    pub url: T,
    /// An index.
    #[task(index)]
    pub host: String,
    /// Part of the fingerprint.
    #[task(fingerprint)]
    pub etag: Option<String>,
}

#[cfg(test)]
mod tests {
    use tasks::{TaskStatus, TrackedTask, task::TaskId};

    use super::*;

    #[test]
    fn derives_find_the_renamed_crate() {
        let job = Job { url: "https://a.example".to_owned(), host: "a.example".to_owned(), etag: None };
        assert_eq!(JobStatus::from_code(30), Some(JobStatus::Failed));
        assert_eq!(job.task_id(), Some("https://a.example".to_key()));
        assert_eq!(job.unique_values().len(), 1);
        assert_eq!(*Job::<String>::policy().startable, [50]);
        assert!(job.fingerprint().is_some());
    }
}
