//! `CommitEffects` holds the effects of a transaction that are published once it is durable: events, ends of tasks, and wake-ups of other
//! threads. Filled by `engine/writer` and `engine/action`, published by `engine/group_commit`, `engine/user_transaction`, `engine/retention` and
//! `api/store`. Also decides which events a change has; reads counters, and writes no row.

use std::{collections::BTreeSet, sync::Arc};

use super::Writer;
#[cfg(feature = "metrics")]
use crate::engine::process_metrics::Counted;
use crate::{
    engine::{
        ends::{Ends, TaskEnd},
        event::{CommitEvent, Event, EventKind, Notification},
        run_log::RunLogEvent,
    },
    model::{
        error::Result,
        kind::Kind,
        kinds::Kinds,
        status::Role,
        task::{TaskKey, TaskRef},
        task_row::Progress,
        time::utc,
        transition::{Command, Decision, DependencyEnd, Header},
    },
    storage::keys::CountKey,
};

/// The effects of a transaction, published once it is durable.
#[derive(Default)]
pub(crate) struct CommitEffects {
    pub events: Vec<Arc<CommitEvent>>,
    /// The tasks that have ended, or are deleted.
    pub ends: Ends,
    pub run_log: Vec<RunLogEvent>,
    #[cfg(feature = "metrics")]
    pub counted: Vec<Counted>,
    /// The change number of the file after this transaction.
    pub change: u64,
    /// Whether a task may have become startable, so that idle workers must wake up.
    pub may_start: bool,
    /// Whether other processes have committed since this one last saw the file, so that idle workers must wake up too.
    pub others_committed: bool,
    /// Whether dependents are left to update, so that another commit must continue.
    pub propagation_pending: bool,
    /// Fences of attempts in this process that this transaction cancelled.
    pub cancelled: Vec<u64>,
    /// Fences of leases that workers of this process took in this transaction.
    pub held: Vec<u64>,
    /// The new kinds, if this transaction changed them.
    pub kinds: Option<Arc<Kinds>>,
}

impl CommitEffects {
    /// Takes over the change number that a store has given the commit, which tells whether other processes committed meanwhile.
    pub(crate) fn see_change(&mut self, change: Option<u64>) {
        if let Some(change) = change {
            self.others_committed |= change != self.change;
            self.change = change;
        }
    }
}

