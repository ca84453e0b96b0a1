//! The helper of commands that change many tasks: selects them, asks first, applies the change, reports. Used by `retry`,
//! `requeue`, `cancel`, `ignore`, and in parts by `prune`, `rescue` and `doctor --repair-time`.

mod confirm;
mod result;
mod selection;

pub use confirm::ConfirmArg;
pub use result::BulkResult;
pub use selection::{BulkCommand, SelectionArg, change_each};
