use std::{
    collections::BTreeMap,
    error::Error as StdError,
    fmt,
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{
    __private::join_encoded,
    body::{IntoOutcome, RunError, finish_body},
    engine::{Action, Claim, NewTask, Pause, Prune, Scope, StartById, SubmitAndStart, Submitted, Target, TaskCommand},
    error::{Error, ErrorKind, Result},
    execution::{Execution, failure_of},
    payload,
    query::Query,
    record::{Raw, Record},
    rules::{Command, Explanation, Header, Outcome, Requeue, Situation, Start, Told},
    status::TaskStatus,
    store::{Kind, position},
    task::{IndexValue, TaskId, TaskKey, TrackedTask},
    ticket::Ticket,
    time::{Micros, micros_at, micros_of},
    tracker::{Opened, Shared},
    worker::Worker,
};

/// The tasks of one kind. Cheap to clone and to share.
pub struct Tasks<T: TrackedTask> {
    pub(crate) shared: Arc<Shared>,
    kind: u32,
    name: Arc<str>,
    /// The step that claims and starts are about; none is chosen yet on a kind of several steps.
    step: Option<u16>,
    worker: Arc<str>,
    opened: Arc<Opened>,
    types: PhantomData<fn() -> T>,
}

/// What a submit found or made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// The id of the row.
    pub id: TaskKey,
    /// Whether it is new.
    pub submission: Submission,
}

/// What a submit did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Submission {
    /// The task is new.
    New,
    /// It was there, and goes on as it was. A changed fingerprint has replaced its payload, or waits for the end of its run.
    Existing,
    /// It was there with another fingerprint, and starts again.
    Requeued,
}

impl From<Submitted> for Receipt {
    fn from(submitted: Submitted) -> Self {
        let submission = match submitted.told {
            Told::New => Submission::New,
            Told::Requeued => Submission::Requeued,
            Told::Existing | Told::Done => Submission::Existing,
        };
        Self { id: submitted.id, submission }
    }
}

/// How a task is submitted.
#[derive(Clone, Copy, Debug, Default)]
pub struct SubmitOptions {
    due: Option<Due>,
    priority: Option<u8>,
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

    fn due(&self, now: Micros) -> Option<Micros> {
        self.due.map(|due| match due {
            Due::At(time) => micros_at(time),
            Due::In(delay) => now.saturating_add(micros_of(delay)),
        })
    }
}

/// How a task is started by its id.
#[derive(Clone, Debug)]
pub struct StartOptions<S> {
    ignore_lease: bool,
    force: bool,
    token: Option<Uuid>,
    extra: Option<Vec<S>>,
    lease: Option<Duration>,
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

/// How many tasks there are in each status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    counts: BTreeMap<i32, u64>,
}

impl Counts {
    /// How many tasks have a status.
    #[must_use]
    pub fn get(&self, status: impl TaskStatus) -> u64 {
        self.counts.get(&status.code()).copied().unwrap_or(0)
    }

    /// How many tasks there are in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// The codes in use with their numbers, by code.
    pub fn iter(&self) -> impl Iterator<Item = (i32, u64)> + '_ {
        self.counts.iter().map(|(code, count)| (*code, *count))
    }
}

/// How many submits share one batch of [`Tasks::submit_all`].
const BATCH: usize = 4096;
/// How many bytes of payload they have at most.
const BATCH_BYTES: usize = 8 << 20;

impl<T: TrackedTask> Tasks<T> {
    pub(crate) fn new(shared: Arc<Shared>, kind: &Kind, opened: Arc<Opened>) -> Self {
        let step = (kind.graph.steps().len() == 1).then_some(0);
        let worker = format!("pid {}", std::process::id()).into();
        let name = kind.name.as_str().into();
        Self { shared, kind: kind.id, name, step, worker, opened, types: PhantomData }
    }

