//! Import and export of tasks as JSON lines, described in `docs/json-lines.md`.

mod attempt;
mod batch;
mod budget;
mod deferred;
mod dependency;
mod export;
mod foreign;
mod import;
mod imported_task;
mod kind;
mod line;
mod payload;
mod schedule;
mod task;
mod throttle;
mod timestamp;
mod value;

pub use crate::api::import::{ImportOptions, Imported, LineError};
