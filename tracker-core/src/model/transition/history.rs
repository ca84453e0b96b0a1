//! Holds the attempts of a task: `StoredAttempt` and `AttemptStatus`, made by `model/transition` and `portable`; `Failure`, made by
//! `model/failure`, `model/user_code`, `api` and `worker`; `Annotations` (notes and metrics), filled by `api/execution`. Stored by `storage` with
//! the change of the header, and read by `engine` and `api`. Plain data; `Header::record_attempt` decides whether the header or a row keeps it.

use serde::{Deserialize, Serialize};

use super::Header;
use crate::model::time::Micros;

/// An attempt that has ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoredAttempt {
    pub fence: u64,
    pub attempt: u32,
    pub step: u16,
    pub worker: String,
    pub started: Micros,
    pub ended: Micros,
    /// The monotonic run time in microseconds, if the worker measured it.
    pub run: Option<u64>,
    pub status: AttemptStatus,
    pub failure: Option<Failure>,
    pub annotations: Annotations,
}

/// The notes and metrics of a handler about its attempt.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Annotations {
    pub notes: Vec<String>,
    pub metrics: Vec<(String, f64)>,
}

impl Annotations {
    pub(crate) fn is_empty(&self) -> bool {
        self.notes.is_empty() && self.metrics.is_empty()
    }
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AttemptStatus {
    /// The handler succeeded.
    Succeeded,
    /// The handler failed, panicked, or was dropped without an outcome.
    Failed,
    /// The handler gave up: no further attempt can succeed.
    GaveUp,
    /// The task was ignored, by its handler or by an operator.
    Ignored,
    /// The handler postponed the task.
    Snoozed,
    /// The handler parked the task in a status of the user's own.
    Parked,
    /// The task was released: it is startable as before the attempt.
    Released,
    /// Its lease ran out. Whether its process has ended is not known.
    Crashed,
    /// A start with `steal_lease` took the task over.
    TakenOver,
    /// The attempt was cancelled.
    Cancelled,
    /// Its process ended before the attempt: by a crash, a kill, a power loss, or an exit while the handler ran. Counts as a crash, and not
    /// as a failure.
    Interrupted,
}

impl AttemptStatus {
    /// All statuses.
    pub const ALL: [Self; 11] = [
        Self::Succeeded,
        Self::Failed,
        Self::GaveUp,
        Self::Ignored,
        Self::Snoozed,
        Self::Parked,
        Self::Released,
        Self::Crashed,
        Self::TakenOver,
        Self::Cancelled,
        Self::Interrupted,
    ];

    /// Returns the name of the status, e.g. `taken_over`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::GaveUp => "gave_up",
            Self::Ignored => "ignored",
            Self::Snoozed => "snoozed",
            Self::Parked => "parked",
            Self::Released => "released",
            Self::Crashed => "crashed",
            Self::TakenOver => "taken_over",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
        }
    }
}

impl std::fmt::Display for AttemptStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The failure of an attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Failure {
    /// The error's text.
    pub error: String,
    /// Its causes, outermost first.
    pub causes: Vec<String>,
    /// Its `Debug` form, bounded; an anyhow error's backtrace is in it.
    pub debug: String,
    /// Whether the handler panicked.
    pub panicked: bool,
}

impl Failure {
    /// Creates a failure from a text.
    #[must_use]
    pub fn new(error: impl Into<String>) -> Self {
        Self { error: error.into(), ..Self::default() }
    }
}

impl Header {
    /// Adds an attempt that has ended. One without a failure, notes and metrics stays in the header until the next one ends; any
    /// other is added to the rows of the history at once.
    pub(super) fn record_attempt(&mut self, ended: StoredAttempt, rows: &mut Vec<StoredAttempt>) {
        self.ended = self.ended.saturating_add(1);
        rows.extend(self.last.take());
        if ended.failure.is_none() && ended.annotations.is_empty() {
            self.last = Some(ended);
        } else {
            rows.push(ended);
        }
    }
}
