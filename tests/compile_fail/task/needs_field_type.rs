//! The amount of a need is a field that can be negative.
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
#[task(status = JobStatus, needs(mem = "weight"))]
struct Job {
    #[task(id)]
    url: String,
    #[task(index)]
    weight: i64,
}

fn main() {
    println!("{}", <Job as TrackedTask>::KIND);
}
