//! Operates on a whole file: verifies it, recovers a damaged one, backs it up, moves its tasks, repairs its time. Called by users and
//! `tracker-cli`, as methods of `Tracker` and `Options`. `verify` and `backup` read an open tracker; the others open their files themselves
//! and write them.

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
