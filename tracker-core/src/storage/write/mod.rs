//! Writes to the tables of a transaction: every row of a task is derived and written here. Called by the engine's writer.

pub(crate) mod bulk;
pub(crate) mod change;
pub(crate) mod concurrency_limit;
mod derived_rows;
pub(crate) mod head_lists;
mod limit_lock;
pub(crate) mod rate;
pub(crate) mod retime;
