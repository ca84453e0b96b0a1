//! Decides the effect that the end of a dependency has on a dependent. `Rules::overall_role` decides the role that batches, waits and dependents see
//! in a task. Called by `Rules::decide`, `engine/writer`, `api` and `maintenance/verify`;
//! `DependencyEnd` and `OnDependencyFailure` are used by all other folders except `dispatch` and `worker`. Pure.

use serde::{Deserialize, Serialize};

use super::{Annotations, AttemptStatus, Decision, Failure, Header, Rules, StoredAttempt};
use crate::model::{error::Reason, status::Role};

/// The effect on a task of a dependency that ends without success: exhausted, ignored or cancelled.
///
/// With every choice, a success of the dependency always counts, also a late one after a requeue. If the dependency is
/// deleted before it has succeeded, no success can follow, so a task with [`Wait`](Self::Wait) is skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDependencyFailure {
    /// The task still waits, until the dependency succeeds after a requeue.
    Wait,
    /// The task is ignored, with the reason in its history.
    Skip,
    /// The task is cancelled, with the reason in its history.
    Cancel,
    /// The task runs: any end of the dependency is enough.
    Run,
}

/// How a dependency ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DependencyEnd {
    /// It succeeded.
    Satisfied,
    /// It ended in this role.
    Failed(Role),
    /// It is deleted.
    Deleted,
}

/// The effect of the end of a dependency on a dependent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DependencyEffect {
    /// The dependency is resolved: the dependent no longer waits for it.
    pub resolved: bool,
    /// How the dependent ends without a run. `None` if it may still start.
    pub outcome: Option<DependentOutcome>,
}

impl DependencyEffect {
    /// The dependent continues to wait.
    pub(crate) const NOTHING: Self = Self { resolved: false, outcome: None };
}

/// How a dependent ends whose dependency failed or was deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DependentOutcome {
    Ignore,
    Cancel,
}

/// The effect on one dependent, with the fence and the reason for its history.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ResolveDependency {
    pub effect: DependencyEffect,
    pub fence: u64,
    pub reason: String,
}

impl OnDependencyFailure {
    /// All choices.
    pub const ALL: [Self; 4] = [Self::Wait, Self::Skip, Self::Cancel, Self::Run];

    pub(crate) fn effect_of(self, end: DependencyEnd) -> DependencyEffect {
        let outcome = match (self, end) {
            (Self::Run, _) | (_, DependencyEnd::Satisfied) | (Self::Wait, DependencyEnd::Failed(_)) => None,
            (Self::Wait, DependencyEnd::Deleted) | (Self::Skip, _) => Some(DependentOutcome::Ignore),
            (Self::Cancel, _) => Some(DependentOutcome::Cancel),
        };
        DependencyEffect { resolved: self == Self::Run || !matches!(end, DependencyEnd::Failed(_)), outcome }
    }

    /// Returns the name of the choice, such as `skip`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Skip => "skip",
            Self::Cancel => "cancel",
            Self::Run => "run",
        }
    }
}

impl DependencyEnd {
    /// The end that a role is to dependents. `None` if the task has not ended.
    pub(crate) fn of(role: Role) -> Option<Self> {
        match role {
            Role::Succeeded => Some(Self::Satisfied),
            Role::Exhausted | Role::Ignored | Role::Cancelled => Some(Self::Failed(role)),
            Role::Pending | Role::InProgress | Role::Failed | Role::Parked => None,
        }
    }

    /// The end that is propagated when the overall role changes. `before` and `after` are `None` if the task does not exist.
    pub(crate) fn between(before: Option<Role>, after: Option<Role>) -> Option<Self> {
        let before = before?;
        match after.map(Self::of) {
            None => (Self::of(before) != Some(Self::Satisfied)).then_some(Self::Deleted),
            Some(now) if now == Self::of(before) => None,
            Some(now) => now,
        }
    }

    /// Two ends that were not propagated yet, as one: a success stays, otherwise the later end counts.
    pub(crate) fn and(self, later: Self) -> Self {
        if self == Self::Satisfied { self } else { later }
    }
}

impl Rules<'_> {
    /// The role of a task over all its steps: pending between two steps, and exhausted once it is given up.
    pub(crate) fn overall_role(&self, header: &Header) -> Role {
        match self.graph.status(header.code) {
            None => Role::Parked,
            Some(status) if status.role == Role::Succeeded && !self.graph.is_terminal(status) => Role::Pending,
            Some(status) if Self::given_up(header, status) => Role::Exhausted,
            Some(status) => status.role,
        }
    }

    /// Refuses a dependency whose failure leads to a status that the kind does not have.
    pub(crate) fn may_wait(&self, header: &Header, on_failure: OnDependencyFailure) -> Result<(), Reason> {
        let step = self.step_of(self.status(header)?);
        let has = |role| self.graph.code(step, role).is_some();
        match on_failure {
            OnDependencyFailure::Skip if !has(Role::Ignored) => Err(Self::missing(Role::Ignored)),
            OnDependencyFailure::Cancel => self.cancelled(header).map(drop),
            _ => Ok(()),
        }
    }

    pub(super) fn wait_for(header: &Header, dependencies: u32) -> Decision {
        Decision::of(Header { waits: dependencies, ..header.clone() })
    }

    /// Applies the end of a dependency to a dependent. A dependent that has ended is not changed.
    pub(super) fn resolve_dependency(&self, old: &Header, resolved: &ResolveDependency) -> Decision {
        let mut header = old.clone();
        let mut history = Vec::new();
        header.waits = header.waits.saturating_sub(u32::from(resolved.effect.resolved));
        let open = header.lease.is_none() && DependencyEnd::of(self.overall_role(&header)).is_none();
        if let Some(how) = resolved.effect.outcome.filter(|_| open) {
            let (roles, status) = match how {
                DependentOutcome::Ignore => ([Role::Ignored, Role::Cancelled], AttemptStatus::Ignored),
                DependentOutcome::Cancel => ([Role::Cancelled, Role::Ignored], AttemptStatus::Cancelled),
            };
            let step = self.graph.status(header.code).map_or(0, |status| self.step_of(status));
            let ended = StoredAttempt {
                fence: resolved.fence,
                attempt: header.attempts,
                step,
                worker: "by a dependency".to_owned(),
                started: self.now,
                ended: self.now,
                run: None,
                status,
                failure: Some(Failure::new(&resolved.reason)),
                annotations: Annotations::default(),
            };
            header.record_attempt(ended, &mut history);
            match roles.into_iter().find_map(|role| self.graph.code(step, role)) {
                Some(code) => header.enter(code, self.now, self.now),
                None => self.exhaust(&mut header, step),
            }
        }
        Decision { history, ..Decision::of(header) }
    }
}
