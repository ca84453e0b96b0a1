//! Tasks that wait for others: how these stand, and what the waiting ones make of it.

use super::{AttemptNotes, AttemptStatus, Decision, Failure, Header, Rules, StoredAttempt};
use crate::model::{error::Reason, status::Role};

/// What becomes of a task if one that it waits for ends without success: exhausted, ignored or cancelled.
///
/// Whatever is chosen, a success of the other one always counts, also a late one after a requeue. If the other one is
/// deleted before it has succeeded, it cannot come any more: tasks that would wait are skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OnDependencyFailure {
    /// It goes on waiting, until the other one succeeds after all.
    Wait,
    /// It is ignored, and its history says why.
    Skip,
    /// It is cancelled, and its history says why.
    Cancel,
    /// It runs nevertheless: all that counts is that the other one has ended.
    Run,
}

/// What those hear that wait for a task or a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DependencyEnd {
    /// It succeeded.
    Satisfied,
    /// It ended in this role.
    Failed(Role),
    /// It is deleted.
    Deleted,
}

/// What a task does about news of one that it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DependencyEffect {
    /// It waits for that one no more.
    pub over: bool,
    pub aside: Option<SetAside>,
}

impl DependencyEffect {
    /// It goes on waiting.
    pub(crate) const NOTHING: Self = Self { over: false, aside: None };
}

/// How a task is set aside that waited in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SetAside {
    Ignore,
    Cancel,
}

/// The same for one task, with what stands in its history.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ResolveDependency {
    pub heard: DependencyEffect,
    pub fence: u64,
    pub reason: String,
}

impl OnDependencyFailure {
    /// All choices.
    pub const ALL: [Self; 4] = [Self::Wait, Self::Skip, Self::Cancel, Self::Run];

    pub(crate) fn hears(self, news: DependencyEnd) -> DependencyEffect {
        let aside = match (self, news) {
            (Self::Run, _) | (_, DependencyEnd::Satisfied) | (Self::Wait, DependencyEnd::Failed(_)) => None,
            (Self::Wait, DependencyEnd::Deleted) | (Self::Skip, _) => Some(SetAside::Ignore),
            (Self::Cancel, _) => Some(SetAside::Cancel),
        };
        DependencyEffect { over: self == Self::Run || !matches!(news, DependencyEnd::Failed(_)), aside }
    }

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Skip => "skip",
            Self::Cancel => "cancel",
            Self::Run => "run",
        }
    }

    /// The choice of a word, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|otherwise| otherwise.name() == name)
    }
}

impl DependencyEnd {
    /// What a role means to those that wait for an end.
    pub(crate) fn of(role: Role) -> Option<Self> {
        match role {
            Role::Succeeded => Some(Self::Satisfied),
            Role::Exhausted | Role::Ignored | Role::Cancelled => Some(Self::Failed(role)),
            Role::Pending | Role::InProgress | Role::Failed | Role::Parked => None,
        }
    }

    /// What is new when one that counted as the first role counts as the second one; `None` is a task that is not there.
    pub(crate) fn between(before: Option<Role>, after: Option<Role>) -> Option<Self> {
        let before = before?;
        match after.map(Self::of) {
            None => (Self::of(before) != Some(Self::Satisfied)).then_some(Self::Deleted),
            Some(now) if now == Self::of(before) => None,
            Some(now) => now,
        }
    }

    /// What is left to tell where two are: a success stands, else the later one counts.
    pub(crate) fn and(self, later: Self) -> Self {
        if self == Self::Satisfied { self } else { later }
    }
}

impl Rules<'_> {
    /// What a task counts as over all its steps: between two steps it waits, and what is given up is exhausted, by
    /// whatever name.
    pub(crate) fn counts_as(&self, header: &Header) -> Role {
        match self.graph.status(header.code) {
            None => Role::Parked,
            Some(status) if status.role == Role::Succeeded && !self.graph.is_terminal(status) => Role::Pending,
            Some(status) if Self::given_up(header, status) => Role::Exhausted,
            Some(status) => status.role,
        }
    }

    /// Refuses a wait whose bad end leads to a status that the kind does not have.
    pub(crate) fn may_wait(&self, header: &Header, otherwise: OnDependencyFailure) -> Result<(), Reason> {
        let step = self.step_of(self.status(header)?);
        let has = |role| self.graph.code(step, role).is_some();
        match otherwise {
            OnDependencyFailure::Skip if !has(Role::Ignored) => Err(Self::missing(Role::Ignored)),
            OnDependencyFailure::Cancel => self.cancelled(header).map(drop),
            _ => Ok(()),
        }
    }

    pub(super) fn wait_for(header: &Header, others: u32) -> Decision {
        Decision::of(Header { waits: others, ..header.clone() })
    }

    /// A task hears of one that it waits for. What has ended itself is left as it is.
    pub(super) fn hear(&self, old: &Header, hear: &ResolveDependency) -> Decision {
        let mut header = old.clone();
        let mut history = Vec::new();
        header.waits = header.waits.saturating_sub(u32::from(hear.heard.over));
        let open = header.lease.is_none() && DependencyEnd::of(self.counts_as(&header)).is_none();
        if let Some(aside) = hear.heard.aside.filter(|_| open) {
            let (roles, ending) = match aside {
                SetAside::Ignore => ([Role::Ignored, Role::Cancelled], AttemptStatus::Ignored),
                SetAside::Cancel => ([Role::Cancelled, Role::Ignored], AttemptStatus::Cancelled),
            };
            let step = self.graph.status(header.code).map_or(0, |status| self.step_of(status));
            let ended = StoredAttempt {
                fence: hear.fence,
                attempt: header.attempts,
                step,
                worker: "by a dependency".to_owned(),
                started: self.now,
                ended: self.now,
                run: None,
                ending,
                failure: Some(Failure::new(&hear.reason)),
                remarks: AttemptNotes::default(),
            };
            header.book(ended, &mut history);
            match roles.into_iter().find_map(|role| self.graph.code(step, role)) {
                Some(code) => header.enter(code, self.now, self.now),
                None => self.exhaust(&mut header, step),
            }
        }
        Decision { history, ..Decision::of(header) }
    }
}
