//! A status names two roles.
use tracker_core::TaskStatus;

#[derive(TaskStatus, Clone, Copy)]
enum S {
    Pending = 10,
    InProgress = 20,
    #[status(failed, ignored)]
    Failed = 30,
    #[status(succeeded)]
    #[status(succeeded)]
    Succeeded = 40,
}

fn main() {
    println!("{:?}", <S as TaskStatus>::GRAPH);
}
