//! A task is a union, which serde cannot even write.
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
union Job {
    url: u32,
}

fn main() {}
