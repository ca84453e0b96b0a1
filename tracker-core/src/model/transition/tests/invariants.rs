//! The invariants of the rules, checked after each command that `enumerate` puts to a task. They are written apart from the rules, as a second
//! opinion. `changes` and `refusals` hold further parts; pure.

use std::fmt::Debug;

use super::commands::{HOLDER_FENCE, NOW};
use crate::model::{
    error::Reason,
    status::{Role, StatusInfo},
    transition::{Command, Decision, Finish, Header, LATEST, NEVER, Outcome, Owner, Rules, Start},
};

pub(super) type Checked = Result<(), String>;

/// The name of a variant, of its form for debugging.
fn name(text: &str) -> &str {
    text.split_once(|c: char| !c.is_alphanumeric()).map_or(text, |(name, _)| name)
}

pub(super) fn ensure(holds: bool, what: &str) -> Checked {
    if holds { Ok(()) } else { Err(what.to_owned()) }
}

/// Formats a message only when it is needed, since there are millions of checks.
pub(super) fn ensure_equal<T: Copy + PartialEq + Debug>(found: T, expected: T, what: &str) -> Checked {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found:?}, should be {expected:?}")) }
}

/// A command put to a task that exists.
pub(super) struct Case<'a> {
    pub rules: &'a Rules<'a>,
    pub command: &'a Command,
    /// The header as it stood.
    pub old: &'a Header,
    /// The header as the command found it: after the rescue, where the lease had run out.
    pub found: &'a Header,
    pub freed: bool,
}

/// Checks what `command` made of a task.
pub(super) fn check(
    rules: &Rules<'_>,
    old: Option<&Header>,
    command: &Command,
    result: &Result<Decision, Reason>,
) -> Checked {
    let Some(old) = old else {
        let submitted = matches!(command, Command::Submit(_));
        ensure(submitted == result.is_ok(), "only a submit makes a task of nothing")?;
        ensure(submitted || *result == Err(Reason::NotFound), "what is not there is not found")?;
        return result
            .as_ref()
            .map_or(Ok(()), |decision| decision.header.as_ref().map_or(Ok(()), |new| shape(rules, new)));
    };
    let freed = !leaves_alone(command) && old.lease.as_ref().is_some_and(|lease| lease.expires <= NOW);
    let rescue = Command::Rescue { fence: HOLDER_FENCE, random: 0.5 };
    let rescued = if freed { rules.decide(Some(old), &rescue).ok().and_then(|decision| decision.header) } else { None };
    let case = Case { rules, command, old, found: rescued.as_ref().unwrap_or(old), freed };
    let refused = result.as_ref().err().map(|reason| format!("{reason:?}"));
    ensure_equal(refused.as_deref().map(name), case.refusal(), "refused")?;
    let Ok(decision) = result else { return Ok(()) };
    case.history(decision)?;
    let Some(new) = &decision.header else {
        return ensure(*command == Command::Delete, "only delete deletes");
    };
    shape(rules, new)?;
    case.limits(new)?;
    case.attempts(new)?;
    case.counters(new)?;
    case.stable(new)?;
    case.endings(decision, new)?;
    case.leases(new)?;
    case.others(new)?;
    case.doubtful(new)?;
    case.order(new)?;
    case.revisions(decision, new)
}

/// Whether a command leaves a lease alone that has run out: those of owners, and those that do not need the task free.
fn leaves_alone(command: &Command) -> bool {
    match command {
        Command::Submit(_)
        | Command::Readable
        | Command::Rescue { .. }
        | Command::SetDependencyCount { .. }
        | Command::ResolveDependency(_)
        | Command::SetHasDependents(_)
        | Command::SetPriority(_)
        | Command::SetPaused(_)
        | Command::SetBatch { .. } => true,
        _ => owner(command).is_some(),
    }
}

fn owner(command: &Command) -> Option<&Owner> {
    match command {
        Command::Renew { owner, .. }
        | Command::Checkpoint { owner, .. }
        | Command::Detach { owner }
        | Command::Resume { owner, .. }
        | Command::Unreadable { owner }
        | Command::Finish(Finish { owner, .. }) => Some(owner),
        _ => None,
    }
}

