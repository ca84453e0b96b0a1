//! The enum is not `Copy`.
use tracker_core::TaskStatus;

#[derive(TaskStatus)]
enum S {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
}

fn main() {}
