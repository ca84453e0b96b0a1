//! A status type has no status.
use tracker_core::TaskStatus;

#[derive(TaskStatus, Clone, Copy)]
enum S {}

fn main() {
    println!("{:?}", <S as TaskStatus>::GRAPH);
}