/// The invariants of a single header.
fn shape(rules: &Rules<'_>, new: &Header) -> Checked {
    let status = rules.graph.status(new.code).ok_or("the code is unknown")?;
    ensure(new.lease.is_some() == (status.role == Role::InProgress), "a lease and in_progress go together")?;
    ensure(new.lease.is_some() || !new.cancel, "a cancel flag outlives its lease")?;
    ensure(new.lease.is_some() || !new.successor, "a successor outlives the run")?;
    ensure(new.lease.is_none() || !new.unreadable, "an unreadable task is in progress")?;
    ensure(new.lease.is_none() || new.attempts > 0, "a lease without an attempt")?;
    ensure(new.lease.is_none() || new.waits == 0, "a running task waits for others")?;
    ensure(
        new.due <= LATEST || matches!(status.role, Role::Failed | Role::InProgress),
        "due never, and not given up in failed",
    )?;
    let Some(lease) = &new.lease else { return Ok(()) };
    let from = rules.graph.status(lease.from).ok_or("came from an unknown code")?;
    ensure(!rules.graph.is_terminal(from) && from.role != Role::InProgress, "leads back to where nothing starts")?;
    ensure(lease.due <= LATEST && lease.expires <= LATEST, "leads back to where no claim finds it")
}

impl Case<'_> {
    pub(super) fn status(&self, header: &Header) -> &StatusInfo {
        self.rules.graph.status(header.code).unwrap_or_else(|| panic!("no status {}", header.code))
    }

    /// Only a move gives a place, and only the due time of the move keeps it. Only pauses and resumes, a requeue and the end of a
    /// task change whether it is paused.
    fn order(&self, new: &Header) -> Checked {
        let place = match self.command {
            Command::SetPlace { due, place } => {
                ensure(new.due == (*due).min(LATEST), "a move sets its due time")?;
                *place
            }
            _ if new.due == self.old.due && new.due == self.found.due => self.found.place,
            _ => None,
        };
        ensure(new.place == place, "the place belongs to its due time")?;
        let paused = match self.command {
            _ if self.terminal(new) => false,
            Command::SetPaused(paused) => *paused,
            Command::Requeue(_) => false,
            _ => self.found.paused,
        };
        ensure(new.paused == paused, "the pause lasts until a resume, a requeue or the end")?;
        if let Command::SetPriority(priority) = self.command {
            ensure(new.priority == *priority, "the priority is set")?;
        }
        Ok(())
    }

    /// Given up in an enum that has only `failed` for it.
    pub(super) fn given_up(&self, header: &Header) -> bool {
        self.status(header).role == Role::Failed && header.due == NEVER
    }

    pub(super) fn terminal(&self, header: &Header) -> bool {
        self.rules.graph.is_terminal(self.status(header)) || self.given_up(header)
    }

    /// The step in which a task runs or waits; the succeeded of a step that is not the last waits for the next.
    pub(super) fn home(&self, header: &Header) -> u16 {
        let status = self.status(header);
        let on = status.role == Role::Succeeded && !self.rules.graph.is_last(status.step);
        status.step + u16::from(on)
    }

    pub(super) fn owner(&self) -> Option<&Owner> {
        owner(self.command)
    }

    pub(super) fn finish(&self) -> Option<&Finish> {
        if let Command::Finish(finish) = self.command { Some(finish) } else { None }
    }

    pub(super) fn outcome(&self) -> Option<Outcome> {
        self.finish().map(|finish| finish.outcome)
    }

    pub(super) fn start(&self) -> Option<&Start> {
        if let Command::Start(start) = self.command { Some(start) } else { None }
    }

    pub(super) fn reenters(&self) -> bool {
        let lease = self.found.lease.as_ref();
        self.start().is_some_and(|start| lease.is_some_and(|lease| start.reenter == Some(lease.token)))
    }

    pub(super) fn takes_over(&self) -> bool {
        self.start().is_some() && self.found.lease.is_some() && !self.reenters()
    }

    /// Whether the attempt ends by this command, not as a success.
    pub(super) fn ends_badly(&self) -> bool {
        match self.command {
            Command::Finish(finish) => finish.outcome != Outcome::Succeed,
            Command::Rescue { .. } | Command::Unreadable { .. } => true,
            _ => false,
        }
    }

    pub(super) fn begun(&self) -> bool {
        self.old.lease.as_ref().is_some_and(|lease| lease.begun)
    }

    pub(super) fn rescued(&self) -> bool {
        self.freed || matches!(self.command, Command::Rescue { .. })
    }
}
