//! Words that are unknown, above the struct and above a field.
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
#[task(status = JobStatus, max_atempts = 3, time_limit = "1h", zzz)]
struct Job {
    #[task(id, indexed)]
    url: String,
    #[task(zzz)]
    host: String,
}

fn main() {
    println!("{}", <Job as TrackedTask>::KIND);
}
