//! A status type is a union.
use tracker_core::TaskStatus;

#[derive(TaskStatus, Clone, Copy)]
union S {
    pending: u32,
}

fn main() {
    println!("{:?}", <S as TaskStatus>::GRAPH);
}
