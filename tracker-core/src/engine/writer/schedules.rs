//! Writes of schedules in a transaction. Called by the actions of schedules, recovery and import.

use super::Writer;
use crate::model::{error::Result, schedule::row::ScheduleRow};

impl Writer<'_> {
    pub(crate) fn put_schedule(&mut self, name: &str, row: &ScheduleRow) -> Result<()> {
        self.mark_dirty();
        self.rows.put_schedule(name, row)
    }

    /// Deletes a schedule; says whether there was one.
    #[cfg(feature = "schedules")]
    pub(crate) fn remove_schedule(&mut self, name: &str) -> Result<bool> {
        let removed = self.rows.remove_schedule(name)?;
        if removed {
            self.mark_dirty();
        }
        Ok(removed)
    }
}
