//! The number of tasks in progress is zero.
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
#[task(status = JobStatus, max_in_progress = 0)]
struct Job {
    #[task(id)]
    url: String,
}

fn main() {
    println!("{}", <Job as TrackedTask>::KIND);
}
