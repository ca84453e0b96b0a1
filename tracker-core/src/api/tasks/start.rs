//! Starts tasks: the next one in claim order, one by its id, one that it submits, or a detached execution by its ticket. Called by users and
//! `api/tasks/run`; `worker/pool_state` uses `start_command`. Each start is an action of `Engine`, which a claim repeats while it is unfinished;
//! then it decodes the payload, which is user code. `check_start` only reads.

use std::time::Duration;

use uuid::Uuid;

use super::{StartOptions, Tasks};
#[cfg(feature = "tokio")]
use crate::api::asynchronous::{AsyncExecution, AsyncTasks};
use crate::{
    api::{
        execution::Execution,
        port::{Port, calls, execution},
        ticket::Ticket,
    },
    engine::{Action, Claim, Claimed, StartById, SubmitAndStart, Target, TaskCommand, Writer},
    model::{
        error::{Error, Reason, Result},
        kind::Kind,
        needs::Budgets,
        status::TaskStatus,
        task::{TaskId, TrackedTask},
        transition::{Command, Start},
    },
};

calls! {
    (&self) => (tasks, port);
    impl[T: TrackedTask] Tasks<T> => self;
    impl[T: TrackedTask] AsyncTasks<T> => &self.tasks;

    /// Claims the next task in claim order: by priority, then due time, then place. Returns `None` if no task is due, or if a
    /// pause or a limit holds back the due tasks.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # use tracker_core::Tracker;
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
    /// - [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the kind has several steps and none is chosen.
    /// - [`ErrorKind::Unreadable`](crate::ErrorKind::Unreadable) if the task cannot be decoded. Later claims skip it.
    pub fn claim() -> Result<Option<Execution<T>>>, async Result<Option<AsyncExecution<T>>> {
        Ok(tasks.claim_by(port, &StartOptions::default()).await?.map(Into::into))
    }

    /// Claims the next task with options: further statuses to start from, or another length of the lease. Options about the
    /// state of one task (`steal_lease`, `force`, `reenter`) have no effect.
    ///
    /// # Errors
    /// - [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the kind has several steps and none is chosen, if the lease is
    ///   shorter than a millisecond, or if a kind with a limit or needs does not declare one of the statuses as startable.
    /// - [`ErrorKind::Unreadable`](crate::ErrorKind::Unreadable) if the task cannot be decoded. Later claims skip it.
    pub fn claim_with(options: &StartOptions<T::Status>) -> Result<Option<Execution<T>>>, async Result<Option<AsyncExecution<T>>> {
        Ok(tasks.claim_by(port, options).await?.map(Into::into))
    }

    /// Starts a task by its id, due or not.
    ///
    /// # Errors
    /// - [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if the task does not exist.
    /// - [`ErrorKind::Leased`](crate::ErrorKind::Leased) if a worker holds its lease.
    /// - [`ErrorKind::NotStartable`](crate::ErrorKind::NotStartable) if its status, its step or a dependency does not allow the
    ///   start.
    /// - [`ErrorKind::Ended`](crate::ErrorKind::Ended) if it has ended in a status that is not startable.
    /// - [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the kind has several steps and none is chosen.
    /// - [`ErrorKind::Unreadable`](crate::ErrorKind::Unreadable) if the task cannot be decoded. Later claims skip it.
    pub fn start(id: impl TaskId) -> Result<Execution<T>>, async Result<AsyncExecution<T>> {
        tasks.start_by(port, id, &StartOptions::default()).await.map(Into::into)
    }

    /// Starts a task by its id, with options.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # use tracker_core::{ErrorKind, Tracker, execution::StartOptions};
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
    /// - [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if the task does not exist.
    /// - [`ErrorKind::Leased`](crate::ErrorKind::Leased) if a worker holds its lease, and `options` neither contain the token
    ///   of that lease nor steal it.
    /// - [`ErrorKind::NotStartable`](crate::ErrorKind::NotStartable) if its status, its step or a dependency does not allow the
    ///   start.
    /// - [`ErrorKind::Ended`](crate::ErrorKind::Ended) if it has ended in a status that is not startable, without `force`.
    /// - [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the kind has several steps and none is chosen, or if the lease is
    ///   shorter than a millisecond.
    /// - [`ErrorKind::Unreadable`](crate::ErrorKind::Unreadable) if the task cannot be decoded. Later claims skip it.
    pub fn start_with(id: impl TaskId, options: &StartOptions<T::Status>) -> Result<Execution<T>>, async Result<AsyncExecution<T>> {
        tasks.start_by(port, id, options).await.map(Into::into)
    }

    /// Submits a task and starts it, in one commit: both or neither.
    ///
    /// # Errors
    /// - [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) if its id and a unique key belong to different tasks.
    /// - [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for an empty id, a value above a size limit, a task that cannot be
    ///   serialized, or a kind with several steps of which none is chosen.
    /// - [`ErrorKind::Leased`](crate::ErrorKind::Leased) if a worker holds its lease.
    /// - [`ErrorKind::NotStartable`](crate::ErrorKind::NotStartable) if its status, its step or a dependency does not allow the
    ///   start.
    /// - [`ErrorKind::Ended`](crate::ErrorKind::Ended) if it has ended in a status that is not startable.
    /// - [`ErrorKind::Unreadable`](crate::ErrorKind::Unreadable) if the task cannot be decoded. Later claims skip it.
    pub fn submit_and_start(task: &T) -> Result<Execution<T>>, async Result<AsyncExecution<T>> {
        let kind = tasks.kind()?;
        let start = tasks.start_command(&kind, &StartOptions::default(), false)?;
        let both = SubmitAndStart { new: tasks.new_task(task)?, start };
        port.room(&tasks.shared).await;
        let claimed = port.start(&tasks.shared, both, |(_, claimed)| Ok(claimed)).await?;
        execution(port, &tasks.shared, &kind, claimed).await.map(Into::into)
    }

    /// Resumes the detached execution that a ticket identifies.
    ///
    /// # Errors
    /// - [`ErrorKind::LeaseLost`](crate::ErrorKind::LeaseLost) if the lease expired and another worker has the task, or the
    ///   attempt has ended.
    /// - [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if the task is gone.
    /// - [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the ticket is of another kind.
    pub fn resume_ticket(ticket: &Ticket) -> Result<Execution<T>>, async Result<AsyncExecution<T>> {
        let resume = tasks.resume_command(ticket)?;
        let claimed = port.start(&tasks.shared, resume, Ok).await?;
        execution(port, &tasks.shared, &tasks.kind()?, claimed).await.map(Into::into)
    }
}

