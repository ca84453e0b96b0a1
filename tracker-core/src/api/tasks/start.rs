//! Starting tasks: the next one, one by its id, or one that a ticket stands for.

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

    /// Takes the next task of the line: by priority, then due time, then submission. `None` if nothing is due,
    /// or what is due is held back by a pause or a limit.
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
    /// `Invalid` on a kind of several steps, `Unreadable` if the task cannot be decoded (it is then out of the line).
    pub fn claim() -> Result<Option<Execution<T>>>, async Result<Option<AsyncExecution<T>>> {
        Ok(tasks.claim_by(port, &StartOptions::default()).await?.map(Into::into))
    }

    /// Takes the next task, with further statuses to start from or a lease of its own. The options about one task's
    /// state have no meaning here.
    ///
    /// # Errors
    /// As [`Tasks::claim`].
    pub fn claim_with(options: &StartOptions<T::Status>) -> Result<Option<Execution<T>>>, async Result<Option<AsyncExecution<T>>> {
        Ok(tasks.claim_by(port, options).await?.map(Into::into))
    }

    /// Starts a task by its id, due or not.
    ///
    /// # Errors
    /// A refusal that says why: see [`Reason`](crate::error::Reason).
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
    /// As [`Tasks::start`].
    pub fn start_with(id: impl TaskId, options: &StartOptions<T::Status>) -> Result<Execution<T>>, async Result<AsyncExecution<T>> {
        tasks.start_by(port, id, options).await.map(Into::into)
    }

    /// Puts a task in and starts it, in one commit: either both or neither.
    ///
    /// # Errors
    /// As [`Tasks::submit`] and [`Tasks::start`].
    pub fn submit_and_start(task: &T) -> Result<Execution<T>>, async Result<AsyncExecution<T>> {
        let kind = tasks.kind()?;
        let start = tasks.start_command(&kind, &StartOptions::default(), false)?;
        let both = SubmitAndStart { new: tasks.new_task(task)?, start };
        port.room(&tasks.shared).await;
        let claimed = port.start(&tasks.shared, both, |(_, claimed)| Ok(claimed)).await?;
        execution(port, &tasks.shared, &kind, claimed).await.map(Into::into)
    }

    /// Takes up the execution that a ticket stands for.
    ///
    /// # Errors
    /// `LeaseLost` if its lease ran out and was taken, or it was taken up already and ended; `NotFound`; `Invalid` if the
    /// ticket is of another kind.
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
        match port.claim(&self.shared, claim).await?.tasks.pop() {
            Some(claimed) => execution(port, &self.shared, &kind, claimed).await.map(Some),
            None => Ok(None),
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

    /// The claim of one task. The options about one task's state have no meaning in it.
    pub(crate) fn claim_command(&self, kind: &Kind, options: &StartOptions<T::Status>) -> Result<Claim> {
        let start = self.start_command(kind, options, true)?;
        let start = Start { steal_lease: false, force: false, reenter: None, ..start };
        let budgets = Budgets::default();
        Ok(Claim { kind: self.kind, start, most: 1, begin: 1, prefetch_bytes: 0, isolated: true, budgets, held: false })
    }

    /// Whether [`Tasks::start_with`] would be refused by the task's state as it is now, and why. Changes nothing. For
    /// looking only: another worker may have the task by the time of the start, which then refuses.
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
            is_claim,
            steal_lease: options.steal_lease,
            force: options.force,
            reenter: options.token,
            begun: true,
            chance: 0.5,
        })
    }
}

/// Takes an execution up, and reads what it is about.
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
