//! Changes as values: requests that an operator makes, and the function that performs them on an open tracker.

mod filter;
mod perform;
mod request;
mod written;

pub use request::{KindCount, RefusedTask, Report, Request, SelectedId, Selection, TaskChange, TaskFilter};
