//! Two mistakes on one status do not echo each other: no word on its role.
use tracker_core::TaskStatus;

#[derive(TaskStatus, Clone, Copy)]
enum S {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
    #[status(reviewd)]
    Reviewed,
}

fn main() {
    println!("{:?}", <S as TaskStatus>::GRAPH);
}
