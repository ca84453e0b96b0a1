//! A status names two steps.
use tracker_core::TaskStatus;

#[derive(TaskStatus, Clone, Copy)]
enum S {
    #[status(step = "fetch", step = "load")]
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
}

fn main() {
    println!("{:?}", <S as TaskStatus>::GRAPH);
}
