//! Mistakes in different places are reported together.
use tracker_core::TaskStatus;

#[derive(TaskStatus, Clone, Copy)]
#[repr(i64)]
enum S {
    Pending,
    InProgress(u32),
    #[status(faild)]
    Failed = 30,
    Succeeded = 30 + 10,
    Odd = 5_000_000_000,
}

fn main() {
    println!("{:?}", <S as TaskStatus>::GRAPH);
}
