//! A code does not fit the four bytes that it has on disk.
use tracker_core::TaskStatus;

#[derive(TaskStatus, Clone, Copy)]
enum S {
    Pending = 10,
    InProgress = -2_147_483_649,
    Failed = 2_147_483_648,
    Succeeded = 40,
}

fn main() {
    println!("{:?}", <S as TaskStatus>::GRAPH);
}
