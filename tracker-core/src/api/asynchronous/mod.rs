//! Defines the async twins of the handles (feature `tokio`). Called by users, `worker/async_slot`, `worker/async_worker` and `worker/heartbeats`.
//! Each call is defined beside its blocking form, over the port in `calls`; nothing here blocks a thread of the runtime until a commit is on disk.

pub(crate) mod attempt;
pub(crate) mod calls;
mod delivery;
mod tasks;
mod twins;

pub(crate) use delivery::Delivery;
pub use tasks::AsyncTasks;
pub use twins::{AsyncBatch, AsyncExecution, AsyncTaskGroup, AsyncTracker};
