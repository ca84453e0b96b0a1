//! `Shared::change_each` runs one action for each of many tasks, in groups of a thousand. Called by `api/query` and `api/batch`; reads rows for
//! each group, and the engine commits the group. Skips tasks whose action is refused, and stops at any other error.

use super::shared::Shared;
use crate::{
    engine::Action,
    model::{error::Result, task::TaskRef},
    storage::tables::{Reading, Tables},
};

/// Number of tasks that share a transaction.
const GROUP_SIZE: usize = 1_000;

impl Shared {
    /// Runs an action on each of the tasks, in order. `make_actions` builds the actions of one group from a read snapshot.
    ///
    /// Returns the number of actions that were not refused.
    pub(crate) fn change_each<A: Action>(
        &self,
        tasks: &[TaskRef],
        make_actions: impl Fn(&mut Tables<Reading<'_>>, &[TaskRef]) -> Result<Vec<A>>,
    ) -> Result<u64> {
        let mut changed = 0;
        for group in tasks.chunks(GROUP_SIZE) {
            let actions = self.engine.read(|rows| make_actions(rows, group))?;
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
