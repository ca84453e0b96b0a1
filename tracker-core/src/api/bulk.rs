//! `Shared::change_each`: one action for each of many tasks, in groups of a thousand. Called by queries and batches; the engine commits each
//! group.

use super::shared::Shared;
use crate::{
    engine::Action,
    model::{error::Result, task::TaskRef},
    storage::tables::{Reading, Tables},
};

/// How many tasks share a transaction.
const PART: usize = 1_000;

impl Shared {
    /// Runs an action on each of the tasks, in order. `actions` makes those of one part from what the file contains.
    ///
    /// Returns the number of actions that were not refused.
    pub(crate) fn change_each<A: Action>(
        &self,
        tasks: &[TaskRef],
        actions: impl Fn(&mut Tables<Reading<'_>>, &[TaskRef]) -> Result<Vec<A>>,
    ) -> Result<u64> {
        let mut changed = 0;
        for part in tasks.chunks(PART) {
            let actions = self.engine.read(|rows| actions(rows, part))?;
            for result in self.engine.call_all(actions)? {
                match result {
                    Ok(_) => changed += 1,
                    Err(error) if error.is_refusal() => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(changed)
    }
}
