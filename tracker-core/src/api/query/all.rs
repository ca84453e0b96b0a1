//! What is done to every task that a query finds.

use std::sync::Arc;

use super::{Query, Search};
use crate::{
    api::{page::Page, schema::Schema},
    engine::{Target, TaskCommand},
    model::{
        bounds::TEXT,
        error::Result,
        task::TaskRef,
        transition::{Command, Requeue},
    },
};

/// How many tasks share a transaction.
const BATCH: usize = 1_000;

impl<T: Schema> Query<'_, T> {
    /// Makes all tasks of the query startable again, in batches; says how many. Those that are held meanwhile, or no
    /// longer have a status that the query asks for, are left.
    ///
    /// # Errors
    /// A failure of the storage.
    pub fn requeue(&self) -> Result<u64> {
        self.command_all(&Command::Requeue(Requeue::default()))
    }

    /// Requeues the tasks of the query that have failed or were given up, in batches. Returns their number.
    ///
    /// # Errors
    /// A failure of the storage.
    pub fn retry(&self) -> Result<u64> {
        self.command_all(&Command::Requeue(Requeue { failed_only: true, ..Requeue::default() }))
    }

    /// The same in the first step of a pipeline.
    ///
    /// # Errors
    /// A failure of the storage.
    pub fn requeue_from_start(&self) -> Result<u64> {
        self.command_all(&Command::Requeue(Requeue { from_start: true, ..Requeue::default() }))
    }

    /// Deletes all tasks of the query that nobody holds, in batches; says how many.
    ///
    /// # Errors
    /// A failure of the storage.
    pub fn remove(&self) -> Result<u64> {
        self.command_all(&Command::Delete)
    }

    /// Cancels all tasks of the query that have not ended, in batches; says how many.
    ///
    /// # Errors
    /// A failure of the storage.
    pub fn cancel(&self) -> Result<u64> {
        self.command_all(&Command::Cancel)
    }

    /// Sets all tasks of the query aside that have not ended and that nobody holds, in batches; says how many. The
    /// reason goes into their histories.
    ///
    /// # Errors
    /// A failure of the storage.
    pub fn ignore(&self, reason: &str) -> Result<u64> {
        self.command_all(&Command::Ignore { fence: 0, reason: self.tasks.shared.text(reason, TEXT) })
    }

    fn command_all(&self, command: &Command) -> Result<u64> {
        let engine = &self.tasks.shared.engine;
        let kind = engine.read(|rows| self.tasks.kind_in(rows))?;
        let condition = Arc::new(self.search.condition(&kind)?);
        let mut done = 0;
        for batch in self.all()?.chunks(BATCH) {
            let ids = engine.read(|rows| {
                let mut ids = Vec::with_capacity(batch.len());
                for task in batch {
                    ids.extend(rows.find_task_row(*task)?.map(|row| (*task, row.id)));
                }
                Ok(ids)
            })?;
            let commands = ids.into_iter().map(|(task, id)| TaskCommand {
                condition: Some(condition.clone()),
                ..TaskCommand::new(kind.id, Target::Known(task, id), command.clone())
            });
            for result in engine.call_all(commands.collect())? {
                match result {
                    Ok(_) => done += 1,
                    Err(error) if error.is_refusal() => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(done)
    }

    /// Every task of the query before anything is done to one: what is done moves it in the order.
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
