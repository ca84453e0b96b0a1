//! Names say no role: one is far from all, one is nearly one, others are usual names in other queues.
use tracker_core::TaskStatus;

#[derive(TaskStatus, Clone, Copy)]
enum S {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
    Reviewed = 50,
    Canceled = 60,
    Waiting = 70,
    Running = 80,
    Done = 90,
}

fn main() {
    println!("{:?}", <S as TaskStatus>::GRAPH);
}
