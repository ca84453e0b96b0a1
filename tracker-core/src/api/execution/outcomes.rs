//! How an attempt ends by its body's word.

use std::{error::Error as StdError, time::Duration};

use super::Execution;
use crate::{
    api::{
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

impl<T: TrackedTask> Execution<T> {
    /// Succeeds: the changed task, the status and the follow-up tasks are durable together when this returns.
    ///
    /// # Errors
    /// `LeaseLost`; or the success could not be stored: then the lease stands and the same can be asked for again.
    pub fn succeed(&mut self) -> Result<()> {
        self.end(Outcome::Succeed, None, true)
    }

    /// Succeeds together with the caller's own tables: all in one commit.
    ///
    /// # Errors
    /// As [`Execution::succeed`], or the error of `work`; then nothing is stored, and the lease stands.
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
        self.asked = true;
        self.ended = Some((Outcome::Succeed, None));
        ended.tell();
        Ok(result)
    }

    /// Fails: tried again after the kind's delay while failures are left, else exhausted. Staged changes are dropped.
    ///
    /// # Errors
    /// As [`Execution::succeed`].
    pub fn fail(&mut self, error: impl Into<Box<dyn StdError + Send + Sync>>) -> Result<()> {
        self.end(Outcome::Fail { retry_in: None }, Some(failure_of(&*error.into())), false)
    }

    /// Fails like [`Execution::fail`], but is tried again after this delay.
    ///
    /// # Errors
    /// As [`Execution::succeed`].
    pub fn fail_retry_in(&mut self, error: impl Into<Box<dyn StdError + Send + Sync>>, delay: Duration) -> Result<()> {
        self.end(Outcome::Fail { retry_in: Some(delay) }, Some(failure_of(&*error.into())), false)
    }

    /// Fails like [`Execution::fail`], but stores the staged changes.
    ///
    /// # Errors
    /// As [`Execution::succeed`].
    pub fn fail_with_changes(&mut self, error: impl Into<Box<dyn StdError + Send + Sync>>) -> Result<()> {
        self.end(Outcome::Fail { retry_in: None }, Some(failure_of(&*error.into())), true)
    }

    /// Fails for good: no further attempt makes sense.
    ///
    /// # Errors
    /// As [`Execution::succeed`].
    pub fn give_up(&mut self, error: impl Into<Box<dyn StdError + Send + Sync>>) -> Result<()> {
        self.end(Outcome::GiveUp, Some(failure_of(&*error.into())), false)
    }

    /// Sets the task aside, for this reason.
    ///
    /// # Errors
    /// As [`Execution::succeed`]; `MissingRole` where the status type has no ignored.
    pub fn ignore(&mut self, reason: impl Into<String>) -> Result<()> {
        self.end(Outcome::Ignore, Some(Failure::new(reason)), false)
    }

    /// Puts the task off: back where it came from, due after the delay. The attempt is not counted.
    ///
    /// # Errors
    /// As [`Execution::succeed`].
    pub fn snooze(&mut self, delay: Duration) -> Result<()> {
        self.end(Outcome::Snooze { delay }, None, true)
    }

    /// Puts the task into a parked status, with its staged changes.
    ///
    /// # Errors
    /// As [`Execution::succeed`]; `NotStartable` if the status is not a parked one.
    pub fn park(&mut self, status: T::Status) -> Result<()> {
        self.end(Outcome::Park { code: status.code() }, None, true)
    }

    /// Gives the task back as if it had not been claimed.
    ///
    /// # Errors
    /// As [`Execution::succeed`].
    pub fn release(&mut self) -> Result<()> {
        self.end(Outcome::Release, None, false)
    }

    /// Lets a ticket stand for the execution: whoever holds it can take it up again, also in another process. From now on
    /// only the lease's expiry ends it otherwise.
    ///
    /// # Errors
    /// `LeaseLost`, or a failure of the storage: then nobody holds a ticket, and the task is given back without cost.
    pub fn detach(self) -> Result<Ticket> {
        let answer = self.shared.engine.call(self.task_command(Command::Detach { owner: self.owner }, None));
        self.detached(answer)
    }

    /// Hears whether it is detached.
    pub(crate) fn detached(mut self, answer: Result<Option<Header>>) -> Result<Ticket> {
        self.commanded(answer).inspect_err(|_| self.release_on_drop = true)?;
        self.asked = true;
        Ok(Ticket::new(&self.kind.name, &self.id, self.owner))
    }

    pub(crate) fn end(&mut self, outcome: Outcome, failure: Option<Failure>, keep: bool) -> Result<()> {
        let failure = failure.map(|failure| self.shared.failure(failure));
        let finish = self.finish_of(outcome, failure.clone(), keep)?;
        self.asked = true;
        let stored = self.shared.engine.call(finish);
        self.finished(outcome, failure, stored)
    }

    /// Hears whether its end is stored.
    pub(crate) fn finished(
        &mut self,
        outcome: Outcome,
        failure: Option<Failure>,
        stored: Result<Header>,
    ) -> Result<()> {
        stored.inspect_err(|error| {
            // Nothing of it is stored: what becomes of the attempt is still open.
            self.asked = !error.is_refusal();
        })?;
        self.ended = Some((outcome, failure));
        Ok(())
    }

    /// The end of this attempt as an action; the failure is redacted.
    pub(crate) fn finish_of(&mut self, outcome: Outcome, failure: Option<Failure>, keep: bool) -> Result<FinishTask> {
        let body = if keep {
            Some(codec::body(&self.id, self.task())?).filter(|body| body.payload != self.stored)
        } else {
            None
        };
        let next = if outcome == Outcome::Succeed { self.next.clone() } else { Vec::new() };
        Ok(FinishTask {
            task: self.task_ref,
            id: self.id.clone(),
            finish: self.finish(outcome, failure, body.is_some()),
            body,
            next,
        })
    }

    pub(super) fn finish(&self, outcome: Outcome, failure: Option<Failure>, keep: bool) -> Finish {
        Finish {
            owner: self.owner,
            outcome,
            keep,
            priority: if keep { self.changed_priority() } else { None },
            failure,
            remarks: self.remarks.clone(),
            run: u64::try_from(self.run_time().as_micros()).ok(),
            chance: 0.5,
        }
    }
}
