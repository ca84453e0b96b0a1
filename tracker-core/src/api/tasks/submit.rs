//! Submits single tasks, and defines their results. Called by users; most of `api` makes its new tasks here. Encodes the payload, which runs code
//! of the type; each submit is one action of `Engine`.

use super::{SubmitOptions, Tasks};
#[cfg(feature = "tokio")]
use crate::api::asynchronous::AsyncTasks;
use crate::{
    api::{
        port::{Port, calls},
        record::Record,
        single_call::SingleCall,
    },
    engine::{Action, Submitted, Writer},
    model::{
        codec,
        error::{Reason, Result},
        kind::Kind,
        new_task::NewTask,
        task::{TaskId, TaskKey, TrackedTask},
        transition::CommandResult,
    },
    storage::read::task_rows::TaskRows,
};

/// The id and the result of a submit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// The id of the task. Of a submit that is throttled: the id of the task that was accepted.
    pub id: TaskKey,
    /// Whether it is new.
    pub submission: Submission,
}

/// The result of [`Tasks::submit_and_get`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SubmittedRecord<T, S> {
    /// Whether the task is new.
    pub submission: Submission,
    /// The stored task.
    pub record: Record<T, S>,
}

/// The result of a submit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Submission {
    /// The task is new.
    New,
    /// The task existed and keeps its status. A new payload with a changed fingerprint replaces the old one now, or when the running attempt ends.
    Existing,
    /// The task existed with another fingerprint, and starts again.
    Requeued,
    /// It was dropped: another submit with its throttle key was accepted less than the period ago.
    Throttled,
    /// Not known yet: the submit is in the queue, as [`Durability::Relaxed`](crate::file::Durability::Relaxed) asks.
    Queued,
}

impl From<Submitted> for Receipt {
    fn from(submitted: Submitted) -> Self {
        let submission = match submitted.result {
            CommandResult::New => Submission::New,
            CommandResult::Requeued => Submission::Requeued,
            CommandResult::Throttled => Submission::Throttled,
            CommandResult::Existing | CommandResult::Applied => Submission::Existing,
        };
        Self { id: submitted.id, submission }
    }
}

calls! {
    (&self) => (tasks, port);
    impl[T: TrackedTask] Tasks<T> => self;
    impl[T: TrackedTask] AsyncTasks<T> => &self.tasks;

    /// Submits a task. An existing one with its id or unique key is never reset, unless its fingerprint changed.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # use tracker_core::{Submission, Tracker};
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
    /// - [`ErrorKind::Full`](crate::ErrorKind::Full) if it is new and as many tasks of its kind wait as
    ///   [`Policy::max_waiting`](crate::task::Policy::max_waiting) allows: submit it again when tasks have started;
    /// - [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) if its id and a unique key belong to different tasks;
    /// - [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for an empty id, a value above a size limit, or one that cannot be serialized.
    pub fn submit(task: &T) -> Result<Receipt> {
        tasks.submit_by(port, task, &SubmitOptions::default()).await
    }

    /// Submits a task with its own due time or priority, into a batch, or after others.
    ///
    /// # Errors
    /// - As [`Tasks::submit`], and those of [`SubmitOptions::after`].
    /// - [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) if the batch is sealed, or if the task belongs to another batch that is not over.
    pub fn submit_with(task: &T, options: &SubmitOptions) -> Result<Receipt> {
        tasks.submit_by(port, task, options).await
    }

    /// Submits a task and returns the stored one, new or not, read in the same transaction.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # use tracker_core::{Submission, Tracker};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tracker = Tracker::in_memory()?;
    /// # let jobs = tracker.tasks::<Job>()?;
    /// jobs.submit(&job("one"))?;
    /// let found = jobs.submit_and_get(&Job { host: "b".into(), ..job("one") })?;
    /// assert_eq!((found.submission, found.record.task.host.as_str()), (Submission::Existing, "a"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Tasks::submit`]; [`ErrorKind::Unreadable`](crate::ErrorKind::Unreadable) if the stored task cannot be decoded.
    pub fn submit_and_get(task: &T) -> Result<SubmittedRecord<T, T::Status>> {
        tasks.submit_and_get_by(port, task, &SubmitOptions::default()).await
    }

    /// Submits a task with options: into a batch, after others, with a due time or a priority. The task is on disk when this
    /// returns, with all options.
    ///
    /// # Errors
    /// As [`Tasks::submit_with`]; [`ErrorKind::Unreadable`](crate::ErrorKind::Unreadable) if the stored task cannot be decoded.
    pub fn submit_and_get_with(task: &T, options: &SubmitOptions) -> Result<SubmittedRecord<T, T::Status>> {
        tasks.submit_and_get_by(port, task, options).await
    }
}

