//! The nominal time of an execution, if its task is an occurrence of a schedule. Called by handlers.

use chrono::{DateTime, Utc};

use crate::{
    api::execution::Execution,
    model::{task::TrackedTask, time::utc},
};

impl<T: TrackedTask> Execution<T> {
    /// The nominal time of the task, if it is an occurrence of a schedule: when it should run, however late it does.
    #[must_use]
    pub fn scheduled_at(&self) -> Option<DateTime<Utc>> {
        self.scheduled_at.map(utc)
    }
}
