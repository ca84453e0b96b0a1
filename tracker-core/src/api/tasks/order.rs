//! Defines the changes of the claim order by an operator: priority, due time, moves and pauses of single tasks. Called by users and
//! `api/live/perform`; each call is one action of `Engine`.

use chrono::{DateTime, Utc};

use super::Tasks;
#[cfg(feature = "tokio")]
use crate::{api::asynchronous::AsyncTasks, model::task::TrackedTask};
use crate::{
    api::{
        deferred::DeferredTasks,
        schema::Schema,
        single_call::{SingleCall, single_calls},
    },
    engine::{Destination, MoveTask, Target},
    model::{error::Result, task::TaskId, time::micros_at, transition::Command},
};

single_calls! {
    (&self) => tasks;
    impl[T: Schema] Tasks<T> => self;
    impl[T: TrackedTask] AsyncTasks<T> => &self.tasks;
    impl[T: Schema] DeferredTasks<T> => &self.tasks;

    /// Changes the priority of an unfinished task: 0 to 255, higher first. A running attempt continues, and the new priority applies
    /// to the next one. If a field of the payload holds the priority, the next change of that field sets the priority again.
    ///
    /// # Errors
    /// - [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if the task does not exist.
    /// - [`ErrorKind::Ended`](crate::ErrorKind::Ended) if it has ended.
    pub fn set_priority(&self, id: impl TaskId, priority: u8) -> Result<()> {
        tasks.command(id, Command::SetPriority(priority))
    }

    /// Changes the due time of an unfinished task without a lease. A time in the past makes the task due at once, before tasks of the
    /// same priority that became due later. A task that waits for others is not claimed before they have ended.
    ///
    /// # Errors
    /// - [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if the task does not exist.
    /// - [`ErrorKind::Leased`](crate::ErrorKind::Leased) if a worker holds its lease.
    /// - [`ErrorKind::Ended`](crate::ErrorKind::Ended) if it has ended.
    pub fn set_due(&self, id: impl TaskId, due: DateTime<Utc>) -> Result<()> {
        tasks.command(id, Command::SetDue(micros_at(due)))
    }

    /// Moves a task before all tasks of the same kind and priority. The task is due at once, also if it was due later.
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
    /// # use tracker_core::Tracker;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let tracker = Tracker::in_memory()?;
    /// # let jobs = tracker.tasks::<Job>()?;
    /// # jobs.submit_all(["one", "two", "three"].map(job))?;
    /// jobs.move_to_front("three")?;
    /// let first = jobs.claim()?.expect("a task waits");
    /// assert_eq!(first.id().to_string(), "three");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// - [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if the task does not exist.
    /// - [`ErrorKind::Leased`](crate::ErrorKind::Leased) if a worker holds its lease.
    /// - [`ErrorKind::Ended`](crate::ErrorKind::Ended) if it has ended.
    /// - [`ErrorKind::NotStartable`](crate::ErrorKind::NotStartable) if the task is parked, paused, unreadable, or waits for others.
    pub fn move_to_front(&self, id: impl TaskId) -> Result<()> {
        tasks.move_task(id, Destination::Front)
    }

    /// Moves a task directly before another one of the same kind and priority. The task takes over the due time of the other one.
    ///
    /// # Errors
    /// As [`Tasks::move_to_front`], for both tasks; [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) if their priorities differ, and
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if both ids are the same.
    pub fn move_before(&self, id: impl TaskId, other: impl TaskId) -> Result<()> {
        tasks.move_task(id, Destination::Before(other.to_key()))
    }

    /// Pauses an unfinished task: no claim finds it until [`Tasks::resume_task`]. A running attempt continues, and its task is not
    /// claimed again. A start by id ([`Tasks::start`]) ignores the pause. The pause is stored in the file, and a requeue ends it.
    ///
    /// # Errors
    /// - [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if the task does not exist.
    /// - [`ErrorKind::Ended`](crate::ErrorKind::Ended) if it has ended.
    pub fn pause_task(&self, id: impl TaskId) -> Result<()> {
        tasks.command(id, Command::SetPaused(true))
    }

    /// Ends the pause of a task. A task that is not paused stays as it is.
    ///
    /// # Errors
    /// As [`Tasks::pause_task`].
    pub fn resume_task(&self, id: impl TaskId) -> Result<()> {
        tasks.command(id, Command::SetPaused(false))
    }
}

impl<T: Schema> Tasks<T> {
    fn move_task(&self, id: impl TaskId, destination: Destination) -> SingleCall<MoveTask, fn(()) -> Result<()>> {
        SingleCall::new(MoveTask { kind: self.kind, target: Target::Id(id.to_key()), destination, condition: None })
    }
}
