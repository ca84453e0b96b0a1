use std::{error::Error as StdError, fmt, panic::resume_unwind, time::Duration};

use uuid::Uuid;

use super::{StartOptions, Tasks};
use crate::{
    api::{
        execution::Execution,
        handler::{IntoOutcome, RunError, finish_handler, run_handler},
        ticket::Ticket,
    },
    engine::{Action, Claim, StartById, SubmitAndStart, Target, TaskCommand},
    model::{
        error::{Error, ErrorKind, Result},
        failure::failure_of,
        kind::Kind,
        status::TaskStatus,
        task::{TaskId, TrackedTask},
        transition::{Command, Outcome, Start},
    },
};

impl<T: TrackedTask> Tasks<T> {
    /// Takes the next task of the line: by priority, then due time, then submission. `None` if nothing is due,
    /// or what is due is held back by a pause or a limit.
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
    /// # jobs.submit(&job("one"))?;
    /// while let Some(mut job) = jobs.claim()? {
    ///     job.result = Some(7);
    ///     job.succeed()?;
    /// }
    /// assert_eq!(jobs.counts()?.get(Status::Succeeded), 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `Invalid` on a kind of several steps, `Unreadable` if the task cannot be decoded (it is then out of the line).
    pub fn claim(&self) -> Result<Option<Execution<T>>> {
        self.claim_with(&StartOptions::default())
    }

    /// Takes the next task, with further statuses to start from or a lease of its own. The options about one task's
    /// state have no meaning here.
    ///
    /// # Errors
    /// As [`Tasks::claim`].
    pub fn claim_with(&self, options: &StartOptions<T::Status>) -> Result<Option<Execution<T>>> {
        let kind = self.kind()?;
        let claims = self.shared.engine.call(self.claim_command(&kind, options)?)?;
        claims.tasks.into_iter().next().map(|claimed| Execution::new(&self.shared, &kind, claimed)).transpose()
    }

    /// The claim of one task. The options about one task's state have no meaning in it.
    pub(crate) fn claim_command(&self, kind: &Kind, options: &StartOptions<T::Status>) -> Result<Claim> {
        let start = self.start_command(kind, options, true)?;
        let start = Start { steal_lease: false, force: false, reenter: None, ..start };
        Ok(Claim { kind: self.kind, start, most: 1, begin: 1, ahead_bytes: 0, isolated: true, held: false })
    }

    /// Starts a task by its id, due or not.
    ///
    /// # Errors
    /// A refusal that says why: see [`Reason`](crate::error::Reason).
    pub fn start(&self, id: impl TaskId) -> Result<Execution<T>> {
        self.start_with(id, &StartOptions::default())
    }

    /// Starts a task by its id, with options.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use tracker_core::{ErrorKind, TaskStatus, TrackedTask, Tracker, execution::StartOptions};
    /// # #[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
    /// # enum Status { Pending = 1, InProgress = 2, Failed = 3, Succeeded = 4, Exhausted = 5 }
    /// # #[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
    /// # #[task(name = "job", status = Status)]
    /// # struct Job { #[task(id)] name: String, #[task(index)] host: String, result: Option<u32> }
    /// # fn job(name: &str) -> Job { Job { name: name.into(), host: "a".into(), result: None } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tracker = Tracker::in_memory()?;
    /// # let jobs = tracker.tasks::<Job>()?;
    /// # jobs.submit(&job("one"))?;
    /// let mut job = jobs.start("one")?;
    /// job.succeed()?;
    /// assert_eq!(jobs.start("one").unwrap_err().kind(), ErrorKind::Ended);
    /// let again = jobs.start_with("one", &StartOptions::new().force())?;
    /// assert_eq!(again.attempt(), 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Tasks::start`].
    pub fn start_with(&self, id: impl TaskId, options: &StartOptions<T::Status>) -> Result<Execution<T>> {
        let kind = self.kind()?;
        let start = self.start_command(&kind, options, false)?;
        let action = StartById { kind: self.kind, target: Target::Id(id.to_key()), start };
        Execution::new(&self.shared, &kind, self.shared.engine.call(action)?)
    }

