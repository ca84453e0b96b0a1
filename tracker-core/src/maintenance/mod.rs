//! Operates on a whole file or store: verifies it, recovers a damaged file, backs one up, moves all tasks, repairs the time. Called by users,
//! `tracker-cli` and `tracker-web`, as methods of `Tracker` and `Options`. `verify`, `backup` and `Tracker::file_time` read an open tracker; the
//! others open their files or stores themselves and write them.

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
