//! A job panel for egui: the tasks of one kind of a tracker file in a table, live, with the commands of a download manager.
//!
//! [`JobPanel::open`] starts a thread that follows the kind by events. [`JobPanel::update`] takes over what that thread has read, and
//! [`JobPanel::ui`] draws the visible rows. No call of the panel waits for the disk: reads happen on the panel's thread, and commands are
//! deferred calls of the tracker.
//!
//! A handler that can stop early asks [`PauseRequests`] whether its task is to pause, and releases it then.

mod command;
mod feed;
mod format;
mod job;
mod list;
mod panel;
mod pause;
mod places;
mod rate;
mod table;

pub use command::JobCommand;
pub use format::{bytes, duration};
pub use job::{AttemptLine, Job, JobProgress, JobState, JobText};
pub use list::{JobList, SortBy, StateFilter};
pub use panel::JobPanel;
pub use pause::PauseRequests;
