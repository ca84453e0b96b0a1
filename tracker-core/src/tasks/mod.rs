//! The tasks of one kind: one file per thing that one does with them.

mod bulk;
mod hand;
mod look;
mod options;
mod start;
mod submit;
mod upkeep;

pub use bulk::SubmitSummary;
pub(crate) use hand::is_changed;
pub use look::{Counts, QueuePosition};
pub use options::{StartOptions, SubmitOptions};
#[cfg(feature = "tokio")]
pub(crate) use submit::SubmitAndGet;
pub use submit::{Receipt, Submission};

use std::{fmt, marker::PhantomData, sync::Arc};

use redb::ReadTransaction;

use crate::{
    error::{Error, Result},
    shared::{Opened, Shared},
    store::{Handles, Kind, NAME, shorten},
    task::TrackedTask,
    view::View,
    worker::Worker,
};

/// The tasks of one kind. Cheap to clone and to share.
pub struct Tasks<T: View> {
    pub(crate) shared: Arc<Shared>,
    kind: u32,
    name: Arc<str>,
    /// The step that claims and starts are about; none is chosen yet on a kind of several steps.
    step: Option<u16>,
    worker: Arc<str>,
    opened: Arc<Opened>,
    types: PhantomData<fn() -> T>,
}

impl<T: View> Tasks<T> {
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

    /// The kind as these rows describe it.
    pub(crate) fn kind_in(&self, rows: &mut Handles<&ReadTransaction>) -> Result<Arc<Kind>> {
        self.shared.kind_in(rows, self.kind)
    }
}

impl<T: TrackedTask> Tasks<T> {
    /// The same tasks, for claims and starts under this worker name (at most 128 bytes). It stands in leases and histories.
    #[must_use]
    pub fn named(&self, worker: &str) -> Self {
        Self { worker: shorten(worker.to_owned(), NAME).into(), ..self.clone() }
    }

    /// One step of a pipeline: claims, starts and workers of the result are about it.
    ///
    /// # Errors
    /// `Invalid`: the status type has no such step.
    pub fn step(&self, name: &str) -> Result<Self> {
        let kind = self.kind()?;
        let step = kind.graph.step_named(name).ok_or_else(|| {
            let known: Vec<_> = kind.graph.steps().filter(|step| !step.is_empty()).collect();
            let has = if known.is_empty() { "no steps".to_owned() } else { format!("{known:?}") };
            Error::invalid(format!("kind {:?} has no step {name:?}; it has {has}", kind.name))
        })?;
        Ok(Self { step: Some(step), ..self.clone() })
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
    ///
    /// A handler that ends with a plain `Ok(())` does not name its error type, and the compiler asks for it (E0283). Write
    /// `Ok::<_, E>(())` with the error type, for example `Ok::<_, tracker_core::Error>(())`.
    #[must_use]
    pub fn worker(&self) -> Worker<T> {
        Worker::new(self.clone())
    }
}

impl<T: View> Clone for Tasks<T> {
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

impl<T: View> fmt::Debug for Tasks<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tasks").field("kind", &self.name).field("step", &self.step).finish_non_exhaustive()
    }
}
