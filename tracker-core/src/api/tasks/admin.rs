//! What people do by hand.

use super::Tasks;
use crate::{
    api::schema::Schema,
    engine::{Pause, Target, TaskCommand},
    model::{
        bounds::TEXT,
        codec,
        error::{ErrorKind, Reason, Result},
        status::TaskStatus,
        task::{TaskId, TaskKey, TrackedTask},
        transition::{Command, Requeue},
    },
};

impl<T: TrackedTask> Tasks<T> {
    /// Changes a task that nobody holds: reads it, runs `change` outside any transaction, and replaces the task if nobody
    /// else changed it meanwhile; else again. `change` may therefore run more than once. Indexes, unique keys and a
    /// priority that a field holds follow the change.
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
    /// jobs.update("one", |job| job.host = "b".into())?;
    /// assert_eq!(jobs.query().index("host", "b").total()?, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `NotFound`, `Leased`, `Invalid` if the id was changed, `NotStartable` in a status that the kind does not have.
    pub fn update(&self, id: impl TaskId, mut change: impl FnMut(&mut T)) -> Result<()> {
        let id = id.to_key();
        loop {
            match self.shared.engine.call(self.changed(&id, &mut change)?) {
                Err(error) if error.kind() == ErrorKind::Stale => {}
                other => return other.map(drop),
            }
        }
    }

    /// Reads a task, changes it, and makes the command that stores it if nobody else changed it meanwhile.
    pub(crate) fn changed(&self, id: &TaskKey, change: &mut impl FnMut(&mut T)) -> Result<TaskCommand> {
        let (kind, now) = (self.kind()?, self.shared.engine.now());
        let read = self.shared.engine.read(|rows| {
            let Some(task) = rows.look_up(&kind, id)? else { return Ok(None) };
            let Some(header) = rows.header(task)? else { return Ok(None) };
            Ok(Some((task, rows.changeable(task, &header, now)?)))
        })?;
        let Some((task, (body, revision))) = read else {
            return Err(self.kind()?.refuse(id.clone(), Reason::NotFound));
        };
        let mut value: T = codec::decode(&self.name, id, &body.payload)?;
        let before = value.priority();
        change(&mut value);
        let body = Some(codec::body(id, &value)?);
        let priority = codec::changed_priority(&*self.kind()?, before, &value);
        let target = Target::Known(task, id.clone());
        Ok(TaskCommand { body, ..TaskCommand::new(self.kind, target, Command::Update { revision, priority }) })
    }

    /// Moves a task between parked and startable statuses.
    ///
    /// # Errors
    /// `NotFound`, `Leased`, a refusal if it has ended or the status is neither parked nor startable.
    pub fn move_to(&self, id: impl TaskId, status: T::Status) -> Result<()> {
        self.command(id, Command::Move { code: status.code() })
    }
}

impl<T: Schema> Tasks<T> {
    /// Makes a task startable again, with nothing held against it: in its current step.
    ///
    /// # Errors
    /// `NotFound`, `Leased`, `Conflict` if another unfinished task holds its unique key.
    pub fn requeue(&self, id: impl TaskId) -> Result<()> {
        self.command(id, Command::Requeue(Requeue::default()))
    }

    /// The same in the first step of a pipeline.
    ///
    /// # Errors
    /// As [`Tasks::requeue`].
    pub fn requeue_from_start(&self, id: impl TaskId) -> Result<()> {
        self.command(id, Command::Requeue(Requeue { from_start: true, ..Requeue::default() }))
    }

    /// Calls a task off. A waiting one is cancelled at once; a running one is told, and ends as cancelled unless it
    /// succeeds.
    ///
    /// # Errors
    /// `NotFound`; a refusal if it has ended; `MissingRole` if the status type has neither cancelled nor ignored.
    pub fn cancel(&self, id: impl TaskId) -> Result<()> {
        self.command(id, Command::Cancel)
    }

    /// Sets a task aside that nobody holds. The reason goes into its history.
    ///
    /// # Errors
    /// `NotFound`, `Leased`, a refusal if it has ended, `MissingRole`.
    pub fn ignore(&self, id: impl TaskId, reason: &str) -> Result<()> {
        self.command(id, Command::Ignore { fence: 0, reason: self.shared.text(reason, TEXT) })
    }

    /// Deletes a task that nobody holds, with its history.
    ///
    /// # Errors
    /// `NotFound`, `Leased`.
    pub fn remove(&self, id: impl TaskId) -> Result<()> {
        self.command(id, Command::Delete)
    }

    pub(crate) fn command(&self, id: impl TaskId, command: Command) -> Result<()> {
        self.shared.engine.call(TaskCommand::new(self.kind, Target::Id(id.to_key()), command)).map(drop)
    }

    /// Lets nothing be claimed from this kind until [`Tasks::resume`]. Stands in the file.
    ///
    /// # Errors
    /// A failure of the storage.
    pub fn pause(&self) -> Result<()> {
        self.shared.engine.call(Pause { kind: self.kind, paused: true })
    }

    /// Ends a pause.
    ///
    /// # Errors
    /// A failure of the storage.
    pub fn resume(&self) -> Result<()> {
        self.shared.engine.call(Pause { kind: self.kind, paused: false })
    }
}
