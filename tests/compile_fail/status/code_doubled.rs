//! Two statuses have one code. The compiler says so too, but not what to write.
use tracker_core::TaskStatus;

#[derive(TaskStatus, Clone, Copy)]
enum S {
    Pending = 10,
    InProgress = 20,
    Failed = 10,
    Succeeded = 40,
}

fn main() {
    println!("{:?}", <S as TaskStatus>::GRAPH);
}
