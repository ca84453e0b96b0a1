//! The effects that a transaction makes known once it is durable: events, ends of tasks, and what other threads must notice. Filled by the writer,
//! read by the leader after the commit.

use std::sync::Arc;

use super::Writer;
use crate::{
    engine::{
        ends::{Ends, TaskEnd},
        event::{Event, EventKind},
        run_log::RunLogEvent,
    },
    model::{
        kind::Kind,
        kinds::Kinds,
        task::{TaskKey, TaskRef},
        time::utc,
        transition::{Command, Decision, DependencyEnd, Header},
    },
};

/// The effects of a transaction, made known once it is durable.
#[derive(Default)]
pub(crate) struct CommitEffects {
    pub events: Vec<Event>,
    /// The tasks that have ended, or are deleted.
    pub ends: Ends,
    pub run_log: Vec<RunLogEvent>,
    /// The file's change number after it.
    pub change: u64,
    /// Something may be startable now that was not.
    pub woke: bool,
    /// Not all dependents are reached: another commit must continue.
    pub propagation_pending: bool,
    /// Fences of attempts of this process that are cancelled now.
    pub cancelled: Vec<u64>,
    /// Fences of leases that workers of this process hold now.
    pub held: Vec<u64>,
    /// The kinds after it, if they changed.
    pub kinds: Option<Arc<Kinds>>,
}

impl Writer<'_> {
    /// Lists the end of a task, if anything in this process waits for ends.
    pub(super) fn list_end(&mut self, kind: &Kind, task: TaskRef, old: Option<&Header>, new: Option<&Header>) {
        let Ends::Listed(ends) = &mut self.effects.ends else { return };
        let rules = kind.rules(self.now);
        let ended =
            |header: &Header| Some(rules.overall_role(header)).filter(|role| DependencyEnd::of(*role).is_some());
        let role = new.and_then(ended);
        if new.is_none() || (role.is_some() && role != old.and_then(ended)) {
            ends.push(TaskEnd { task, role });
        }
    }

    /// Adds the event of a decision, if there is a subscription.
    pub(super) fn push_event(
        &mut self,
        kind: &Kind,
        id: &TaskKey,
        old: Option<&Header>,
        decision: &Decision,
        command: &Command,
    ) {
        if !self.context.is_subscribed {
            return;
        }
        let ended = decision.history.last().or(decision.header.as_ref().and_then(|header| header.last.as_ref()));
        let still_waits = decision.header.as_ref().is_some_and(|header| header.waits > 0);
        let what = match command {
            Command::ResolveDependency(_) if still_waits && decision.history.is_empty() => return,
            Command::Renew { .. }
            | Command::Checkpoint { .. }
            | Command::Detach { .. }
            | Command::Await { .. }
            | Command::SetWatched(_)
            | Command::Join { .. } => return,
            Command::Submit(_) if old.is_none() => EventKind::Submitted,
            Command::Delete => EventKind::Deleted,
            Command::Start(start) => EventKind::Claimed { worker: start.worker.clone() },
            Command::Finish(_) | Command::Rescue { .. } => match ended {
                Some(ended) => EventKind::Ended { status: ended.status },
                None => EventKind::Changed,
            },
            _ => EventKind::Changed,
        };
        let status = decision.header.as_ref().map(|header| header.code);
        self.effects.events.push(Event {
            kind: kind.name.as_str().into(),
            id: id.clone(),
            at: utc(self.now),
            status,
            what,
        });
    }
}
