//! Submits many tasks, in parts of bounded memory; each part is one action of `Engine`, or one per task with a batch or dependencies. Called by
//! users, `tracker-cli` and `api/deferred`; runs the user's iterator and encodes the tasks, which is user code. `submit_batch` also opens and seals
//! the batch.

use std::{borrow::Borrow, sync::Arc};

use super::{SubmitOptions, Tasks};
#[cfg(feature = "tokio")]
use crate::api::asynchronous::{AsyncBatch, AsyncTasks};
use crate::{
    api::{
        batch::{Batch, BatchOptions},
        port::{Port, calls},
    },
    engine::{Prepared, SubmitMany},
    model::{error::Result, kind::Kind, new_task::NewTask, task::TrackedTask, transition::CommandResult},
};

/// The result of [`Tasks::submit_all`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubmitSummary {
    /// Tasks that are new.
    pub new: u64,
    /// Tasks that were already stored.
    pub existing: u64,
    /// Tasks that start again, since their fingerprint changed.
    pub requeued: u64,
    /// Tasks that were dropped by their throttle.
    pub throttled: u64,
}

/// One result for each task of a part, or the error because of which no task of the part is stored.
pub(crate) type PartResult = Result<Vec<Result<CommandResult>>>;

impl SubmitSummary {
    pub(crate) fn add(&mut self, part: PartResult) -> Result<()> {
        for result in part? {
            self.count(result?);
        }
        Ok(())
    }

    pub(crate) fn count(&mut self, result: CommandResult) {
        match result {
            CommandResult::New => self.new += 1,
            CommandResult::Requeued => self.requeued += 1,
            CommandResult::Throttled => self.throttled += 1,
            CommandResult::Existing | CommandResult::Applied => self.existing += 1,
        }
    }
}

/// How many submits share one part of [`Tasks::submit_all`].
const PART: usize = 4096;
/// How many tasks share one part if they join a batch or have dependencies.
const PART_WITH_DEPENDENCIES: usize = 1024;
/// A part of up to [`PART`] tasks ends early when its payloads reach this many bytes.
const PART_BYTES: usize = 8 << 20;

calls! {
    (&self) => (tasks, port);
    impl[T: TrackedTask] Tasks<T> => self;
    impl[T: TrackedTask] AsyncTasks<T> => &self.tasks;

    /// Submits many tasks, in parts of bounded memory. When it returns, all are durable; the summary counts how many were
    /// new, existed, or start again. After an interruption, run it again: tasks that are already stored are not submitted twice.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # use tracker_core::Tracker;
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
    /// As [`Tasks::submit`], for the first task that fails. Other tasks, before and after it, may be stored already:
    /// run it again without the task that fails. While a kind is full ([`ErrorKind::Full`](crate::ErrorKind::Full)), the tasks that have room are
    /// stored: run it again with the same tasks when some have started.
    pub fn submit_all(new: impl IntoIterator<Item = impl Borrow<T>>) -> Result<SubmitSummary> {
        tasks.submit_parts(port, new, &SubmitOptions::default()).await
    }

    /// Submits many tasks with options: into a batch, after others, with a due time or a priority.
    ///
    /// # Errors
    /// As [`Tasks::submit_all`] and [`Tasks::submit_with`].
    pub fn submit_all_with(new: impl IntoIterator<Item = impl Borrow<T>>, options: &SubmitOptions) -> Result<SubmitSummary> {
        tasks.submit_parts(port, new, options).await
    }

    /// Submits tasks as a new batch and seals it, so that no more can join: [`Tracker::open_batch`](crate::Tracker::open_batch),
    /// [`Tasks::submit_all_with`] and [`Batch::seal`] in one. After an interruption, run it again with the same tasks: those that
    /// are already stored are not submitted twice.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # use tracker_core::Tracker;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tracker = Tracker::in_memory()?;
    /// # let jobs = tracker.tasks::<Job>()?;
    /// use tracker_core::batch::BatchOptions;
    ///
    /// let then = BatchOptions::new().then(&jobs, &job("report"))?;
    /// let night = jobs.submit_batch("night", ["a", "b", "c"].map(job), &then)?;
    /// let summary = jobs.worker().run(|_| Ok::<_, std::io::Error>(()))?;
    /// assert_eq!((night.info()?.is_over(), summary.succeeded), (true, 4));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// - As [`Tasks::submit_all_with`]. If a submit fails, an open batch stays open.
    /// - [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) if the batch of this label is sealed already and one of the tasks is not in it.
    /// - [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for a label that is empty or longer than 256 bytes.
    pub fn submit_batch(label: &str, new: impl IntoIterator<Item = impl Borrow<T>>, options: &BatchOptions) -> Result<Batch>, async Result<AsyncBatch> {
        let number = port.call(&tasks.shared, options.open(label)?).await?;
        let batch = Batch::new(&tasks.shared, number, label);
        tasks.submit_parts(port, new, &SubmitOptions::new().batch(&batch)).await?;
        port.call(&tasks.shared, batch.sealing(true)).await?;
        Ok(batch.into())
    }
}

