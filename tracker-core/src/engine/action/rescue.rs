//! `Rescue` ends leases without an outcome: expired ones, those of other instances, or long ones. Queued by `api/tracker` and
//! `api/tasks/maintenance`, and run by `engine/free_leases`; writes through `Writer`.

use std::{sync::Arc, time::Duration};

use super::Action;
use crate::{
    engine::writer::Writer,
    model::{error::Result, kind::Kind, status::Role, task::TaskKey, time::micros_of, transition::Lease},
};

/// Ends leases without an outcome.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rescue {
    /// One kind, or all.
    pub kind: Option<u32>,
    pub scope: Scope,
}

/// Which leases a rescue ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Leases that have expired and that no worker of this process holds.
    Expired,
    /// Leases that have expired, and those of all other instances except detached ones, because the lock of the file proves that no other
    /// instance is open.
    Foreign,
    /// Leases that were claimed longer ago than this.
    RunningLongerThan(Duration),
}

/// A task whose lease a rescue ended.
#[derive(Clone, Debug)]
pub(crate) struct Rescued {
    pub kind: Arc<Kind>,
    pub id: TaskKey,
    pub worker: String,
}

impl Action for Rescue {
    type Out = Vec<Rescued>;

    fn run(&self, writer: &mut Writer<'_>) -> Result<Vec<Rescued>> {
        let mut rescued = Vec::new();
        for kind in writer.kinds() {
            if self.kind.is_none_or(|only| only == kind.id) {
                self.rescue_kind(writer, &kind, &mut rescued)?;
            }
        }
        Ok(rescued)
    }
}

impl Rescue {
    fn rescue_kind(self, writer: &mut Writer<'_>, kind: &Arc<Kind>, rescued: &mut Vec<Rescued>) -> Result<()> {
        for status in kind.graph.statuses().iter().filter(|status| status.role == Role::InProgress) {
            let mut after = None;
            while let Some(key) = writer.rows().first_expiring(kind.id, status.code, after)? {
                after = Some(key);
                let header = writer.indexed_header(key.task())?;
                let Some(lease) = &header.lease else { continue };
                if self.ends(writer, lease) {
                    let id = writer.rescue(kind, key.task(), &header, lease)?;
                    rescued.push(Rescued { kind: kind.clone(), id, worker: lease.worker.clone() });
                }
            }
        }
        Ok(())
    }

    fn ends(self, writer: &Writer<'_>, lease: &Lease) -> bool {
        match self.scope {
            Scope::Expired => lease.has_expired(writer.now()) && !writer.holds(lease),
            Scope::Foreign => {
                (lease.instance != writer.instance() && !lease.detached) || lease.has_expired(writer.now())
            }
            Scope::RunningLongerThan(limit) => lease.started.saturating_add(micros_of(limit)) < writer.now(),
        }
    }
}
