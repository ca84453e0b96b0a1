//! The account of a run, for the log: what starts, ends or is refused, told once it is durable, before its caller goes on.

use chrono::{DateTime, Utc};
use tracing::Level;

use crate::{
    contain::contain,
    error::Reason,
    rules::{Command, Ending, Header, NEVER},
    store::Kind,
    task::TaskKey,
    time::utc,
};

/// The target of its events.
pub(crate) const TARGET: &str = "tracker_core::run";

/// Whether anybody listens.
pub(super) fn is_wanted() -> bool {
    contain(|| tracing::enabled!(target: TARGET, Level::DEBUG)).unwrap_or(false)
}

/// Something that a run came to.
#[derive(Clone, Debug)]
pub(crate) struct Account {
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
        ending: Ending,
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

impl Account {
    /// What a command has made of a task, where that is part of a run.
    pub(super) fn of(
        kind: &Kind,
        id: &TaskKey,
        old: Option<&Header>,
        new: Option<&Header>,
        command: &Command,
    ) -> Option<Self> {
        let (old, new) = (old?, new?);
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
                let called_off = old.cancel && finish.outcome.ending() != Ending::Succeeded;
                let ending = if called_off { Ending::Cancelled } else { finish.outcome.ending() };
                let error = finish.failure.as_ref().map_or_else(String::new, |failure| failure.error.clone());
                What::ended(kind, finish.owner.fence, ending, new, error)
            }
            Command::Rescue { fence, .. } => {
                let error = format!("the lease of {} ended without an outcome", old.lease.as_ref()?.worker);
                What::ended(kind, *fence, Ending::Crashed, new, error)
            }
            _ => return None,
        };
        Some(Self { kind: kind.name.clone(), id: id.clone(), what })
    }

    /// Why a command was refused, where that is part of a run: a claim that was too late for its task is none.
    pub(super) fn of_refusal(kind: &Kind, id: &TaskKey, command: &Command, reason: &Reason) -> Option<Self> {
        let told = match command {
            Command::Start(start) => !start.by_line,
            Command::Finish(_) => true,
            _ => false,
        };
        let what = What::Refused { reason: reason.clone() };
        told.then(|| Self { kind: kind.name.clone(), id: id.clone(), what })
    }

    pub(super) fn tell(&self) {
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
            What::Ended { fence, ending, status, failures, most, due, error } => tracing::debug!(
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
            ),
            What::Refused { reason } => tracing::debug!(target: TARGET, kind, %id, reason = %reason, "refused"),
        }
    }
}

impl What {
    fn ended(kind: &Kind, fence: u64, ending: Ending, new: &Header, error: String) -> Self {
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
