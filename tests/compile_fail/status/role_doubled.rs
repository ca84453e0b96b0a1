//! Two statuses of a step have one role.
use tracker_core::TaskStatus;

#[derive(TaskStatus, Clone, Copy)]
enum S {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
    #[status(succeeded)]
    Done = 50,
}

fn main() {
    println!("{:?}", <S as TaskStatus>::GRAPH);
}
