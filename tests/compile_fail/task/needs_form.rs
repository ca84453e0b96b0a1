//! Needs of nothing, of no field, of a field without an index, and of a number with a fraction.
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
#[task(status = JobStatus, needs(gpu = 0, mem = "bytes", disk = "weight", cpu = 1.5, mem = 1))]
struct Job {
    #[task(id)]
    url: String,
    weight: u64,
}

fn main() {
    println!("{}", <Job as TrackedTask>::KIND);
}
