//! A status type is a struct, and not even `Copy`.
use tracker_core::TaskStatus;

#[derive(TaskStatus)]
struct S {
    pending: u32,
}

fn main() {
    println!("{:?}", <tracker_core::__private::NoStatus as TaskStatus>::GRAPH);
}
