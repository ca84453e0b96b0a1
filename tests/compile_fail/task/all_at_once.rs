//! Mistakes in different places are reported together.
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
#[task(name = "", max_attempts = 0, lease = "0s", backoff = "never", jitter = -1)]
struct Job {
    #[task(indx)]
    url: String,
}

fn main() {
    println!("{}", <Job as TrackedTask>::KIND);
}
