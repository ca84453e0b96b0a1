use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    durability::Durability,
    status::TaskStatus,
    time::{Micros, micros_at, micros_of},
};

/// How a task is submitted.
#[derive(Clone, Copy, Debug, Default)]
pub struct SubmitOptions {
    due: Option<Due>,
    pub(super) priority: Option<u8>,
    durability: Option<Durability>,
}

#[derive(Clone, Copy, Debug)]
enum Due {
    At(DateTime<Utc>),
    In(Duration),
}

impl SubmitOptions {
    /// Due at once, with the kind's priority.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Due at this time.
    #[must_use]
    pub fn at(mut self, time: DateTime<Utc>) -> Self {
        self.due = Some(Due::At(time));
        self
    }

    /// Due after this time.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.due = Some(Due::In(delay));
        self
    }

    /// Higher first, 0 to 255.
    #[must_use]
    pub fn priority(mut self, priority: u8) -> Self {
        self.priority = Some(priority);
        self
    }

    /// When the submit is answered, in place of what the tracker was opened with. A relaxed one is told as
    /// [`Submission::Queued`](crate::Submission::Queued). Tasks without an id of their own, but with unique keys, are
    /// always answered when they are on disk: the receipt names the row.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = Some(durability);
        self
    }

    /// Whether the submit is answered once it is queued.
    pub(crate) fn is_relaxed(&self, tracker: Durability) -> bool {
        self.durability.unwrap_or(tracker) == Durability::Relaxed
    }

    pub(super) fn due(&self, now: Micros) -> Option<Micros> {
        self.due.map(|due| match due {
            Due::At(time) => micros_at(time),
            Due::In(delay) => now.saturating_add(micros_of(delay)),
        })
    }
}

/// How a task is started by its id.
#[derive(Clone, Debug)]
pub struct StartOptions<S> {
    pub(super) ignore_lease: bool,
    pub(super) force: bool,
    pub(super) token: Option<Uuid>,
    pub(super) extra: Option<Vec<S>>,
    pub(super) lease: Option<Duration>,
}

impl<S> Default for StartOptions<S> {
    fn default() -> Self {
        Self { ignore_lease: false, force: false, token: None, extra: None, lease: None }
    }
}

impl<S: TaskStatus> StartOptions<S> {
    /// By the rules.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the task away from whoever holds it; he gets `LeaseLost`.
    #[must_use]
    pub fn ignore_lease(mut self) -> Self {
        self.ignore_lease = true;
        self
    }

    /// Starts from any terminal status, with nothing held against the task. Does not imply [`Self::ignore_lease`].
    #[must_use]
    pub fn force(mut self) -> Self {
        self.force = true;
        self
    }

    /// Enters the caller's own lease again: a new token and fence, and the old guard is lost.
    #[must_use]
    pub fn token(mut self, token: Uuid) -> Self {
        self.token = Some(token);
        self
    }

    /// Further statuses to start from; they replace the kind's.
    #[must_use]
    pub fn extra(mut self, statuses: impl IntoIterator<Item = S>) -> Self {
        self.extra = Some(statuses.into_iter().collect());
        self
    }

    /// How long the lease lasts instead of the kind's. At least 1 ms.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = Some(lease);
        self
    }
}
