//! Runs a blocking handler in its span, and turns the value that a handler returns into the outcome that is stored. Called by `api/tasks/run` and
//! `worker`; runs user code, guarded, and touches no row.

use std::{
    any::Any,
    error::Error as StdError,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

use crate::{
    api::execution::Execution,
    engine::FinishTask,
    model::{
        error::{Error, ErrorKind, Result},
        failure::{failure_of, failure_of_panic},
        panics,
        task::TrackedTask,
        transition::{Failure, Outcome},
        user_code::{failure_of_error, guarded, text_of},
    },
};

/// The values that a handler may return without an error: `()` for success, or an [`Outcome`].
pub trait IntoOutcome {
    /// The outcome.
    fn into_outcome(self) -> Outcome;
}

impl IntoOutcome for () {
    fn into_outcome(self) -> Outcome {
        Outcome::Succeed
    }
}

impl IntoOutcome for Outcome {
    fn into_outcome(self) -> Outcome {
        self
    }
}

/// Why [`Tasks::run`](crate::Tasks::run) did not end well.
#[derive(Debug)]
#[non_exhaustive]
pub enum RunError {
    /// The task's state refused the start.
    Refused(Error),
    /// The handler's error. The attempt is stored as failed.
    Handler(Box<dyn StdError + Send + Sync>),
    /// Another worker has the task now; nothing was stored.
    LeaseLost(Error),
    /// The file failed and not the task, so no failure is counted.
    Storage(Error),
}

impl RunError {
    /// Ignores an error of the handler: the attempt is stored as failed, and the caller continues. A refused start,
    /// a lost lease and a [storage error](crate::ErrorKind#storage-errors) stay errors.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use tracker_core::{Tracker, worker::RunError};
    /// # let tracker = Tracker::in_memory()?;
    /// # let jobs = tracker.tasks::<Job>()?;
    /// # jobs.submit(&job("one"))?;
    /// jobs.run("one", |_| Err::<(), _>("no luck")).or_else(RunError::skip_handler_error)?;
    /// assert_eq!(jobs.counts()?.get(Status::Failed), 1);
    ///
    /// let refused = jobs.run("nobody", |_| Err::<(), _>("no luck")).or_else(RunError::skip_handler_error);
    /// assert!(matches!(refused, Err(RunError::Refused(_))));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The error itself, unless it is [`RunError::Handler`].
    pub fn skip_handler_error(self) -> Result<(), Self> {
        if matches!(self, Self::Handler(_)) { Ok(()) } else { Err(self) }
    }

    pub(crate) fn from_start(error: Error) -> Self {
        if error.is_refusal() { Self::Refused(error) } else { Self::Storage(error) }
    }

    pub(crate) fn from_end(error: Error) -> Self {
        if error.kind() == ErrorKind::LeaseLost { Self::LeaseLost(error) } else { Self::Storage(error) }
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) | Self::LeaseLost(error) | Self::Storage(error) => error.fmt(f),
            Self::Handler(error) => error.fmt(f),
        }
    }
}

impl StdError for RunError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Refused(error) | Self::LeaseLost(error) | Self::Storage(error) => error.source(),
            Self::Handler(error) => error.source(),
        }
    }
}

/// The request of a handler that has returned.
pub(crate) struct HandlerResult {
    /// The outcome to store; `None` if the handler has asked for an outcome itself.
    pub action: Option<Result<FinishTask>>,
    pub error: Option<Box<dyn StdError + Send + Sync>>,
    pub panic: Option<Box<dyn Any + Send>>,
}

/// The request at the end of a worker's attempt.
pub(crate) struct EndedAttempt {
    /// The outcome to store; `None` if the handler has asked for an outcome itself.
    pub action: Option<Result<FinishTask>>,
    pub failure: Option<Failure>,
    pub panicked: bool,
}

/// Runs a handler in the span of its attempt, and catches its panic.
pub(crate) fn run_handler<T: TrackedTask, R>(
    execution: &mut Execution<T>,
    handler: impl FnOnce(&mut Execution<T>) -> R,
) -> thread::Result<R> {
    catch_unwind(AssertUnwindSafe(|| {
        let _span = execution.open_span().entered();
        handler(execution)
    }))
}

/// The result of a handler: its outcome, or its failure with the values that the failure was made of.
struct Left {
    outcome: Outcome,
    failure: Option<Failure>,
    error: Option<Box<dyn StdError + Send + Sync>>,
    panic: Option<Box<dyn Any + Send>>,
}

impl Left {
    fn failed(failure: Failure) -> Self {
        Self { outcome: Outcome::Fail { retry_in: None }, failure: Some(failure), error: None, panic: None }
    }

