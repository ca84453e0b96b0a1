//! A name bears the name of another step.
use tracker_core::TaskStatus;

#[derive(TaskStatus, Clone, Copy)]
enum S {
    #[status(step = "fetch")]
    FetchPending = 10,
    FetchInProgress = 11,
    FetchFailed = 12,
    FetchSucceeded = 13,
    #[status(step = "load")]
    LoadInProgress = 20,
    LoadFailed = 21,
    FetchSucceeded2 = 22,
}

fn main() {
    println!("{:?}", <S as TaskStatus>::GRAPH);
}
