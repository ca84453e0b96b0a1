//! Decides a submit, for a task that is new or that exists. Called by `Rules::decide`, and `restart` by the rules of requeues and of
//! `take_successor`; pure.

use super::{CommandResult, Decision, Header, LATEST, PayloadChange, Rules, Submit};
use crate::model::status::Role;

impl Rules<'_> {
    /// Stores a new task. An existing one is never reset, unless its fingerprint changed.
    pub(super) fn submit(&self, header: Option<&Header>, submit: &Submit) -> Decision {
        let Some(old) = header else {
            return Decision {
                payload: PayloadChange::Put,
                result: CommandResult::New,
                ..Decision::of(self.new_header(submit))
            };
        };
        let changed = submit.changes(old);
        let mut header = old.clone();
        let is_first = header.lease.is_none() && header.code == self.graph.start_of(0);
        // Without a fingerprint, each debounced submit is a change.
        let debounced = submit.max_wait.is_some() && (is_first || submit.fingerprint.is_none());
        if !changed && !debounced {
            return Decision { result: CommandResult::Existing, ..Decision::of(header) };
        }
        header.fingerprint = submit.fingerprint.or(old.fingerprint);
        // The next run is the work of this submitter.
        header.trace.clone_from(&submit.trace);
        if submit.sets_priority {
            header.priority = submit.priority;
        }
        if let Some(lease) = &header.lease {
            if let Some(due) = submit.debounced_due(lease.started) {
                // A due time that differs from that of the lease is that of the next attempt.
                let due = due.min(LATEST);
                header.due = if due == lease.due { due.saturating_add(1) } else { due };
            }
            header.successor = true;
            return Decision {
                payload: PayloadChange::PutSuccessor,
                result: CommandResult::Existing,
                ..Decision::of(header)
            };
        }
        header.revision = header.revision.wrapping_add(1);
        let waits = is_first || self.graph.status(header.code).is_some_and(|status| status.role == Role::Parked);
        let result = if waits {
            header.unreadable = false;
            if let Some(due) = submit.debounced_due(header.updated).filter(|_| is_first) {
                header.due = due.min(LATEST);
            }
            CommandResult::Existing
        } else {
            self.restart(&mut header, submit.due.unwrap_or(self.now));
            CommandResult::Requeued
        };
        Decision { payload: PayloadChange::Put, result, ..Decision::of(header) }
    }

    fn new_header(&self, submit: &Submit) -> Header {
        Header {
            code: self.graph.start_of(0),
            priority: submit.priority,
            created: self.now,
            updated: self.now,
            due: submit.due.unwrap_or(self.now).min(LATEST),
            place: None,
            attempts: 0,
            failures: 0,
            crashes: 0,
            revision: 0,
            ended: 0,
            fingerprint: submit.fingerprint,
            lease: None,
            last: None,
            cancel: false,
            unreadable: false,
            paused: false,
            successor: false,
            waits: 0,
            has_dependents: false,
            batch: submit.batch,
            scheduled_at: submit.scheduled_at,
            trace: submit.trace.clone(),
            doubtful: false,
        }
    }

    /// Moves a task back to the first step, and resets what its earlier attempts have counted.
    pub(super) fn restart(&self, header: &mut Header, due: i64) {
        header.enter(self.graph.start_of(0), due.min(LATEST), self.now);
        header.failures = 0;
        header.crashes = 0;
        header.unreadable = false;
        header.doubtful = false;
    }
}
