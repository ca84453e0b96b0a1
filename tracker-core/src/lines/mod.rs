//! Tasks as lines of JSON, in and out: `docs/json-lines.md`.

mod attempt;
mod batch;
mod body;
mod export;
mod foreign;
mod held;
mod import;
mod kind;
mod line;
mod newcomer;
mod stamp;
mod task;
mod tie;
mod value;

pub(crate) use body::Typed;
pub use import::{ImportOptions, Imported, LineError};