    /// Whether [`Tasks::start_with`] would be refused by the task's state as it is now, and why. Changes nothing. For
    /// looking only: by the time of the start somebody else may have the task, and the start itself says so.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use tracker_core::{ErrorKind, TaskStatus, TrackedTask, Tracker, execution::StartOptions};
    /// # #[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
    /// # enum Status { Pending = 1, InProgress = 2, Failed = 3, Succeeded = 4, Exhausted = 5 }
    /// # #[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
    /// # #[task(name = "job", status = Status)]
    /// # struct Job { #[task(id)] name: String, #[task(index)] host: String, result: Option<u32> }
    /// # fn job(name: &str) -> Job { Job { name: name.into(), host: "a".into(), result: None } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tracker = Tracker::in_memory()?;
    /// # let jobs = tracker.tasks::<Job>()?;
    /// # jobs.submit(&job("one"))?;
    /// let mine = jobs.start("one")?;
    /// assert_eq!(jobs.check_start("one", &StartOptions::new()).unwrap_err().kind(), ErrorKind::Leased);
    /// jobs.check_start("one", &StartOptions::new().reenter(mine.token()))?; // to its owner it is not locked
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Tasks::start_with`].
    pub fn check_start(&self, id: impl TaskId, options: &StartOptions<T::Status>) -> Result<()> {
        let kind = self.kind()?;
        let start = Command::Start(self.start_command(&kind, options, false)?);
        let (id, now) = (id.to_key(), self.shared.engine.now());
        self.shared.engine.read(|rows| {
            let rules = kind.rules(now);
            let header = match rows.look_up(&kind, &id)? {
                Some(task) => rows.header(task)?.map(|header| self.revived(&rules, header)),
                None => None,
            };
            rules.decide(header.as_ref(), &start).map(drop).map_err(|reason| kind.refuse(id.clone(), reason))
        })
    }

    /// Puts a task in and starts it, in one commit: either both or neither.
    ///
    /// # Errors
    /// As [`Tasks::submit`] and [`Tasks::start`].
    pub fn submit_and_start(&self, task: &T) -> Result<Execution<T>> {
        let kind = self.kind()?;
        let (_, claimed) = self.shared.engine.call(self.submit_and_start_command(&kind, task)?)?;
        Execution::new(&self.shared, &kind, claimed)
    }

    pub(crate) fn submit_and_start_command(&self, kind: &Kind, task: &T) -> Result<SubmitAndStart> {
        let start = self.start_command(kind, &StartOptions::default(), false)?;
        Ok(SubmitAndStart { new: self.new_task(task)?, start })
    }

    /// Starts a task by its id, runs `body`, and stores the outcome: success with the changed task, or the failure.
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
    /// Refused, the body's own error, a lost lease, or a failure of the storage.
    ///
    /// # Panics
    /// With the panic of `body`, after it was stored as a failure.
    pub fn run<R, E>(
        &self,
        id: impl TaskId,
        body: impl FnOnce(&mut Execution<T>) -> Result<R, E>,
    ) -> Result<(), RunError>
    where
        R: IntoOutcome,
        E: Into<Box<dyn StdError + Send + Sync>> + fmt::Debug,
    {
        self.run_with(id, &StartOptions::default(), body)
    }

    /// The same with options for the start.
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
        body: impl FnOnce(&mut Execution<T>) -> Result<R, E>,
    ) -> Result<(), RunError>
    where
        R: IntoOutcome,
        E: Into<Box<dyn StdError + Send + Sync>> + fmt::Debug,
    {
        let mut execution = self.start_with(id, options).map_err(RunError::from_start)?;
        let result = run_handler(&mut execution, body);
        let finished = finish_handler(&mut execution, result);
        let stored = match finished.action {
            Some(Ok(action)) => self.shared.engine.call(action).map(drop),
            Some(Err(error)) => Err(error),
            None => Ok(()),
        };
        if let Some(panic) = finished.panic {
            resume_unwind(panic);
        }
        if let Err(error) = stored {
            // The outcome is not to be had for this task, and nobody can ask again: that is its failure.
            if error.is_refusal() && error.kind() != ErrorKind::LeaseLost {
                let failure = failure_of(&error);
                let failed = execution.end(Outcome::Fail { retry_in: None }, Some(failure), false);
                failed.map_err(RunError::from_end)?;
                return Err(RunError::Handler(error.into()));
            }
            return Err(RunError::from_end(error));
        }
        finished.error.map_or(Ok(()), |error| Err(RunError::Handler(error)))
    }

    /// Takes up the execution that a ticket stands for.
    ///
    /// # Errors
    /// `LeaseLost` if its lease ran out and was taken, or it was taken up already and ended; `NotFound`; `Invalid` if the
    /// ticket is of another kind.
    pub fn resume_ticket(&self, ticket: &Ticket) -> Result<Execution<T>> {
        let action = self.resume_command(ticket)?;
        Execution::new(&self.shared, &self.kind()?, self.shared.engine.call(action)?)
    }

    pub(crate) fn resume_command(&self, ticket: &Ticket) -> Result<Resume> {
        if ticket.kind() != self.name() {
            return Err(Error::invalid(format!(
                "the ticket is for kind {:?}, not for {:?}",
                ticket.kind(),
                self.name()
            )));
        }
        let command = Command::Resume { owner: ticket.owner(), instance: self.shared.engine.instance(), lease: None };
        let command = TaskCommand::new(self.kind, Target::Id(ticket.id().clone()), command);
        Ok(Resume { command, ticket: ticket.clone() })
    }

    pub(crate) fn start_command(&self, kind: &Kind, options: &StartOptions<T::Status>, by_line: bool) -> Result<Start> {
        let step = self.step.ok_or_else(|| {
            Error::invalid(format!(
                "kind {:?} has several steps: name one, as in tasks.step(\"…\")?.claim()",
                kind.name
            ))
        })?;
        let lease = options.lease.unwrap_or(kind.policy.lease);
        if lease < Duration::from_millis(1) {
            return Err(Error::invalid("the lease is shorter than a millisecond: give at least one"));
        }
        let extra = match &options.extra {
            Some(extra) => extra.iter().map(|status| status.code()).collect(),
            None => kind.policy.startable.to_vec(),
        };
        Ok(Start {
            step,
            extra,
            fence: 0,
            token: Uuid::nil(),
            worker: self.worker.to_string(),
            instance: self.shared.engine.instance(),
            lease,
            by_line,
            steal_lease: options.steal_lease,
            force: options.force,
            reenter: options.token,
            begun: true,
            chance: 0.5,
        })
    }
}

/// Takes an execution up, and reads what it is about.
pub(crate) struct Resume {
    command: TaskCommand,
    ticket: Ticket,
}

impl Action for Resume {
    type Out = crate::engine::Claimed;

    fn run(&self, writer: &mut crate::engine::Writer<'_>) -> Result<Self::Out> {
        let kind = writer.kind(self.command.kind)?;
        let (task, id) = self.command.target.find(writer, &kind)?;
        let header = self.command.run(writer)?.ok_or_else(|| kind.refuse(id, crate::model::error::Reason::NotFound))?;
        let body = writer.rows().body_of(task)?;
        Ok(crate::engine::Claimed { task, owner: self.ticket.owner(), header, body })
    }
}
