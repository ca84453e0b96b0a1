//! `FileState` holds the numbers that each commit updates: the change number, the next numbers, the highest time seen. Changed by `Writer`,
//! `engine/repair_time`, `maintenance/backup` (in the copy) and `maintenance/move_tasks/end`; stored by `storage/tables`. Plain data.

use uuid::Uuid;

use crate::model::time::Micros;

/// The state of the file that every commit updates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileState {
    pub next_seq: u64,
    pub next_fence: u64,
    /// The highest time that the file has seen.
    pub clock_floor: Micros,
    /// The instance that made the last commit, and the number of that commit (`batch`). They tell whether a commit whose outcome is
    /// unknown is stored.
    pub instance: Uuid,
    pub batch: u64,
    /// Rises with every commit that changed a task.
    pub change: u64,
    /// Rises with every change of a kind's definition.
    pub schema: u64,
}

impl FileState {
    pub(crate) fn new() -> Self {
        Self { next_seq: 1, next_fence: 1, clock_floor: 0, instance: Uuid::nil(), batch: 0, change: 0, schema: 0 }
    }
}
