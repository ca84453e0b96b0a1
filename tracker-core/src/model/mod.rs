//! Models a task and its transitions: status graphs, ids, policies, times, errors, and the pure transition rules. Used by all other folders.
//! Touches no file and starts no thread; only `time` reads a clock. Several files run code of the user, such as `codec`, `kind`, `payload`,
//! `task/fingerprint`, `time` and `user_code`.

pub(crate) mod bounds;
pub(crate) mod codec;
pub(crate) mod counted;
pub(crate) mod dependency;
pub(crate) mod durability;
pub(crate) mod error;
pub(crate) mod failure;
pub(crate) mod file_state;
pub(crate) mod kind;
pub(crate) mod kinds;
pub(crate) mod metric_family;
pub(crate) mod move_mark;
pub(crate) mod needs;
pub(crate) mod new_task;
pub(crate) mod panics;
pub(crate) mod payload;
pub(crate) mod place;
#[cfg(test)]
pub(crate) mod sample;
pub(crate) mod schedule;
pub(crate) mod status;
pub(crate) mod task;
pub(crate) mod task_row;
pub(crate) mod throttle;
pub(crate) mod time;
pub(crate) mod trace_context;
pub(crate) mod transition;
pub(crate) mod user_code;
