//! Bodies: what they may return, and what becomes of it.

use std::{any::Any, error::Error as StdError, fmt, thread};

use crate::{
    engine::FinishTask,
    error::{Error, ErrorKind, Result},
    execution::Execution,
    failures::{failure_of, failure_of_panic},
    rules::{Failure, Outcome},
    task::TrackedTask,
};

/// What a body may return when all went well: `()` for success, or an [`Outcome`].
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
    /// The body's own error. The attempt is stored as failed.
    Body(Box<dyn StdError + Send + Sync>),
    /// Somebody else has the task now; nothing was stored.
    LeaseLost(Error),
    /// The file, not the task: nothing is held against the task.
    Storage(Error),
}

impl RunError {
    /// Takes the body's own error for settled: the attempt is stored as failed, and the caller goes on. A refused start,
    /// a lost lease and a failure of the storage stay errors.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use tracker_core::{RunError, TaskStatus, TrackedTask, Tracker};
    /// # #[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
    /// # enum Status { Pending = 1, InProgress = 2, Failed = 3, Succeeded = 4, Exhausted = 5 }
    /// # #[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
    /// # #[task(name = "job", status = Status)]
    /// # struct Job { #[task(id)] name: String }
    /// # let tracker = Tracker::in_memory()?;
    /// # let jobs = tracker.tasks::<Job>()?;
    /// # jobs.submit(&Job { name: "one".into() })?;
    /// jobs.run("one", |_| Err::<(), _>("no luck")).or_else(RunError::skip_body)?;
    /// assert_eq!(jobs.counts()?.get(Status::Failed), 1);
    ///
    /// let refused = jobs.run("nobody", |_| Err::<(), _>("no luck")).or_else(RunError::skip_body);
    /// assert!(matches!(refused, Err(RunError::Refused(_))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// What is not the body's own error.
    pub fn skip_body(self) -> Result<(), Self> {
        if matches!(self, Self::Body(_)) { Ok(()) } else { Err(self) }
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
            Self::Body(error) => error.fmt(f),
        }
    }
}

impl StdError for RunError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Refused(error) | Self::LeaseLost(error) | Self::Storage(error) => error.source(),
            Self::Body(error) => error.source(),
        }
    }
}

/// What a body's end asks for.
pub(crate) struct Finished {
    /// What to store; `None` if the body has asked for an outcome itself.
    pub action: Option<Result<FinishTask>>,
    pub error: Option<Box<dyn StdError + Send + Sync>>,
    pub failure: Option<Failure>,
    pub panic: Option<Box<dyn Any + Send>>,
}

/// Makes an outcome of what a body returned, or of its panic.
pub(crate) fn finish_body<T, R, E>(execution: &mut Execution<T>, result: thread::Result<Result<R, E>>) -> Finished
where
    T: TrackedTask,
    R: IntoOutcome,
    E: Into<Box<dyn StdError + Send + Sync>> + fmt::Debug,
{
    let asked = execution.is_asked();
    let (outcome, mut failure, mut error, panic) = match result {
        Ok(Ok(outcome)) => (outcome.into_outcome(), None, None, None),
        Ok(Err(error)) => {
            let debug = format!("{error:?}");
            let error = error.into();
            let failure = Failure { debug, ..failure_of(&*error) };
            (Outcome::Fail { retry_in: None }, Some(failure), Some(error), None)
        }
        Err(panic) => (Outcome::Fail { retry_in: None }, Some(failure_of_panic(&*panic)), None, Some(panic)),
    };
    failure = failure.map(|failure| execution.shared().failure(failure));
    let keep = matches!(outcome, Outcome::Succeed | Outcome::Snooze { .. } | Outcome::Park { .. });
    let mut action = (!asked).then(|| execution.finish_of(outcome, failure.clone(), keep));
    // The body has changed the id, or made the task too large: nobody can ask again, so the attempt has failed.
    if let Some(Err(refused)) = &action
        && matches!(refused.kind(), ErrorKind::Invalid | ErrorKind::TooLarge)
    {
        let (told, refused) = (failure_of(refused), refused.share());
        action = Some(execution.finish_of(Outcome::Fail { retry_in: None }, Some(told.clone()), false));
        (failure, error) = (Some(told), Some(refused.into()));
    }
    execution.set_asked();
    Finished { action, error, failure, panic }
}
