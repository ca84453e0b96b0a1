//! Attributes without parentheses, without words, without commas.
use tracker_core::TaskStatus;

#[derive(TaskStatus, Clone, Copy)]
enum S {
    #[status]
    Pending = 10,
    #[status()]
    InProgress = 20,
    #[status = "failed"]
    Failed = 30,
    #[status(succeeded step = "load")]
    Succeeded = 40,
    #[status("ignored")]
    Ignored = 50,
    #[status(,exhausted)]
    Exhausted = 60,
}

fn main() {
    println!("{:?}", <S as TaskStatus>::GRAPH);
}
