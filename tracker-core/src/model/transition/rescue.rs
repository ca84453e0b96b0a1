//! The end of a lease that ran out. Pure; part of `decide`, called by claims and by rescue.

use super::{AttemptStatus, Decision, Failure, Header, Lease, PayloadChange, Rules, StoredAttempt};
use crate::model::error::Reason;

impl Rules<'_> {
    /// Ends the lease with this fence, whose owner is gone: a crash, a line in the history, and to the back of the line.
    pub(super) fn rescue(&self, old: &Header, fence: u64, chance: f32) -> Result<Decision, Reason> {
        let lease = old.lease.clone().filter(|lease| lease.fence == fence).ok_or(Reason::LeaseLost)?;
        let mut header = old.clone();
        let mut history = Vec::new();
        let payload = self.end_by_rescue(&mut header, &lease, chance, &mut history);
        Ok(Decision { history, payload, ..Decision::of(header) })
    }

    fn end_by_rescue(
        &self,
        header: &mut Header,
        lease: &Lease,
        chance: f32,
        history: &mut Vec<StoredAttempt>,
    ) -> PayloadChange {
        let step = self.graph.status(header.code).map_or(0, |status| status.step);
        if !lease.begun {
            // Claimed ahead, and not known to have begun: it costs nothing, and is not claimed ahead again.
            header.attempts = header.attempts.saturating_sub(1);
            header.doubtful = true;
            match self.called_off(header) {
                Some(code) => header.enter(code, self.now, self.now),
                None => header.enter(lease.from, lease.due.max(self.now), self.now),
            }
            return self.take_successor(header);
        }
        header.crashes = header.crashes.saturating_add(1);
        let spent = header.crashes >= self.policy.max_crashes;
        let ended = StoredAttempt {
            failure: Some(Self::crash(header, lease, spent)),
            ..self.ended(header, lease, AttemptStatus::Crashed)
        };
        header.record_attempt(ended, history);
        if let Some(code) = self.called_off(header) {
            header.enter(code, self.now, self.now);
        } else if spent {
            self.exhaust(header, step);
        } else {
            header.enter(self.graph.after_failure(step), self.retry_at(header.crashes, chance), self.now);
        }
        self.take_successor(header)
    }

    /// The end of a run for which a changed payload waits: the task starts again with it.
    pub(super) fn take_successor(&self, header: &mut Header) -> PayloadChange {
        if !header.successor {
            return PayloadChange::Keep;
        }
        header.successor = false;
        header.revision = header.revision.wrapping_add(1);
        self.restart(header, self.now);
        PayloadChange::TakeSuccessor
    }

    fn crash(header: &Header, lease: &Lease, spent: bool) -> Failure {
        let end = if spent { format!("; given up after {} crashes", header.crashes) } else { String::new() };
        Failure::new(format!("the lease of {} ended without an outcome{end}", lease.worker))
    }
}
