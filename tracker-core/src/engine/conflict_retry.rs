//! `ConflictRetry` decides whether a transaction on a store that ended in a conflict runs again, and sleeps before the retry. Used by
//! `engine/group_commit`, `engine/database`, `engine/free_leases` and `maintenance/move_tasks/end`; sleeps, and touches no row.

use std::{thread, time::Duration};

use super::writer::Writer;
use crate::model::error::Error;

/// The highest number of times that a unit of work (a transaction on a store) runs.
const ATTEMPTS_MAX: u32 = 20;

/// The longest pause before a further attempt.
const PAUSE_MAX: Duration = Duration::from_millis(50);

/// The attempts of one unit of work.
#[derive(Default)]
pub(crate) struct ConflictRetry {
    conflicts: u32,
}

impl ConflictRetry {
    /// Whether the unit runs again after this error. From the second conflict on, sleeps for a random time first.
    pub(crate) fn should_retry(&mut self, error: &Error) -> bool {
        if !error.is_conflict() {
            return false;
        }
        self.conflicts += 1;
        if self.conflicts >= ATTEMPTS_MAX {
            return false;
        }
        if self.conflicts > 1 {
            thread::sleep(self.longest_pause().mul_f32(Writer::random_fraction()));
        }
        true
    }

    /// Doubles with each conflict.
    fn longest_pause(&self) -> Duration {
        Duration::from_millis(1 << self.conflicts.min(10)).min(PAUSE_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_conflicts_run_again_and_not_for_ever() {
        let mut retry = ConflictRetry::default();
        assert!(!retry.should_retry(&Error::closed()));
        let conflict = Error::conflict("a test");
        let again = (0..100).take_while(|_| retry.should_retry(&conflict)).count();
        assert_eq!(again, 19);
    }

    #[test]
    fn pauses_double_up_to_their_limit() {
        let pauses: Vec<_> = (1..10).map(|conflicts| ConflictRetry { conflicts }.longest_pause().as_millis()).collect();
        assert_eq!(pauses, [2, 4, 8, 16, 32, 50, 50, 50, 50]);
    }
}
