//! Tasks as lines of JSON, in and out: `docs/json-lines.md`.

mod export;
mod import;
mod kind;
mod stamp;
mod task;
mod tie;
mod value;

pub(crate) use import::Typed;
pub use import::{ImportOptions, Imported, LineError};