impl Writer<'_> {
    /// Records that a task ended, if a call in this process waits for ends.
    pub(super) fn record_end(&mut self, kind: &Kind, task: TaskRef, old: Option<&Header>, new: Option<&Header>) {
        let Ends::Listed(ends) = &mut self.effects.ends else { return };
        let rules = kind.rules(self.now);
        let ended =
            |header: &Header| Some(rules.overall_role(header)).filter(|role| DependencyEnd::of(*role).is_some());
        let role = new.and_then(ended);
        if new.is_none() || (role.is_some() && role != old.and_then(ended)) {
            ends.push(TaskEnd { task, role });
        }
    }

    /// Counts a decision, and adds its event if there is a subscription.
    pub(super) fn push_event(
        &mut self,
        kind: &Kind,
        task: TaskRef,
        id: &TaskKey,
        old: Option<&Header>,
        decision: &Decision,
        command: &Command,
    ) {
        #[cfg(feature = "metrics")]
        self.effects.counted.extend(Counted::of(kind.id, old, decision, command, self.now));
        if !self.context.is_subscribed {
            return;
        }
        let ended = decision.ended_attempt(old);
        let still_waits = decision.header.as_ref().is_some_and(|header| header.waits > 0);
        let what = match command {
            Command::ResolveDependency(_) if still_waits && decision.history.is_empty() => return,
            Command::Renew { .. }
            | Command::Checkpoint { .. }
            | Command::Detach { .. }
            | Command::SetDependencyCount { .. }
            | Command::SetHasDependents(_)
            | Command::SetBatch { .. } => return,
            Command::Submit(_) if old.is_none() => EventKind::Submitted,
            Command::Delete => EventKind::Deleted,
            Command::Start(start) => EventKind::Claimed { worker: start.worker.clone() },
            Command::Finish(_) | Command::Rescue { .. } => match ended {
                Some(ended) => EventKind::Ended { status: ended.status },
                None => EventKind::Changed,
            },
            _ => EventKind::Changed,
        };
        let new = decision.header.as_ref();
        let attempt = ended.filter(|_| matches!(what, EventKind::Ended { .. }));
        let event = Event {
            kind: kind.name.as_str().into(),
            id: id.clone(),
            batch: new.or(old).and_then(|header| header.batch),
            at: utc(self.now),
            status: new.map(|header| header.code),
            attempt: attempt.map_or_else(|| new.or(old).map_or(0, |header| header.attempts), |ended| ended.attempt),
            error: attempt.and_then(|ended| Some(ended.failure.as_ref()?.error.clone())),
            what,
        };
        let ends_attempt = matches!(event.what, EventKind::Claimed { .. }) || new.is_none_or(|new| new.lease.is_none());
        self.effects.events.push(CommitEvent::of_task(task, event, ends_attempt));
    }

    /// Counts an imported task, and adds its event if there is a subscription.
    #[cfg(feature = "json")]
    pub(super) fn push_imported(&mut self, kind: &Kind, task: TaskRef, id: &TaskKey, header: &Header) {
        #[cfg(feature = "metrics")]
        self.effects.counted.push(Counted::submitted(kind.id));
        if !self.context.is_subscribed {
            return;
        }
        let event = Event {
            kind: kind.name.as_str().into(),
            id: id.clone(),
            batch: header.batch,
            at: utc(self.now),
            status: Some(header.code),
            attempt: header.attempts,
            error: None,
            what: EventKind::Submitted,
        };
        self.effects.events.push(CommitEvent::of_task(task, event, true));
    }

    /// Adds the event of an attempt's progress, if there is a subscription.
    pub(super) fn push_progress(
        &mut self,
        kind: &Kind,
        task: TaskRef,
        id: &TaskKey,
        header: Option<&Header>,
        progress: &Progress,
    ) {
        if !self.context.is_subscribed {
            return;
        }
        let Progress { done, total, message, .. } = progress.clone();
        let event = Event {
            kind: kind.name.as_str().into(),
            id: id.clone(),
            batch: header.and_then(|header| header.batch),
            at: utc(self.now),
            status: None,
            attempt: header.map_or(0, |header| header.attempts),
            error: None,
            what: EventKind::Progress { done, total, message },
        };
        self.effects.events.push(CommitEvent::of_task(task, event, false));
    }

    /// Adds the event that a kind was paused or resumed, if there is a subscription.
    pub(crate) fn push_pause(&mut self, kind: &Kind) {
        if !self.context.is_subscribed {
            return;
        }
        let (name, at) = (kind.name.as_str().into(), utc(self.now));
        self.effects.events.push(CommitEvent::other(if kind.paused {
            Notification::KindPaused { kind: name, at }
        } else {
            Notification::KindResumed { kind: name, at }
        }));
    }

    /// Adds the event that a batch has finished, if there is a subscription.
    pub(super) fn push_batch_end(&mut self, number: u64, label: &str, end: DependencyEnd) {
        if !self.context.is_subscribed {
            return;
        }
        let (label, at, succeeded) = (label.into(), utc(self.now), end == DependencyEnd::Satisfied);
        self.effects.events.push(CommitEvent::other(Notification::BatchFinished { number, label, at, succeeded }));
    }

    /// Adds an event for each kind whose last task that claims could start has left its status in this transaction, if there is a
    /// subscription. The kept counters must be up to date.
    pub(super) fn push_empty_queues(&mut self) -> Result<()> {
        if !self.context.is_subscribed {
            return Ok(());
        }
        let kinds: BTreeSet<u32> = self.counts.keys().map(|key| key.kind).collect();
        for kind in kinds {
            let kind = self.kind(kind)?;
            let claimable: Vec<_> = kind
                .graph
                .statuses()
                .iter()
                .map(|status| status.code)
                .filter(|code| kind.is_claimable(*code))
                .collect();
            let change = |code: &i32| self.counts.get(&CountKey { kind: kind.id, code: *code }).copied().unwrap_or(0);
            if claimable.iter().map(change).sum::<i64>() >= 0 {
                continue;
            }
            let mut left = 0_u64;
            for code in claimable {
                left = left.saturating_add(self.rows.count(kind.id, code)?);
            }
            if left > 0 {
                continue;
            }
            let mut running = 0_u64;
            for status in kind.graph.statuses().iter().filter(|status| status.role == Role::InProgress) {
                running = running.saturating_add(self.rows.count(kind.id, status.code)?);
            }
            let (kind, at) = (kind.name.as_str().into(), utc(self.now));
            self.effects.events.push(CommitEvent::other(Notification::QueueEmpty { kind, at, running }));
        }
        Ok(())
    }
}
