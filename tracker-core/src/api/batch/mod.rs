//! `Batch` is the handle of tasks with a label that end together, and of their follow-up task. Opened by `api/tracker`, called by users,
//! `tracker-web`, `api/tasks/bulk` and `api/transaction`; `portable` uses `check_label`. Reads rows, and writes through
//! `Engine`; `BatchOptions::then` encodes the follow-up task, which is user code.

mod info;

pub use info::BatchInfo;

use std::{fmt, sync::Arc};

#[cfg(feature = "tokio")]
use crate::api::asynchronous::AsyncBatch;
use crate::{
    api::{
        port::{Port as _, calls},
        shared::Shared,
        tasks::Tasks,
    },
    engine::{OpenBatch, RemoveBatch, Seal, Target, TaskCommand},
    model::{
        dependency::TaskName,
        error::{Error, ErrorKind, Result},
        kind::Kind,
        new_task::NewTask,
        status::Role,
        task::TrackedTask,
        transition::{Command, Header, Requeue},
    },
};

/// A group of tasks with a label, of one kind or several. Opened by [`Tracker::open_batch`](crate::Tracker::open_batch).
///
/// Tasks join it by [`SubmitOptions::batch`](crate::submit::SubmitOptions::batch) until the batch is sealed;
/// [`Tasks::submit_batch`](crate::Tasks::submit_batch) does all of that in one call. Sealed, it is over in
/// the commit that ends its last task: in that commit its follow-up task is submitted, once, and the
/// tasks become startable that [wait for it](crate::submit::SubmitOptions::after_batch). If a task of it is requeued afterwards, the
/// batch is open again and will be over again. That end is propagated to tasks that wait for it, but no second follow-up is submitted.
///
/// A batch is known as long as there are tasks of it, and then until its record is deleted: after the time of
/// [`Options::keep_batches`](crate::Options::keep_batches), or by [`Batch::remove`]. Then its label is free for another
/// one.
///
/// A task belongs to at most one batch. One that exists already, submitted again, joins the batch if the one that it was in
/// is over, and is refused otherwise.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
/// # use tracker_core::{Tracker, status::Role};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let tracker = Tracker::in_memory()?;
/// # let jobs = tracker.tasks::<Job>()?;
/// use tracker_core::{batch::BatchOptions, submit::SubmitOptions};
///
/// let night = tracker.open_batch("night", &BatchOptions::new().then(&jobs, &job("report"))?)?;
/// jobs.submit_all_with(["a", "b", "c"].map(job), &SubmitOptions::new().batch(&night))?;
/// night.seal()?;
/// jobs.run("a", |_| Ok::<_, std::io::Error>(()))?;
/// let info = night.info()?;
/// assert_eq!((info.count(Role::Succeeded), info.open(), info.total()), (1, 2, 3));
/// assert!(info.eta.is_some());
/// assert!(jobs.get("report")?.is_none());
///
/// jobs.worker().run(|_| Ok::<_, std::io::Error>(()))?;
/// assert!(night.info()?.is_over());
/// assert!(jobs.get("report")?.is_some());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Batch {
    pub(crate) shared: Arc<Shared>,
    number: u64,
    label: Arc<str>,
}

/// How a batch is opened.
#[derive(Clone, Debug, Default)]
pub struct BatchOptions {
    follow_up: Option<NewTask>,
}

impl BatchOptions {
    /// Returns the options of a batch without a follow-up task.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the follow-up task, which is submitted in the commit in which the batch is over for the first time. If it cannot be
    /// submitted, because another task has its unique key, [`BatchInfo::follow_up_refused`] has the reason.
    ///
    /// # Errors
    /// - [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the task has an empty id, a value above a size limit, or cannot
    ///   be serialized.
    pub fn then<T: TrackedTask>(mut self, tasks: &Tasks<T>, task: &T) -> Result<Self> {
        self.follow_up = Some(tasks.new_task(task)?);
        Ok(self)
    }

    pub(crate) fn open(&self, label: &str) -> Result<OpenBatch> {
        check_label(label)?;
        Ok(OpenBatch { label: label.to_owned(), follow_up: self.follow_up.clone() })
    }
}

/// Refuses an empty or too long label.
pub(crate) fn check_label(label: &str) -> Result<()> {
    if label.is_empty() || label.len() > 256 {
        return Err(Error::invalid(format!("the batch's label {label:?} must have 1 to 256 bytes")));
    }
    Ok(())
}

calls! {
    (&self) => (batch, port);
    impl[] Batch => self;
    impl[] AsyncBatch => &self.0;

    /// Closes the batch to further tasks. It is over when all its tasks have ended, and at once if it has none.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the batch was removed.
    pub fn seal() -> Result<()> {
        port.call(&batch.shared, batch.sealing(true)).await
    }

    /// Opens a sealed batch to further tasks, until it is sealed again.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the batch was removed.
    pub fn reopen() -> Result<()> {
        port.call(&batch.shared, batch.sealing(false)).await
    }
}

