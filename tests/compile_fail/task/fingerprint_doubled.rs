//! `fingerprint` beside `fingerprint_with` on one field.
use std::collections::BinaryHeap;

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
    #[task(fingerprint, fingerprint_with = sorted)]
    parts: BinaryHeap<u32>,
}

fn sorted(parts: &BinaryHeap<u32>) -> Vec<u32> {
    parts.clone().into_sorted_vec()
}

fn main() {
    println!("{}", <Job as TrackedTask>::KIND);
}
