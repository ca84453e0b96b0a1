//! Changes the tasks that a query finds, in parts of bounded size. Skips those whose status, time or batch no longer matches, and those
//! that refuse it. Called by users, `tracker-cli` and `api/live/perform`; reads the tasks, and writes through `Engine`.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{Query, Search};
use crate::{
    api::{page::Page, schema::Schema},
    engine::{Action, Destination, MoveTask, Target, TaskCommand},
    model::{
        bounds::TEXT,
        error::{Reason, Result},
        task::{TaskId, TaskRef},
        time::micros_at,
        transition::{Command, Condition, Requeue},
    },
};

impl<T: Schema> Query<'_, T> {
    /// Makes all tasks of the query startable again, in batches. Returns their number. Tasks that are leased meanwhile, or no
    /// longer match the query, are skipped.
    ///
    /// # Errors
    /// A [storage error](crate::ErrorKind#storage-errors).
    pub fn requeue(&self) -> Result<u64> {
        self.command_all(&Command::Requeue(Requeue::default()))
    }

    /// Requeues the tasks of the query that have failed or were given up, in batches. Returns their number.
    ///
    /// # Errors
    /// A [storage error](crate::ErrorKind#storage-errors).
    pub fn retry(&self) -> Result<u64> {
        self.command_all(&Command::Requeue(Requeue { failed_only: true, ..Requeue::default() }))
    }

    /// Requeues all tasks of the query in the first step of a pipeline, in batches. Returns their number.
    ///
    /// # Errors
    /// A [storage error](crate::ErrorKind#storage-errors).
    pub fn requeue_from_start(&self) -> Result<u64> {
        self.command_all(&Command::Requeue(Requeue { from_start: true, ..Requeue::default() }))
    }

    /// Deletes all tasks of the query without a lease, in batches. Returns their number.
    ///
    /// # Errors
    /// A [storage error](crate::ErrorKind#storage-errors).
    pub fn remove(&self) -> Result<u64> {
        self.command_all(&Command::Delete)
    }

    /// Cancels all unfinished tasks of the query, in batches. Returns their number.
    ///
    /// # Errors
    /// A [storage error](crate::ErrorKind#storage-errors).
    pub fn cancel(&self) -> Result<u64> {
        self.command_all(&Command::Cancel)
    }

    /// Ignores all unfinished tasks of the query without a lease, in batches. Returns their number. The
    /// reason goes into their histories.
    ///
    /// # Errors
    /// A [storage error](crate::ErrorKind#storage-errors).
    pub fn ignore(&self, reason: &str) -> Result<u64> {
        self.command_all(&Command::Ignore { fence: 0, reason: self.tasks.shared.text(reason, TEXT) })
    }

    /// Changes the priority of all unfinished tasks of the query, in batches. Returns their number. See [`Tasks::set_priority`](crate::Tasks::set_priority).
    ///
    /// # Errors
    /// A [storage error](crate::ErrorKind#storage-errors).
    pub fn set_priority(&self, priority: u8) -> Result<u64> {
        self.command_all(&Command::SetPriority(priority))
    }

    /// Changes the due time of all unfinished tasks of the query that have no lease, in batches. Returns their number. See
    /// [`Tasks::set_due`](crate::Tasks::set_due).
    ///
    /// # Errors
    /// A [storage error](crate::ErrorKind#storage-errors).
    pub fn set_due(&self, due: DateTime<Utc>) -> Result<u64> {
        self.command_all(&Command::SetDue(micros_at(due)))
    }

    /// Moves the tasks of the query before all others of their priority, in batches, in the order in which the query lists them.
    /// Returns the number of moved tasks. See [`Tasks::move_to_front`](crate::Tasks::move_to_front).
    ///
    /// # Errors
    /// A [storage error](crate::ErrorKind#storage-errors).
    pub fn move_to_front(&self) -> Result<u64> {
        let mut tasks = self.all()?;
        tasks.reverse();
        self.move_all(&tasks, &Destination::Front)
    }

    /// Moves the tasks of the query directly before another task, in batches, in the order in which the query lists them. Returns the number of moved
    /// tasks: tasks of another priority, and that task itself, stay where they are. See [`Tasks::move_before`](crate::Tasks::move_before).
    ///
    /// # Errors
    /// If the other task cannot be a destination, no task is moved:
    /// - [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) if it does not exist.
    /// - [`ErrorKind::Leased`](crate::ErrorKind::Leased) if a worker holds its lease.
    /// - [`ErrorKind::Ended`](crate::ErrorKind::Ended) if it has ended.
    /// - [`ErrorKind::NotStartable`](crate::ErrorKind::NotStartable) if it is parked, paused, unreadable, or waits for others.
    ///
    /// A [storage error](crate::ErrorKind#storage-errors). The tasks of earlier batches are moved then.
    pub fn move_before(&self, other: impl TaskId) -> Result<u64> {
        let (other, now) = (other.to_key(), self.tasks.shared.engine.now());
        let next = self.tasks.shared.engine.read(|rows| {
            let kind = self.tasks.kind_in(rows)?;
            let refuse = |reason| kind.refuse(other.clone(), reason);
            let task = rows.look_up(&kind, &other)?.ok_or_else(|| refuse(Reason::NotFound))?;
            let header = rows.header(task)?.ok_or_else(|| refuse(Reason::NotFound))?;
            kind.rules(now).check_movable(&header).map_err(refuse)?;
            Ok(task)
        })?;
        let mut tasks = self.all()?;
        tasks.retain(|task| *task != next);
        self.move_all(&tasks, &Destination::Before(other))
    }

    /// Pauses all unfinished tasks of the query, in batches. Returns their number. See [`Tasks::pause_task`](crate::Tasks::pause_task).
    ///
    /// # Errors
    /// A [storage error](crate::ErrorKind#storage-errors).
    pub fn pause(&self) -> Result<u64> {
        self.command_all(&Command::SetPaused(true))
    }

    /// Ends the pauses of all unfinished tasks of the query, in batches. Returns the number of these tasks.
    ///
    /// # Errors
    /// A [storage error](crate::ErrorKind#storage-errors).
    pub fn resume(&self) -> Result<u64> {
        self.command_all(&Command::SetPaused(false))
    }

    fn move_all(&self, tasks: &[TaskRef], destination: &Destination) -> Result<u64> {
        self.change_all(tasks, |kind, target, condition| MoveTask {
            kind,
            target,
            destination: destination.clone(),
            condition: Some(condition),
        })
    }

    fn command_all(&self, command: &Command) -> Result<u64> {
        self.change_all(&self.all()?, |kind, target, condition| TaskCommand {
            condition: Some(condition),
            ..TaskCommand::new(kind, target, command.clone())
        })
    }

    /// Runs an action on each of the tasks that still match. Returns the number of actions that were not refused.
    fn change_all<A: Action>(
        &self,
        tasks: &[TaskRef],
        action: impl Fn(u32, Target, Arc<Condition>) -> A,
    ) -> Result<u64> {
        let shared = &self.tasks.shared;
        let kind = shared.engine.read(|rows| self.tasks.kind_in(rows))?;
        let condition = Arc::new(self.search.condition(&kind)?);
        shared.change_each(tasks, |rows, part| {
            let mut actions = Vec::with_capacity(part.len());
            for task in part {
                let Some(row) = rows.find_task_row(*task)? else { continue };
                actions.push(action(kind.id, Target::Known(*task, row.id), condition.clone()));
            }
            Ok(actions)
        })
    }

    /// Finds every task of the query before it changes one, because a change moves the task in the order.
    fn all(&self) -> Result<Vec<TaskRef>> {
        let all = self.pages(|query: &Self, search: &Search| {
            query.tasks.shared.engine.read(|rows| {
                let kind = query.tasks.kind_in(rows)?;
                let (found, next) = search.page(rows, &kind)?;
                Ok(Page::of(found.into_iter().map(|(_, task)| task).collect(), next))
            })
        })?;
        Ok(all.items)
    }
}
