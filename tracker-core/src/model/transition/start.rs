//! Decides whether an attempt starts: which statuses, steps and dependencies allow it, and why it is refused. Also decides take-overs of leases,
//! renewals, checkpoints and detached executions. Called by `Rules::decide`, and `renewed_by_owner` by `engine/writer/leases` and `api/tasks/lookup`;
//! pure.

use std::time::Duration;

use uuid::Uuid;

use super::{
    Annotations, AttemptStatus, Decision, Header, LATEST, Lease, Owner, PayloadChange, Rules, Start, StoredAttempt,
};
use crate::model::{
    error::Reason,
    status::{Role, StatusInfo},
    time::micros_of,
};

impl Rules<'_> {
    /// Puts a task in progress and gives it a lease. Runs in the transaction that writes the task, so all conditions are checked again there.
    pub(super) fn start(&self, header: &Header, start: &Start) -> Result<Decision, Reason> {
        let mut header = header.clone();
        if let Some(lease) = header.lease.clone() {
            return if start.reenter == Some(lease.token) {
                self.reenter(header, &lease, start)
            } else if start.steal_lease {
                self.take_over(header, &lease, start)
            } else {
                Err(Self::leased(&lease))
            };
        }
        let status = self.status(&header)?;
        let forced = self.may_start(&header, status, start)?;
        let moved = self.step_of(status) != start.step;
        let (from, due) = if forced || self.graph.is_terminal(status) {
            (self.graph.start_of(start.step), self.now)
        } else {
            (header.code, header.due)
        };
        if forced || moved {
            header.failures = 0;
            header.crashes = 0;
        }
        header.attempts = header.attempts.saturating_add(1);
        // If the due time changes during the lease, a debounced submit has changed it.
        header.due = due;
        self.lease(&mut header, start, from, due)?;
        Ok(Decision::of(header))
    }

    /// Refuses a status from which the task may not start. Returns whether the start needs force.
    fn may_start(&self, header: &Header, status: &StatusInfo, start: &Start) -> Result<bool, Reason> {
        let startable = start.startable.contains(&status.code);
        let own = self.graph.startable(start.step).contains(&status.code);
        if !startable && !own && status.step != start.step {
            return Err(self.wrong_step(status, start.step));
        }
        if (startable || own) && !Self::given_up(header, status) {
            // An ended task starts in spite of its dependencies; so does any task with `force`.
            if header.waits > 0 && !self.graph.is_terminal(status) {
                return if start.force { Ok(true) } else { Err(Reason::Waiting { others: header.waits }) };
            }
            let due = header.due <= self.now && !header.unreadable && !header.paused;
            return if due || !start.is_claim { Ok(false) } else { Err(Self::not_startable(status)) };
        }
        let closed = match status.role {
            Role::Succeeded => Reason::AlreadySucceeded,
            Role::Exhausted | Role::Failed => Self::exhausted(header),
            Role::Ignored => Reason::Ignored,
            Role::Cancelled => Reason::Cancelled,
            Role::Pending | Role::InProgress | Role::Parked => return Err(Self::not_startable(status)),
        };
        if start.force { Ok(true) } else { Err(closed) }
    }

    pub(super) fn exhausted(header: &Header) -> Reason {
        Reason::Exhausted { failures: header.failures, crashes: header.crashes }
    }

    fn wrong_step(&self, status: &StatusInfo, asked: u16) -> Reason {
        let name = |step: u16| self.graph.steps().nth(usize::from(step)).unwrap_or_default().to_owned();
        Reason::WrongStep { step: name(status.step), asked: name(asked) }
    }

    fn same_step(&self, header: &Header, start: &Start) -> Result<(), Reason> {
        let status = self.status(header)?;
        if status.step == start.step { Ok(()) } else { Err(self.wrong_step(status, start.step)) }
    }

    /// Gives the owner of a live lease a new token and fence. The old execution loses the lease; nothing more changes.
    fn reenter(&self, mut header: Header, lease: &Lease, start: &Start) -> Result<Decision, Reason> {
        self.same_step(&header, start)?;
        header.lease = Some(Lease {
            token: start.token,
            fence: start.fence,
            worker: start.worker.clone(),
            instance: start.instance,
            expires: self.after(start.lease),
            length: micros_of(start.lease),
            begun: lease.begun || start.begun,
            detached: false,
            ..lease.clone()
        });
        Ok(Decision::of(header))
    }

    /// Ends a lease that another owner holds: stores its attempt in the history, and counts no failure.
    fn take_over(&self, mut header: Header, lease: &Lease, start: &Start) -> Result<Decision, Reason> {
        self.same_step(&header, start)?;
        let mut history = Vec::new();
        let ended = self.ended(&header, lease, AttemptStatus::TakenOver);
        header.record_attempt(ended, &mut history);
        header.attempts = header.attempts.saturating_add(1);
        self.lease(&mut header, start, lease.from, lease.due)?;
        Ok(Decision { history, ..Decision::of(header) })
    }

    fn lease(&self, header: &mut Header, start: &Start, from: i32, due: i64) -> Result<(), Reason> {
        header.code = self.graph.code(start.step, Role::InProgress).ok_or_else(|| Self::missing(Role::InProgress))?;
        header.updated = self.now;
        header.unreadable = false;
        header.waits = 0;
        header.doubtful &= !start.begun;
        header.lease = Some(Lease {
            token: start.token,
            fence: start.fence,
            worker: start.worker.clone(),
            instance: start.instance,
            started: self.now,
            expires: self.after(start.lease),
            length: micros_of(start.lease),
            from,
            due,
            begun: start.begun,
            detached: false,
        });
        Ok(())
    }

    /// The stored form of an attempt that ends now without an outcome from its handler.
    pub(super) fn ended(&self, header: &Header, lease: &Lease, status: AttemptStatus) -> StoredAttempt {
        StoredAttempt {
            fence: lease.fence,
            attempt: header.attempts,
            step: self.graph.status(header.code).map_or(0, |status| status.step),
            worker: lease.worker.clone(),
            started: lease.started,
            ended: self.now,
            run: None,
            status,
            failure: None,
            annotations: Annotations::default(),
        }
    }

    pub(super) fn renew(
        &self,
        header: &Header,
        owner: &Owner,
        length: Option<Duration>,
        begin: bool,
    ) -> Result<Decision, Reason> {
        let mut lease = Self::owned(header, owner)?.clone();
        if let Some(length) = length {
            lease.length = micros_of(length);
        }
        let expires = self.now.saturating_add(lease.length).min(LATEST);
        // A renewal that names a length may also shorten the lease; one without a length never does.
        lease.expires = if length.is_some() { expires } else { expires.max(lease.expires) };
        lease.begun |= begin;
        Ok(Decision::of(Header { lease: Some(lease), ..header.clone() }))
    }

    /// The header after its owner has renewed the lease now; `None` without a lease.
    pub(crate) fn renewed_by_owner(&self, header: &Header) -> Option<Header> {
        let lease = header.lease.as_ref()?;
        let owner = Owner { fence: lease.fence, token: lease.token };
        self.renew(header, &owner, None, false).ok()?.header
    }

    pub(super) fn checkpoint(header: &Header, owner: &Owner, priority: Option<u8>) -> Result<Decision, Reason> {
        Self::owned(header, owner)?;
        let revision = header.revision.wrapping_add(1);
        // The payload that waits for the end of this attempt has set the priority already.
        let priority = priority.filter(|_| !header.successor).unwrap_or(header.priority);
        Ok(Decision { payload: PayloadChange::Put, ..Decision::of(Header { priority, revision, ..header.clone() }) })
    }

    pub(super) fn detach(header: &Header, owner: &Owner) -> Result<Decision, Reason> {
        let lease = Lease { detached: true, ..Self::owned(header, owner)?.clone() };
        Ok(Decision::of(Header { lease: Some(lease), ..header.clone() }))
    }

    pub(super) fn resume(
        &self,
        header: &Header,
        owner: &Owner,
        instance: Uuid,
        length: Option<Duration>,
    ) -> Result<Decision, Reason> {
        let renewed = self.renew(header, owner, length, true)?;
        let header = renewed.header.map(|mut header| {
            if let Some(lease) = &mut header.lease {
                lease.instance = instance;
                lease.detached = false;
            }
            header
        });
        Ok(Decision { header, ..renewed })
    }
}
