//! A misspelt word is not reported as missing as well.
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
#[task(statsu = JobStatus)]
struct Job {
    #[task(idd)]
    url: String,
}

fn main() {
    println!("{}", <Job as TrackedTask>::KIND);
}
