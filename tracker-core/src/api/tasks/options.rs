//! `SubmitOptions` and `StartOptions` are the options of submits and starts. Made by users and `tracker-cli`, read by `api/tasks`; `api/group`,
//! `api/transaction` and `api/deferred` pass them on, and `worker` starts with the default. Plain data; `SubmitOptions` also computes the due time
//! and refuses invalid throttles and debounces, and calls the `TaskId` of the user's types.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Tasks;
use crate::{
    api::{batch::Batch, schema::Schema},
    model::{
        durability::Durability,
        error::{Error, Result},
        new_task::{DependencyRef, NewDependency},
        status::TaskStatus,
        task::TaskId,
        throttle::Throttle,
        time::{Micros, micros_at, micros_of},
        trace_context::TraceContext,
        transition::OnDependencyFailure,
    },
};

/// How a task is submitted.
#[derive(Clone, Debug, Default)]
pub struct SubmitOptions {
    due: Option<Due>,
    pub(super) priority: Option<u8>,
    durability: Option<Durability>,
    pub(super) batch: Option<u64>,
    pub(super) dependencies: Vec<NewDependency>,
    pub(super) trace: Option<Arc<TraceContext>>,
    throttle: Option<Throttle>,
}

#[derive(Clone, Copy, Debug)]
enum Due {
    At(DateTime<Utc>),
    In(Duration),
    Debounced { delay: Duration, max_wait: Duration },
}

impl SubmitOptions {
    /// Returns the default options: due at once, with the kind's priority.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the due time.
    #[must_use]
    pub fn at(mut self, time: DateTime<Utc>) -> Self {
        self.due = Some(Due::At(time));
        self
    }

