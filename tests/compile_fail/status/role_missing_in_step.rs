//! Required roles are missing in the second step.
use tracker_core::TaskStatus;

#[derive(TaskStatus, Clone, Copy)]
enum S {
    #[status(step = "fetch")]
    FetchPending = 10,
    FetchInProgress = 11,
    FetchFailed = 12,
    #[status(succeeded)]
    Fetched = 13,
    #[status(step = "load")]
    LoadInProgress = 20,
}

fn main() {
    println!("{:?}", <S as TaskStatus>::GRAPH);
}
