//! A word is no role.
use tracker_core::TaskStatus;

#[derive(TaskStatus, Clone, Copy)]
enum S {
    #[status(pendng)]
    Waiting = 10,
    InProgress = 20,
    Failed = 30,
    #[status(success)]
    Succeeded = 40,
    #[status(zzz)]
    Odd = 50,
}

fn main() {
    println!("{:?}", <S as TaskStatus>::GRAPH);
}
