//! Words above the enum that belong elsewhere or are unknown.
use tracker_core::TaskStatus;

#[derive(TaskStatus, Clone, Copy)]
#[status(pending, step = "load", krate = ::tracker_core)]
enum S {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
}

fn main() {
    println!("{:?}", <S as TaskStatus>::GRAPH);
}
