//! Decides the change that a command makes to a task. `Rules::decide` is called by `engine/writer`, `Tasks::check_start`, which writes nothing, and
//! `portable/imported_task`; `engine` reads the `Decision`. `explain`, `check_movable` and `TimeShift` are called by `api`, `engine` and `maintenance`
//! too. Pure functions over values: no clock, no file, no randomness.
//!
//! [`Rules::decide`] gets the task's header (or none), a command, the policy and the time, and gives a new header with
//! what goes into the history, or the reason for a refusal. The caller applies the result.

mod admin;
mod batch;
mod command;
mod completion_rate;
mod condition;
mod dependencies;
mod explain;
mod finish;
mod header;
mod history;
mod order;
mod rescue;
mod start;
mod submit;
#[cfg(test)]
mod tests;
mod time_shift;

pub(crate) use batch::{Batch, BatchDelta, Roles};
pub(crate) use command::{Command, Finish, Owner, Requeue, Start, Submit};
pub(crate) use completion_rate::CompletionRate;
pub(crate) use condition::Condition;
#[cfg(test)]
pub(crate) use dependencies::DependentOutcome;
pub use dependencies::OnDependencyFailure;
pub(crate) use dependencies::{DependencyEffect, DependencyEnd, ResolveDependency};
pub use explain::Explanation;
pub(crate) use explain::StartContext;
pub use finish::Outcome;
pub(crate) use header::{Header, LATEST, Lease, NEVER, PAUSED, WAITING};
pub(crate) use history::{Annotations, StoredAttempt};
pub use history::{AttemptStatus, Failure};
pub(crate) use rescue::rescue_text;
pub(crate) use time_shift::{TimeShift, times_of, times_of_attempt, times_of_batch};

use std::time::Duration;

use uuid::Uuid;

use crate::model::{
    error::Reason,
    status::{Graph, Role, StatusInfo},
    task::Policy,
    time::{Micros, micros_of},
};

/// The facts that the rules read besides the task and the command.
#[derive(Clone, Copy)]
pub(crate) struct Rules<'a> {
    pub graph: &'a Graph,
    pub policy: &'a Policy,
    pub now: Micros,
    /// The open tracker that decides; nil where no lease can be rescued: in questions, bulk submits and imports. If a rescue ends a lease of another
    /// instance, the process of that lease has ended.
    pub instance: Uuid,
}

/// The result of a command on a task.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Decision {
    /// The header from now on; `None` deletes the task.
    pub header: Option<Header>,
    /// Attempts that ended by this command, oldest first, to be written into the history.
    pub history: Vec<StoredAttempt>,
    pub payload: PayloadChange,
    pub result: CommandResult,
}

/// The change of the task's payload and keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PayloadChange {
    Keep,
    /// The command's payload replaces it.
    Put,
    /// The command's payload waits until the running attempt has ended.
    PutSuccessor,
    /// The waiting payload replaces it.
    TakeSuccessor,
}

/// The answer to the caller besides the new header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommandResult {
    Applied,
    New,
    Existing,
    Requeued,
    /// The submit is dropped. The engine checks this before it calls the rules.
    Throttled,
}

