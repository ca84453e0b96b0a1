//! Nine fields have a limit.
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
    #[task(index, limit = 1)]
    host: String,
    #[task(index, limit = 2)]
    user: String,
    #[task(index, limit = 3)]
    region: String,
    #[task(index, limit = 4)]
    queue: String,
    #[task(index, limit = 5)]
    disk: String,
    #[task(index, limit = 6)]
    printer: String,
    #[task(index, limit = 7)]
    customer: String,
    #[task(index, limit = 8)]
    license: String,
    #[task(index, limit = 9)]
    project: String,
}

fn main() {
    println!("{}", <Job as TrackedTask>::KIND);
}
