//! Writes tasks to the tables of a transaction: header and payload of a changed task, and the difference of its derived rows. Methods of `Tables`,
//! called by `engine/writer`, `engine/action` and `engine/repair_time`; `api/inspect/plan` and `api/tasks/lookup` read start rates.

pub(crate) mod bulk;
pub(crate) mod change;
pub(crate) mod concurrency_limit;
mod derived_rows;
pub(crate) mod head_lists;
mod limit_lock;
pub(crate) mod rate;
pub(crate) mod retime;
