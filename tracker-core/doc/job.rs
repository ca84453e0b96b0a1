// The kind that the examples in the documentation use. Each example includes this file in a hidden line.

use serde::{Deserialize, Serialize};
use tracker_core::{TaskStatus, TrackedTask};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Pending = 1,
    InProgress = 2,
    Failed = 3,
    Succeeded = 4,
    Exhausted = 5,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "job", status = Status)]
struct Job {
    #[task(id)]
    name: String,
    #[task(index)]
    host: String,
    result: Option<u32>,
}

fn job(name: &str) -> Job {
    Job { name: name.into(), host: "a".into(), result: None }
}
