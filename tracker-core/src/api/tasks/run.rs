//! Runs a handler on one task: starts it by its id, calls the handler, stores the outcome. Called by users; runs user code, and acts
//! through `Engine`.

use std::{error::Error as StdError, fmt, panic::resume_unwind};

#[cfg(feature = "tokio")]
use tracing::Instrument as _;

use super::{StartOptions, Tasks};
#[cfg(feature = "tokio")]
use crate::api::asynchronous::{AsyncExecution, AsyncTasks, attempt, calls::Async};
use crate::{
    api::{
        execution::Execution,
        handler::{HandlerResult, IntoOutcome, RunError, finish_handler, run_handler},
        port::{Blocking, Port, run_blocking},
    },
    model::{
        error::{ErrorKind, Result},
        failure::failure_of,
        task::{TaskId, TrackedTask},
        transition::Outcome,
    },
};

impl<T: TrackedTask> Tasks<T> {
    /// Starts a task by its id, runs `handler`, and stores the outcome: success with the changed task, or the failure.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # use tracker_core::Tracker;
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
    /// - [`RunError::Refused`] if the task cannot start, as for [`Tasks::start`].
    /// - [`RunError::Handler`] with the error of `handler`, after it was stored as a failure.
    /// - [`RunError::LeaseLost`] if the lease expired and another worker has the task: nothing was stored.
    /// - [`RunError::Storage`] if the file cannot be read or written.
    ///
    /// # Panics
    /// With the panic of `handler`, after it was stored as a failure.
    pub fn run<R, E>(
        &self,
        id: impl TaskId,
        handler: impl FnOnce(&mut Execution<T>) -> Result<R, E>,
    ) -> Result<(), RunError>
    where
        R: IntoOutcome,
        E: Into<Box<dyn StdError + Send + Sync>> + fmt::Debug,
    {
        self.run_with(id, &StartOptions::default(), handler)
    }

    /// Runs a task with options for the start.
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
        handler: impl FnOnce(&mut Execution<T>) -> Result<R, E>,
    ) -> Result<(), RunError>
    where
        R: IntoOutcome,
        E: Into<Box<dyn StdError + Send + Sync>> + fmt::Debug,
    {
        let mut execution = self.start_with(id, options).map_err(RunError::from_start)?;
        let result = run_handler(&mut execution, handler);
        let finished = finish_handler(&mut execution, result);
        run_blocking(store(Blocking, &mut execution, finished))
    }
}

#[cfg(feature = "tokio")]
impl<T: TrackedTask> AsyncTasks<T> {
    /// Runs an async handler on one task, as [`Tasks::run`](crate::Tasks::run) does. If the future is dropped, the handler is too, and the task is given
    /// back without cost.
    ///
    /// # Errors
    /// As [`Tasks::run`](crate::Tasks::run).
    ///
    /// # Panics
    /// With the panic of `handler`, after it was stored as a failure.
    pub async fn run<R, E>(
        &self,
        id: impl TaskId,
        handler: impl AsyncFnOnce(&mut AsyncExecution<T>) -> Result<R, E>,
    ) -> Result<(), RunError>
    where
        R: IntoOutcome,
        E: Into<Box<dyn StdError + Send + Sync>> + fmt::Debug,
    {
        self.run_with(id, &StartOptions::default(), handler).await
    }

    /// Runs a task with options for the start.
    ///
    /// # Errors
    /// As [`Tasks::run`](crate::Tasks::run).
    ///
    /// # Panics
    /// As [`AsyncTasks::run`].
    pub async fn run_with<R, E>(
        &self,
        id: impl TaskId,
        options: &StartOptions<T::Status>,
        handler: impl AsyncFnOnce(&mut AsyncExecution<T>) -> Result<R, E>,
    ) -> Result<(), RunError>
    where
        R: IntoOutcome,
        E: Into<Box<dyn StdError + Send + Sync>> + fmt::Debug,
    {
        let mut execution = self.start_with(id, options).await.map_err(RunError::from_start)?;
        let span = execution.open_span();
        let result = attempt::catch_panics(async { handler(&mut execution).instrument(span).await }).await;
        let finished = finish_handler(&mut execution, result);
        store(Async, &mut execution, finished).await
    }
}

/// Stores the outcome of a handler, and returns it to the caller.
async fn store<T: TrackedTask>(
    port: impl Port,
    execution: &mut Execution<T>,
    finished: HandlerResult,
) -> Result<(), RunError> {
    let stored = match finished.action {
        Some(Ok(action)) => port.call(execution.shared(), action).await.map(drop),
        Some(Err(error)) => Err(error),
        None => Ok(()),
    };
    if let Some(panic) = finished.panic {
        resume_unwind(panic);
    }
    if let Err(error) = stored {
        // The task cannot have this outcome, and the handler cannot choose another, so the attempt fails.
        if error.is_refusal() && error.kind() != ErrorKind::LeaseLost {
            let failed = execution.end_by(port, Outcome::Fail { retry_in: None }, Some(failure_of(&error)), false);
            failed.await.map_err(RunError::from_end)?;
            return Err(RunError::Handler(error.into()));
        }
        return Err(RunError::from_end(error));
    }
    finished.error.map_or(Ok(()), |error| Err(RunError::Handler(error)))
}
