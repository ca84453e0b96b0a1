//! Tasks without their types as commands print them, with their statuses and schedules. Used by most commands, `report` and `top`.

mod attempt;
mod counts;
mod explanation;
mod schedules;

pub use attempt::AttemptView;
pub use counts::CountsView;
pub use explanation::ExplanationView;
pub use schedules::{ScheduleProblem, SchedulesStatus};

use chrono::{DateTime, Utc};
use serde::Serialize;
use tracker_core::{
    Record,
    inspect::KindInfo,
    record::{Attempt, LeaseInfo, ProgressInfo},
    status::{Role, StatusInfo},
    untyped::Payload,
};

/// A task without its type.
pub type UntypedRecord = Record<Payload, StatusInfo>;

/// A status with its role and step.
#[derive(Clone, Serialize)]
pub struct StatusView {
    pub status: String,
    pub role: &'static str,
    /// Empty if the kind has no steps.
    pub step: String,
    #[serde(skip)]
    pub means: Role,
}

/// A task as `list` and `show` print it.
#[derive(Serialize)]
pub struct TaskView {
    pub kind: String,
    pub id: String,
    #[serde(flatten)]
    pub status: StatusView,
    pub priority: u8,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub due_at: DateTime<Utc>,
    pub attempts: u32,
    pub failures: u32,
    pub crashes: u32,
    pub lease: Option<LeaseView>,
    pub progress: Option<ProgressView>,
    pub cancel_requested: bool,
    pub unreadable: bool,
    pub paused: bool,
    /// The trace context of the submitter, as a `traceparent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// The first line of its last error.
    pub error: Option<String>,
    pub task: Payload,
}

#[derive(Serialize)]
pub struct LeaseView {
    pub worker: String,
    pub fence: u64,
    pub since: DateTime<Utc>,
    pub until: DateTime<Utc>,
    pub detached: bool,
}

#[derive(Serialize)]
pub struct ProgressView {
    pub done: u64,
    pub total: Option<u64>,
    pub message: String,
    pub at: DateTime<Utc>,
}

impl StatusView {
    pub fn new(status: &StatusInfo, kind: &KindInfo) -> Self {
        let step = kind.steps.get(usize::from(status.step)).cloned().unwrap_or_default();
        Self { status: status.name.clone(), role: status.role.name(), step, means: status.role }
    }
}

impl TaskView {
    pub fn new(record: UntypedRecord, kind: &KindInfo) -> Self {
        Self {
            kind: kind.name.clone(),
            id: record.id.to_string(),
            status: StatusView::new(&record.status, kind),
            priority: record.priority,
            created_at: record.created_at,
            updated_at: record.updated_at,
            due_at: record.due_at,
            attempts: record.attempts,
            failures: record.failures,
            crashes: record.crashes,
            lease: record.lease.map(Into::into),
            progress: record.progress.map(Into::into),
            cancel_requested: record.cancel_requested,
            unreadable: record.unreadable,
            paused: record.paused,
            traceparent: record.trace_context.map(|context| context.to_string()),
            error: last_error(&record.history),
            task: record.task,
        }
    }
}

fn last_error(history: &[Attempt]) -> Option<String> {
    let failure = history.iter().rev().find_map(|attempt| attempt.failure.as_ref())?;
    Some(failure.error.lines().next().unwrap_or_default().to_owned())
}

impl From<LeaseInfo> for LeaseView {
    fn from(lease: LeaseInfo) -> Self {
        let LeaseInfo { worker, fence, since, until, detached, .. } = lease;
        Self { worker, fence, since, until, detached }
    }
}

impl From<ProgressInfo> for ProgressView {
    fn from(progress: ProgressInfo) -> Self {
        let ProgressInfo { done, total, message, at, .. } = progress;
        Self { done, total, message, at }
    }
}

/// For example `3 of 10: half way`.
impl std::fmt::Display for ProgressView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.done)?;
        if let Some(total) = self.total {
            write!(f, " of {total}")?;
        }
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}
