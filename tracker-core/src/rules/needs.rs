//! Tasks that wait for others: how these stand, and what the waiting ones make of it.

use super::{Decision, Ended, Ending, Failure, Header, Remarks, Rules};
use crate::{error::Reason, status::Role};

/// What becomes of a task if one that it waits for ends without success: exhausted, ignored or cancelled.
///
/// Whatever is chosen, a success of the other one always counts, also a late one after a requeue. If the other one is
/// deleted before it has succeeded, it cannot come any more: tasks that would wait are skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Otherwise {
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
pub(crate) enum News {
    /// It succeeded.
    Done,
    /// It ended in this role.
    Missed(Role),
    /// It is deleted.
    Gone,
}

/// What a task does about news of one that it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    /// It waits for that one no more.
    pub over: bool,
    pub aside: Option<Aside>,
}

impl Heard {
    /// It goes on waiting.
    pub(crate) const NOTHING: Self = Self { over: false, aside: None };
}

/// How a task is set aside that waited in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aside {
    Ignore,
    Cancel,
}

/// The same for one task, with what stands in its history.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Hear {
    pub heard: Heard,
    pub fence: u64,
    pub reason: String,
}

impl Otherwise {
    /// All choices.
    pub const ALL: [Self; 4] = [Self::Wait, Self::Skip, Self::Cancel, Self::Run];

    pub(crate) fn hears(self, news: News) -> Heard {
        let aside = match (self, news) {
            (Self::Run, _) | (_, News::Done) | (Self::Wait, News::Missed(_)) => None,
            (Self::Wait, News::Gone) | (Self::Skip, _) => Some(Aside::Ignore),
            (Self::Cancel, _) => Some(Aside::Cancel),
        };
        Heard { over: self == Self::Run || !matches!(news, News::Missed(_)), aside }
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

impl News {
    /// What a role means to those that wait for an end.
    pub(crate) fn of(role: Role) -> Option<Self> {
        match role {
            Role::Succeeded => Some(Self::Done),
            Role::Exhausted | Role::Ignored | Role::Cancelled => Some(Self::Missed(role)),
            Role::Pending | Role::InProgress | Role::Failed | Role::Parked => None,
        }
    }

    /// What is new when one that counted as the first role counts as the second one; `None` is a task that is not there.
    pub(crate) fn between(before: Option<Role>, after: Option<Role>) -> Option<Self> {
        let before = before?;
        match after.map(Self::of) {
            None => (Self::of(before) != Some(Self::Done)).then_some(Self::Gone),
            Some(now) if now == Self::of(before) => None,
            Some(now) => now,
        }
    }

    /// What is left to tell where two are: a success stands, else the later one counts.
    pub(crate) fn and(self, later: Self) -> Self {
        if self == Self::Done { self } else { later }
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
    pub(crate) fn may_wait(&self, header: &Header, otherwise: Otherwise) -> Result<(), Reason> {
        let step = self.step_of(self.status(header)?);
        let has = |role| self.graph.code(step, role).is_some();
        match otherwise {
            Otherwise::Skip if !has(Role::Ignored) => Err(Self::missing(Role::Ignored)),
            Otherwise::Cancel => self.cancelled(header).map(drop),
            _ => Ok(()),
        }
    }

    pub(super) fn wait_for(header: &Header, others: u32) -> Decision {
        Decision::of(Header { waits: others, ..header.clone() })
    }

    /// A task hears of one that it waits for. What has ended itself is left as it is.
    pub(super) fn hear(&self, old: &Header, hear: &Hear) -> Decision {
        let mut header = old.clone();
        let mut history = Vec::new();
        header.waits = header.waits.saturating_sub(u32::from(hear.heard.over));
        let open = header.lease.is_none() && News::of(self.counts_as(&header)).is_none();
        if let Some(aside) = hear.heard.aside.filter(|_| open) {
            let (roles, ending) = match aside {
                Aside::Ignore => ([Role::Ignored, Role::Cancelled], Ending::Ignored),
                Aside::Cancel => ([Role::Cancelled, Role::Ignored], Ending::Cancelled),
            };
            let step = self.graph.status(header.code).map_or(0, |status| self.step_of(status));
            let ended = Ended {
                fence: hear.fence,
                attempt: header.attempts,
                step,
                worker: "by a dependency".to_owned(),
                started: self.now,
                ended: self.now,
                run: None,
                ending,
                failure: Some(Failure::new(&hear.reason)),
                remarks: Remarks::default(),
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