    /// The kind's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn kind_id(&self) -> u32 {
        self.kind
    }

    pub(crate) fn kind(&self) -> Result<Arc<Kind>> {
        self.shared.kind(self.kind)
    }

    /// The same tasks, for claims and starts under this worker name (at most 128 bytes). It stands in leases and histories.
    #[must_use]
    pub fn named(&self, worker: &str) -> Self {
        Self { worker: crate::store::shorten(worker.to_owned(), 128).into(), ..self.clone() }
    }

    /// One step of a pipeline: claims, starts and workers of the result are about it.
    ///
    /// # Errors
    /// `Invalid`: the status type has no such step.
    pub fn step(&self, name: &str) -> Result<Self> {
        let kind = self.kind()?;
        let step = kind.graph.step_named(name).ok_or_else(|| {
            let known: Vec<_> = kind.graph.steps().collect();
            Error::invalid(format!("kind {:?} has no step {name:?}; it has {known:?}", kind.name))
        })?;
        Ok(Self { step: Some(step), ..self.clone() })
    }

    /// Puts a task in. One whose id or unique key exists is never reset, unless its fingerprint changed.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use tracker_core::{Submission, TaskStatus, TrackedTask, Tracker};
    /// # #[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
    /// # enum Status { Pending = 1, InProgress = 2, Failed = 3, Succeeded = 4, Exhausted = 5 }
    /// # #[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
    /// # #[task(name = "job", status = Status)]
    /// # struct Job { #[task(id)] name: String, #[task(index)] host: String, result: Option<u32> }
    /// # fn job(name: &str) -> Job { Job { name: name.into(), host: "a".into(), result: None } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tracker = Tracker::in_memory()?;
    /// # let jobs = tracker.tasks::<Job>()?;
    /// assert_eq!(jobs.submit(&job("one"))?.submission, Submission::New);
    /// assert_eq!(jobs.submit(&job("one"))?.submission, Submission::Existing);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Conflict` if its id and a unique key belong to different tasks; `Invalid` for an empty id; `TooLarge`; `Unwritable`.
    pub fn submit(&self, task: &T) -> Result<Receipt> {
        self.submit_with(task, &SubmitOptions::default())
    }

    /// Puts a task in with a due time or a priority of its own.
    ///
    /// # Errors
    /// As [`Tasks::submit`].
    pub fn submit_with(&self, task: &T, options: &SubmitOptions) -> Result<Receipt> {
        Ok(self.shared.engine.call(self.new_task_with(task, options)?)?.into())
    }

    pub(crate) fn new_task(&self, task: &T) -> Result<NewTask> {
        self.new_task_with(task, &SubmitOptions::default())
    }

    pub(crate) fn new_task_with(&self, task: &T, options: &SubmitOptions) -> Result<NewTask> {
        let due = options.due(self.shared.engine.now());
        payload::new_task(&*self.kind()?, task, due, options.priority)
    }

    /// Puts many tasks in, in batches of bounded memory. When it returns, all are durable; how many were new, were there,
    /// or start again is told. Run it again after an interruption: what is there stays.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use tracker_core::{TaskStatus, TrackedTask, Tracker};
    /// # #[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
    /// # enum Status { Pending = 1, InProgress = 2, Failed = 3, Succeeded = 4, Exhausted = 5 }
    /// # #[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
    /// # #[task(name = "job", status = Status)]
    /// # struct Job { #[task(id)] name: String, #[task(index)] host: String, result: Option<u32> }
    /// # fn job(name: &str) -> Job { Job { name: name.into(), host: "a".into(), result: None } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tracker = Tracker::in_memory()?;
    /// # let jobs = tracker.tasks::<Job>()?;
    /// let summary = jobs.submit_all((0..10_000).map(|number| job(&number.to_string())))?;
    /// assert_eq!(summary.new, 10_000);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Tasks::submit`], at the first task that fails; the batches before it stand.
    pub fn submit_all<B: std::borrow::Borrow<T>>(&self, tasks: impl IntoIterator<Item = B>) -> Result<SubmitSummary> {
        let kind = self.kind()?;
        let mut summary = SubmitSummary::default();
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for task in tasks {
            let new = payload::new_task(&kind, task.borrow(), None, None)?;
            bytes += new.payload.len();
            batch.push(new);
            if batch.len() >= BATCH || bytes >= BATCH_BYTES {
                self.submit_batch(std::mem::take(&mut batch), &mut summary)?;
                bytes = 0;
            }
        }
        self.submit_batch(batch, &mut summary)?;
        Ok(summary)
    }

    fn submit_batch(&self, batch: Vec<NewTask>, summary: &mut SubmitSummary) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        for submitted in self.shared.engine.call_all(batch)? {
            match Receipt::from(submitted?).submission {
                Submission::New => summary.new += 1,
                Submission::Existing => summary.existing += 1,
                Submission::Requeued => summary.requeued += 1,
            }
        }
        Ok(())
    }

    /// Puts a task in and starts it, in one commit: either both or neither.
    ///
    /// # Errors
    /// As [`Tasks::submit`] and [`Tasks::start`].
    pub fn submit_and_start(&self, task: &T) -> Result<Execution<T>> {
        let kind = self.kind()?;
        let start = self.start_command(&kind, &StartOptions::default(), false)?;
        let action = SubmitAndStart { new: self.new_task(task)?, start };
        let (_, claimed) = self.shared.engine.call(action)?;
        Execution::new(&self.shared, &kind, claimed)
    }

    pub(crate) fn start_command(&self, kind: &Kind, options: &StartOptions<T::Status>, by_line: bool) -> Result<Start> {
        let step = self.step.ok_or_else(|| {
            Error::invalid(format!(
                "kind {:?} has several steps: name one, as in tasks.step(\"…\")?.claim()",
                kind.name
            ))
        })?;
        let lease = options.lease.unwrap_or(kind.policy.lease);
        if lease < Duration::from_millis(1) {
            return Err(Error::invalid("the lease is shorter than a millisecond: give at least one"));
        }
        let extra = match &options.extra {
            Some(extra) => extra.iter().map(|status| status.code()).collect(),
            None => kind.policy.startable.to_vec(),
        };
        Ok(Start {
            step,
            extra,
            fence: 0,
            token: Uuid::nil(),
            worker: self.worker.to_string(),
            instance: self.shared.engine.instance(),
            lease,
            by_line,
            ignore_lease: options.ignore_lease,
            force: options.force,
            reenter: options.token,
            begun: true,
            chance: 0.5,
        })
    }

    /// Takes the next task of the line: by priority, then due time, then submission. `None` if nothing is due.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use tracker_core::{TaskStatus, TrackedTask, Tracker};
    /// # #[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
    /// # enum Status { Pending = 1, InProgress = 2, Failed = 3, Succeeded = 4, Exhausted = 5 }
    /// # #[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
    /// # #[task(name = "job", status = Status)]
    /// # struct Job { #[task(id)] name: String, #[task(index)] host: String, result: Option<u32> }
    /// # fn job(name: &str) -> Job { Job { name: name.into(), host: "a".into(), result: None } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tracker = Tracker::in_memory()?;
    /// # let jobs = tracker.tasks::<Job>()?;
    /// # jobs.submit(&job("one"))?;
    /// while let Some(mut job) = jobs.claim()? {
    ///     job.result = Some(7);
    ///     job.succeed()?;
    /// }
    /// assert_eq!(jobs.counts()?.get(Status::Succeeded), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Invalid` on a kind of several steps, `Unreadable` if the task cannot be decoded (it is then out of the line).
    pub fn claim(&self) -> Result<Option<Execution<T>>> {
        self.claim_with(&StartOptions::default())
    }

    /// Takes the next task, with further statuses to start from or a lease of its own. The options about one task's
    /// state have no meaning here.
    ///
    /// # Errors
    /// As [`Tasks::claim`].
    pub fn claim_with(&self, options: &StartOptions<T::Status>) -> Result<Option<Execution<T>>> {
        let kind = self.kind()?;
        let start =
            Start { ignore_lease: false, force: false, reenter: None, ..self.start_command(&kind, options, true)? };
        let claims = self.shared.engine.call(Claim { kind: self.kind, start, most: 1, suspects: true })?;
        claims.tasks.into_iter().next().map(|claimed| Execution::new(&self.shared, &kind, claimed)).transpose()
    }

    /// Starts a task by its id, due or not.
    ///
    /// # Errors
    /// A refusal that says why: see [`Reason`](crate::Reason).
    pub fn start(&self, id: impl TaskId) -> Result<Execution<T>> {
        self.start_with(id, &StartOptions::default())
    }

    /// Starts a task by its id, with options.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use tracker_core::{ErrorKind, StartOptions, TaskStatus, TrackedTask, Tracker};
    /// # #[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
    /// # enum Status { Pending = 1, InProgress = 2, Failed = 3, Succeeded = 4, Exhausted = 5 }
    /// # #[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
    /// # #[task(name = "job", status = Status)]
    /// # struct Job { #[task(id)] name: String, #[task(index)] host: String, result: Option<u32> }
    /// # fn job(name: &str) -> Job { Job { name: name.into(), host: "a".into(), result: None } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tracker = Tracker::in_memory()?;
    /// # let jobs = tracker.tasks::<Job>()?;
    /// # jobs.submit(&job("one"))?;
    /// let mut job = jobs.start("one")?;
    /// job.succeed()?;
    /// assert_eq!(jobs.start("one").unwrap_err().kind(), ErrorKind::AlreadySucceeded);
    /// let again = jobs.start_with("one", &StartOptions::new().force())?;
    /// assert_eq!(again.attempt(), 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Tasks::start`].
    pub fn start_with(&self, id: impl TaskId, options: &StartOptions<T::Status>) -> Result<Execution<T>> {
        let kind = self.kind()?;
        let start = self.start_command(&kind, options, false)?;
        let action = StartById { kind: self.kind, target: Target::Id(id.to_key()), start };
        Execution::new(&self.shared, &kind, self.shared.engine.call(action)?)
    }

    /// Starts a task by its id, runs `body`, and stores the outcome: success with the changed task, or the failure.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use tracker_core::{TaskStatus, TrackedTask, Tracker};
    /// # #[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
    /// # enum Status { Pending = 1, InProgress = 2, Failed = 3, Succeeded = 4, Exhausted = 5 }
    /// # #[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
    /// # #[task(name = "job", status = Status)]
    /// # struct Job { #[task(id)] name: String, #[task(index)] host: String, result: Option<u32> }
    /// # fn job(name: &str) -> Job { Job { name: name.into(), host: "a".into(), result: None } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tracker = Tracker::in_memory()?;
    /// # let jobs = tracker.tasks::<Job>()?;
    /// # jobs.submit(&job("one"))?;
    /// jobs.run("one", |job| {
    ///     job.result = Some("7".parse()?);
    ///     Ok::<_, std::num::ParseIntError>(())
    /// })?;
    /// assert_eq!(jobs.get("one")?.and_then(|record| record.task.result), Some(7));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Refused, the body's own error, a lost lease, or a failure of the storage.
    ///
    /// # Panics
    /// With the panic of `body`, after it was stored as a failure.
    pub fn run<R, E>(
        &self,
        id: impl TaskId,
        body: impl FnOnce(&mut Execution<T>) -> Result<R, E>,
    ) -> Result<(), RunError>
    where
        R: IntoOutcome,
        E: Into<Box<dyn StdError + Send + Sync>> + fmt::Debug,
    {
        self.run_with(id, &StartOptions::default(), body)
    }

    /// The same with options for the start.
    ///
    /// # Errors
    /// As [`Tasks::run`].
    ///
    /// # Panics
    /// As [`Tasks::run`].
    pub fn run_with<R, E>(
        &self,
        id: impl TaskId,
        options: &StartOptions<T::Status>,
        body: impl FnOnce(&mut Execution<T>) -> Result<R, E>,
    ) -> Result<(), RunError>
    where
        R: IntoOutcome,
        E: Into<Box<dyn StdError + Send + Sync>> + fmt::Debug,
    {
        let mut execution = self.start_with(id, options).map_err(RunError::from_start)?;
        let result = catch_unwind(AssertUnwindSafe(|| body(&mut execution)));
        let finished = finish_body(&mut execution, result);
        let stored = match finished.action {
            Some(Ok(action)) => self.shared.engine.call(action).map(drop),
            Some(Err(error)) => Err(error),
            None => Ok(()),
        };
        if let Some(panic) = finished.panic {
            resume_unwind(panic);
        }
        if let Err(error) = stored {
            // The outcome is not to be had for this task, and nobody can ask again: that is its failure.
            if error.is_refusal() && error.kind() != ErrorKind::LeaseLost {
                let failure = failure_of(&error);
                let failed = execution.end(Outcome::Fail { retry_in: None }, Some(failure), false);
                failed.map_err(RunError::from_end)?;
                return Err(RunError::Body(error.into()));
            }
            return Err(RunError::from_end(error));
        }
        finished.error.map_or(Ok(()), |error| Err(RunError::Body(error)))
    }

    /// Takes up the execution that a ticket stands for.
    ///
    /// # Errors
    /// `LeaseLost` if its lease ran out and was taken, or it was taken up already and ended; `NotFound`; `Invalid` if the
    /// ticket is of another kind.
    pub fn resume(&self, ticket: &Ticket) -> Result<Execution<T>> {
        if ticket.kind() != self.name() {
            return Err(Error::invalid(format!(
                "the ticket is for kind {:?}, not for {:?}",
                ticket.kind(),
                self.name()
            )));
        }
        let kind = self.kind()?;
        let command = Command::Resume { owner: ticket.owner(), instance: self.shared.engine.instance(), lease: None };
        let action = Resume {
            command: TaskCommand::new(self.kind, Target::Id(ticket.id().clone()), command),
            ticket: ticket.clone(),
        };
        Execution::new(&self.shared, &kind, self.shared.engine.call(action)?)
    }

    /// The task with this id, and all that is known of it.
    ///
    /// # Errors
    /// `Unreadable` if it cannot be decoded.
    pub fn get(&self, id: impl TaskId) -> Result<Option<Record<T, T::Status>>> {
        let id = id.to_key();
        let found = self.shared.engine.read(|rows| match rows.with_id(self.kind, &id)? {
            None => Ok(None),
            Some(task) => {
                let Some(header) = rows.header(task)? else { return Ok(None) };
                let raw = Raw { past: rows.past(task)?, progress: rows.progress(task)?, header };
                Ok(Some((raw, rows.body_of(task)?)))
            }
        })?;
        found.map(|(raw, body)| self.record(raw, &body)).transpose()
    }

    /// The task that holds a unique key: its name (the fields' names joined with `_`) and the value of each field. A key
    /// declared `while = unfinished` finds only unfinished tasks.
    ///
    /// # Errors
    /// `Invalid` if there is no such key; `Unreadable` if the task cannot be decoded.
    pub fn get_by_key(&self, key: &str, values: &[&dyn IndexValue]) -> Result<Option<Record<T, T::Status>>> {
        let kind = self.kind()?;
        let number =
            kind.uniques.iter().position(|(name, _)| name == key).and_then(|number| u16::try_from(number).ok());
        let number = number.ok_or_else(|| Error::invalid(format!("kind {:?} has no unique key {key:?}", kind.name)))?;
        let mut encoded: Vec<Vec<u8>> = values.iter().map(|value| value.encoded()).collect();
        let value = if encoded.len() == 1 { encoded.remove(0) } else { join_encoded(&encoded) };
        let id = self.shared.engine.read(|rows| match rows.with_unique(self.kind, number, &value)? {
            Some(task) => Ok(Some(rows.body_of(task)?.id)),
            None => Ok(None),
        })?;
        id.map_or(Ok(None), |id| self.get(id))
    }

    pub(crate) fn record(&self, raw: Raw, body: &crate::store::Body) -> Result<Record<T, T::Status>> {
        let task = payload::decode(&self.name, &body.id, &body.payload)?;
        let code = raw.header.code;
        let status = T::Status::from_code(code).ok_or_else(|| {
            Error::new(
                ErrorKind::SchemaMismatch,
                format!("{} \"{}\" has the unknown status code {code}", self.name, body.id),
            )
        })?;
        Ok(raw.record(body.id.clone(), task, status))
    }

    /// Changes a task that nobody holds: reads it, runs `change` outside any transaction, and replaces the task if nobody
    /// else changed it meanwhile; else again. `change` may therefore run more than once.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use tracker_core::{TaskStatus, TrackedTask, Tracker};
    /// # #[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
    /// # enum Status { Pending = 1, InProgress = 2, Failed = 3, Succeeded = 4, Exhausted = 5 }
    /// # #[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
    /// # #[task(name = "job", status = Status)]
    /// # struct Job { #[task(id)] name: String, #[task(index)] host: String, result: Option<u32> }
    /// # fn job(name: &str) -> Job { Job { name: name.into(), host: "a".into(), result: None } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tracker = Tracker::in_memory()?;
    /// # let jobs = tracker.tasks::<Job>()?;
    /// # jobs.submit(&job("one"))?;
    /// jobs.update("one", |job| job.host = "b".into())?;
    /// assert_eq!(jobs.query().index("host", "b").total()?, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `NotFound`, `Leased`, `Invalid` if the id was changed.
    pub fn update(&self, id: impl TaskId, mut change: impl FnMut(&mut T)) -> Result<()> {
        let id = id.to_key();
        loop {
            match self.shared.engine.call(self.changed(&id, &mut change)?) {
                // Somebody changed it since it was read.
                Err(error) if error.kind() == ErrorKind::NotStartable => {}
                other => return other.map(drop),
            }
        }
    }

    /// Reads a task, changes it, and makes the command that stores it if nobody else changed it meanwhile.
    pub(crate) fn changed(&self, id: &TaskKey, change: &mut impl FnMut(&mut T)) -> Result<TaskCommand> {
        let read = self.shared.engine.read(|rows| {
            let Some(task) = rows.with_id(self.kind, id)? else { return Ok(None) };
            let Some(header) = rows.header(task)? else { return Ok(None) };
            Ok(Some((task, header.revision, rows.body_of(task)?)))
        })?;
        let Some((task, revision, body)) = read else {
            return Err(self.kind()?.refuse(id.clone(), crate::Reason::NotFound));
        };
        let mut value: T = payload::decode(&self.name, id, &body.payload)?;
        change(&mut value);
        let body = Some(payload::body(id, &value)?);
        let target = Target::Known(task, id.clone());
        Ok(TaskCommand { body, ..TaskCommand::new(self.kind, target, Command::Update { revision }) })
    }

    /// Makes a task startable again, with nothing held against it: in its current step.
    ///
    /// # Errors
    /// `NotFound`, `Leased`, `Conflict` if another unfinished task holds its unique key.
    pub fn requeue(&self, id: impl TaskId) -> Result<()> {
        self.command(id, Command::Requeue(Requeue::default()))
    }

    /// The same in the first step of a pipeline.
    ///
    /// # Errors
    /// As [`Tasks::requeue`].
    pub fn requeue_from_start(&self, id: impl TaskId) -> Result<()> {
        self.command(id, Command::Requeue(Requeue { from_start: true, ..Requeue::default() }))
    }

    /// Calls a task off. A waiting one is cancelled at once; a running one is told, and ends as cancelled unless it
    /// succeeds.
    ///
    /// # Errors
    /// `NotFound`; a refusal if it has ended; `MissingRole` if the status type has neither cancelled nor ignored.
    pub fn cancel(&self, id: impl TaskId) -> Result<()> {
        self.command(id, Command::Cancel)
    }

    /// Sets a task aside that nobody holds. The reason goes into its history.
    ///
    /// # Errors
    /// `NotFound`, `Leased`, a refusal if it has ended, `MissingRole`.
    pub fn ignore(&self, id: impl TaskId, reason: &str) -> Result<()> {
        self.command(id, Command::Ignore { fence: 0, reason: reason.to_owned() })
    }

    /// Moves a task between parked and startable statuses.
    ///
    /// # Errors
    /// `NotFound`, `Leased`, a refusal if it has ended or the status is neither parked nor startable.
    pub fn move_to(&self, id: impl TaskId, status: T::Status) -> Result<()> {
        self.command(id, Command::Move { code: status.code() })
    }

    /// Deletes a task that nobody holds, with its history.
    ///
    /// # Errors
    /// `NotFound`, `Leased`.
    pub fn remove(&self, id: impl TaskId) -> Result<()> {
        self.command(id, Command::Delete)
    }

    fn command(&self, id: impl TaskId, command: Command) -> Result<()> {
        self.shared.engine.call(TaskCommand::new(self.kind, Target::Id(id.to_key()), command)).map(drop)
    }

    /// Asks for tasks by status, index and order.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use tracker_core::{TaskStatus, TrackedTask, Tracker};
    /// # #[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
    /// # enum Status { Pending = 1, InProgress = 2, Failed = 3, Succeeded = 4, Exhausted = 5 }
    /// # #[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
    /// # #[task(name = "job", status = Status)]
    /// # struct Job { #[task(id)] name: String, #[task(index)] host: String, result: Option<u32> }
    /// # fn job(name: &str) -> Job { Job { name: name.into(), host: "a".into(), result: None } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tracker = Tracker::in_memory()?;
    /// # let jobs = tracker.tasks::<Job>()?;
    /// # jobs.submit(&job("one"))?;
    /// # jobs.submit(&job("two"))?;
    /// let page = jobs.query().status(Status::Pending).newest_first().limit(1).page()?;
    /// assert_eq!(page.items[0].task.name, "two");
    /// if let Some(cursor) = page.next {
    ///     let rest = jobs.query().status(Status::Pending).newest_first().after(cursor).fetch()?;
    ///     assert_eq!(rest[0].task.name, "one");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn query(&self) -> Query<'_, T> {
        Query::new(self)
    }

    /// How many tasks there are in each status: kept counters, no scan.
    ///
    /// # Errors
    /// A failure of the storage.
    pub fn counts(&self) -> Result<Counts> {
        let counts = self.shared.engine.read(|rows| rows.counts_of(self.kind))?;
        Ok(Counts { counts: counts.into_iter().collect() })
    }

    /// Why a task is not running: a value, and a sentence by its `Display`.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use tracker_core::{TaskStatus, TrackedTask, Tracker};
    /// # #[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
    /// # enum Status { Pending = 1, InProgress = 2, Failed = 3, Succeeded = 4, Exhausted = 5 }
    /// # #[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
    /// # #[task(name = "job", status = Status)]
    /// # struct Job { #[task(id)] name: String, #[task(index)] host: String, result: Option<u32> }
    /// # fn job(name: &str) -> Job { Job { name: name.into(), host: "a".into(), result: None } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tracker = Tracker::in_memory()?;
    /// # let jobs = tracker.tasks::<Job>()?;
    /// # jobs.submit(&job("one"))?;
    /// # jobs.submit(&job("two"))?;
    /// println!("{}", jobs.explain("two")?);
    /// assert_eq!(jobs.queue_position("two")?, Some(1));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `NotFound`.
    pub fn explain(&self, id: impl TaskId) -> Result<Explanation> {
        let (header, ahead, kind, now) = self.in_line(&id.to_key())?;
        Ok(kind.rules(now).explain(&header, &Situation { paused: kind.paused, ahead }))
    }

    /// How many tasks are before this one in the line; `None` if it does not wait or is not due.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn queue_position(&self, id: impl TaskId) -> Result<Option<u64>> {
        match self.explain(id)? {
            Explanation::InLine { ahead } => Ok(Some(ahead)),
            _ => Ok(None),
        }
    }

    fn in_line(&self, id: &TaskKey) -> Result<(Header, u64, Arc<Kind>, Micros)> {
        let now = self.shared.engine.now();
        let kind = self.kind()?;
        self.shared.engine.read(|rows| {
            let task = rows.with_id(self.kind, id)?.ok_or_else(|| kind.refuse(id.clone(), crate::Reason::NotFound))?;
            let header = rows.header(task)?.ok_or_else(|| kind.refuse(id.clone(), crate::Reason::NotFound))?;
            let place = position(&kind.graph, task, &header).line;
            let step = kind.rules(now).status(&header).map_or(0, |status| status.step);
            // A task that waits in the last status of a step belongs to the line of the next one.
            let starts = |step: &u16| kind.graph.startable(*step).contains(&header.code);
            let step = [step, step + 1].into_iter().find(starts).unwrap_or(step);
            let codes = kind.graph.startable(step);
            let ahead = if header.lease.is_none() { rows.ahead_of(place, &codes, now, u64::MAX)? } else { 0 };
            Ok((header, ahead, kind.clone(), now))
        })
    }

    /// Frees the tasks of this kind whose leases ran out, and says which.
    ///
    /// # Errors
    /// A failure of the storage.
    pub fn rescue(&self) -> Result<Vec<TaskKey>> {
        self.rescue_scope(Scope::Expired)
    }

    /// Frees the tasks that were claimed longer ago than this, leased or not, and fences their owners off.
    ///
    /// # Errors
    /// A failure of the storage.
    pub fn rescue_running_longer_than(&self, limit: Duration) -> Result<Vec<TaskKey>> {
        self.rescue_scope(Scope::RunningLongerThan(limit))
    }

    fn rescue_scope(&self, scope: Scope) -> Result<Vec<TaskKey>> {
        let rescue = crate::engine::Rescue { kind: Some(self.kind), scope };
        Ok(self.shared.engine.call(rescue)?.into_iter().map(|rescued| rescued.id).collect())
    }

    /// Deletes what the kind's retention says, in batches that do not keep others waiting; says how many tasks went.
    ///
    /// # Errors
    /// A failure of the storage.
    pub fn prune(&self) -> Result<u64> {
        let kind = self.kind()?;
        let rules = kind.policy.retention.iter().flat_map(|rule| {
            let statuses = kind.graph.statuses().iter().filter(|status| status.role == rule.role);
            statuses.map(|status| (status.code, rule.keep)).collect::<Vec<_>>()
        });
        let rules: Vec<_> = rules.collect();
        let mut pruned = 0;
        loop {
            let batch = self.shared.engine.call(Prune { kind: self.kind, rules: rules.clone(), most: 1_000 })?;
            pruned += batch as u64;
            if batch < 1_000 {
                return Ok(pruned);
            }
        }
    }

    /// Lets nothing be claimed from this kind until [`Tasks::unpause`]. Stands in the file.
    ///
    /// # Errors
    /// A failure of the storage.
    pub fn pause(&self) -> Result<()> {
        self.shared.engine.call(Pause { kind: self.kind, paused: true })
    }

    /// Ends a pause.
    ///
    /// # Errors
    /// A failure of the storage.
    pub fn unpause(&self) -> Result<()> {
        self.shared.engine.call(Pause { kind: self.kind, paused: false })
    }

    /// A worker for these tasks.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use tracker_core::{TaskStatus, TrackedTask, Tracker};
    /// # #[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
    /// # enum Status { Pending = 1, InProgress = 2, Failed = 3, Succeeded = 4, Exhausted = 5 }
    /// # #[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
    /// # #[task(name = "job", status = Status)]
    /// # struct Job { #[task(id)] name: String, #[task(index)] host: String, result: Option<u32> }
    /// # fn job(name: &str) -> Job { Job { name: name.into(), host: "a".into(), result: None } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tracker = Tracker::in_memory()?;
    /// # let jobs = tracker.tasks::<Job>()?;
    /// # jobs.submit_all((0..20).map(|number| job(&number.to_string())))?;
    /// let worker = jobs.worker().threads(4);
    /// let stop = worker.stop_handle(); // for a Ctrl-C handler
    /// let summary = worker.run(|job| {
    ///     job.result = Some(job.name.parse()?);
    ///     Ok::<_, std::num::ParseIntError>(())
    /// })?;
    /// assert_eq!(summary.succeeded, 20);
    /// # assert!(!stop.is_stopped());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn worker(&self) -> Worker<T> {
        Worker::new(self.clone())
    }
}

