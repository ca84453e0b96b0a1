//! A deprecated status or field warns where the user names it, not inside of the derive.
#![deny(warnings)]
use serde::{Deserialize, Serialize};
use tracker_core::{TaskStatus, TrackedTask};

#[derive(TaskStatus, Clone, Copy)]
pub enum JobStatus {
    Pending = 10,
    InProgress = 20,
    #[deprecated]
    Failed = 30,
    Succeeded = 40,
}

#[derive(TrackedTask, Serialize, Deserialize)]
#[task(status = JobStatus, startable(Failed))]
pub struct Job {
    #[task(id)]
    id: u64,
    #[deprecated]
    #[task(index)]
    host: String,
}

#[test]
fn deprecated_status_and_field_warn_only_where_named() {
    assert_eq!(*Job::policy().startable, [30]);
}
