//! The task is not serializable.
use tracker_core::{TaskStatus, TrackedTask};

#[derive(TaskStatus, Clone, Copy)]
enum JobStatus {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
    Ignored = 50,
}

#[derive(TrackedTask)]
#[task(status = JobStatus)]
struct Job {
    #[task(id)]
    url: String,
}

fn main() {}
