//! The same calls for async programs, by tokio: nothing here waits on a thread of the runtime for the disk to sync.

mod batch;
pub(crate) mod calls;
mod delivery;
mod ends;
mod hand;
mod start;
mod submit;
mod tasks;

pub(crate) use delivery::Delivery;
pub use tasks::AsyncTasks;
