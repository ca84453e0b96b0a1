//! Decides the commands of an operator: cancel, ignore, requeue, move, update, delete. The other commands of an operator are in `order`,
//! which uses the checks here. Called by `Rules::decide`; pure.

use super::{Annotations, AttemptStatus, Decision, Failure, Header, PayloadChange, Requeue, Rules, StoredAttempt};
use crate::model::{
    error::Reason,
    status::{Role, StatusInfo},
};

impl Rules<'_> {
    pub(super) fn cancel(&self, header: &Header) -> Result<Decision, Reason> {
        let mut header = header.clone();
        if header.lease.is_some() {
            self.cancelled(&header)?;
            header.cancel = true;
            return Ok(Decision::of(header));
        }
        self.require_unended(&header)?;
        header.enter(self.cancelled(&header)?, self.now, self.now);
        Ok(Decision::of(header))
    }

    pub(super) fn ignore(&self, header: &Header, fence: u64, reason: &str) -> Result<Decision, Reason> {
        let step = self.step_of(self.require_unleased(header)?);
        self.require_unended(header)?;
        let code = self.graph.code(step, Role::Ignored).ok_or_else(|| Self::missing(Role::Ignored))?;
        let mut header = header.clone();
        let mut history = Vec::new();
        if !reason.is_empty() {
            let ended = StoredAttempt {
                fence,
                attempt: header.attempts,
                step,
                worker: "by hand".to_owned(),
                started: self.now,
                ended: self.now,
                run: None,
                status: AttemptStatus::Ignored,
                failure: Some(Failure::new(reason)),
                annotations: Annotations::default(),
            };
            header.record_attempt(ended, &mut history);
        }
        header.enter(code, self.now, self.now);
        Ok(Decision { history, ..Decision::of(header) })
    }

    /// Makes a task startable again: its earlier failures no longer count, and its pause ends.
    pub(super) fn requeue(&self, header: &Header, requeue: &Requeue) -> Result<Decision, Reason> {
        let status = self.require_unleased(header)?;
        if requeue.failed_only {
            Self::require_failed(status)?;
        }
        let step = if requeue.from_start { 0 } else { self.step_of(status) };
        let mut header = header.clone();
        self.restart(&mut header, requeue.due.unwrap_or(self.now));
        header.paused = false;
        header.code = self.graph.start_of(step);
        header.priority = requeue.priority.unwrap_or(header.priority);
        Ok(Decision::of(header))
    }

    fn require_failed(status: &StatusInfo) -> Result<(), Reason> {
        match status.role {
            Role::Failed | Role::Exhausted => Ok(()),
            Role::Succeeded => Err(Reason::AlreadySucceeded),
            Role::Ignored => Err(Reason::Ignored),
            Role::Cancelled => Err(Reason::Cancelled),
            Role::Pending | Role::InProgress | Role::Parked => {
                Err(Reason::NotStartable { status: status.name.clone() })
            }
        }
    }

    /// Moves a task between parked and startable statuses.
    pub(super) fn move_to(&self, header: &Header, code: i32) -> Result<Decision, Reason> {
        let movable = |status: &StatusInfo| status.role == Role::Parked || self.starts_by_itself(status);
        self.require_unleased(header)?;
        self.require_unended(header)?;
        match self.graph.status(code) {
            Some(target) if movable(target) => {
                let mut header = header.clone();
                self.put_into(&mut header, code);
                Ok(Decision::of(header))
            }
            Some(target) => Err(Reason::NotEnterable { status: target.name.clone() }),
            None => Err(Self::missing(Role::Parked)),
        }
    }

    pub(super) fn update(&self, header: &Header, revision: u32, priority: Option<u8>) -> Result<Decision, Reason> {
        self.require_unleased(header)?;
        if header.revision != revision {
            return Err(Reason::Stale);
        }
        let mut header = header.clone();
        header.revision = revision.wrapping_add(1);
        header.unreadable = false;
        header.priority = priority.unwrap_or(header.priority);
        Ok(Decision { payload: PayloadChange::Put, ..Decision::of(header) })
    }

    pub(super) fn delete(&self, header: &Header) -> Result<Decision, Reason> {
        self.require_unleased(header)?;
        Ok(Decision { header: None, ..Decision::of(header.clone()) })
    }

    /// Returns the status of a task without a lease, and refuses a task with one.
    pub(super) fn require_unleased(&self, header: &Header) -> Result<&StatusInfo, Reason> {
        match &header.lease {
            Some(lease) => Err(Self::leased(lease)),
            None => self.status(header),
        }
    }

    /// Refuses a task that has ended.
    pub(super) fn require_unended(&self, header: &Header) -> Result<(), Reason> {
        let status = self.status(header)?;
        if !self.graph.is_terminal(status) && !Self::given_up(header, status) {
            return Ok(());
        }
        Err(match status.role {
            Role::Succeeded => Reason::AlreadySucceeded,
            Role::Exhausted | Role::Failed => Self::exhausted(header),
            Role::Cancelled => Reason::Cancelled,
            _ => Reason::Ignored,
        })
    }
}
