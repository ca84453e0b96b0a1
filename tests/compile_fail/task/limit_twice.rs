//! Two fields have a limit.
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
#[task(status = JobStatus)]
struct Job {
    #[task(id)]
    url: String,
    #[task(index, limit = 2)]
    host: String,
    #[task(index, limit = 1)]
    user: String,
}

fn main() {
    println!("{}", <Job as TrackedTask>::KIND);
}
