//! A rate without a period, with an unknown unit, with too many starts, and of no text.
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
#[task(status = JobStatus, rate = "10")]
struct Job {
    #[task(id)]
    url: String,
}

#[derive(TrackedTask, Serialize, Deserialize)]
#[task(status = JobStatus, rate = "10/sec")]
struct Other {
    #[task(id)]
    url: String,
}

#[derive(TrackedTask, Serialize, Deserialize)]
#[task(status = JobStatus, rate = "20000/h")]
struct Third {
    #[task(id)]
    url: String,
}

#[derive(TrackedTask, Serialize, Deserialize)]
#[task(status = JobStatus, rate = 10)]
struct Fourth {
    #[task(id)]
    url: String,
}

fn main() {
    println!("{}", <Job as TrackedTask>::KIND);
}
