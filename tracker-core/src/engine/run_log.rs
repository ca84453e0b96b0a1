//! Logs runs to `tracing`: starts, ends and refusals of attempts. Collected by `engine/writer`, logged by `engine/group_commit` once they are
//! durable, before the caller continues. Calls log subscribers, guarded. `api/run_log` prints the events, and `api/execution/attempt_span` uses
//! their target.

use chrono::{DateTime, Utc};
use tracing::Level;

use crate::model::{
    error::Reason,
    kind::Kind,
    panics::catch_panic,
    task::TaskKey,
    time::utc,
    transition::{AttemptStatus, Command, Decision, Header, NEVER, rescue_text},
};

/// The target of its events.
pub(crate) const TARGET: &str = "tracker_core::run";

/// Which events a subscriber asks for: each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RunLogLevel {
    Nothing,
    /// A task is given up: at the level `WARN`.
    GivenUp,
    /// An attempt has failed: at the level `INFO`.
    Failed,
    /// Every start, end and refusal: at the level `DEBUG`.
    All,
}

/// Which events are collected for the next commit.
pub(super) fn enabled_level() -> RunLogLevel {
    let ask = || {
        if tracing::enabled!(target: TARGET, Level::DEBUG) {
            RunLogLevel::All
        } else if tracing::enabled!(target: TARGET, Level::INFO) {
            RunLogLevel::Failed
        } else if tracing::enabled!(target: TARGET, Level::WARN) {
            RunLogLevel::GivenUp
        } else {
            RunLogLevel::Nothing
        }
    };
    catch_panic(ask).unwrap_or(RunLogLevel::Nothing)
}

/// A start, an end or a refusal.
#[derive(Clone, Debug)]
pub(crate) struct RunLogEvent {
    kind: String,
    id: TaskKey,
    what: RunLogEventKind,
}

#[derive(Clone, Debug)]
enum RunLogEventKind {
    Started {
        fence: u64,
        attempt: u32,
        worker: String,
        until: DateTime<Utc>,
        was: Status,
        status: Status,
    },
    Ended {
        fence: u64,
        attempt_status: AttemptStatus,
        status: Status,
        failures: u32,
        /// Failures in a row that exhaust the task; 0 if it is tried for ever.
        most: u32,
        /// When it is due again, if it is.
        due: Option<DateTime<Utc>>,
        error: String,
    },
    Refused {
        reason: Reason,
    },
}

#[derive(Clone, Debug)]
struct Status {
    code: i32,
    name: String,
}

impl RunLogEvent {
    /// The event of a command that is part of a run.
    pub(super) fn of(
        kind: &Kind,
        id: &TaskKey,
        old: Option<&Header>,
        decision: &Decision,
        command: &Command,
        enabled: RunLogLevel,
    ) -> Option<Self> {
        let ended = decision.ended_attempt(old);
        let (old, new) = (old?, decision.header.as_ref()?);
        if enabled < RunLogLevel::All && !may_fail(command) {
            return None;
        }
        let what = match command {
            Command::Start(start) => RunLogEventKind::Started {
                fence: start.fence,
                attempt: new.attempts,
                worker: start.worker.clone(),
                until: utc(new.lease.as_ref()?.expires),
                was: Status::of(kind, old.code),
                status: Status::of(kind, new.code),
            },
            Command::Finish(finish) => {
                let cancelled = old.cancel && finish.outcome.attempt_status() != AttemptStatus::Succeeded;
                let attempt_status = if cancelled { AttemptStatus::Cancelled } else { finish.outcome.attempt_status() };
                let error = finish.failure.as_ref().map_or_else(String::new, |failure| failure.error.clone());
                RunLogEventKind::ended(kind, finish.owner.fence, attempt_status, new, error)
            }
            Command::Rescue { fence, .. } => {
                let attempt_status = ended.map_or(AttemptStatus::Released, |ended| ended.status);
                let error = rescue_text(old.lease.as_ref()?, attempt_status == AttemptStatus::Interrupted);
                RunLogEventKind::ended(kind, *fence, attempt_status, new, error)
            }
            _ => return None,
        };
        (what.level() <= enabled).then(|| Self { kind: kind.name.clone(), id: id.clone(), what })
    }

    /// The event of a refused command that is part of a run. A claim that came too late for its task has none.
    pub(super) fn of_refusal(kind: &Kind, id: &TaskKey, command: &Command, reason: &Reason) -> Option<Self> {
        let is_logged = match command {
            Command::Start(start) => !start.is_claim,
            Command::Finish(_) => true,
            _ => false,
        };
        let what = RunLogEventKind::Refused { reason: reason.clone() };
        is_logged.then(|| Self { kind: kind.name.clone(), id: id.clone(), what })
    }

    /// Writes the event to the log.
    pub(super) fn log(&self) {
        let (kind, id) = (self.kind.as_str(), &self.id);
        match &self.what {
            RunLogEventKind::Started { fence, attempt, worker, until, was, status } => tracing::debug!(
                target: TARGET,
                kind,
                %id,
                fence,
                attempt,
                worker,
                until = %until.format("%Y-%m-%d %H:%M:%S UTC"),
                was = was.code,
                was_name = was.name,
                status = status.code,
                status_name = status.name,
                "started"
            ),
            RunLogEventKind::Ended { fence, attempt_status, status, failures, most, due, error } => {
                macro_rules! tell {
                    ($level:ident) => {
                        tracing::$level!(
                            target: TARGET,
                            kind,
                            %id,
                            fence,
                            attempt_status = attempt_status.name(),
                            status = status.code,
                            status_name = status.name,
                            failures,
                            most,
                            due = due.map(|due| due.format("%Y-%m-%d %H:%M:%S UTC").to_string()),
                            error,
                            "ended"
                        )
                    };
                }
                match self.what.level() {
                    RunLogLevel::GivenUp => tell!(warn),
                    RunLogLevel::Failed => tell!(info),
                    RunLogLevel::Nothing | RunLogLevel::All => tell!(debug),
                }
            }
            RunLogEventKind::Refused { reason } => {
                tracing::debug!(target: TARGET, kind, %id, reason = %reason, "refused");
            }
        }
    }
}

/// Whether a command can end an attempt as failed. Other commands have no event at `INFO` and `WARN`.
fn may_fail(command: &Command) -> bool {
    match command {
        Command::Finish(finish) => finish.failure.is_some(),
        Command::Rescue { .. } => true,
        _ => false,
    }
}

impl RunLogEventKind {
    fn level(&self) -> RunLogLevel {
        match self {
            Self::Ended {
                attempt_status:
                    AttemptStatus::Failed | AttemptStatus::GaveUp | AttemptStatus::Crashed | AttemptStatus::Interrupted,
                due,
                ..
            } => {
                if due.is_none() {
                    RunLogLevel::GivenUp
                } else {
                    RunLogLevel::Failed
                }
            }
            _ => RunLogLevel::All,
        }
    }

    fn ended(kind: &Kind, fence: u64, attempt_status: AttemptStatus, new: &Header, error: String) -> Self {
        let startable = kind.is_claimable(new.code) && new.due != NEVER;
        Self::Ended {
            fence,
            attempt_status,
            status: Status::of(kind, new.code),
            failures: new.failures,
            most: kind.policy.max_attempts.unwrap_or(0),
            due: startable.then(|| utc(new.due)),
            error,
        }
    }
}

impl Status {
    fn of(kind: &Kind, code: i32) -> Self {
        let name = kind.graph.status(code).map_or_else(String::new, |status| status.name.clone());
        Self { code, name }
    }
}
