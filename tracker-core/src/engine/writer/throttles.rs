//! Accepts at most one submit per throttle key and period. Called by `engine/action/submit`, `maintenance/recover` and `portable`; reads and
//! writes the rows of throttle keys.

use super::{Writer, undo::Undo};
use crate::model::{
    error::Result,
    task::TaskKey,
    throttle::{AcceptedSubmit, Throttle},
};

/// Number of rows with an ended period that each accepted submit removes. It adds one row, so the table shrinks.
const REMOVALS: usize = 2;

impl Writer<'_> {
    /// The accepted submit that throttles this key now, if any.
    pub(crate) fn throttled_by(&mut self, kind: u32, key: &TaskKey) -> Result<Option<AcceptedSubmit>> {
        let accepted = self.rows.accepted_submit(kind, key)?;
        Ok(accepted.filter(|accepted| accepted.throttles(self.now)))
    }

    /// Stores a submit as the one that was accepted last, and removes rows whose period has passed.
    pub(crate) fn accept_submit(&mut self, kind: u32, throttle: &Throttle, id: &TaskKey) -> Result<()> {
        let Throttle { key, period } = throttle;
        let accepted = AcceptedSubmit { at: self.now, period: *period, id: id.clone() };
        self.put_accepted_submit(kind, key, &accepted)?;
        self.rows.remove_ended_throttles(self.now, REMOVALS)
    }

    pub(crate) fn put_accepted_submit(&mut self, kind: u32, key: &TaskKey, accepted: &AcceptedSubmit) -> Result<()> {
        if self.undo.is_some() {
            let before = self.rows.accepted_submit(kind, key)?;
            self.undo.get_or_insert_default().push(Undo::Throttle { kind, key: key.clone(), before });
        }
        self.mark_dirty();
        self.rows.put_accepted_submit(kind, key, Some(accepted))
    }
}