/// Takes an execution up, and reads what it is about.
struct Resume {
    command: TaskCommand,
    ticket: Ticket,
}

impl Action for Resume {
    type Out = crate::engine::Claimed;

    fn run(&self, writer: &mut crate::engine::Writer<'_>) -> Result<Self::Out> {
        let kind = writer.kind(self.command.kind)?;
        let (task, id) = self.command.target.find(writer, &kind)?;
        let header = self.command.run(writer)?.ok_or_else(|| kind.refuse(id, crate::Reason::NotFound))?;
        let body = writer.rows().body_of(task)?;
        Ok(crate::engine::Claimed { task, owner: self.ticket.owner(), header, body })
    }
}

/// What [`Tasks::submit_all`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubmitSummary {
    /// Tasks that are new.
    pub new: u64,
    /// Tasks that were there.
    pub existing: u64,
    /// Tasks that start again, since their fingerprint changed.
    pub requeued: u64,
}

impl<T: TrackedTask> Clone for Tasks<T> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            kind: self.kind,
            name: self.name.clone(),
            step: self.step,
            worker: self.worker.clone(),
            opened: self.opened.clone(),
            types: PhantomData,
        }
    }
}

impl<T: TrackedTask> fmt::Debug for Tasks<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tasks").field("kind", &self.name).field("step", &self.step).finish_non_exhaustive()
    }
}
