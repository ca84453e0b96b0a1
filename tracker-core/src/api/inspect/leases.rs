//! Lists the tasks in progress and their leases. Called by users, `tracker-cli`, `tracker-web`, `metrics`, which counts the expired ones, and
//! `api/live/perform`; writes nothing.

use crate::{
    api::{
        record::{LeaseInfo, ProgressInfo},
        schema::Schema,
        tasks::Tasks,
    },
    model::{
        error::Result,
        status::{Role, StatusInfo},
        task::TaskKey,
    },
};

/// A task with a lease.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LeasedTask {
    /// Its id.
    pub id: TaskKey,
    /// Its status.
    pub status: StatusInfo,
    /// The lease: worker, begin and expiry.
    pub lease: LeaseInfo,
    /// Whether the lease ran out: the next claim or rescue frees the task.
    pub has_expired: bool,
    /// Whether the attempt was asked to end as cancelled.
    pub cancel_requested: bool,
    /// How many leases of it in a row ended without an outcome.
    pub crashes: u32,
    /// How far the attempt is.
    pub progress: Option<ProgressInfo>,
}

impl<T: Schema> Tasks<T> {
    /// Returns up to `most` tasks with a lease, in the order in which their leases expire.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn leases(&self, most: usize) -> Result<Vec<LeasedTask>> {
        let now = self.shared.engine.now();
        self.shared.engine.read(|rows| {
            let kind = self.kind_in(rows)?;
            let mut keys = Vec::new();
            for status in kind.graph.statuses().iter().filter(|status| status.role == Role::InProgress) {
                keys.extend(rows.first_claim_keys(kind.id, status.code, most)?);
            }
            keys.sort_unstable_by_key(|key| (key.at, key.seq));
            keys.truncate(most);
            let mut leased = Vec::with_capacity(keys.len());
            for key in keys {
                let Some(header) = rows.header(key.task())? else { continue };
                let (Some(lease), Some(status)) = (&header.lease, kind.graph.status(header.code)) else { continue };
                leased.push(LeasedTask {
                    id: rows.task_row(key.task())?.id,
                    status: status.clone(),
                    lease: lease.into(),
                    has_expired: lease.has_expired(now),
                    cancel_requested: header.cancel,
                    crashes: header.crashes,
                    progress: rows.progress(key.task())?.map(Into::into),
                });
            }
            Ok(leased)
        })
    }
}
