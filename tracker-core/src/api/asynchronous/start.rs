use std::{error::Error as StdError, fmt};

use tracing::Instrument as _;

use super::{calls, tasks::AsyncTasks};
use crate::{
    api::{
        asynchronous::attempt,
        execution::Execution,
        handler::{IntoOutcome, RunError, finish_handler},
        tasks::StartOptions,
        ticket::Ticket,
    },
    engine::{StartById, Target},
    model::{
        error::{ErrorKind, Result},
        failure::failure_of,
        task::{TaskId, TrackedTask},
        transition::Outcome,
    },
};

impl<T: TrackedTask> AsyncTasks<T> {
    /// [`Tasks::claim`](crate::Tasks::claim) for async callers.
    ///
    /// # Errors
    /// As [`Tasks::claim`](crate::Tasks::claim).
    pub async fn claim(&self) -> Result<Option<Execution<T>>> {
        self.claim_with(&StartOptions::default()).await
    }

    /// [`Tasks::claim_with`](crate::Tasks::claim_with) for async callers.
    ///
    /// # Errors
    /// As [`Tasks::claim`](crate::Tasks::claim).
    pub async fn claim_with(&self, options: &StartOptions<T::Status>) -> Result<Option<Execution<T>>> {
        let kind = self.tasks.kind()?;
        let claim = self.tasks.claim_command(&kind, options)?;
        match calls::claim(&self.tasks.shared, claim).await?.tasks.pop() {
            Some(claimed) => calls::execution(&self.tasks.shared, &kind, claimed).await.map(Some),
            None => Ok(None),
        }
    }

    /// [`Tasks::start`](crate::Tasks::start) for async callers.
    ///
    /// # Errors
    /// As [`Tasks::start`](crate::Tasks::start).
    pub async fn start(&self, id: impl TaskId) -> Result<Execution<T>> {
        self.start_with(id, &StartOptions::default()).await
    }

    /// [`Tasks::start_with`](crate::Tasks::start_with) for async callers.
    ///
    /// # Errors
    /// As [`Tasks::start`](crate::Tasks::start).
    pub async fn start_with(&self, id: impl TaskId, options: &StartOptions<T::Status>) -> Result<Execution<T>> {
        let kind = self.tasks.kind()?;
        let start = self.tasks.start_command(&kind, options, false)?;
        let start = StartById { kind: self.tasks.kind_id(), target: Target::Id(id.to_key()), start };
        let claimed = calls::start(&self.tasks.shared, start, Ok).await?;
        calls::execution(&self.tasks.shared, &kind, claimed).await
    }

    /// [`Tasks::check_start`](crate::Tasks::check_start). It is no async call: it reads two rows.
    ///
    /// # Errors
    /// As [`Tasks::start_with`](crate::Tasks::start_with).
    pub fn check_start(&self, id: impl TaskId, options: &StartOptions<T::Status>) -> Result<()> {
        self.tasks.check_start(id, options)
    }

    /// [`Tasks::submit_and_start`](crate::Tasks::submit_and_start) for async callers.
    ///
    /// # Errors
    /// As [`Tasks::submit_and_start`](crate::Tasks::submit_and_start).
    pub async fn submit_and_start(&self, task: &T) -> Result<Execution<T>> {
        let kind = self.tasks.kind()?;
        let both = self.tasks.submit_and_start_command(&kind, task)?;
        self.tasks.shared.engine.room().await;
        let claimed = calls::start(&self.tasks.shared, both, |(_, claimed)| Ok(claimed)).await?;
        calls::execution(&self.tasks.shared, &kind, claimed).await
    }

    /// [`Tasks::resume_ticket`](crate::Tasks::resume_ticket) for async callers.
    ///
    /// # Errors
    /// As [`Tasks::resume_ticket`](crate::Tasks::resume_ticket).
    pub async fn resume_ticket(&self, ticket: &Ticket) -> Result<Execution<T>> {
        let resume = self.tasks.resume_command(ticket)?;
        let claimed = calls::start(&self.tasks.shared, resume, Ok).await?;
        calls::execution(&self.tasks.shared, &self.tasks.kind()?, claimed).await
    }

    /// [`Tasks::run`](crate::Tasks::run) with an async body. If the future is dropped, the body is too, and the task is given
    /// back without cost.
    ///
    /// # Errors
    /// As [`Tasks::run`](crate::Tasks::run).
    ///
    /// # Panics
    /// With the panic of `body`, after it was stored as a failure.
    pub async fn run<R, E>(
        &self,
        id: impl TaskId,
        body: impl AsyncFnOnce(&mut Execution<T>) -> Result<R, E>,
    ) -> Result<(), RunError>
    where
        R: IntoOutcome,
        E: Into<Box<dyn StdError + Send + Sync>> + fmt::Debug,
    {
        self.run_with(id, &StartOptions::default(), body).await
    }

    /// The same with options for the start.
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
        body: impl AsyncFnOnce(&mut Execution<T>) -> Result<R, E>,
    ) -> Result<(), RunError>
    where
        R: IntoOutcome,
        E: Into<Box<dyn StdError + Send + Sync>> + fmt::Debug,
    {
        let mut execution = self.start_with(id, options).await.map_err(RunError::from_start)?;
        let span = execution.span();
        let result = attempt::caught(async { body(&mut execution).instrument(span).await }).await;
        let finished = finish_handler(&mut execution, result);
        let stored = match finished.action {
            Some(Ok(action)) => calls::queue(&self.tasks.shared, action).await.map(drop),
            Some(Err(error)) => Err(error),
            None => Ok(()),
        };
        if let Some(panic) = finished.panic {
            std::panic::resume_unwind(panic);
        }
        if let Err(error) = stored {
            // The outcome is not to be had for this task, and nobody can ask again: that is its failure.
            if error.is_refusal() && error.kind() != ErrorKind::LeaseLost {
                let failed = execution.end_async(Outcome::Fail { retry_in: None }, Some(failure_of(&error)), false);
                failed.await.map_err(RunError::from_end)?;
                return Err(RunError::Handler(error.into()));
            }
            return Err(RunError::from_end(error));
        }
        finished.error.map_or(Ok(()), |error| Err(RunError::Handler(error)))
    }
}
