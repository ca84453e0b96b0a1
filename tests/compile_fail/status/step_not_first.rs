//! The first status is in no step.
use tracker_core::TaskStatus;

#[derive(TaskStatus, Clone, Copy)]
enum S {
    Pending = 10,
    InProgress = 11,
    Failed = 12,
    Succeeded = 13,
    #[status(step = "load")]
    LoadInProgress = 20,
    LoadFailed = 21,
    LoadSucceeded = 22,
}

fn main() {
    println!("{:?}", <S as TaskStatus>::GRAPH);
}
