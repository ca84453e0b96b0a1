use std::sync::mpsc::{self, Receiver};

use super::{SubmitOptions, Tasks};
use crate::{
    engine::{Action, NewTask, Prepared, SubmitMany, Submitted, Writer},
    error::{Error, Reason, Result},
    payload,
    record::Record,
    rules::Told,
    store::{Kind, Whole},
    task::{TaskId, TaskKey, TrackedTask},
};

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
    /// Nobody has looked yet: it is in the queue, as [`Durability::Relaxed`](crate::Durability::Relaxed) asks.
    Queued,
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

impl SubmitSummary {
    /// Waits for a batch and counts what came of it.
    fn add(&mut self, batch: Option<Receiver<Result<Vec<Result<Told>>>>>) -> Result<()> {
        let Some(batch) = batch else { return Ok(()) };
        for told in batch.recv().unwrap_or_else(|_| Err(Error::closed()))? {
            self.count(told?);
        }
        Ok(())
    }

    fn count(&mut self, told: Told) {
        match told {
            Told::New => self.new += 1,
            Told::Requeued => self.requeued += 1,
            Told::Existing | Told::Done => self.existing += 1,
        }
    }
}

/// How many submits share one batch of [`Tasks::submit_all`].
const BATCH: usize = 4096;
/// The same of tasks that have to do with others.
const TIED: usize = 1024;
/// How many bytes of payload they have at most.
const BATCH_BYTES: usize = 8 << 20;

impl<T: TrackedTask> Tasks<T> {
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

    /// Puts a task in with a due time or a priority of its own, into a batch, or after others.
    ///
    /// # Errors
    /// As [`Tasks::submit`]; `Sealed`, or `Conflict` if it belongs to another batch that is not over; and those of
    /// [`SubmitOptions::after`].
    pub fn submit_with(&self, task: &T, options: &SubmitOptions) -> Result<Receipt> {
        let (new, queued) = self.receipt(self.new_task_with(task, options)?, options);
        let engine = &self.shared.engine;
        match queued {
            Some(receipt) => engine.post_in_turn(new).map(|()| receipt),
            None => Ok(engine.call(new)?.into()),
        }
    }

    /// The receipt of a submit that is answered once it is queued. Where ids are generated, it has its own by then.
    pub(crate) fn receipt(&self, new: NewTask, options: &SubmitOptions) -> (NewTask, Option<Receipt>) {
        let known = new.id.is_some() || new.uniques.is_empty();
        if !known || !options.is_relaxed(self.shared.engine.durability()) {
            return (new, None);
        }
        let id = new.id.clone().unwrap_or_else(|| uuid::Uuid::now_v7().to_key());
        (NewTask { id: Some(id.clone()), ..new }, Some(Receipt { id, submission: Submission::Queued }))
    }

    /// Puts a task in, and gives the row that is there now, new or not: read in the same commit.
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
    /// jobs.submit(&job("one"))?;
    /// let (submission, record) = jobs.submit_and_get(&Job { host: "b".into(), ..job("one") })?;
    /// assert_eq!((submission, record.task.host.as_str()), (Submission::Existing, "a"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Tasks::submit`]; `Unreadable` if the row cannot be decoded.
    pub fn submit_and_get(&self, task: &T) -> Result<(Submission, Record<T, T::Status>)> {
        let (submitted, whole) = self.shared.engine.call(SubmitAndGet(self.new_task(task)?))?;
        Ok((Receipt::from(submitted).submission, Record::of::<T>(&*self.kind()?, whole)?))
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
        self.submit_all_with(tasks, &SubmitOptions::default())
    }

    /// The same with options: into a batch, after others, with a due time or a priority.
    ///
    /// # Errors
    /// As [`Tasks::submit_all`] and [`Tasks::submit_with`].
    pub fn submit_all_with<B: std::borrow::Borrow<T>>(
        &self,
        tasks: impl IntoIterator<Item = B>,
        options: &SubmitOptions,
    ) -> Result<SubmitSummary> {
        let kind = self.kind()?;
        let mut summary = SubmitSummary::default();
        if options.ties() {
            self.submit_tied(tasks, options, &mut summary)?;
            return Ok(summary);
        }
        let mut on_its_way = None;
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for task in tasks {
            let new = Prepared::new(self.new_task_of(&kind, task.borrow(), options)?)?;
            bytes += new.record.len();
            batch.push(new);
            if batch.len() >= BATCH || bytes >= BATCH_BYTES {
                let before = on_its_way.replace(self.submit_many(std::mem::take(&mut batch))?);
                summary.add(before)?;
                bytes = 0;
            }
        }
        summary.add(on_its_way)?;
        if !batch.is_empty() {
            let last = self.submit_many(batch)?;
            summary.add(Some(last))?;
        }
        Ok(summary)
    }

    /// Puts tasks in that have to do with others, a part at a time.
    fn submit_tied<B: std::borrow::Borrow<T>>(
        &self,
        tasks: impl IntoIterator<Item = B>,
        options: &SubmitOptions,
        summary: &mut SubmitSummary,
    ) -> Result<()> {
        let mut tasks = tasks.into_iter();
        loop {
            let part = tasks.by_ref().take(TIED).map(|task| self.new_task_with(task.borrow(), options));
            let part = part.collect::<Result<Vec<_>>>()?;
            if part.is_empty() {
                return Ok(());
            }
            for submitted in self.shared.engine.call_all(part)? {
                summary.count(submitted?.told);
            }
        }
    }

    /// Hands a batch in; while it is on its way to disk, the next one is made.
    fn submit_many(&self, tasks: Vec<Prepared>) -> Result<Receiver<Result<Vec<Result<Told>>>>> {
        let (teller, answer) = mpsc::channel();
        let many = SubmitMany { kind: self.kind, tasks };
        self.shared.engine.call_then(many, move |out| drop(teller.send(out)))?;
        Ok(answer)
    }

    pub(crate) fn new_task(&self, task: &T) -> Result<NewTask> {
        self.new_task_with(task, &SubmitOptions::default())
    }

    pub(crate) fn new_task_with(&self, task: &T, options: &SubmitOptions) -> Result<NewTask> {
        self.new_task_of(&*self.kind()?, task, options)
    }

    fn new_task_of(&self, kind: &Kind, task: &T, options: &SubmitOptions) -> Result<NewTask> {
        let due = options.due(self.shared.engine.now());
        let mut new = payload::new_task(kind, task, due, options.priority)?;
        new.submit.batch = options.batch;
        new.needs.clone_from(&options.needs);
        Ok(new)
    }
}

/// A submit, and the row as it leaves it.
struct SubmitAndGet(NewTask);

impl Action for SubmitAndGet {
    type Out = (Submitted, Whole);

    fn run(&self, writer: &mut Writer<'_>) -> Result<Self::Out> {
        let submitted = self.0.run(writer)?;
        let kind = writer.kind(self.0.kind)?;
        let found = writer.rows().whole(submitted.task)?;
        let whole = found.ok_or_else(|| kind.refuse(submitted.id.clone(), Reason::NotFound))?;
        Ok((submitted, whole))
    }
}
