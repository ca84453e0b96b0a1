//! A status type has a lifetime.
use tracker_core::TaskStatus;

#[derive(TaskStatus, Clone, Copy)]
#[repr(i32)]
enum S<'a> {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
    Held(&'a str) = 50,
}

fn main() {
    println!("{:?}", <S<'static> as TaskStatus>::GRAPH);
}
