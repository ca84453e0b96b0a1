//! The log of runs: starts, ends and refusals. Collected by the writer; logged once they are durable, before the caller continues.

use chrono::{DateTime, Utc};
use tracing::Level;

use crate::model::{
    contain::contain,
    error::Reason,
    kind::Kind,
    task::TaskKey,
    time::utc,
    transition::{AttemptStatus, Command, Header, NEVER},
};

/// The target of its events.
pub(crate) const TARGET: &str = "tracker_core::run";

/// Which events a subscriber asks for: each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wanted {
    Nothing,
    /// A task is given up: at the level `WARN`.
    GivenUp,
    /// An attempt has failed: at the level `INFO`.
    Failed,
    /// Every start, end and refusal: at the level `DEBUG`.
    All,
}

/// Which events are collected for the next commit.
pub(super) fn wanted() -> Wanted {
    let ask = || {
        if tracing::enabled!(target: TARGET, Level::DEBUG) {
            Wanted::All
        } else if tracing::enabled!(target: TARGET, Level::INFO) {
            Wanted::Failed
        } else if tracing::enabled!(target: TARGET, Level::WARN) {
            Wanted::GivenUp
        } else {
            Wanted::Nothing
        }
    };
    contain(ask).unwrap_or(Wanted::Nothing)
}

/// A start, an end or a refusal.
#[derive(Clone, Debug)]
pub(crate) struct RunLogEvent {
    kind: String,
    id: TaskKey,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
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
        ending: AttemptStatus,
        status: Status,
        failures: u32,
        /// Failures in a row that exhaust the task; 0 where it is tried for ever.
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
        new: Option<&Header>,
        command: &Command,
        wanted: Wanted,
    ) -> Option<Self> {
        let (old, new) = (old?, new?);
        if wanted < Wanted::All && !may_fail(command) {
            return None;
        }
        let what = match command {
            Command::Start(start) => What::Started {
                fence: start.fence,
                attempt: new.attempts,
                worker: start.worker.clone(),
                until: utc(new.lease.as_ref()?.expires),
                was: Status::of(kind, old.code),
                status: Status::of(kind, new.code),
            },
            Command::Finish(finish) => {
                let called_off = old.cancel && finish.outcome.ending() != AttemptStatus::Succeeded;
                let ending = if called_off { AttemptStatus::Cancelled } else { finish.outcome.ending() };
                let error = finish.failure.as_ref().map_or_else(String::new, |failure| failure.error.clone());
                What::ended(kind, finish.owner.fence, ending, new, error)
            }
            Command::Rescue { fence, .. } => {
                let error = format!("the lease of {} ended without an outcome", old.lease.as_ref()?.worker);
                What::ended(kind, *fence, AttemptStatus::Crashed, new, error)
            }
            _ => return None,
        };
        (what.level() <= wanted).then(|| Self { kind: kind.name.clone(), id: id.clone(), what })
    }

    /// The event of a refused command that is part of a run. A claim that came too late for its task has none.
    pub(super) fn of_refusal(kind: &Kind, id: &TaskKey, command: &Command, reason: &Reason) -> Option<Self> {
        let is_logged = match command {
            Command::Start(start) => !start.by_line,
            Command::Finish(_) => true,
            _ => false,
        };
        let what = What::Refused { reason: reason.clone() };
        is_logged.then(|| Self { kind: kind.name.clone(), id: id.clone(), what })
    }

    /// Writes the event to the log.
    pub(super) fn log(&self) {
        let (kind, id) = (self.kind.as_str(), &self.id);
        match &self.what {
            What::Started { fence, attempt, worker, until, was, status } => tracing::debug!(
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
            What::Ended { fence, ending, status, failures, most, due, error } => {
                macro_rules! tell {
                    ($level:ident) => {
                        tracing::$level!(
                            target: TARGET,
                            kind,
                            %id,
                            fence,
                            ending = ending.name(),
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
                    Wanted::GivenUp => tell!(warn),
                    Wanted::Failed => tell!(info),
                    Wanted::Nothing | Wanted::All => tell!(debug),
                }
            }
            What::Refused { reason } => tracing::debug!(target: TARGET, kind, %id, reason = %reason, "refused"),
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

impl What {
    fn level(&self) -> Wanted {
        match self {
            Self::Ended {
                ending: AttemptStatus::Failed | AttemptStatus::GaveUp | AttemptStatus::Crashed, due, ..
            } => {
                if due.is_none() {
                    Wanted::GivenUp
                } else {
                    Wanted::Failed
                }
            }
            _ => Wanted::All,
        }
    }

    fn ended(kind: &Kind, fence: u64, ending: AttemptStatus, new: &Header, error: String) -> Self {
        let startable = kind.is_claimable(new.code) && new.due != NEVER;
        Self::Ended {
            fence,
            ending,
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
