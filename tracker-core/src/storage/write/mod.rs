//! Writes of tasks to the tables of a transaction: a change of a task writes its header and payload, and the difference of its derived rows.
//! Methods of `Tables`, called by the engine's writer and by the repair of a file's time.

pub(crate) mod bulk;
pub(crate) mod change;
pub(crate) mod concurrency_limit;
mod derived_rows;
pub(crate) mod head_lists;
mod limit_lock;
pub(crate) mod rate;
pub(crate) mod retime;