impl<T: TrackedTask> Tasks<T> {
    async fn claim_by(&self, port: impl Port, options: &StartOptions<T::Status>) -> Result<Option<Execution<T>>> {
        let kind = self.kind()?;
        let claim = self.claim_command(&kind, options)?;
        loop {
            let mut claims = port.claim(&self.shared, claim.clone()).await?;
            match claims.tasks.pop() {
                Some(claimed) => return execution(port, &self.shared, &kind, claimed).await.map(Some),
                None if claims.is_unfinished() => {}
                None => return Ok(None),
            }
        }
    }

    pub(crate) async fn start_by(
        &self,
        port: impl Port,
        id: impl TaskId,
        options: &StartOptions<T::Status>,
    ) -> Result<Execution<T>> {
        let kind = self.kind()?;
        let start = self.start_command(&kind, options, false)?;
        let start = StartById { kind: self.kind, target: Target::Id(id.to_key()), start };
        let claimed = port.start(&self.shared, start, Ok).await?;
        execution(port, &self.shared, &kind, claimed).await
    }

    /// The claim of one task. Ignores the options about the state of one task.
    pub(crate) fn claim_command(&self, kind: &Kind, options: &StartOptions<T::Status>) -> Result<Claim> {
        let start = self.start_command(kind, options, true)?;
        let start = Start { steal_lease: false, force: false, reenter: None, ..start };
        let budgets = Budgets::default();
        Ok(Claim { kind: self.kind, start, most: 1, begin: 1, prefetch_bytes: 0, isolated: true, budgets, held: false })
    }

    /// Checks whether the current state of the task refuses [`Tasks::start_with`], and why. Changes nothing. For
    /// looking only. Another worker may have the task by the time of the start, which then refuses.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # use tracker_core::{ErrorKind, Tracker, execution::StartOptions};
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
    /// - [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if the task does not exist.
    /// - [`ErrorKind::Leased`](crate::ErrorKind::Leased) if a worker holds its lease, and `options` neither contain the token
    ///   of that lease nor steal it.
    /// - [`ErrorKind::NotStartable`](crate::ErrorKind::NotStartable) if its status, its step or a dependency does not allow the
    ///   start.
    /// - [`ErrorKind::Ended`](crate::ErrorKind::Ended) if it has ended in a status that is not startable, without `force`.
    /// - [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the kind has several steps and none is chosen, or if the lease is
    ///   shorter than a millisecond.
    pub fn check_start(&self, id: impl TaskId, options: &StartOptions<T::Status>) -> Result<()> {
        let kind = self.kind()?;
        let start = Command::Start(self.start_command(&kind, options, false)?);
        let (id, now) = (id.to_key(), self.shared.engine.now());
        self.shared.engine.read(|rows| {
            let rules = kind.rules(now);
            let header = match rows.look_up(&kind, &id)? {
                Some(task) => rows.header(task)?.map(|header| self.with_renewed_lease(&rules, header)),
                None => None,
            };
            rules.decide(header.as_ref(), &start).map(drop).map_err(|reason| kind.refuse(id.clone(), reason))
        })
    }

    fn resume_command(&self, ticket: &Ticket) -> Result<Resume> {
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

    pub(crate) fn start_command(
        &self,
        kind: &Kind,
        options: &StartOptions<T::Status>,
        is_claim: bool,
    ) -> Result<Start> {
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
        let startable = match &options.startable {
            Some(startable) => startable.iter().map(|status| status.code()).collect(),
            None => kind.policy.startable.to_vec(),
        };
        Ok(Start {
            step,
            startable,
            fence: 0,
            token: Uuid::nil(),
            worker: self.worker.to_string(),
            instance: self.shared.engine.instance(),
            lease,
            is_claim,
            steal_lease: options.steal_lease,
            force: options.force,
            reenter: options.token,
            begun: true,
            random: 0.5,
        })
    }
}

/// Resumes an execution and reads its task.
struct Resume {
    command: TaskCommand,
    ticket: Ticket,
}

impl Action for Resume {
    type Out = Claimed;

    fn run(&self, writer: &mut Writer<'_>) -> Result<Self::Out> {
        let kind = writer.kind(self.command.kind)?;
        let (task, id) = self.command.target.find(writer, &kind)?;
        let header = self.command.run(writer)?.ok_or_else(|| kind.refuse(id, Reason::NotFound))?;
        let row = writer.rows().task_row(task)?;
        Ok(Claimed { task, owner: self.ticket.owner(), header, row })
    }
}