    /// Sets the due time to `delay` after the submit.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.due = Some(Due::In(delay));
        self
    }

    /// Debounces the submits of a task: it is due `delay` after the last of them, and at most `max_wait` after the first one of the time
    /// that it waits. In place of [`Self::at`] and [`Self::delay`].
    ///
    /// - A new task, and one that has ended or failed, waits for `delay`. The latter starts again.
    /// - A submit of a waiting task replaces its payload and moves its due time.
    /// - A submit of a running task waits for the end of the attempt, then for its own due time; `max_wait` counts from the start of the
    ///   attempt.
    /// - With a fingerprint, an unchanged task starts again only while it waits: a repeated submit after the end has no effect. Without one,
    ///   each submit is a change.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # use std::time::Duration;
    /// # use tracker_core::{Tracker, submit::SubmitOptions, time::ManualClock};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let clock = ManualClock::new();
    /// # let tracker = Tracker::options().clock(clock.clone()).in_memory()?;
    /// # let jobs = tracker.tasks::<Job>()?;
    /// // Index a page once it has not changed for 5 seconds, at the latest after a minute of changes.
    /// let settled = SubmitOptions::new().debounce(Duration::from_secs(5), Duration::from_secs(60));
    /// jobs.submit_with(&job("page"), &settled)?;
    /// clock.advance(Duration::from_secs(4));
    /// jobs.submit_with(&job("page"), &settled)?;
    /// clock.advance(Duration::from_secs(4));
    /// assert!(jobs.claim()?.is_none());
    /// clock.advance(Duration::from_secs(1));
    /// assert!(jobs.claim()?.is_some());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The submit is refused with [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if `delay` is zero or longer than `max_wait`.
    #[must_use]
    pub fn debounce(mut self, delay: Duration, max_wait: Duration) -> Self {
        self.due = Some(Due::Debounced { delay, max_wait });
        self
    }

    /// Throttles submits: of those with the same key, one is accepted per `period`, for all tasks of the kind and all processes. One that comes
    /// within the period after an accepted one is dropped and answered with [`Submission::Throttled`](crate::Submission::Throttled) and the id
    /// of the accepted task.
    ///
    /// - A task that exists already is answered as without a throttle, and takes no part in it. So a submit that is repeated after a lost
    ///   answer is [`Submission::Existing`](crate::Submission::Existing). One that starts again with a changed fingerprint counts as a new one.
    /// - The time of the accepted submit is stored in its commit. It stays if its task ends or is deleted.
    /// - Where submits differ in their period, that of the accepted one counts.
    /// - [`Tasks::submit_all_with`] uses one key for all its tasks, so that one of them is accepted.
    /// - A relaxed submit is answered before it is known whether it is throttled.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # use std::time::Duration;
    /// # use tracker_core::{Submission, Tracker, submit::SubmitOptions, time::ManualClock};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let clock = ManualClock::new();
    /// # let tracker = Tracker::options().clock(clock.clone()).in_memory()?;
    /// # let jobs = tracker.tasks::<Job>()?;
    /// // At most one message per user and hour.
    /// let hourly = SubmitOptions::new().throttle("user-7", Duration::from_secs(3600));
    /// assert_eq!(jobs.submit_with(&job("message-1"), &hourly)?.submission, Submission::New);
    /// let second = jobs.submit_with(&job("message-2"), &hourly)?;
    /// assert_eq!((second.submission, second.id.to_string().as_str()), (Submission::Throttled, "message-1"));
    ///
    /// clock.advance(Duration::from_secs(3600));
    /// assert_eq!(jobs.submit_with(&job("message-2"), &hourly)?.submission, Submission::New);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The submit is refused with [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if `period` is less than a microsecond, the key is empty
    /// or longer than 1,024 bytes, or the submit is debounced too.
    #[must_use]
    pub fn throttle(mut self, key: impl TaskId, period: Duration) -> Self {
        self.throttle = Some(Throttle { key: key.to_key(), period: micros_of(period) });
        self
    }

    /// Sets the priority, 0 to 255. A higher one is claimed first.
    #[must_use]
    pub fn priority(mut self, priority: u8) -> Self {
        self.priority = Some(priority);
        self
    }

    /// Sets when the submit is answered, in place of the option of the tracker. A relaxed submit is answered with
    /// [`Submission::Queued`](crate::Submission::Queued). A task with a generated id and unique keys is always answered
    /// when it is on disk, since the receipt names its row. So are the tasks of `submit_all_with`.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = Some(durability);
        self
    }

    /// Whether the submit is answered once it is queued.
    pub(crate) fn is_relaxed(&self, tracker: Durability) -> bool {
        self.durability.unwrap_or(tracker) == Durability::Relaxed
    }

    /// Adds the task to a batch. A task that exists joins the batch too, unless it is in another batch that is not over.
    #[must_use]
    pub fn batch(mut self, batch: &Batch) -> Self {
        self.batch = Some(batch.number());
        self
    }

    /// Adds a dependency: the task waits until another task, of any kind, has succeeded. `on_failure` sets the effect on this task if the
    /// dependency is exhausted, ignored or cancelled, or is so already. With several dependencies (at most 1,000), the task waits for all.
    ///
    /// The task becomes startable in the commit that ends its last dependency. If more than a thousand tasks depend on the same one, the
    /// others follow in the next commits. A dependency that has succeeded stays satisfied, also if it is requeued. A task that exists
    /// already is not changed, and waits only if it is new or starts again.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use tracker_core::{TaskStatus, TrackedTask, Tracker};
    /// # #[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
    /// # enum Status { Pending = 1, InProgress = 2, Failed = 3, Succeeded = 4, Ignored = 5 }
    /// # #[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
    /// # #[task(name = "job", status = Status)]
    /// # struct Job { #[task(id)] name: String }
    /// # fn job(name: &str) -> Job { Job { name: name.into() } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tracker = Tracker::in_memory()?;
    /// # let jobs = tracker.tasks::<Job>()?;
    /// use tracker_core::{dependency::OnDependencyFailure, submit::SubmitOptions};
    ///
    /// jobs.submit(&job("bake"))?;
    /// jobs.submit_with(&job("eat"), &SubmitOptions::new().after(&jobs, "bake", OnDependencyFailure::Skip))?;
    /// jobs.submit_with(&job("clean"), &SubmitOptions::new().after(&jobs, "bake", OnDependencyFailure::Run))?;
    /// assert_eq!(jobs.explain("eat")?.to_string(), "it waits for 1 other: job \"bake\"");
    ///
    /// jobs.start("bake")?.give_up("no flour")?;
    /// assert_eq!(jobs.get("eat")?.map(|record| record.status), Some(Status::Ignored));
    /// assert_eq!(jobs.claim()?.map(|job| job.name.clone()), Some("clean".into()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The submit is refused:
    /// - with [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if there is no such task;
    /// - with [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) if that task depends on the submitted one (dependency cycle);
    /// - with [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the status type of the submitted task lacks the status to which `on_failure` leads.
    #[must_use]
    pub fn after<N: Schema>(mut self, tasks: &Tasks<N>, id: impl TaskId, on_failure: OnDependencyFailure) -> Self {
        let on = DependencyRef::Task { kind: tasks.kind_id(), id: id.to_key() };
        self.dependencies.push(NewDependency { on, on_failure });
        self
    }

    /// Adds a dependency on a batch: the task waits until the batch is over and all its tasks have succeeded. `on_failure` sets the effect
    /// if some have not. See [`SubmitOptions::after`].
    #[must_use]
    pub fn after_batch(mut self, batch: &Batch, on_failure: OnDependencyFailure) -> Self {
        self.dependencies.push(NewDependency { on: DependencyRef::Batch(batch.number()), on_failure });
        self
    }

    /// Stores the trace context of the caller with the task, so that its handler can continue the trace. A task that exists already keeps its
    /// own, unless its fingerprint has changed.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # use tracker_core::Tracker;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tracker = Tracker::in_memory()?;
    /// # let jobs = tracker.tasks::<Job>()?;
    /// use tracker_core::submit::{SubmitOptions, TraceContext};
    ///
    /// let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"; // from a header of a request
    /// let context: TraceContext = traceparent.parse()?;
    /// jobs.submit_with(&job("one"), &SubmitOptions::new().trace_context(context))?;
    ///
    /// let execution = jobs.claim()?.expect("it was submitted");
    /// assert_eq!(execution.trace_context().map(ToString::to_string).as_deref(), Some(traceparent));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn trace_context(mut self, context: TraceContext) -> Self {
        self.trace = Some(Arc::new(context));
        self
    }

    /// Whether the task joins a batch or depends on another task.
    pub(crate) fn joins_or_depends(&self) -> bool {
        self.batch.is_some() || !self.dependencies.is_empty()
    }

    pub(super) fn due(&self, now: Micros) -> Option<Micros> {
        self.due.map(|due| match due {
            Due::At(time) => micros_at(time),
            Due::In(delay) | Due::Debounced { delay, .. } => now.saturating_add(micros_of(delay)),
        })
    }

    /// The throttle, checked.
    pub(super) fn checked_throttle(&self) -> Result<Option<Throttle>> {
        let Some(throttle) = &self.throttle else { return Ok(None) };
        throttle.check()?;
        if matches!(self.due, Some(Due::Debounced { .. })) {
            return Err(Error::invalid(
                "a submit cannot be both throttled and debounced: the one drops later submits, the other delays the first",
            ));
        }
        Ok(Some(throttle.clone()))
    }

    /// How long further submits can move the due time, if the submits are debounced.
    pub(super) fn max_wait(&self) -> Result<Option<Micros>> {
        match self.due {
            Some(Due::Debounced { delay, max_wait }) if delay.is_zero() || delay > max_wait => {
                Err(Error::invalid(format!(
                    "cannot debounce a submit by {delay:?} for at most {max_wait:?}: the delay must be more than zero and at most as long"
                )))
            }
            Some(Due::Debounced { max_wait, .. }) => Ok(Some(micros_of(max_wait))),
            _ => Ok(None),
        }
    }
}

