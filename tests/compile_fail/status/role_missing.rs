//! Required roles are missing.
use tracker_core::TaskStatus;

#[derive(TaskStatus, Clone, Copy)]
enum S {
    Pending = 10,
    Cancelled = 20,
}

fn main() {
    println!("{:?}", <S as TaskStatus>::GRAPH);
}
