//! `TaskGroup` submits several tasks in one commit. Made by `api/tracker`, called by users; each group is one action of `Engine`.
//! `TaskGroup::add` encodes a task, which is user code.

use std::{fmt, sync::Arc};

#[cfg(feature = "tokio")]
use crate::api::asynchronous::AsyncTaskGroup;
use crate::{
    api::{
        port::{Port as _, calls},
        shared::Shared,
        tasks::{Receipt, SubmitOptions, Tasks},
    },
    engine::SubmitGroup,
    model::{error::Result, new_task::NewTask, task::TrackedTask},
};

/// Tasks of any kinds that are submitted together, in one commit: all of them, or none. A task may depend on one that is added later. Made by
/// [`Tracker::group`](crate::Tracker::group).
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
/// use tracker_core::{ErrorKind, dependency::OnDependencyFailure, submit::SubmitOptions};
///
/// let after = |id: &str| SubmitOptions::new().after(&jobs, id, OnDependencyFailure::Skip);
/// let mut group = tracker.group();
/// group.add(&jobs, &job("load"), &after("transform"))?;
/// group.add(&jobs, &job("transform"), &after("extract"))?;
/// group.add(&jobs, &job("extract"), &SubmitOptions::new())?;
/// group.submit()?;
/// assert_eq!(jobs.claim()?.map(|job| job.name.clone()), Some("extract".into()));
///
/// let mut circle = tracker.group();
/// circle.add(&jobs, &job("hen"), &after("egg"))?;
/// circle.add(&jobs, &job("egg"), &after("hen"))?;
/// assert_eq!(circle.submit().unwrap_err().kind(), ErrorKind::Conflict);
/// assert!(jobs.get("hen")?.is_none());
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is submitted before `submit` is called"]
pub struct TaskGroup {
    shared: Arc<Shared>,
    tasks: Vec<NewTask>,
}

impl TaskGroup {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        Self { shared: shared.clone(), tasks: Vec::new() }
    }

    /// Adds a task.
    ///
    /// # Errors
    /// - [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the task has an empty id, a value above a size limit, or cannot
    ///   be serialized.
    pub fn add<T: TrackedTask>(&mut self, tasks: &Tasks<T>, task: &T, options: &SubmitOptions) -> Result<()> {
        self.tasks.push(tasks.new_task_with(task, options)?);
        Ok(())
    }
}

calls! {
    (self) => (group, port);
    impl[] TaskGroup => self;
    impl[] AsyncTaskGroup => self.0;

    /// Submits the tasks in one commit. Returns a receipt for each, in the order of `add`.
    ///
    /// # Errors
    /// As [`Tasks::submit_with`], for the first task that is refused; [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) if dependencies form a cycle.
    /// Then no task is submitted.
    pub fn submit() -> Result<Vec<Receipt>> {
        let submitted = port.call(&group.shared, SubmitGroup(group.tasks)).await?;
        Ok(submitted.into_iter().map(Receipt::from).collect())
    }
}

impl fmt::Debug for TaskGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskGroup").field("tasks", &self.tasks.len()).finish_non_exhaustive()
    }
}
