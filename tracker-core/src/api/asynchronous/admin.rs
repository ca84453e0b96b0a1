use super::{calls, tasks::AsyncTasks};
use crate::{
    engine::{Pause, Target, TaskCommand},
    model::{
        bounds::TEXT,
        error::{ErrorKind, Result},
        status::TaskStatus,
        task::{TaskId, TrackedTask},
        transition::{Command, Requeue},
    },
};

/// What people do by hand.
impl<T: TrackedTask> AsyncTasks<T> {
    /// [`Tasks::update`](crate::Tasks::update) for async callers: `change` may run more than once.
    ///
    /// # Errors
    /// As [`Tasks::update`](crate::Tasks::update).
    pub async fn update(&self, id: impl TaskId, mut change: impl FnMut(&mut T)) -> Result<()> {
        let id = id.to_key();
        loop {
            let changed = self.tasks.changed(&id, &mut change)?;
            match calls::queue(&self.tasks.shared, changed).await {
                Err(error) if error.kind() == ErrorKind::Stale => {}
                other => return other.map(drop),
            }
        }
    }

    /// [`Tasks::move_to`](crate::Tasks::move_to) for async callers.
    ///
    /// # Errors
    /// As [`Tasks::move_to`](crate::Tasks::move_to).
    pub async fn move_to(&self, id: impl TaskId, status: T::Status) -> Result<()> {
        self.command(id, Command::Move { code: status.code() }).await
    }

    /// [`Tasks::requeue`](crate::Tasks::requeue) for async callers.
    ///
    /// # Errors
    /// As [`Tasks::requeue`](crate::Tasks::requeue).
    pub async fn requeue(&self, id: impl TaskId) -> Result<()> {
        self.command(id, Command::Requeue(Requeue::default())).await
    }

    /// [`Tasks::requeue_from_start`](crate::Tasks::requeue_from_start) for async callers.
    ///
    /// # Errors
    /// As [`Tasks::requeue`](crate::Tasks::requeue).
    pub async fn requeue_from_start(&self, id: impl TaskId) -> Result<()> {
        self.command(id, Command::Requeue(Requeue { from_start: true, ..Requeue::default() })).await
    }

    /// [`Tasks::cancel`](crate::Tasks::cancel) for async callers.
    ///
    /// # Errors
    /// As [`Tasks::cancel`](crate::Tasks::cancel).
    pub async fn cancel(&self, id: impl TaskId) -> Result<()> {
        self.command(id, Command::Cancel).await
    }

    /// [`Tasks::ignore`](crate::Tasks::ignore) for async callers.
    ///
    /// # Errors
    /// As [`Tasks::ignore`](crate::Tasks::ignore).
    pub async fn ignore(&self, id: impl TaskId, reason: &str) -> Result<()> {
        let reason = self.tasks.shared.text(reason, TEXT);
        self.command(id, Command::Ignore { fence: 0, reason }).await
    }

    /// [`Tasks::remove`](crate::Tasks::remove) for async callers.
    ///
    /// # Errors
    /// As [`Tasks::remove`](crate::Tasks::remove).
    pub async fn remove(&self, id: impl TaskId) -> Result<()> {
        self.command(id, Command::Delete).await
    }

    /// [`Tasks::pause`](crate::Tasks::pause) for async callers.
    ///
    /// # Errors
    /// As [`Tasks::pause`](crate::Tasks::pause).
    pub async fn pause(&self) -> Result<()> {
        calls::queue(&self.tasks.shared, Pause { kind: self.tasks.kind_id(), paused: true }).await
    }

    /// [`Tasks::resume`](crate::Tasks::resume) for async callers.
    ///
    /// # Errors
    /// As [`Tasks::resume`](crate::Tasks::resume).
    pub async fn resume(&self) -> Result<()> {
        calls::queue(&self.tasks.shared, Pause { kind: self.tasks.kind_id(), paused: false }).await
    }

    async fn command(&self, id: impl TaskId, command: Command) -> Result<()> {
        let command = TaskCommand::new(self.tasks.kind_id(), Target::Id(id.to_key()), command);
        self.tasks.shared.engine.room().await;
        calls::queue(&self.tasks.shared, command).await.map(drop)
    }
}
