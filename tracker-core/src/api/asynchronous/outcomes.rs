use std::{error::Error as StdError, time::Duration};

use super::calls;
use crate::{
    api::{execution::Execution, ticket::Ticket},
    model::{
        codec,
        error::Result,
        failure::failure_of,
        status::TaskStatus,
        task::TrackedTask,
        transition::{Command, Failure, Outcome},
    },
};

/// The calls that wait for the disk, for async callers. Once such a future was polled its change is queued and is made,
/// even if the future is dropped.
impl<T: TrackedTask> Execution<T> {
    /// [`Execution::renew`] for async callers.
    ///
    /// # Errors
    /// As [`Execution::renew`].
    pub async fn renew_async(&mut self) -> Result<()> {
        let (_, _, owner) = self.owned();
        let renew = self.task_command(Command::Renew { owner, lease: None, begin: false }, None);
        let answer = calls::queue(self.shared(), renew).await;
        self.commanded(answer)
    }

    /// [`Execution::checkpoint`] for async callers.
    ///
    /// # Errors
    /// As [`Execution::checkpoint`].
    pub async fn checkpoint_async(&mut self) -> Result<()> {
        let (_, id, _) = self.owned();
        let body = codec::body(&id, self.task())?;
        self.unsettle();
        let checkpoint = self.task_command(self.checkpoint_command(), Some(body));
        let answer = calls::queue(self.shared(), checkpoint).await;
        self.commanded(answer)
    }

    /// [`Execution::succeed`] for async callers.
    ///
    /// # Errors
    /// As [`Execution::succeed`].
    pub async fn succeed_async(&mut self) -> Result<()> {
        self.end_async(Outcome::Succeed, None, true).await
    }

    /// [`Execution::fail`] for async callers.
    ///
    /// # Errors
    /// As [`Execution::fail`].
    pub async fn fail_async(&mut self, error: impl Into<Box<dyn StdError + Send + Sync>>) -> Result<()> {
        let failure = failure_of(&*error.into());
        self.end_async(Outcome::Fail { retry_in: None }, Some(failure), false).await
    }

    /// [`Execution::fail_retry_in`] for async callers.
    ///
    /// # Errors
    /// As [`Execution::fail_retry_in`].
    pub async fn fail_retry_in_async(
        &mut self,
        error: impl Into<Box<dyn StdError + Send + Sync>>,
        delay: Duration,
    ) -> Result<()> {
        let failure = failure_of(&*error.into());
        self.end_async(Outcome::Fail { retry_in: Some(delay) }, Some(failure), false).await
    }

    /// [`Execution::fail_with_changes`] for async callers.
    ///
    /// # Errors
    /// As [`Execution::fail_with_changes`].
    pub async fn fail_with_changes_async(&mut self, error: impl Into<Box<dyn StdError + Send + Sync>>) -> Result<()> {
        let failure = failure_of(&*error.into());
        self.end_async(Outcome::Fail { retry_in: None }, Some(failure), true).await
    }

    /// [`Execution::give_up`] for async callers.
    ///
    /// # Errors
    /// As [`Execution::give_up`].
    pub async fn give_up_async(&mut self, error: impl Into<Box<dyn StdError + Send + Sync>>) -> Result<()> {
        let failure = failure_of(&*error.into());
        self.end_async(Outcome::GiveUp, Some(failure), false).await
    }

    /// [`Execution::ignore`] for async callers.
    ///
    /// # Errors
    /// As [`Execution::ignore`].
    pub async fn ignore_async(&mut self, reason: impl Into<String>) -> Result<()> {
        let failure = Failure::new(reason);
        self.end_async(Outcome::Ignore, Some(failure), false).await
    }

    /// [`Execution::snooze`] for async callers.
    ///
    /// # Errors
    /// As [`Execution::snooze`].
    pub async fn snooze_async(&mut self, delay: Duration) -> Result<()> {
        self.end_async(Outcome::Snooze { delay }, None, true).await
    }

    /// [`Execution::park`] for async callers.
    ///
    /// # Errors
    /// As [`Execution::park`].
    pub async fn park_async(&mut self, status: T::Status) -> Result<()> {
        self.end_async(Outcome::Park { code: status.code() }, None, true).await
    }

    /// [`Execution::release`] for async callers.
    ///
    /// # Errors
    /// As [`Execution::release`].
    pub async fn release_async(&mut self) -> Result<()> {
        self.end_async(Outcome::Release, None, false).await
    }

    /// [`Execution::detach`] for async callers.
    ///
    /// # Errors
    /// As [`Execution::detach`].
    pub async fn detach_async(self) -> Result<Ticket> {
        let (_, _, owner) = self.owned();
        let answer = calls::queue(self.shared(), self.task_command(Command::Detach { owner }, None)).await;
        self.detached(answer)
    }

    pub(crate) async fn end_async(&mut self, outcome: Outcome, failure: Option<Failure>, keep: bool) -> Result<()> {
        let failure = failure.map(|failure| self.shared().failure(failure));
        let finish = self.finish_of(outcome, failure.clone(), keep)?;
        self.set_asked();
        let stored = calls::queue(self.shared(), finish).await;
        self.finished(outcome, failure, stored)
    }
}
