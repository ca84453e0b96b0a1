//! The helper of commands that change many tasks: selects them, asks first, applies the change, reports. Called by `retry`, `requeue`,
//! `cancel`, `ignore`, `pause`, `resume` and `set`, and in parts by `prune`, `rescue`, `move` and `doctor --repair-time`.

mod confirm;
mod result;
mod selection;

pub use confirm::ConfirmArg;
pub use result::BulkResult;
pub use selection::{SelectionArg, run_after_question};

use tracker_core::live::KindCount;

use crate::output::number;

/// Returns the numbers of tasks in words, as in `3 tasks of download, 1 task of film`.
fn counted_kinds(counts: &[KindCount]) -> String {
    let words =
        counts.iter().map(|count| format!("{} of {}", number::counted(count.tasks, "task", "tasks"), count.kind));
    words.collect::<Vec<_>>().join(", ")
}
