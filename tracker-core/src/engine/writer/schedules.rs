//! Writes schedules and budgets in a transaction. Called by `engine/action/schedule`, `engine/action/budget`, `portable` and
//! `maintenance/recover`; one row for each call.

use super::Writer;
use crate::model::{error::Result, schedule::row::ScheduleRow};

impl Writer<'_> {
    /// Stores the budget of a resource, or removes it. Returns whether there was one.
    pub(crate) fn put_budget(&mut self, resource: &str, amount: Option<u64>) -> Result<bool> {
        let existed = self.rows.put_budget(resource, amount)?;
        if existed || amount.is_some() {
            self.mark_dirty();
            self.effects.may_start = true;
        }
        Ok(existed)
    }

    pub(crate) fn put_schedule(&mut self, name: &str, row: &ScheduleRow) -> Result<()> {
        self.mark_dirty();
        self.rows.put_schedule(name, row)
    }

    /// Deletes a schedule. Returns whether there was one.
    #[cfg(feature = "schedules")]
    pub(crate) fn remove_schedule(&mut self, name: &str) -> Result<bool> {
        let removed = self.rows.remove_schedule(name)?;
        if removed {
            self.mark_dirty();
        }
        Ok(removed)
    }
}
