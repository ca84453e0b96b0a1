//! The fields of a header that each command may change, and those that it must change. Called by `invariants`; pure.

use super::{
    commands::{HOLDER_FENCE, NEXT, NOW, RETRY, REVISION, SNOOZE, token},
    invariants::{Case, Checked, ensure, ensure_equal},
};
use crate::model::{
    status::Role,
    task::QueueEnd,
    time::micros_of,
    transition::{
        AttemptStatus, Command, Decision, DependentOutcome, Header, Lease, Outcome, PayloadChange, Requeue, Start,
        Submit,
    },
};

impl Case<'_> {
    /// Earlier attempts stay first; fences rise; `ended` counts the recorded attempts; an attempt that costs nothing is not recorded.
    pub(super) fn history(&self, decision: &Decision) -> Checked {
        let mut all = decision.history.clone();
        let Some(new) = &decision.header else {
            return ensure(self.freed || all.is_empty(), "a delete books more than a crash");
        };
        all.extend(new.last.clone());
        ensure(self.old.last.is_none() || all.first() == self.old.last.as_ref(), "the latest attempt is lost")?;
        ensure(all.is_sorted_by(|one, next| one.fence < next.fence), "fences in the history do not rise")?;
        let interrupted = all.iter().any(|ended| ended.status == AttemptStatus::Interrupted && ended.ended == NOW);
        ensure(!interrupted || self.process_ended(), "interrupted, and its process is the one that decides")?;
        let booked = &all[usize::from(self.old.last.is_some())..];
        ensure(new.ended as usize == self.old.ended as usize + booked.len(), "ended is not the number of entries")?;
        let by_hand = match self.command {
            Command::Ignore { reason, .. } => !reason.is_empty(),
            Command::ResolveDependency(resolved) => resolved.effect.outcome.is_some() && !self.terminal(self.found),
            _ => false,
        };
        let has_details = self.finish().is_some_and(|finish| {
            let free = matches!(finish.outcome, Outcome::Snooze { .. } | Outcome::Release);
            !free || self.old.cancel || finish.failure.is_some()
        });
        let expected = [self.rescued() && self.begun(), self.takes_over(), has_details, by_hand];
        let expected = expected.into_iter().filter(|books| *books).count();
        ensure_equal(booked.len(), expected, "booked entries")?;
        let right = booked.iter().all(|ended| {
            let by_hand = (NEXT, self.found.attempts);
            let by_owner = (HOLDER_FENCE, self.old.attempts);
            (ended.fence, ended.attempt) == if ended.worker.starts_with("by ") { by_hand } else { by_owner }
        });
        ensure(right, "booked under another fence or as another attempt")
    }

    /// A task that may still run has failures and crashes left. A start that names a terminal status resets neither.
    pub(super) fn limits(&self, new: &Header) -> Checked {
        let policy = self.rules.policy;
        let within = |header: &Header| {
            policy.max_attempts.is_none_or(|most| header.failures < most) && header.crashes < policy.max_crashes
        };
        let named = self.start().is_some_and(|start| start.startable.contains(&self.found.code));
        let excused = if self.terminal(self.found) { named } else { !within(self.found) };
        ensure(excused || self.terminal(new) || within(new), "no attempts left, and it may still run")
    }

    /// attempts = claims − those given back.
    pub(super) fn attempts(&self, new: &Header) -> Checked {
        let claimed = self.start().is_some() && !self.reenters();
        let returned = match self.command {
            Command::Unreadable { .. } => true,
            Command::Finish(finish) => matches!(finish.outcome, Outcome::Snooze { .. } | Outcome::Release),
            _ => self.rescued() && !self.begun(),
        };
        let expected = self.old.attempts + u32::from(claimed) - u32::from(returned);
        ensure_equal(new.attempts, expected, "attempts")
    }

    /// Failures and crashes, command by command.
    pub(super) fn counters(&self, new: &Header) -> Checked {
        let (found, free) = (self.found, self.found.lease.is_none());
        let kept = (found.failures, found.crashes);
        let expected = match self.command {
            _ if self.ends() && found.successor => (0, 0),
            _ if self.ends_badly() && found.cancel => (found.failures, new.crashes),
            Command::Finish(finish) => match finish.outcome {
                Outcome::Succeed => (0, 0),
                Outcome::Fail { .. } | Outcome::GiveUp => (found.failures + 1, found.crashes),
                _ => kept,
            },
            Command::Rescue { .. } => (found.failures, found.crashes + u32::from(self.begun())),
            Command::Start(start) if free && (self.forced() || self.home(found) != start.step) => (0, 0),
            Command::Requeue(_) => (0, 0),
            Command::Submit(_) if self.restarts() => (0, 0),
            _ => kept,
        };
        let moved =
            matches!(self.outcome(), Some(Outcome::Park { .. })) || matches!(self.command, Command::Move { .. });
        let expected = if moved && self.home(found) != self.home(new) { (0, 0) } else { expected };
        ensure_equal((new.failures, new.crashes), expected, "failures and crashes")
    }

    /// Terminal states change only by requeue, force, a changed fingerprint, or a start that names them.
    pub(super) fn stable(&self, new: &Header) -> Checked {
        let may = match self.command {
            Command::Requeue(_) => true,
            Command::Start(start) => start.force || start.startable.contains(&self.found.code),
            Command::Submit(submit) => is_change(submit),
            _ => false,
        };
        let same = (new.code, new.due, &new.lease) == (self.found.code, self.found.due, &self.found.lease);
        ensure(may || same || !self.terminal(self.found), "a terminal status is left")
    }

    /// Whether a rescued task goes to the front of the queue: its process has ended, it is not isolated, and claims find it there.
    fn goes_first(&self, new: &Header) -> bool {
        let Some(lease) = &self.found.lease else { return false };
        let Some(from) = self.rules.graph.status(lease.from) else { return false };
        self.rules.policy.interrupted == QueueEnd::Front
            && self.process_ended()
            && new.crashes < 2
            && (from.role != Role::Parked || self.rules.policy.startable.contains(&from.code))
    }

    /// Whether the lease is of another tracker, and was not detached into a ticket.
    pub(super) fn process_ended(&self) -> bool {
        self.old.lease.as_ref().is_some_and(|lease| lease.instance != self.rules.instance && !lease.detached)
    }

    /// Where an attempt's end leads.
    pub(super) fn endings(&self, decision: &Decision, new: &Header) -> Checked {
        let (graph, policy, found) = (self.rules.graph, self.rules.policy, self.found);
        let step = self.status(found).step;
        let at = (new.code, new.due);
        if self.ends() && found.successor {
            let fresh = at == (graph.start_of(0), NOW) && !new.unreadable;
            return ensure(fresh && decision.payload == PayloadChange::TakeSuccessor, "the successor does not start");
        }
        if self.ends_badly() && found.cancel {
            let code = graph.code(step, Role::Cancelled).or(graph.code(step, Role::Ignored));
            return ensure(Some(new.code) == code, "cancelled while it ran, and not cancelled");
        }
        let delay = micros_of(policy.backoff.delay(1));
        let back = found.lease.as_ref().map(|lease| (lease.from, lease.due));
        let spent = policy.max_attempts.is_some_and(|most| new.failures >= most);
        let given_up = graph.after_last_failure(step) == new.code && self.terminal(new);
        match self.command {
            Command::Finish(finish) => match finish.outcome {
                Outcome::Succeed => ensure(at == (graph.after_success(step), NOW), "a success is not one"),
                Outcome::GiveUp => ensure(given_up, "given up, and not at its end"),
                Outcome::Fail { .. } if spent => ensure(given_up, "spent, and not at its end"),
                Outcome::Fail { retry_in } => {
                    let due = NOW + retry_in.map_or(delay, |_| micros_of(RETRY));
                    ensure(at == (graph.after_failure(step), due), "a failure leads elsewhere")
                }
                Outcome::Ignore => ensure(Some(new.code) == graph.code(step, Role::Ignored), "ignored, and is not"),
                Outcome::Park { code } => ensure(at == (code, NOW), "parked elsewhere"),
                Outcome::Release => ensure(Some(at) == back, "released elsewhere"),
                Outcome::Snooze { .. } => {
                    let due = NOW + micros_of(SNOOZE);
                    ensure(back.map(|(code, _)| (code, due)) == Some(at), "snoozed elsewhere")
                }
            },
            Command::Unreadable { .. } => ensure(Some(at) == back && new.unreadable, "unreadable, and elsewhere"),
            Command::Rescue { .. } if new.crashes >= policy.max_crashes && self.begun() => {
                ensure(given_up, "crashes spent, and not at its end")
            }
            Command::Rescue { .. } if self.goes_first(new) => {
                ensure(back.map(|(code, due)| (code, due.min(NOW))) == Some(at), "interrupted, and not where it was")
            }
            Command::Rescue { .. } if !self.begun() => ensure(
                back.map(|(code, due)| (code, due.max(NOW))) == Some(at),
                "what never began does not wait where it was",
            ),
            Command::Rescue { .. } => {
                ensure(at == (graph.after_failure(step), NOW + delay), "rescued, and not at the back of the line")
            }
            Command::Requeue(Requeue { from_start, due, .. }) => {
                let step = if *from_start { 0 } else { self.home(found) };
                ensure(at == (graph.start_of(step), due.unwrap_or(NOW)), "requeued elsewhere")
            }
            Command::Submit(submit) if self.restarts() => {
                ensure(at == (graph.start_of(0), submit.due.unwrap_or(NOW)), "restarted elsewhere")
            }
            _ => Ok(()),
        }
    }

    /// Which commands give a lease, and the end of the lease before it.
    pub(super) fn leases(&self, new: &Header) -> Checked {
        let (found, graph) = (self.found, self.rules.graph);
        let Some(lease) = &new.lease else {
            return ensure(found.lease.is_none() || self.ends(), "a lease is gone, and nobody ended it");
        };
        let Some(start) = self.start() else {
            let Some(held) = &found.lease else { return ensure(false, "a lease from nowhere") };
            let same =
                (lease.fence, lease.token, lease.from, lease.due) == (held.fence, held.token, held.from, held.due);
            let shorter = lease.expires < held.expires;
            return ensure(same && !shorter && new.code == found.code, "the lease is another one");
        };
        let named = graph.startable(start.step).contains(&found.code) || start.startable.contains(&found.code);
        let ready = found.due <= NOW && !found.unreadable && named;
        ensure(!start.is_claim || ready, "a claim of what is not due, not readable or not startable")?;
        let length = micros_of(start.lease);
        let own = (lease.fence, lease.token, lease.expires) == (NEXT, token(NEXT), NOW + length);
        ensure(own && lease.length == length && !lease.detached, "the lease is not the one asked for")?;
        ensure(Some(new.code) == graph.code(start.step, Role::InProgress), "started in another step")?;
        let back = match &found.lease {
            Some(held) => (held.from, held.due),
            None if self.terminal(found) || self.forced() => (graph.start_of(start.step), NOW),
            None => (found.code, found.due),
        };
        ensure((lease.from, lease.due) == back, "does not lead back to where it came from")?;
        let debounced = found.lease.is_none() && new.due != lease.due;
        ensure(!debounced, "starts with the due time of a debounced submit, and none was made")?;
        let bare = |header: &Header| Header { lease: None::<Lease>, ..header.clone() };
        ensure(!self.reenters() || bare(new) == bare(found), "a re-entry changes more than the lease")
    }

    /// The number of dependencies, and the end of a task whose dependency fails.
    pub(super) fn others(&self, new: &Header) -> Checked {
        let found = self.found;
        let waits = match self.command {
            Command::SetDependencyCount { dependencies } => *dependencies,
            Command::ResolveDependency(resolved) => found.waits - u32::from(resolved.effect.resolved),
            Command::Start(_) if new.lease.is_some() => 0,
            _ => found.waits,
        };
        ensure_equal(new.waits, waits, "dependencies")?;
        let Command::ResolveDependency(resolved) = self.command else { return Ok(()) };
        let Some(how) = resolved.effect.outcome.filter(|_| !self.terminal(found)) else {
            return ensure(new.code == found.code && new.due == found.due, "moved, and heard of nothing bad");
        };
        let graph = self.rules.graph;
        let (first, second) = match how {
            DependentOutcome::Ignore => (Role::Ignored, Role::Cancelled),
            DependentOutcome::Cancel => (Role::Cancelled, Role::Ignored),
        };
        let code = |role| graph.code(self.home(found), role);
        let last = graph.after_last_failure(self.home(found));
        ensure(new.code == code(first).or(code(second)).unwrap_or(last), "set aside elsewhere")?;
        ensure(self.terminal(new), "set aside, and not ended")
    }

    /// Doubt comes with the rescue of what was not known to have begun, and goes when it begins for certain or starts anew.
    pub(super) fn doubtful(&self, new: &Header) -> Checked {
        let raised = matches!(self.command, Command::Rescue { .. }) && !self.begun();
        let fresh =
            self.ends() && self.found.successor || matches!(self.command, Command::Requeue(_)) || self.restarts();
        let begins = self.start().is_some_and(|start| start.begun && !self.reenters());
        let expected = (self.found.doubtful || raised) && !fresh && !begins;
        ensure_equal(new.doubtful, expected, "doubtful")?;
        ensure(!raised || fresh || !new.may_be_prefetched(), "prefetched again, and it may have killed its process")
    }

    /// The revision rises with the payload.
    pub(super) fn revisions(&self, decision: &Decision, new: &Header) -> Checked {
        let waits = decision.payload == PayloadChange::PutSuccessor;
        let changes = !matches!(decision.payload, PayloadChange::Keep | PayloadChange::PutSuccessor);
        ensure(!waits || (new.successor && new.lease.is_some()), "a successor that does not wait for the run's end")?;
        let taken = !self.freed || !self.old.successor || decision.payload != PayloadChange::Keep;
        ensure(taken, "the successor's payload is not taken")?;
        ensure(self.freed || new.revision == REVISION + u32::from(changes), "the revision does not follow the payload")
    }

    /// Whether the attempt ends by this command.
    fn ends(&self) -> bool {
        matches!(self.command, Command::Finish(_) | Command::Rescue { .. } | Command::Unreadable { .. })
    }

    /// Whether only force opened the door.
    fn forced(&self) -> bool {
        let closed = |start: &Start| {
            let named = self.rules.graph.startable(start.step).contains(&self.found.code);
            let waits = self.found.waits > 0 && !self.terminal(self.found);
            waits || self.given_up(self.found) || !(named || start.startable.contains(&self.found.code))
        };
        self.start().is_some_and(|start| self.found.lease.is_none() && closed(start))
    }

    /// Whether a submit brings a change to what is neither running, nor parked, nor waits at the start.
    fn restarts(&self) -> bool {
        let Command::Submit(submit) = self.command else { return false };
        let waits = self.found.code == self.rules.graph.start_of(0) || self.status(self.found).role == Role::Parked;
        is_change(submit) && self.found.lease.is_none() && !waits
    }
}

/// Whether a submit changes a task that has ended: its fingerprint is another one, or it is debounced and has none.
fn is_change(submit: &Submit) -> bool {
    submit.fingerprint.map_or(submit.max_wait.is_some(), |fingerprint| fingerprint != 1)
}
