//! Rescues leases of one kind that have expired or run longer than a limit, and deletes its ended tasks. Called by users, `api/inspect` and
//! `api/live/perform`; acts through `Engine`.

use std::time::Duration;

use super::Tasks;
use crate::{
    api::schema::Schema,
    engine::{Prune, Scope},
    model::{
        error::{Error, Result},
        status::TaskStatus,
        task::{TaskKey, TrackedTask},
    },
};

impl<T: Schema> Tasks<T> {
    /// Frees the tasks of this kind whose leases ran out. Returns their ids.
    ///
    /// # Errors
    /// A [storage error](crate::ErrorKind#storage-errors).
    pub fn rescue(&self) -> Result<Vec<TaskKey>> {
        self.rescue_scope(Scope::Expired)
    }

    /// Frees the tasks that were claimed longer ago than this, leased or not, and fences their owners off.
    ///
    /// # Errors
    /// A [storage error](crate::ErrorKind#storage-errors).
    pub fn rescue_running_longer_than(&self, limit: Duration) -> Result<Vec<TaskKey>> {
        self.rescue_scope(Scope::RunningLongerThan(limit))
    }

    fn rescue_scope(&self, scope: Scope) -> Result<Vec<TaskKey>> {
        let rescue = crate::engine::Rescue { kind: Some(self.kind), scope };
        Ok(self.shared.engine.call(rescue)?.into_iter().map(|rescued| rescued.id).collect())
    }

    /// Deletes the tasks of this kind whose retention has passed, in batches that do not keep other calls waiting. Returns how many.
    ///
    /// # Errors
    /// A [storage error](crate::ErrorKind#storage-errors).
    pub fn prune(&self) -> Result<u64> {
        self.prune_by(&self.kind()?.retention())
    }

    /// Deletes tasks with these codes that ended so long ago, in batches. Returns how many.
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

impl<T: TrackedTask> Tasks<T> {
    /// Deletes the tasks of a terminal status that ended longer ago than this, independent of the kind's retention, in
    /// batches. Returns how many.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # use tracker_core::Tracker;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tracker = Tracker::in_memory()?;
    /// # let jobs = tracker.tasks::<Job>()?;
    /// # jobs.submit(&job("one"))?;
    /// # jobs.start("one")?.succeed()?;
    /// let week = std::time::Duration::from_secs(7 * 24 * 3600);
    /// assert_eq!(jobs.prune_older_than(Status::Succeeded, week)?, 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if tasks in this status have not ended; or a [storage error](crate::ErrorKind#storage-errors).
    pub fn prune_older_than(&self, status: T::Status, age: Duration) -> Result<u64> {
        let kind = self.kind()?;
        match kind.graph.status(status.code()) {
            Some(ended) if kind.graph.is_terminal(ended) => self.prune_by(&[(ended.code, age)]),
            Some(other) => Err(Error::invalid(format!(
                "kind {:?}: {} is no end of a task, and only ended tasks are deleted by their age",
                kind.name, other.name
            ))),
            None => Err(Error::invalid(format!("kind {:?} has no status with this code", kind.name))),
        }
    }
}
