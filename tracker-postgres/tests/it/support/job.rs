//! A kind of task.

use serde::{Deserialize, Serialize};
use tracker_core::{TaskStatus, TrackedTask};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
    Exhausted = 50,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "job", status = Status, max_attempts = 3, lease = "20s", backoff = "fixed(1ms)")]
pub(crate) struct Job {
    #[task(id)]
    pub number: u32,
    pub done: bool,
}

impl Job {
    pub(crate) fn new(number: u32) -> Self {
        Self { number, done: false }
    }
}
