//! Imports and exports tasks as JSON lines (feature `json`); `docs/json-lines.md` describes the lines. Called by users, `tracker-cli` and
//! `api/live/server`. `export` reads an open tracker, and `import` writes through its engine; most other files convert one type of value
//! each.

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