impl Rules<'_> {
    /// Decides what `command` makes of a task. A place belongs to a due time, so that any other due time ends it. The end of a task
    /// ends its pause.
    pub(crate) fn decide(&self, header: Option<&Header>, command: &Command) -> Result<Decision, Reason> {
        let mut decision = self.decide_status(header, command)?;
        if let (Some(old), Some(new)) = (header, &mut decision.header) {
            if new.due != old.due && !matches!(command, Command::SetPlace { .. }) {
                new.place = None;
            }
            new.paused &= self.require_unended(new).is_ok();
        }
        Ok(decision)
    }

    fn decide_status(&self, header: Option<&Header>, command: &Command) -> Result<Decision, Reason> {
        if let Command::Submit(submit) = command {
            return Ok(self.submit(header, submit));
        }
        let header = header.ok_or(Reason::NotFound)?;
        if let Some(lease) =
            header.lease.as_ref().filter(|lease| lease.has_expired(self.now) && command.ends_expired_lease())
        {
            return self.decide_freed(header, lease.fence, command);
        }
        match command {
            Command::Submit(submit) => Ok(self.submit(Some(header), submit)),
            Command::Start(start) => self.start(header, start),
            Command::Renew { owner, lease, begin } => self.renew(header, owner, *lease, *begin),
            Command::Checkpoint { owner, priority } => Self::checkpoint(header, owner, *priority),
            Command::Finish(finish) => self.finish(header, finish),
            Command::Detach { owner } => Self::detach(header, owner),
            Command::Resume { owner, instance, lease } => self.resume(header, owner, *instance, *lease),
            Command::Unreadable { owner } => self.unreadable(header, owner),
            Command::Readable => Ok(Self::readable(header)),
            Command::Rescue { fence, random } => self.rescue(header, *fence, *random),
            Command::Cancel => self.cancel(header),
            Command::Ignore { fence, reason } => self.ignore(header, *fence, reason),
            Command::Requeue(requeue) => self.requeue(header, requeue),
            Command::Move { code } => self.move_to(header, *code),
            Command::SetPriority(priority) => self.set_priority(header, *priority),
            Command::SetDue(due) => self.set_due(header, *due),
            Command::SetPlace { due, place } => self.set_place(header, *due, *place),
            Command::SetPaused(paused) => self.set_paused(header, *paused),
            Command::Update { revision, priority } => self.update(header, *revision, *priority),
            Command::Delete => self.delete(header),
            Command::SetDependencyCount { dependencies } => Ok(Self::wait_for(header, *dependencies)),
            Command::ResolveDependency(resolved) => Ok(self.resolve_dependency(header, resolved)),
            Command::SetHasDependents(on) => Ok(Decision::of(Header { has_dependents: *on, ..header.clone() })),
            Command::SetBatch { batch } => Ok(Decision::of(Header { batch: *batch, ..header.clone() })),
        }
    }

    /// Decides on a task whose lease has run out: first the rescue, then the command.
    fn decide_freed(&self, header: &Header, fence: u64, command: &Command) -> Result<Decision, Reason> {
        let random = if let Command::Start(start) = command { start.random } else { 0.5 };
        let rescued = self.decide(Some(header), &Command::Rescue { fence, random })?;
        let decision = self.decide(rescued.header.as_ref(), command)?;
        let mut history = rescued.history;
        history.extend(decision.history);
        let payload = if decision.payload == PayloadChange::Keep { rescued.payload } else { decision.payload };
        Ok(Decision { history, payload, ..decision })
    }

    /// The status of a task.
    pub(crate) fn status(&self, header: &Header) -> Result<&StatusInfo, Reason> {
        self.graph
            .status(header.code)
            .ok_or_else(|| Reason::NotStartable { status: format!("in the unknown status {}", header.code) })
    }

    /// The step in which a task of this status runs or waits: the succeeded of a step that is not the last waits for
    /// the next one.
    fn step_of(&self, status: &StatusInfo) -> u16 {
        let waits = status.role == Role::Succeeded && !self.graph.is_last(status.step);
        status.step + u16::from(waits)
    }

    /// Whether claims of some step start tasks from this status by default.
    fn starts_by_itself(&self, status: &StatusInfo) -> bool {
        (0..).zip(self.graph.steps()).any(|(step, _)| self.graph.startable(step).contains(&status.code))
    }

    /// Whether claims start tasks from this status, without an option of the call that allows it.
    pub(crate) fn is_claimable(&self, status: &StatusInfo) -> bool {
        self.starts_by_itself(status) || self.policy.startable.contains(&status.code)
    }

    /// Whether a task is given up and the enum has only `failed` for it.
    fn given_up(header: &Header, status: &StatusInfo) -> bool {
        status.role == Role::Failed && header.due == NEVER
    }

    /// The lease of a task that belongs to `owner`.
    fn owned<'h>(header: &'h Header, owner: &Owner) -> Result<&'h Lease, Reason> {
        let lease = header.lease.as_ref().ok_or(Reason::LeaseLost)?;
        if lease.fence == owner.fence && lease.token == owner.token { Ok(lease) } else { Err(Reason::LeaseLost) }
    }

    /// The refusal of a task with a lease.
    fn leased(lease: &Lease) -> Reason {
        Reason::Leased { worker: lease.worker.clone(), until: crate::model::time::utc(lease.expires) }
    }

    fn not_startable(status: &StatusInfo) -> Reason {
        Reason::NotStartable { status: status.name.clone() }
    }

    /// The moment `delay` from now; never later than the end of time.
    fn after(&self, delay: Duration) -> Micros {
        self.now.saturating_add(micros_of(delay)).min(LATEST)
    }

    /// When a task is due that has failed or crashed `times` times in a row. The jitter cuts its whole
    /// share of the delay for a `random` of 0, and nothing for 1.
    fn retry_at(&self, times: u32, random: f32) -> Micros {
        let delay = self.policy.backoff.delay(times);
        let jitter = self.policy.jitter.clamp(0.0, 1.0);
        let cut = f64::from(jitter * (1.0 - random.clamp(0.0, 1.0)));
        // The delay stays as it is if the product is no duration: a share that is not a number, a delay near the end of time.
        let cut = Duration::try_from_secs_f64(delay.as_secs_f64() * cut).unwrap_or(Duration::ZERO);
        self.after(delay.saturating_sub(cut))
    }

    /// Whether a task has no failures left.
    fn has_no_attempts_left(&self, header: &Header) -> bool {
        self.policy.max_attempts.is_some_and(|most| header.failures >= most)
    }

    fn missing(role: Role) -> Reason {
        Reason::MissingRole { role: role.name() }
    }
}

impl Decision {
    /// Returns the attempt that ended by this command, if one did. An end without details stays in the header; the history then has the end
    /// that it displaced.
    pub(crate) fn ended_attempt(&self, old: Option<&Header>) -> Option<&StoredAttempt> {
        let new = self.header.as_ref()?;
        let is_recorded = new.ended != old.map_or(0, |old| old.ended);
        is_recorded.then(|| new.last.as_ref().or(self.history.last())).flatten()
    }

    fn of(header: Header) -> Self {
        Self { header: Some(header), history: Vec::new(), payload: PayloadChange::Keep, result: CommandResult::Applied }
    }
}
