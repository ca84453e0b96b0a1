//! The version has 16 bits.
use serde::{Deserialize, Serialize};
use tracker_core::{TaskStatus, TrackedTask};

#[derive(TaskStatus, Clone, Copy)]
enum JobStatus {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
    Ignored = 50,
}

#[derive(TrackedTask, Serialize, Deserialize)]
#[task(status = JobStatus, version = 65536, migrate = from_old)]
struct Job {
    #[task(id)]
    url: String,
}

fn from_old(_: tracker_core::task::OldPayload<'_>) -> Result<Job, String> {
    Err("unknown".to_owned())
}

fn main() {
    println!("{}", <Job as TrackedTask>::KIND);
}
