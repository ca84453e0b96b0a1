//! `Undo` logs the changes of several steps, which take effect together or not at all. If a step fails, the changes are reverted in reverse
//! order. Used by `engine/action`, `engine/writer` and `portable/imported_task`; reads and writes the rows of their tasks.

use std::sync::Arc;

use super::Writer;
use crate::{
    model::{
        error::{Error, Result},
        kind::Kind,
        task::{TaskKey, TaskRef},
        task_row::TaskRow,
        throttle::AcceptedSubmit,
        transition::{Header, OnDependencyFailure},
    },
    storage::{
        keys::DependencyKey,
        write::change::{HistoryRows, TaskChange},
    },
};

/// A recorded change.
pub(super) enum Undo {
    Task(Box<TaskUndo>),
    /// A dependency, as it was before.
    Dependency(DependencyKey, Option<OnDependencyFailure>),
    /// The row of a throttle key, as it was before.
    Throttle {
        kind: u32,
        key: TaskKey,
        before: Option<AcceptedSubmit>,
    },
}

/// A task before and after a write.
pub(super) struct TaskUndo {
    kind: Arc<Kind>,
    task: TaskRef,
    old: Option<Header>,
    new: Option<Header>,
    old_row: Option<TaskRow>,
    new_row: Option<TaskRow>,
    #[expect(clippy::option_option, reason = "outside: whether it changes; inside: what it becomes")]
    successor: Option<Option<TaskRow>>,
    /// The history before, because a new attempt may have removed the oldest one.
    runs: HistoryRows,
}

impl Writer<'_> {
    /// Runs several steps, all of which take effect or none. The steps may submit tasks; the last one may do anything. Ends are
    /// propagated when all steps have succeeded.
    pub(crate) fn all_or_nothing<R>(&mut self, work: impl FnOnce(&mut Self) -> Result<R>) -> Result<R> {
        let (may_start, events, writes) = (self.effects.may_start, self.effects.events.len(), self.writes);
        let (propagations, cancelled) = (self.propagations.len(), self.effects.cancelled.len());
        let ends = self.effects.ends.len();
        #[cfg(feature = "metrics")]
        let counted = self.effects.counted.len();
        let outer = self.undo.replace(Vec::new());
        let result = work(self);
        let undo = self.undo.take().unwrap_or_default();
        self.undo = outer;
        if result.is_ok() {
            if let Some(outer) = &mut self.undo {
                outer.extend(undo);
            }
        } else if let Err(error) = self.take_back_all(undo) {
            // Nothing can be undone in a transaction that has failed as a whole. The first error is the reason.
            return Err(result.err().filter(Error::stops_a_batch).unwrap_or(error));
        } else {
            self.effects.may_start = may_start;
            self.effects.events.truncate(events);
            self.effects.cancelled.truncate(cancelled);
            self.effects.ends.truncate(ends);
            #[cfg(feature = "metrics")]
            self.effects.counted.truncate(counted);
            self.propagations.truncate(propagations);
            self.writes = writes;
        }
        self.propagate()?;
        result
    }

    pub(super) fn remember(&mut self, kind: &Kind, task: TaskRef, change: &TaskChange) -> Result<()> {
        let successor = match change.successor {
            Some(_) => Some(self.rows.successor(task)?),
            None => None,
        };
        let undo = TaskUndo {
            kind: Arc::new(kind.clone()),
            task,
            old: change.old.cloned(),
            new: change.new.cloned(),
            old_row: change.old_row.cloned(),
            new_row: change.new_row.cloned(),
            successor,
            runs: if change.old.is_some() { self.rows.runs(task)? } else { HistoryRows::new() },
        };
        self.undo.get_or_insert_default().push(Undo::Task(Box::new(undo)));
        Ok(())
    }

    fn take_back_all(&mut self, undo: Vec<Undo>) -> Result<()> {
        for step in undo.into_iter().rev() {
            match step {
                Undo::Task(written) => self.take_back(&written)?,
                Undo::Dependency(key, before) => drop(self.rows.put_dependency(key, before)?),
                Undo::Throttle { kind, key, before } => {
                    self.rows.put_accepted_submit(kind, &key, before.as_ref())?;
                }
            }
        }
        Ok(())
    }

    /// Writes a change in reverse.
    fn take_back(&mut self, step: &TaskUndo) -> Result<()> {
        let gone = step.old.is_none();
        let change = TaskChange {
            old: step.new.as_ref(),
            new: step.old.as_ref(),
            old_row: step.new_row.as_ref().or(step.old_row.as_ref()),
            new_row: if gone { None } else { step.old_row.as_ref() },
            history: &[],
            successor: step.successor.as_ref().map(Option::as_ref),
        };
        let counted = self.rows.apply(&step.kind, step.task, &change)?;
        self.rows.replace_runs(step.task, &step.runs)?;
        self.count(counted);
        self.batches.count(&step.kind, step.old.as_ref(), step.new.as_ref(), -1);
        Ok(())
    }
}
