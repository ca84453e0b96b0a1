//! The kind of the tests and of the benchmark.

use serde::{Deserialize, Serialize};
use tracker_core::{TaskStatus, TrackedTask};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Pending = 10,
    InProgress = 20,
    Succeeded = 30,
    Exhausted = 40,
    Cancelled = 50,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "job", status = Status, max_attempts = 1)]
pub struct Job {
    #[task(id)]
    pub name: String,
}
