use std::time::Duration;

use super::Tasks;
use crate::{
    engine::{Prune, Scope},
    error::Result,
    task::TaskKey,
    view::View,
};

impl<T: View> Tasks<T> {
    /// Frees the tasks of this kind whose leases ran out, and says which.
    ///
    /// # Errors
    /// A failure of the storage.
    pub fn rescue(&self) -> Result<Vec<TaskKey>> {
        self.rescue_scope(Scope::Expired)
    }

    /// Frees the tasks that were claimed longer ago than this, leased or not, and fences their owners off.
    ///
    /// # Errors
    /// A failure of the storage.
    pub fn rescue_running_longer_than(&self, limit: Duration) -> Result<Vec<TaskKey>> {
        self.rescue_scope(Scope::RunningLongerThan(limit))
    }

    fn rescue_scope(&self, scope: Scope) -> Result<Vec<TaskKey>> {
        let rescue = crate::engine::Rescue { kind: Some(self.kind), scope };
        Ok(self.shared.engine.call(rescue)?.into_iter().map(|rescued| rescued.id).collect())
    }

    /// Deletes what the kind's retention says, in batches that do not keep others waiting; says how many tasks went.
    ///
    /// # Errors
    /// A failure of the storage.
    pub fn prune(&self) -> Result<u64> {
        let kind = self.kind()?;
        let rules = kind.policy.retention.iter().flat_map(|rule| {
            let statuses = kind.graph.statuses().iter().filter(|status| status.role == rule.role);
            statuses.map(|status| (status.code, rule.keep)).collect::<Vec<_>>()
        });
        self.prune_by(&rules.collect::<Vec<_>>())
    }

    /// Deletes tasks with these codes that ended so long ago, in batches; says how many.
    pub(crate) fn prune_by(&self, rules: &[(i32, Duration)]) -> Result<u64> {
        let mut pruned = 0;
        loop {
            let batch = self.shared.engine.call(Prune { kind: self.kind, rules: rules.to_vec(), most: 1_000 })?;
            pruned += batch as u64;
            if batch < 1_000 {
                return Ok(pruned);
            }
        }
    }
}
