//! A role has a value.
use tracker_core::TaskStatus;

#[derive(TaskStatus, Clone, Copy)]
enum S {
    #[status(pending = 1)]
    Pending = 10,
    InProgress = 20,
    #[status(failed(3))]
    Failed = 30,
    Succeeded = 40,
}

fn main() {
    println!("{:?}", <S as TaskStatus>::GRAPH);
}
