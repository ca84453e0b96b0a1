//! The path of the crate depends on where the enum stands.
use tracker_core::TaskStatus;

#[derive(TaskStatus, Clone, Copy)]
#[status(crate = tracker_core)]
enum S {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
}

fn main() {
    println!("{:?}", <S as TaskStatus>::GRAPH);
}
