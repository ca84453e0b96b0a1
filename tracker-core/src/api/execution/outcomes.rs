//! Defines the calls of an execution that wait for a commit: renewals, checkpoints, the outcomes of the attempt, and `detach`. Called by users and
//! handlers, `api/handler`, `api/tasks/run`, `api/transaction` and `worker`. Each is one action of `Engine`, except `succeed_with`, which runs
//! user code in a transaction. The payload is encoded, and an error written as text and redacted, before the action is queued, which runs user code.
//! `calls!` makes the blocking and the async form.

use std::{error::Error as StdError, time::Duration};

use super::Execution;
#[cfg(feature = "tokio")]
use crate::api::asynchronous::{AsyncExecution, calls::Async};
use crate::{
    api::{
        port::{Blocking, Port, calls, run_blocking},
        ticket::Ticket,
        transaction::{EndedExecution, Transaction},
    },
    engine::{Action, FinishTask},
    model::{
        codec,
        error::{Error, Result},
        failure::failure_of,
        status::TaskStatus,
        task::TrackedTask,
        transition::{Command, Failure, Finish, Header, Outcome},
    },
};

calls! {
    (&mut self) => (execution, port);
    impl[T: TrackedTask] Execution<T> => self;
    impl[T: TrackedTask] AsyncExecution<T> => &mut self.0;

    /// Extends the lease by its length from now.
    ///
    /// # Errors
    /// - [`ErrorKind::LeaseLost`](crate::ErrorKind::LeaseLost) if another worker has the task, or the attempt has ended.
    pub fn renew() -> Result<()> {
        let renew = Command::Renew { owner: execution.owner, lease: None, begin: false };
        execution.command(port, renew, None).await
    }

    /// Stores the task as it is now, independent of the attempt's outcome.
    ///
    /// # Errors
    /// - [`ErrorKind::LeaseLost`](crate::ErrorKind::LeaseLost) if another worker has the task, or the attempt has ended.
    /// - [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the changed task cannot be stored: its id was changed, it is too
    ///   large, or it cannot be serialized.
    /// - [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) if another task has a unique key of the changed task.
    pub fn checkpoint() -> Result<()> {
        let row = codec::plain_row(&execution.id, execution.task())?;
        let payload = row.payload.clone();
        let row = codec::encoded_row(execution.shared.engine.codecs(), row)?;
        // If the checkpoint fails, the end writes the payload also if it is unchanged.
        execution.forget_stored();
        let checkpoint = execution.checkpoint_command();
        execution.command(port, checkpoint, Some(row)).await?;
        execution.stored = payload;
        execution.priority = execution.task().priority();
        Ok(())
    }

    /// Succeeds: the changed task, the status and the follow-up tasks are durable together when this returns.
    ///
    /// # Errors
    /// - [`ErrorKind::LeaseLost`](crate::ErrorKind::LeaseLost) if another worker has the task, or the attempt has ended.
    /// - [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the changed task cannot be stored (its id was changed, it is too
    ///   large, or it cannot be serialized), or if a follow-up task is this task itself, unchanged.
    /// - [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) if another task has a unique key of the changed task, or if the id
    ///   and a unique key of a follow-up task belong to different tasks.
    /// - The error of the storage, if the outcome could not be stored: the lease remains, and the call can be repeated.
    pub fn succeed() -> Result<()> {
        execution.end_by(port, Outcome::Succeed, None, true).await
    }

    /// Fails: tried again after the kind's delay while failures are left, else exhausted. Staged changes are dropped.
    ///
    /// # Errors
    /// - [`ErrorKind::LeaseLost`](crate::ErrorKind::LeaseLost) if another worker has the task, or the attempt has ended.
    /// - The error of the storage, if the outcome could not be stored: the lease remains, and the call can be repeated.
    pub fn fail(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Result<()> {
        let failure = failure_of(&*error.into());
        execution.end_by(port, Outcome::Fail { retry_in: None }, Some(failure), false).await
    }

    /// Fails like [`Execution::fail`], but is tried again after this delay.
    ///
    /// # Errors
    /// - [`ErrorKind::LeaseLost`](crate::ErrorKind::LeaseLost) if another worker has the task, or the attempt has ended.
    /// - The error of the storage, if the outcome could not be stored: the lease remains, and the call can be repeated.
    pub fn fail_retry_in(error: impl Into<Box<dyn StdError + Send + Sync>>, delay: Duration) -> Result<()> {
        let failure = failure_of(&*error.into());
        execution.end_by(port, Outcome::Fail { retry_in: Some(delay) }, Some(failure), false).await
    }

    /// Fails like [`Execution::fail`], but stores the staged changes.
    ///
    /// # Errors
    /// - [`ErrorKind::LeaseLost`](crate::ErrorKind::LeaseLost) if another worker has the task, or the attempt has ended.
    /// - [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the changed task cannot be stored: its id was changed, it is too
    ///   large, or it cannot be serialized.
    /// - [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) if another task has a unique key of the changed task.
    /// - The error of the storage, if the outcome could not be stored: the lease remains, and the call can be repeated.
    pub fn fail_with_changes(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Result<()> {
        let failure = failure_of(&*error.into());
        execution.end_by(port, Outcome::Fail { retry_in: None }, Some(failure), true).await
    }

    /// Fails for good: no further attempt makes sense.
    ///
    /// # Errors
    /// - [`ErrorKind::LeaseLost`](crate::ErrorKind::LeaseLost) if another worker has the task, or the attempt has ended.
    /// - The error of the storage, if the outcome could not be stored: the lease remains, and the call can be repeated.
    pub fn give_up(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Result<()> {
        let failure = failure_of(&*error.into());
        execution.end_by(port, Outcome::GiveUp, Some(failure), false).await
    }

    /// Gives up like [`Execution::give_up`], but stores the staged changes.
    ///
    /// # Errors
    /// - [`ErrorKind::LeaseLost`](crate::ErrorKind::LeaseLost) if another worker has the task, or the attempt has ended.
    /// - [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the changed task cannot be stored: its id was changed, it is too
    ///   large, or it cannot be serialized.
    /// - [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) if another task has a unique key of the changed task.
    /// - The error of the storage, if the outcome could not be stored: the lease remains, and the call can be repeated.
    pub fn give_up_with_changes(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Result<()> {
        let failure = failure_of(&*error.into());
        execution.end_by(port, Outcome::GiveUp, Some(failure), true).await
    }

    /// Ends the task as ignored, with this reason in its history.
    ///
    /// # Errors
    /// - [`ErrorKind::LeaseLost`](crate::ErrorKind::LeaseLost) if another worker has the task, or the attempt has ended.
    /// - [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the status type has no ignored status.
    /// - The error of the storage, if the outcome could not be stored: the lease remains, and the call can be repeated.
    pub fn ignore(reason: impl Into<String>) -> Result<()> {
        execution.end_by(port, Outcome::Ignore, Some(Failure::new(reason)), false).await
    }

    /// Postpones the task: returns it to the status from which it was started, due after the delay, with its staged changes. The
    /// attempt is not counted.
    ///
    /// # Errors
    /// - [`ErrorKind::LeaseLost`](crate::ErrorKind::LeaseLost) if another worker has the task, or the attempt has ended.
    /// - [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the changed task cannot be stored: its id was changed, it is too
    ///   large, or it cannot be serialized.
    /// - [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) if another task has a unique key of the changed task.
    /// - The error of the storage, if the outcome could not be stored: the lease remains, and the call can be repeated.
    pub fn snooze(delay: Duration) -> Result<()> {
        execution.end_by(port, Outcome::Snooze { delay }, None, true).await
    }

    /// Puts the task into a parked status, with its staged changes.
    ///
    /// # Errors
    /// - [`ErrorKind::LeaseLost`](crate::ErrorKind::LeaseLost) if another worker has the task, or the attempt has ended.
    /// - [`ErrorKind::NotStartable`](crate::ErrorKind::NotStartable) if `status` is not a parked status.
    /// - [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the changed task cannot be stored: its id was changed, it is too
    ///   large, or it cannot be serialized.
    /// - [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) if another task has a unique key of the changed task.
    /// - The error of the storage, if the outcome could not be stored: the lease remains, and the call can be repeated.
    pub fn park(status: T::Status) -> Result<()> {
        execution.end_by(port, Outcome::Park { code: status.code() }, None, true).await
    }

    /// Releases the task as if it had not been claimed.
    ///
    /// # Errors
    /// - [`ErrorKind::LeaseLost`](crate::ErrorKind::LeaseLost) if another worker has the task, or the attempt has ended.
    /// - The error of the storage, if the outcome could not be stored: the lease remains, and the call can be repeated.
    pub fn release() -> Result<()> {
        execution.end_by(port, Outcome::Release, None, false).await
    }
}

calls! {
    (self) => (execution, port);
    impl[T: TrackedTask] Execution<T> => self;
    impl[T: TrackedTask] AsyncExecution<T> => self.0;

    /// Detaches the execution and returns a ticket that resumes it, also in another process. Without the ticket, only the
    /// expiry of the lease ends the execution.
    ///
    /// # Errors
    /// - [`ErrorKind::LeaseLost`](crate::ErrorKind::LeaseLost) if another worker has the task, or the attempt has ended.
    /// - The error of the storage, if the ticket could not be stored.
    ///
    /// After an error no ticket exists, and the task is released as if it had not been claimed.
    pub fn detach() -> Result<Ticket> {
        let mut execution = execution;
        let detach = Command::Detach { owner: execution.owner };
        execution.command(port, detach, None).await.inspect_err(|_| execution.release_on_drop = true)?;
        execution.settled = true;
        Ok(Ticket::new(&execution.kind.name, &execution.id, execution.owner))
    }
}

impl<T: TrackedTask> Execution<T> {
    /// Succeeds together with the caller's own tables: all in one commit.
    ///
    /// # Errors
    /// The error of `work`; and of the commit:
    /// - [`ErrorKind::LeaseLost`](crate::ErrorKind::LeaseLost) if another worker has the task, or the attempt has ended.
    /// - [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the changed task cannot be stored: its id was changed, it is too
    ///   large, or it cannot be serialized.
    /// - [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) if another task has a unique key of the changed task.
    /// - The error of the storage, if the commit failed.
    ///
    /// After an error nothing is stored, and the lease remains.
    pub fn succeed_with<R, E: From<Error>>(
        &mut self,
        work: impl FnOnce(&mut Transaction<'_, '_>) -> Result<R, E>,
    ) -> Result<R, E> {
        let finish = self.finish_of(Outcome::Succeed, None, true)?;
        let mut ended = EndedExecution::default();
        let result = self.shared.engine.user_transaction(|writer| {
            let result = work(&mut Transaction::new(&self.shared, writer, &mut ended).within(self.task_ref))?;
            finish.run(writer)?;
            Ok::<R, E>(result)
        })?;
        self.settled = true;
        self.ended = Some((Outcome::Succeed, None));
        ended.mark_all();
        Ok(result)
    }

    /// Ends the attempt. Waits on the thread.
    pub(crate) fn end(&mut self, outcome: Outcome, failure: Option<Failure>, with_changes: bool) -> Result<()> {
        run_blocking(self.end_by(Blocking, outcome, failure, with_changes))
    }

    /// Ends the attempt. Waits in the future.
    #[cfg(feature = "tokio")]
    pub(crate) async fn end_async(
        &mut self,
        outcome: Outcome,
        failure: Option<Failure>,
        with_changes: bool,
    ) -> Result<()> {
        self.end_by(Async, outcome, failure, with_changes).await
    }

    /// Ends the attempt.
    pub(crate) async fn end_by(
        &mut self,
        port: impl Port,
        outcome: Outcome,
        failure: Option<Failure>,
        with_changes: bool,
    ) -> Result<()> {
        let failure = failure.map(|failure| self.shared.failure(failure));
        let finish = self.finish_of(outcome, failure.clone(), with_changes)?;
        self.settled = true;
        let stored = port.call(&self.shared, finish).await;
        self.finished(outcome, failure, stored)
    }

    /// Applies the answer to the stored end of the attempt.
    pub(crate) fn finished(
        &mut self,
        outcome: Outcome,
        failure: Option<Failure>,
        stored: Result<Header>,
    ) -> Result<()> {
        stored.inspect_err(|error| {
            // A refusal has stored nothing, so the drop of the execution still has to end the attempt. Any other error leaves open whether the end is
            // stored: the call can be repeated, and a drop writes nothing.
            self.settled = !error.is_refusal();
        })?;
        self.record_end(outcome, failure.as_ref());
        self.ended = Some((outcome, failure));
        Ok(())
    }

    /// The end of this attempt as an action; the failure is redacted.
    pub(crate) fn finish_of(
        &mut self,
        outcome: Outcome,
        failure: Option<Failure>,
        with_changes: bool,
    ) -> Result<FinishTask> {
        let row = if with_changes {
            let changed = Some(codec::plain_row(&self.id, self.task())?).filter(|row| row.payload != self.stored);
            changed.map(|row| codec::encoded_row(self.shared.engine.codecs(), row)).transpose()?
        } else {
            None
        };
        let next = if outcome == Outcome::Succeed { self.next.clone() } else { Vec::new() };
        Ok(FinishTask {
            task: self.task_ref,
            id: self.id.clone(),
            finish: self.finish(outcome, failure, row.is_some()),
            row,
            next,
        })
    }

    pub(super) fn finish(&self, outcome: Outcome, failure: Option<Failure>, with_changes: bool) -> Finish {
        Finish {
            owner: self.owner,
            outcome,
            with_changes,
            priority: if with_changes { self.changed_priority() } else { None },
            failure,
            annotations: self.annotations.clone(),
            run: u64::try_from(self.run_time().as_micros()).ok(),
            // `FinishTask` draws it in its transaction if the delay has jitter.
            random: 0.5,
        }
    }
}
