//! A status holds data.
use tracker_core::TaskStatus;

#[derive(TaskStatus, Clone, Copy)]
#[repr(i32)]
enum S {
    Pending = 10,
    InProgress { worker: u32 } = 20,
    Failed(u32) = 30,
    Succeeded = 40,
}

fn main() {
    println!("{:?}", <S as TaskStatus>::GRAPH);
}
