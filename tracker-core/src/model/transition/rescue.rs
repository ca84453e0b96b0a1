//! Ends a lease whose owner did not report, expired or not: as a crash or an interruption, or without an attempt if the task was prefetched and
//! its handler is not known to have begun. An interrupted task may return to its former place in the claim order.
//! `take_successor` starts a task again with the payload that was submitted during its run; `finish` calls it too. Called by `Rules::decide`, and
//! `rescue_text` by `engine/run_log`; pure.

use super::{AttemptStatus, Decision, Failure, Header, Lease, PayloadChange, Rules, StoredAttempt};
use crate::model::{counted::counted, error::Reason, task::QueueEnd, time::Micros};

impl Rules<'_> {
    /// Ends the lease with this fence, whose owner is gone. Stores the attempt and counts a crash. The task goes to the back of the queue, or to
    /// the front if the policy says so and the process of the attempt has ended.
    pub(super) fn rescue(&self, old: &Header, fence: u64, random: f32) -> Result<Decision, Reason> {
        let lease = old.lease.clone().filter(|lease| lease.fence == fence).ok_or(Reason::LeaseLost)?;
        let mut header = old.clone();
        let mut history = Vec::new();
        let payload = self.end_by_rescue(&mut header, &lease, random, &mut history);
        Ok(Decision { history, payload, ..Decision::of(header) })
    }

    fn end_by_rescue(
        &self,
        header: &mut Header,
        lease: &Lease,
        random: f32,
        history: &mut Vec<StoredAttempt>,
    ) -> PayloadChange {
        let step = self.graph.status(header.code).map_or(0, |status| status.step);
        let next_due = header.due_after(lease);
        if !lease.begun {
            // It was prefetched, and is not known to have begun, so no attempt is counted, and the task is not prefetched again.
            header.attempts = header.attempts.saturating_sub(1);
            header.doubtful = true;
            match (self.cancelled_status(header), self.former_place(header, lease)) {
                (Some(code), _) => header.enter(code, self.now, self.now),
                (None, Some(due)) => header.enter(lease.from, due, self.now),
                (None, None) => header.enter(lease.from, lease.due.max(self.now), self.now),
            }
            return self.take_successor(header, next_due);
        }
        header.crashes = header.crashes.saturating_add(1);
        let gives_up = header.crashes >= self.policy.max_crashes;
        let ended = StoredAttempt {
            failure: Some(self.crash(header, lease, gives_up)),
            ..self.ended(
                header,
                lease,
                if self.has_process_ended(lease) { AttemptStatus::Interrupted } else { AttemptStatus::Crashed },
            )
        };
        header.record_attempt(ended, history);
        if let Some(code) = self.cancelled_status(header) {
            header.enter(code, self.now, self.now);
        } else if gives_up {
            self.exhaust(header, step);
        } else if let Some(due) = self.former_place(header, lease) {
            header.enter(lease.from, due, self.now);
        } else {
            header.enter(self.graph.after_failure(step), self.retry_at(header.crashes, random), self.now);
        }
        self.take_successor(header, next_due)
    }

    /// Ends a run. If a payload was submitted during the run (the successor), the task starts again with it, at once or when a
    /// debounced submit is due.
    pub(super) fn take_successor(&self, header: &mut Header, due: Option<i64>) -> PayloadChange {
        if !header.successor {
            return PayloadChange::Keep;
        }
        header.successor = false;
        header.revision = header.revision.wrapping_add(1);
        self.restart(header, due.unwrap_or(self.now).max(self.now));
        PayloadChange::TakeSuccessor
    }

    /// Whether an attempt that is rescued has ended with its process. A lease of this tracker that ran out does not mean that the process has ended,
    /// nor does a ticket, which outlives it.
    fn has_process_ended(&self, lease: &Lease) -> bool {
        lease.instance != self.instance && !lease.detached
    }

    /// The due time with which an interrupted task takes its former place in the claim order, before all tasks of its priority that have
    /// not been claimed. `None` if it goes to the back: because of the policy, because it may be the task that ends the process, or because it cannot be claimed from there.
    fn former_place(&self, header: &Header, lease: &Lease) -> Option<Micros> {
        let goes_first = self.policy.interrupted == QueueEnd::Front
            && self.has_process_ended(lease)
            && !header.is_isolated()
            && self.graph.status(lease.from).is_some_and(|status| self.is_claimable(status));
        goes_first.then(|| lease.due.min(self.now))
    }

    fn crash(&self, header: &Header, lease: &Lease, gives_up: bool) -> Failure {
        let text = rescue_text(lease, self.has_process_ended(lease));
        let end = if gives_up {
            format!("; given up after {}", counted(header.crashes, "crash", "crashes"))
        } else {
            String::new()
        };
        Failure::new(text + &end)
    }
}

/// Why an attempt was ended by a rescue.
pub(crate) fn rescue_text(lease: &Lease, process_ended: bool) -> String {
    if process_ended {
        format!("the process of {} ended before the attempt", lease.worker)
    } else {
        format!("the lease of {} ended without an outcome", lease.worker)
    }
}
