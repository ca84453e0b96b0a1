//! A status has no code.
use tracker_core::TaskStatus;

#[derive(TaskStatus, Clone, Copy)]
enum S {
    Pending = 10,
    InProgress = 20,
    Failed,
    Succeeded = 40,
}

fn main() {
    println!("{:?}", <S as TaskStatus>::GRAPH);
}
