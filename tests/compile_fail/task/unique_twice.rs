//! A unique key is declared twice.
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
#[task(status = JobStatus, unique(client), unique(a_b, c), unique(a, b_c))]
struct Job {
    #[task(id)]
    url: String,
    #[task(unique)]
    client: String,
    a_b: u8,
    c: u8,
    a: u8,
    b_c: u8,
}

fn main() {
    println!("{}", <Job as TrackedTask>::KIND);
}
