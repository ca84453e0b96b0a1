//! The timeout is longer than a duration can be.
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
#[task(status = JobStatus, timeout = "99999999999999w")]
struct Job {
    #[task(id)]
    url: String,
}

fn main() {
    println!("{}", <Job as TrackedTask>::KIND);
}