impl Batch {
    pub(crate) fn new(shared: &Arc<Shared>, number: u64, label: &str) -> Self {
        Self { shared: shared.clone(), number, label: label.into() }
    }

    /// Returns the label of the batch.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Returns the number of the batch in the file.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Returns the counters and times of the batch.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the batch was removed.
    pub fn info(&self) -> Result<BatchInfo> {
        let state = self.shared.engine.read(|rows| rows.batch(self.number))?;
        let state = state.ok_or_else(|| Error::invalid(format!("the batch {:?} was removed", self.label)))?;
        Ok(BatchInfo::new(self.number, state))
    }

    pub(crate) fn sealing(&self, sealed: bool) -> Seal {
        Seal { batch: self.number, sealed }
    }

    /// Returns the tasks of the batch, kind by kind in the order of submission.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn tasks(&self) -> Result<Vec<TaskName>> {
        self.tasks_after(None, usize::MAX)
    }

    /// Returns a page of a large batch: at most `most` of its tasks after one of them, in the order of [`Self::tasks`].
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # use tracker_core::{Tracker, batch::BatchOptions};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tracker = Tracker::in_memory()?;
    /// # let jobs = tracker.tasks::<Job>()?;
    /// let batch = jobs.submit_batch("import", ["a", "b", "c"].map(job), &BatchOptions::new())?;
    /// let first = batch.tasks_after(None, 2)?;
    /// let rest = batch.tasks_after(first.last(), 2)?;
    /// assert_eq!((first.len(), rest[0].id.to_string()), (2, "c".to_owned()));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if the task is not in the file; it may have been deleted meanwhile. The
    /// file cannot be read.
    pub fn tasks_after(&self, after: Option<&TaskName>, most: usize) -> Result<Vec<TaskName>> {
        let kinds = self.shared.engine.kinds();
        self.shared.engine.read(|rows| {
            let members = match after {
                Some(name) => {
                    let kind = kinds.all().find(|kind| kind.name == name.kind);
                    let after = kind.map_or(Ok(None), |kind| rows.with_id(kind.id, &name.id))?;
                    let after = after.ok_or_else(|| no_task(name))?;
                    rows.members_after(self.number, after, most)?
                }
                None => rows.members_of(self.number, None, most)?,
            };
            let mut names = Vec::with_capacity(members.len());
            for task in members {
                names.extend(rows.task_name(&kinds, task)?);
            }
            Ok(names)
        })
    }

    /// Cancels all its tasks that have not ended, a thousand in a commit. Returns how many. Running ones get a cancellation request, and end as
    /// cancelled unless they succeed.
    ///
    /// # Errors
    /// A [storage error](crate::ErrorKind#storage-errors).
    pub fn cancel(&self) -> Result<u64> {
        self.command_all(&Command::Cancel, |_, _| true)
    }

    /// Makes its tasks startable again that ended in one of these roles. Returns how many.
    ///
    /// # Errors
    /// A [storage error](crate::ErrorKind#storage-errors).
    pub fn requeue(&self, roles: &[Role]) -> Result<u64> {
        let wanted = |kind: &Kind, header: &Header| roles.contains(&kind.rules(0).overall_role(header));
        self.command_all(&Command::Requeue(Requeue::default()), wanted)
    }

    /// Deletes all its tasks without a lease, and then the batch itself if no task is left. Returns whether the batch was deleted.
    ///
    /// # Errors
    /// A [storage error](crate::ErrorKind#storage-errors).
    pub fn remove(&self) -> Result<bool> {
        self.command_all(&Command::Delete, |_, _| true)?;
        self.shared.engine.call(RemoveBatch(self.number))
    }

    fn command_all(&self, command: &Command, wanted: impl Fn(&Kind, &Header) -> bool) -> Result<u64> {
        let engine = &self.shared.engine;
        let mut members = engine.read(|rows| rows.members_of(self.number, None, usize::MAX))?;
        // The latest goes first, so a dependent goes before its dependency and no end has to be propagated to it.
        members.sort_unstable_by_key(|task| std::cmp::Reverse(task.seq));
        let kinds = engine.kinds();
        self.shared.change_each(&members, |rows, part| {
            let mut commands = Vec::with_capacity(part.len());
            for task in part {
                let (Some(kind), Some(header)) = (kinds.get(task.kind), rows.header(*task)?) else { continue };
                if wanted(kind, &header) {
                    let target = Target::Known(*task, rows.task_row(*task)?.id);
                    commands.push(TaskCommand::new(task.kind, target, command.clone()));
                }
            }
            Ok(commands)
        })
    }
}

fn no_task(name: &TaskName) -> Error {
    Error::new(
        ErrorKind::NotFound,
        format!("kind {:?} has no task \"{}\": begin with the first page", name.kind, name.id),
    )
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("number", &self.number).field("label", &self.label).finish_non_exhaustive()
    }
}
