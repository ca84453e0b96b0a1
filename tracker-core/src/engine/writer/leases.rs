//! Ends an expired lease, or renews it if a worker of this process still holds it; `rescue` ends any lease. Also marks a task whose payload cannot
//! be read. Called by `Writer::decide`, which renews before a command, and by `engine/action`; decides by the rules and writes the rows of the task.

use std::sync::Arc;

use super::Writer;
use crate::{
    model::{
        error::Result,
        kind::Kind,
        panics,
        status::Role,
        task::{TaskKey, TaskRef},
        transition::{Command, Header, Lease, Owner},
    },
    storage::write::change::TaskChange,
};

/// The most expired leases per status that one claim ends.
const SWEEP: usize = 256;

impl Writer<'_> {
    pub(crate) fn holds(&self, lease: &Lease) -> bool {
        lease.instance == self.context.instance && self.context.held.has(lease.fence)
    }

    /// Registers a lease as held by a worker of this process from the commit on. So a jump of the clock cannot end it before
    /// the worker has its answer.
    pub(crate) fn hold(&mut self, fence: u64) {
        self.effects.held.push(fence);
    }

    /// Renews a lease that ran out while a worker of this process holds it: the clock jumped, or the process slept.
    pub(super) fn renewed(&self, kind: &Kind, header: Option<&Header>, command: &Command) -> Option<Header> {
        let header = header?;
        let lives = header.lease.as_ref().is_some_and(|lease| lease.has_expired(self.now) && self.holds(lease));
        if !lives || matches!(command, Command::Rescue { .. }) {
            return None;
        }
        kind.rules(self.now).renewed_by_owner(header)
    }

    /// Ends the leases of a kind that ran out. Leases held in this process are renewed instead.
    pub(crate) fn sweep(&mut self, kind: &Arc<Kind>) -> Result<()> {
        if !self.swept.insert(kind.id) {
            return Ok(());
        }
        for status in kind.graph.statuses().iter().filter(|status| status.role == Role::InProgress) {
            let mut after = None;
            for _ in 0..SWEEP {
                let Some(key) = self.rows.first_expired(kind.id, status.code, self.now, after)? else { break };
                after = Some(key);
                let header = self.indexed_header(key.task())?;
                let Some(lease) = &header.lease else { continue };
                if self.holds(lease) {
                    let owner = Owner { fence: lease.fence, token: lease.token };
                    let renew = Command::Renew { owner, lease: None, begin: false };
                    let id = self.rows.task_row(key.task())?.id;
                    self.decide(kind, key.task(), Some(&header), &renew, None, &id)?;
                } else {
                    self.rescue(kind, key.task(), &header, lease)?;
                }
            }
        }
        Ok(())
    }

    /// Ends one lease. Returns the id of the task.
    pub(crate) fn rescue(&mut self, kind: &Kind, task: TaskRef, header: &Header, lease: &Lease) -> Result<TaskKey> {
        let id = self.rows.task_row(task)?.id;
        let command = Command::Rescue { fence: lease.fence, random: Self::random_fraction() };
        self.decide(kind, task, Some(header), &command, None, &id)?;
        panics::log_catching_panics(
            || tracing::info!(kind = kind.name, %id, worker = lease.worker, "rescued a task whose lease ended without an outcome"),
        );
        Ok(id)
    }

    /// Ends the lease of a task if it has run out and no worker of this process holds it.
    pub(crate) fn free(&mut self, kind: &Kind, task: TaskRef) -> Result<()> {
        let Some(header) = self.header(task)? else { return Ok(()) };
        let expired = header.lease.as_ref().filter(|lease| lease.has_expired(self.now) && !self.holds(lease));
        if let Some(lease) = expired {
            self.rescue(kind, task, &header, lease)?;
        }
        Ok(())
    }

    /// Stores the end of a lease that a refused command found expired. The rules refused the command on the task as it is after
    /// that end. If the end were not stored, the owner of the lease could still finish the attempt, which contradicts the refusal.
    ///
    /// The stored end is a complete change, so the refusal does not roll the transaction back.
    pub(crate) fn end_lease_if_refused<R>(&mut self, kind: &Kind, task: TaskRef, decided: Result<R>) -> Result<R> {
        if let Err(refused) = &decided
            && refused.is_refusal()
        {
            let writes = self.writes;
            self.free(kind, task)?;
            self.writes = writes;
        }
        decided
    }

    /// Marks a task whose payload cannot be read, so that no claim finds it.
    pub(crate) fn mark_unreadable(&mut self, kind: &Kind, task: TaskRef, header: &Header) -> Result<()> {
        let marked = Header { unreadable: true, ..header.clone() };
        self.mark_dirty();
        let counted = self.rows.apply(
            kind,
            task,
            &TaskChange { old: Some(header), new: Some(&marked), ..TaskChange::default() },
        )?;
        self.count(counted);
        Ok(())
    }
}
