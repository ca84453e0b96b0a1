//! A step is left and entered again.
use tracker_core::TaskStatus;

#[derive(TaskStatus, Clone, Copy)]
enum S {
    #[status(step = "fetch")]
    FetchPending = 10,
    FetchInProgress = 11,
    FetchFailed = 12,
    #[status(step = "load")]
    LoadInProgress = 20,
    LoadFailed = 21,
    LoadSucceeded = 22,
    #[status(step = "fetch")]
    FetchSucceeded = 13,
}

fn main() {
    println!("{:?}", <S as TaskStatus>::GRAPH);
}
