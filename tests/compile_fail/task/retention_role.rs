//! A task that is not at its end is to be deleted; a role is misspelt; one is doubled.
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
#[task(status = JobStatus, retention(failed = "30d", suceeded = "30d", ignored = "1d", ignored = "2d"))]
struct Job {
    #[task(id)]
    url: String,
}

fn main() {
    println!("{}", <Job as TrackedTask>::KIND);
}