impl<T: TrackedTask> Tasks<T> {
    /// Submits tasks in parts. The next part is prepared while one is on its way to disk.
    async fn submit_parts(
        &self,
        port: impl Port,
        tasks: impl IntoIterator<Item = impl Borrow<T>>,
        options: &SubmitOptions,
    ) -> Result<SubmitSummary> {
        let mut summary = SubmitSummary::default();
        if options.joins_or_depends() {
            for part in self.parts_with_dependencies(tasks, options) {
                port.room(&self.shared).await;
                for submitted in port.call_all(&self.shared, part?).await? {
                    summary.count(submitted?.result);
                }
            }
            return Ok(summary);
        }
        let mut on_its_way = None;
        for part in self.parts(tasks, options)? {
            port.room(&self.shared).await;
            if let Some(before) = on_its_way.replace(port.queue(&self.shared, part?)) {
                summary.add(before.await)?;
            }
        }
        if let Some(last) = on_its_way {
            summary.add(last.await)?;
        }
        Ok(summary)
    }

    /// The tasks in parts that are submitted one after the other.
    fn parts<B: Borrow<T>>(
        &self,
        tasks: impl IntoIterator<Item = B>,
        options: &SubmitOptions,
    ) -> Result<impl Iterator<Item = Result<SubmitMany>>> {
        let kind: Arc<Kind> = self.kind()?;
        let mut tasks = tasks.into_iter();
        Ok(std::iter::from_fn(move || {
            let (mut part, mut bytes) = (Vec::new(), 0);
            while part.len() < PART && bytes < PART_BYTES {
                let Some(task) = tasks.next() else { break };
                let new = self.new_task_of(&kind, task.borrow(), options).and_then(Prepared::new);
                match new {
                    Ok(new) => {
                        bytes += new.record.len();
                        part.push(new);
                    }
                    Err(error) => return Some(Err(error)),
                }
            }
            (!part.is_empty()).then(|| Ok(SubmitMany { kind: self.kind, tasks: part }))
        }))
    }

    /// Tasks that join a batch or have dependencies, in smaller parts.
    fn parts_with_dependencies<B: Borrow<T>>(
        &self,
        tasks: impl IntoIterator<Item = B>,
        options: &SubmitOptions,
    ) -> impl Iterator<Item = Result<Vec<NewTask>>> {
        let mut tasks = tasks.into_iter();
        std::iter::from_fn(move || {
            let part =
                tasks.by_ref().take(PART_WITH_DEPENDENCIES).map(|task| self.new_task_with(task.borrow(), options));
            let part: Result<Vec<_>> = part.collect();
            part.map(|part| (!part.is_empty()).then_some(part)).transpose()
        })
    }
}
