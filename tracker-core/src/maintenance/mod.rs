//! Operations on a whole file: verifying it, salvaging a damaged one, copying it, moving its tasks, repairing its time.

pub(crate) mod backup;
pub(crate) mod move_tasks;
pub(crate) mod recover;
pub(crate) mod time_repair;
pub(crate) mod verify;

pub use backup::Backup;
pub use move_tasks::{MovePlace, MoveProgress, MoveStep, Moved, MovedKind};
pub use recover::{LostTask, Recovered};
pub use time_repair::{FileTime, RedatedTask, TimeRepair};
pub use verify::Inconsistency;
