//! `Outcome` is the result that a handler returns; this file decides the header that follows from it at the end of an attempt, and the release of
//! a task that cannot be decoded. Used by `Rules::decide`, `engine/action/finish`, `api`, `worker` and `portable/imported_task`; pure.

use std::time::Duration;

use super::{AttemptStatus, Decision, Finish, Header, Lease, Owner, PayloadChange, Rules, StoredAttempt};
use crate::model::{error::Reason, status::Role};

/// How an attempt ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The task succeeded, or continues with its next step.
    Succeed,
    /// The attempt failed. The task is tried again after the policy's delay, or after `retry_in`, until its failures are used up.
    Fail {
        /// The delay in place of the policy's.
        retry_in: Option<Duration>,
    },
    /// The attempt failed, and no further attempt can succeed.
    GiveUp,
    /// The task is ignored: it does not start again by itself.
    Ignore,
    /// The task returns to its status before the attempt, due after the delay. The attempt is not counted.
    Snooze {
        /// How long to wait.
        delay: Duration,
    },
    /// The task is parked in a status of the user's own.
    Park {
        /// The code of a parked status.
        code: i32,
    },
    /// The task is released, as if it had not been claimed.
    Release,
}

impl Outcome {
    pub(crate) fn attempt_status(self) -> AttemptStatus {
        match self {
            Self::Succeed => AttemptStatus::Succeeded,
            Self::Fail { .. } => AttemptStatus::Failed,
            Self::GiveUp => AttemptStatus::GaveUp,
            Self::Ignore => AttemptStatus::Ignored,
            Self::Snooze { .. } => AttemptStatus::Snoozed,
            Self::Park { .. } => AttemptStatus::Parked,
            Self::Release => AttemptStatus::Released,
        }
    }

    /// Whether the attempt counts. A snoozed or released attempt does not.
    fn counts(self) -> bool {
        !matches!(self, Self::Snooze { .. } | Self::Release)
    }
}

impl Rules<'_> {
    /// Ends an attempt. Refuses an owner whose lease is lost.
    pub(super) fn finish(&self, old: &Header, finish: &Finish) -> Result<Decision, Reason> {
        let lease = Self::owned(old, &finish.owner)?.clone();
        let mut header = old.clone();
        let next_due = header.due_after(&lease);
        let mut history = Vec::new();
        let cancelled = if finish.outcome == Outcome::Succeed { None } else { self.cancelled_status(old) };
        let has_details = finish.failure.is_some() || !finish.annotations.is_empty();
        if finish.outcome.counts() || has_details || cancelled.is_some() {
            let status = if cancelled.is_some() { AttemptStatus::Cancelled } else { finish.outcome.attempt_status() };
            let plain = self.ended(old, &lease, status);
            let ended = StoredAttempt {
                run: finish.run,
                failure: finish.failure.clone(),
                annotations: finish.annotations.clone(),
                ..plain
            };
            header.record_attempt(ended, &mut history);
        }
        if !finish.outcome.counts() {
            header.attempts = header.attempts.saturating_sub(1);
        }
        match cancelled {
            Some(code) => header.enter(code, self.now, self.now),
            None => self.apply_outcome(&mut header, &lease, finish)?,
        }
        let mut payload = self.take_successor(&mut header, next_due);
        if payload == PayloadChange::Keep && finish.with_changes {
            payload = PayloadChange::Put;
            header.revision = header.revision.wrapping_add(1);
            header.priority = finish.priority.unwrap_or(header.priority);
        }
        Ok(Decision { history, payload, ..Decision::of(header) })
    }

    /// Sets the status after the outcome, and the counters of failures and crashes.
    fn apply_outcome(&self, header: &mut Header, lease: &Lease, finish: &Finish) -> Result<(), Reason> {
        let step = self.status(header)?.step;
        let now = self.now;
        match finish.outcome {
            Outcome::Succeed => {
                header.failures = 0;
                header.crashes = 0;
                header.enter(self.graph.after_success(step), now, now);
            }
            Outcome::Fail { retry_in } => {
                header.failures = header.failures.saturating_add(1);
                if self.has_no_attempts_left(header) {
                    self.exhaust(header, step);
                } else {
                    let due = match retry_in {
                        Some(delay) => self.after(delay),
                        None => self.retry_at(header.failures, finish.random),
                    };
                    header.enter(self.graph.after_failure(step), due, now);
                }
            }
            Outcome::GiveUp => {
                header.failures = header.failures.saturating_add(1);
                self.exhaust(header, step);
            }
            Outcome::Ignore => {
                let code = self.graph.code(step, Role::Ignored).ok_or_else(|| Self::missing(Role::Ignored))?;
                header.enter(code, now, now);
            }
            Outcome::Snooze { delay } => header.enter(lease.from, self.after(delay), now),
            Outcome::Park { code } => self.put_into(header, self.parked(code)?),
            Outcome::Release => header.enter(lease.from, lease.due, now),
        }
        Ok(())
    }

    /// Gives the task up. If the kind has only `failed` for that, no claim finds the task any more.
    pub(super) fn exhaust(&self, header: &mut Header, step: u16) {
        let code = self.graph.after_last_failure(step);
        let ends = self.graph.status(code).is_some_and(|status| self.graph.is_terminal(status));
        header.enter(code, if ends { self.now } else { super::NEVER }, self.now);
    }

    pub(super) fn parked(&self, code: i32) -> Result<i32, Reason> {
        match self.graph.status(code) {
            Some(status) if status.role == Role::Parked => Ok(code),
            Some(status) => Err(Reason::NotEnterable { status: status.name.clone() }),
            None => Err(Self::missing(Role::Parked)),
        }
    }

    /// The status of a cancelled task of this step: cancelled, or ignored if the enum has no such status.
    pub(super) fn cancelled(&self, header: &Header) -> Result<i32, Reason> {
        let step = self.step_of(self.status(header)?);
        let code = self.graph.code(step, Role::Cancelled).or_else(|| self.graph.code(step, Role::Ignored));
        code.ok_or_else(|| Self::missing(Role::Cancelled))
    }

    /// The status in which a cancelled running task ends, unless it succeeds.
    pub(super) fn cancelled_status(&self, header: &Header) -> Option<i32> {
        if header.cancel { self.cancelled(header).ok() } else { None }
    }

    /// Puts a task into the status that the caller named. Another step begins without failures and crashes.
    pub(super) fn put_into(&self, header: &mut Header, code: i32) {
        let step = |code| self.graph.status(code).map(|status| self.step_of(status));
        if step(header.code) != step(code) {
            header.failures = 0;
            header.crashes = 0;
        }
        header.enter(code, self.now, self.now);
    }

    /// Releases a task that cannot be decoded. Counts no attempt, and lets no claim find the task.
    pub(super) fn unreadable(&self, header: &Header, owner: &Owner) -> Result<Decision, Reason> {
        let lease = Self::owned(header, owner)?.clone();
        let mut header = header.clone();
        let next_due = header.due_after(&lease);
        header.attempts = header.attempts.saturating_sub(1);
        match self.cancelled_status(&header) {
            Some(code) => header.enter(code, self.now, self.now),
            None => header.enter(lease.from, lease.due, self.now),
        }
        header.unreadable = true;
        let payload = self.take_successor(&mut header, next_due);
        Ok(Decision { payload, ..Decision::of(header) })
    }

    pub(super) fn readable(header: &Header) -> Decision {
        Decision::of(Header { unreadable: false, ..header.clone() })
    }
}
