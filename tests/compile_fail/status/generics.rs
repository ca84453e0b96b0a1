//! A status type has parameters.
use tracker_core::TaskStatus;

#[derive(TaskStatus, Clone, Copy)]
enum S<const N: usize> {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
}

fn main() {
    println!("{:?}", <S<1> as TaskStatus>::GRAPH);
}
