//! A rate stands on a field, a limit above the struct.
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
#[task(status = JobStatus, limit = 2)]
struct Job {
    #[task(id)]
    url: String,
    #[task(index, rate = "10/s")]
    host: String,
}

fn main() {
    println!("{}", <Job as TrackedTask>::KIND);
}
