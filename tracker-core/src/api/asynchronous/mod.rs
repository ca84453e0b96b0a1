//! The same calls for async programs, by tokio: nothing here waits on a thread of the runtime for the disk to sync.

mod admin;
pub(crate) mod attempt;
mod batch;
pub(crate) mod calls;
mod delivery;
mod outcomes;
mod start;
mod submit;
mod tasks;

pub(crate) use delivery::Delivery;
pub use tasks::AsyncTasks;
