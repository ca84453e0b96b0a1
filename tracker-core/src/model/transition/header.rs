//! `Header` holds all fields of a task that the rules read and write: status, times, lease, counters and others, without the payload. Made by
//! `model/transition`, `storage/encoding` and, at an import, `portable/task`. Changed by `model/transition`, and by `engine/writer`, `portable` and
//! `storage/read/task_rows` in what no command changes. Read by all folders except `dispatch`. Plain data; decides whether a task is isolated.

use std::sync::Arc;

use uuid::Uuid;

use super::StoredAttempt;
use crate::model::{time::Micros, trace_context::TraceContext};

/// The due time of a task that no claim finds.
pub(crate) const NEVER: Micros = Micros::MAX;
/// The position of tasks with dependencies in the claim order: after every due time.
pub(crate) const WAITING: Micros = NEVER - 1;
/// The position of paused tasks in the claim order: after every due time.
pub(crate) const PAUSED: Micros = WAITING - 1;
/// The latest due time.
pub(crate) const LATEST: Micros = PAUSED - 1;

/// Number of crashes after which a task is isolated: it runs alone in its process.
const ISOLATED_AFTER: u32 = 2;

/// The parts of a task that the rules read. Small, since every transition rewrites it.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "independent flags of the task")]
pub(crate) struct Header {
    pub code: i32,
    pub priority: u8,
    pub created: Micros,
    /// When the header last changed its status.
    pub updated: Micros,
    /// When a startable task is due.
    pub due: Micros,
    /// The place among tasks of the same priority and due time, if an operator moved the task there.
    pub place: Option<u64>,
    pub attempts: u32,
    pub failures: u32,
    pub crashes: u32,
    /// Rises with every change of the payload.
    pub revision: u32,
    /// How many attempts have ended.
    pub ended: u32,
    pub fingerprint: Option<u64>,
    pub lease: Option<Lease>,
    /// The latest attempt, if it ended without a failure, notes and metrics. It moves into the history when the next one ends.
    pub last: Option<StoredAttempt>,
    /// The running attempt was asked to end as cancelled.
    pub cancel: bool,
    /// The payload could not be decoded.
    pub unreadable: bool,
    /// No claim finds the task until it is resumed.
    pub paused: bool,
    /// A changed payload waits for the end of the running attempt.
    pub successor: bool,
    /// Number of its unresolved dependencies.
    pub waits: u32,
    /// Tasks may depend on it, so its end is propagated to them.
    pub has_dependents: bool,
    /// The batch that it belongs to.
    pub batch: Option<u64>,
    /// The nominal time of an occurrence of a schedule.
    pub scheduled_at: Option<Micros>,
    /// The trace context of the submitter.
    pub trace: Option<Arc<TraceContext>>,
    /// Its last lease ended with its process, and it is unknown whether its handler had begun.
    pub doubtful: bool,
}

/// The owner of a task, and the expiry of its lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    pub token: Uuid,
    pub fence: u64,
    pub worker: String,
    pub instance: Uuid,
    /// When the task was claimed.
    pub started: Micros,
    /// At this instant the task is free.
    pub expires: Micros,
    /// How long a renewal extends it, in microseconds.
    pub length: Micros,
    /// The startable or parked status to which snooze and release lead back.
    pub from: i32,
    /// The due time that it had there.
    pub due: Micros,
    /// Whether the handler has begun; a prefetched task has not.
    pub begun: bool,
    /// Whether the execution was detached into a ticket. Then the lease outlives its process, until it expires.
    pub detached: bool,
}

impl Lease {
    pub(crate) fn has_expired(&self, now: Micros) -> bool {
        self.expires <= now
    }
}

impl Header {
    /// Whether the task runs alone in its process, and never goes to the front of the queue, because it may be the task that ends the process.
    pub(crate) fn is_isolated(&self) -> bool {
        self.crashes >= ISOLATED_AFTER
    }

    /// Whether a claim may take the task before a slot is free to run it. A task that has crashed its process, or may have, is claimed only
    /// to start at once, and the same commit stores that its handler begins, so that a further crash is counted.
    ///
    /// If the process of a prefetched task ends before it is stored that the handler has begun, the rescue counts no crash and marks the task
    /// as doubtful. So a task that crashes its process is counted from its second crash on, at the latest.
    pub(crate) fn may_be_prefetched(&self) -> bool {
        self.crashes == 0 && !self.doubtful
    }

    /// The due time after a lease, if a debounced submit has set one while it was held.
    pub(super) fn due_after(&self, lease: &Lease) -> Option<Micros> {
        (self.due != lease.due).then_some(self.due)
    }

    /// Leaves for a status: the lease and its flags end.
    pub(super) fn enter(&mut self, code: i32, due: Micros, now: Micros) {
        self.code = code;
        self.due = due;
        self.updated = now;
        self.lease = None;
        self.cancel = false;
    }
}