    fn of<R, E>(result: thread::Result<Result<R, E>>) -> Self
    where
        R: IntoOutcome,
        E: Into<Box<dyn StdError + Send + Sync>> + fmt::Debug,
    {
        match result {
            Ok(Ok(outcome)) => match guarded("the conversion into an outcome", || outcome.into_outcome()) {
                Ok(outcome) => Self { outcome, failure: None, error: None, panic: None },
                Err(panic) => Self::failed(panic),
            },
            Ok(Err(error)) => {
                let debug = text_of("the error's Debug", format_args!("{error:?}"));
                match guarded("the conversion of the error", || error.into()) {
                    Ok(error) => {
                        let failure = failure_of_error(&*error, debug);
                        Self { error: Some(error), ..Self::failed(failure) }
                    }
                    Err(panic) => Self::failed(panic),
                }
            }
            Err(panic) => {
                let failure = failure_of_panic(&*panic);
                Self { panic: Some(panic), ..Self::failed(failure) }
            }
        }
    }

    /// Adds a panic that came after the handler. The attempt fails by it, also if the handler asked for another outcome.
    fn fail_by(&mut self, panic: Failure) {
        self.outcome = match self.outcome {
            Outcome::GiveUp => Outcome::GiveUp,
            _ => Outcome::Fail { retry_in: None },
        };
        if let Some(failure) = &mut self.failure {
            failure.add(panic);
        } else {
            self.error.get_or_insert_with(|| panic.error.clone().into());
            self.failure = Some(panic);
        }
    }
}

/// Makes an outcome of what a handler returned, or of its panic. The caller gets the error and the panic.
pub(crate) fn finish_handler<T, R, E>(
    execution: &mut Execution<T>,
    result: thread::Result<Result<R, E>>,
) -> HandlerResult
where
    T: TrackedTask,
    R: IntoOutcome,
    E: Into<Box<dyn StdError + Send + Sync>> + fmt::Debug,
{
    let mut left = Left::of(result);
    let action = finish_action(execution, &mut left);
    HandlerResult { action, error: left.error, panic: left.panic }
}

/// Makes an outcome of what a handler of a worker returned, or of its panic, and drops both.
pub(crate) fn end_attempt<T, R, E>(execution: &mut Execution<T>, result: thread::Result<Result<R, E>>) -> EndedAttempt
where
    T: TrackedTask,
    R: IntoOutcome,
    E: Into<Box<dyn StdError + Send + Sync>> + fmt::Debug,
{
    let mut left = Left::of(result);
    for dropped in [
        guarded("the error's Drop", || drop(left.error.take())),
        guarded("the panic payload's Drop", || drop(left.panic.take())),
    ] {
        if let Err(panic) = dropped {
            left.fail_by(panic);
        }
    }
    let action = finish_action(execution, &mut left);
    EndedAttempt {
        action,
        panicked: left.failure.as_ref().is_some_and(|failure| failure.panicked),
        failure: left.failure,
    }
}

/// Serializes and drops the task, and makes the action that ends the attempt. A panic of either fails the attempt.
fn finish_action<T: TrackedTask>(execution: &mut Execution<T>, left: &mut Left) -> Option<Result<FinishTask>> {
    let is_settled = execution.is_settled();
    left.failure = left.failure.take().map(|failure| redacted(execution, failure));
    let mut action = None;
    if !is_settled {
        let with_changes = matches!(left.outcome, Outcome::Succeed | Outcome::Snooze { .. } | Outcome::Park { .. });
        let made = guarded("the task's serialization", || {
            execution.finish_of(left.outcome, left.failure.clone(), with_changes)
        });
        action = match made {
            // The handler has changed the id, or left a task that cannot be stored. No later call can ask again, so the
            // attempt has failed.
            Ok(Err(refused)) if refused.kind() == ErrorKind::Invalid => {
                *left = Left::failed(redacted(execution, failure_of(&refused)));
                left.error = Some(refused.into());
                Some(execution.finish_of(left.outcome, left.failure.clone(), false))
            }
            Ok(made) => Some(made),
            Err(panic) => {
                left.fail_by(redacted(execution, panic));
                Some(execution.finish_of(left.outcome, left.failure.clone(), false))
            }
        };
    }
    if let Err(panic) = guarded("the task's Drop", || execution.drop_task()) {
        let panic = redacted(execution, panic);
        if is_settled {
            panics::log_catching_panics(
                || tracing::warn!(id = %execution.id(), error = panic.error, "a task panicked when it was dropped, after its end was stored"),
            );
        } else {
            left.fail_by(panic);
            action = Some(execution.finish_of(left.outcome, left.failure.clone(), false));
        }
    }
    execution.set_settled();
    execution.close_span((!is_settled).then_some((left.outcome, left.failure.as_ref())));
    action
}

/// Redacts a failure. If the user's function panics, nothing of the text is kept, because it may hold secrets.
fn redacted<T: TrackedTask>(execution: &Execution<T>, failure: Failure) -> Failure {
    let panicked = failure.panicked;
    guarded("redact", || execution.shared().failure(failure)).unwrap_or_else(|_| Failure {
        panicked,
        ..Failure::new("the text of the failure was dropped: the function given to Options::redact panicked")
    })
}