/// How a task is started by its id.
#[derive(Clone, Debug)]
pub struct StartOptions<S> {
    pub(super) steal_lease: bool,
    pub(super) force: bool,
    pub(super) token: Option<Uuid>,
    pub(super) startable: Option<Vec<S>>,
    pub(super) lease: Option<Duration>,
}

impl<S> Default for StartOptions<S> {
    fn default() -> Self {
        Self { steal_lease: false, force: false, token: None, startable: None, lease: None }
    }
}

impl<S: TaskStatus> StartOptions<S> {
    /// Returns the default options, with which all rules of the kind apply.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the task away from its owner, whose calls then return `LeaseLost`.
    #[must_use]
    pub fn steal_lease(mut self) -> Self {
        self.steal_lease = true;
        self
    }

    /// Starts the task from any terminal status, and resets its counters of failures and crashes. Does not imply [`Self::steal_lease`].
    #[must_use]
    pub fn force(mut self) -> Self {
        self.force = true;
        self
    }

    /// Enters the caller's own lease again, which gets a new token and fence. An execution of the old token has lost its lease.
    #[must_use]
    pub fn reenter(mut self, token: Uuid) -> Self {
        self.token = Some(token);
        self
    }

    /// Sets further statuses from which the task may start, besides those of its step, in place of the further ones of the kind.
    #[must_use]
    pub fn startable(mut self, statuses: impl IntoIterator<Item = S>) -> Self {
        self.startable = Some(statuses.into_iter().collect());
        self
    }

    /// Sets how long the lease lasts, in place of the kind's. At least 1 ms.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = Some(lease);
        self
    }
}
