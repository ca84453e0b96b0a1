//! A code is computed.
use tracker_core::TaskStatus;

const FIRST: isize = 10;

#[derive(TaskStatus, Clone, Copy)]
enum S {
    Pending = FIRST,
    InProgress = 10 + 10,
    Failed = 30,
    Succeeded = 40,
}

fn main() {
    println!("{:?}", <S as TaskStatus>::GRAPH);
}