impl<T: TrackedTask> Tasks<T> {
    async fn submit_by(&self, port: impl Port, task: &T, options: &SubmitOptions) -> Result<Receipt> {
        let call = self.submit_call(task, options)?;
        match self.early_receipt(call.action, options) {
            (new, Some(receipt)) => port.post(&self.shared, new).await.map(|()| receipt),
            (action, None) => SingleCall { action, ..call }.run(port, &self.shared).await,
        }
    }

    /// The call that submits a task.
    pub(crate) fn submit_call(&self, task: &T, options: &SubmitOptions) -> Result<SubmitCall> {
        Ok(SingleCall { action: self.new_task_with(task, options)?, finish: |submitted| Ok(Receipt::from(submitted)) })
    }

    async fn submit_and_get_by(
        &self,
        port: impl Port,
        task: &T,
        options: &SubmitOptions,
    ) -> Result<SubmittedRecord<T, T::Status>> {
        let submit = SubmitAndGet(self.new_task_with(task, options)?);
        port.room(&self.shared).await;
        let (submitted, task_rows) = port.call(&self.shared, submit).await?;
        let record = Record::of::<T>(self.shared.engine.codecs(), &*self.kind()?, task_rows)?;
        Ok(SubmittedRecord { submission: Receipt::from(submitted).submission, record })
    }

    /// The receipt of a submit that is answered when it is queued and not when it is committed; `None` if it waits for the commit. A task without
    /// an id gets a generated one here.
    fn early_receipt(&self, new: NewTask, options: &SubmitOptions) -> (NewTask, Option<Receipt>) {
        let known = new.id.is_some() || new.uniques.is_empty();
        if !known || !options.is_relaxed(self.shared.engine.durability()) {
            return (new, None);
        }
        let id = new.id.clone().unwrap_or_else(|| uuid::Uuid::now_v7().to_key());
        (NewTask { id: Some(id.clone()), ..new }, Some(Receipt { id, submission: Submission::Queued }))
    }

    pub(crate) fn new_task(&self, task: &T) -> Result<NewTask> {
        self.new_task_with(task, &SubmitOptions::default())
    }

    pub(crate) fn new_task_with(&self, task: &T, options: &SubmitOptions) -> Result<NewTask> {
        self.new_task_of(&*self.kind()?, task, options)
    }

    pub(super) fn new_task_of(&self, kind: &Kind, task: &T, options: &SubmitOptions) -> Result<NewTask> {
        let due = options.due(self.shared.engine.now());
        let mut new = codec::new_task(self.shared.engine.codecs(), kind, task, due, options.priority)?;
        new.submit.batch = options.batch;
        new.submit.max_wait = options.max_wait()?;
        new.throttle = options.checked_throttle()?;
        new.submit.trace.clone_from(&options.trace);
        new.dependencies.clone_from(&options.dependencies);
        Ok(new)
    }
}

type SubmitCall = SingleCall<NewTask, fn(Submitted) -> Result<Receipt>>;

/// Submits a task, and reads its rows in the same transaction.
struct SubmitAndGet(NewTask);

impl Action for SubmitAndGet {
    type Out = (Submitted, TaskRows);

    fn run(&self, writer: &mut Writer<'_>) -> Result<Self::Out> {
        let submitted = self.0.run(writer)?;
        let kind = writer.kind(self.0.kind)?;
        let found = writer.rows().task_rows(submitted.task)?;
        let task_rows = found.ok_or_else(|| kind.refuse(submitted.id.clone(), Reason::NotFound))?;
        Ok((submitted, task_rows))
    }
}
