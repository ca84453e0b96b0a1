//! Writes rows that no command decides: new kinds, the rows of tasks that another definition of their kind changes, and tasks and batches that
//! come from another file. Called by `engine/action/register`, `portable` and `maintenance/recover`, and `unblocked_heads`, which writes head
//! lists, by `engine/action/claim`.

use std::{collections::BTreeMap, sync::Arc};

use super::Writer;
use crate::{
    model::{
        bounds::check_kinds,
        error::{Error, ErrorKind, Result},
        kind::{Kind, KindSpec},
        needs::ResourceUse,
        new_task::NewTask,
        task::TaskRef,
        task_row::TaskRow,
        transition::{Batch, Command, DependencyEnd, Header, OnDependencyFailure},
    },
    storage::{
        keys::DependencyKey,
        read::{dependencies::PendingPropagation, needs::QueueHeads, task_rows::TaskRows},
        rows_of::{DerivedRows, rows_of},
        write::change::TaskChange,
    },
};

/// A task whose kind gets another definition.
#[derive(Clone, Copy)]
pub(crate) struct Redefined<'a> {
    pub old: &'a Kind,
    pub new: &'a Kind,
    pub task: TaskRef,
    pub header: &'a Header,
    /// Its payload with the keys of the old definition.
    pub old_row: &'a TaskRow,
    /// The unchanged payload, with the keys of the new definition.
    pub new_row: &'a TaskRow,
    /// The payload that waits for the end of the running attempt, with its new keys.
    pub successor: Option<&'a TaskRow>,
}

impl Redefined<'_> {
    /// The rows by the old definition, and by the new one.
    fn rows(&self) -> (DerivedRows<'_>, DerivedRows<'_>) {
        let Self { old, new, task, header, old_row, new_row, .. } = *self;
        (rows_of(old, task, header, Some(old_row.keys())), rows_of(new, task, header, Some(new_row.keys())))
    }
}

impl Writer<'_> {
    /// Removes the rows that a task has by the old definition of its kind and not by the new one.
    pub(crate) fn remove_old_rows(&mut self, redefined: &Redefined<'_>) -> Result<()> {
        let (before, after) = redefined.rows();
        self.mark_dirty();
        self.rows.remove_rows(redefined.new.id, redefined.task, Some(&before), Some(&after))
    }

    /// Inserts the rows that a task has by the new definition of its kind and not by the old one. Call it after the old rows of all
    /// tasks are removed, because a unique key of the new definition may have the bytes of another key of the old one.
    pub(crate) fn insert_new_rows(&mut self, redefined: &Redefined<'_>) -> Result<()> {
        let Redefined { old, new, task, header, old_row, new_row, successor } = *redefined;
        let (before, after) = redefined.rows();
        if let Some(rival) = self.rows.rival(new.id, task, Some(&before), Some(&after))? {
            let other = self.rows.task_row(rival)?.id;
            return Err(Error::new(
                ErrorKind::SchemaMismatch,
                format!(
                    "kind {:?}: a unique key cannot be added, \"{}\" and \"{other}\" share its value",
                    new.name, old_row.id
                ),
            ));
        }
        self.rows.insert_rows(new.id, task, Some(&before), Some(&after))?;
        if old_row != new_row {
            self.rows.put_row(task, new_row, false)?;
        }
        if let Some(successor) = successor {
            self.rows.put_successor(task, successor)?;
        }
        self.batches.recount(header, (old, new));
        Ok(())
    }

    /// The first due heads of a kind with several limits that no limit blocks. Moves at most `moves` heads to the lists of blocked heads;
    /// `None` if more are left. Called by claims.
    pub(crate) fn unblocked_heads(
        &mut self,
        kind: &Kind,
        codes: &[i32],
        resources: &[ResourceUse],
        moves: &mut usize,
    ) -> Result<Option<QueueHeads>> {
        let (now, allowed) = (self.now(), *moves);
        // Without needs, no task exceeds a budget.
        let ended = kind.has_needs() && self.rows.end_reservations(kind, resources)?;
        let heads = self.rows.unblocked_heads(kind, codes, now, moves)?;
        if ended || *moves < allowed {
            self.mark_dirty();
        }
        Ok(heads)
    }

    /// Derives the limit rows of a kind anew.
    pub(crate) fn rebuild_limit_rows(&mut self, kind: &Kind) -> Result<()> {
        self.mark_dirty();
        self.rows.clear_limit_rows(kind.id)?;
        let mut beyond = None;
        while kind.has_queues() {
            let tasks = self.rows.tasks_beyond(kind.id, beyond, 1_000)?;
            let Some(last) = tasks.last() else { break };
            beyond = Some(last.seq);
            for task in tasks {
                let (header, row) = (self.indexed_header(task)?, self.rows.task_row(task)?);
                self.rows.replace_limit_rows(kind, None, Some(&rows_of(kind, task, &header, Some(row.keys()))))?;
            }
        }
        Ok(())
    }

    /// Stores a new kind.
    pub(crate) fn define(&mut self, spec: KindSpec, paused: bool) -> Result<Arc<Kind>> {
        check_kinds(self.kinds.all().count())?;
        let last = self.kinds.all().map(|kind| kind.id).max().unwrap_or(0);
        let id = last.checked_add(1).ok_or_else(|| Error::corrupted("tracker.kinds", last, "no number follows it"))?;
        self.put_kind(spec.kind(id, paused))
    }

    /// Writes an imported task whose id is new. Refused if another task has one of its unique keys.
    #[cfg(feature = "json")]
    pub(crate) fn put_imported(&mut self, kind: &Kind, task_rows: &TaskRows) -> Result<()> {
        let TaskRows { task, header, row, .. } = task_rows;
        if !task_rows.has_room() {
            return Err(Error::invalid(format!("\"{}\" has a fence of 2^63 or more, which no file gives out", row.id)));
        }
        let change = TaskChange { new: Some(header), new_row: Some(row), ..TaskChange::default() };
        if let Some(rival) = self.rival(kind, *task, &change)? {
            let other = self.rows.task_row(rival)?.id;
            return Err(kind.refuse(row.id.clone(), crate::model::error::Reason::KeyTaken { other }));
        }
        // Times from elsewhere do not set the clock of this file.
        let clock_floor = self.file_state.clock_floor;
        self.restore(kind, task_rows)?;
        self.file_state.clock_floor = clock_floor;
        self.effects.may_start = true;
        self.push_imported(kind, *task, &row.id, header);
        Ok(())
    }

    /// Takes a sequence number for a task that is written in a later step.
    #[cfg(feature = "json")]
    pub(crate) fn reserve_seq(&mut self) -> Result<u64> {
        self.mark_dirty();
        self.new_seq()
    }

    /// Marks a kind as stale after an import of tasks without their type, so that its keys are rebuilt when the type opens the kind.
    #[cfg(feature = "json")]
    pub(crate) fn mark_stale(&mut self, kind: u32) -> Result<()> {
        let kind = self.kind(kind)?;
        if !kind.stale {
            self.put_kind(Kind { stale: true, ..(*kind).clone() })?;
        }
        Ok(())
    }

    /// Writes a task of another file with its header, history and pending payload.
    pub(crate) fn restore(&mut self, kind: &Kind, task_rows: &TaskRows) -> Result<()> {
        let TaskRows { task, row, past_attempts, successor, .. } = task_rows;
        let batch = task_rows.header.batch.filter(|batch| self.batch_now(*batch).is_ok());
        // A payload that waited and is lost was never submitted.
        let fingerprint = task_rows.header.fingerprint.filter(|_| !task_rows.lacks_successor());
        let (successor, waits, has_dependents) = (successor.as_ref(), 0, false);
        let header = Header {
            successor: successor.is_some(),
            fingerprint,
            waits,
            has_dependents,
            batch,
            ..task_rows.header.clone()
        };
        let fence = task_rows.fence();
        self.raise_seq(task.seq.saturating_add(1))?;
        self.raise_fence(fence.saturating_add(1))?;
        self.file_state.clock_floor = self.file_state.clock_floor.max(header.updated);
        let successor = successor.map(Some);
        let change = TaskChange {
            new: Some(&header),
            new_row: Some(row),
            history: past_attempts,
            successor,
            ..TaskChange::default()
        };
        if self.undo.is_some() {
            self.remember(kind, *task, &change)?;
        }
        let counted = self.rows.apply(kind, *task, &change)?;
        self.count(counted);
        self.batches.count(kind, None, Some(&header), 1);
        Ok(())
    }

    /// Writes a batch of another file, without its tasks.
    pub(crate) fn restore_batch(&mut self, number: u64, batch: Batch, follow_up: Option<&NewTask>) -> Result<()> {
        self.raise_seq(number.saturating_add(1))?;
        self.put_new_batch(number, batch, follow_up)
    }

    /// Writes the dependencies that a task had in another file. Targets that are not in this one count as deleted.
    pub(crate) fn restore_dependencies(
        &mut self,
        dependent: TaskRef,
        targets: &BTreeMap<TaskRef, OnDependencyFailure>,
    ) -> Result<()> {
        let Some(header) = self.header(dependent)? else { return Ok(()) };
        let (kind, id) = (self.kind(dependent.kind)?, self.rows.task_row(dependent)?.id);
        let mut others = 0;
        for (target, on_failure) in targets {
            let key = DependencyKey { from: dependent, to: *target };
            let here = match target.batch() {
                Some(number) => self.rows.batch(number)?.is_some(),
                None => self.header(*target)?.is_some(),
            };
            if here {
                self.mark_has_dependents(*target)?;
            } else {
                let end = DependencyEnd::Deleted;
                let pending = PendingPropagation { target: *target, end, before: u64::MAX, beyond: None };
                self.rows.put_pending_propagation(pending)?;
                self.effects.propagation_pending = true;
            }
            self.put_dependency(key, Some(*on_failure))?;
            others += 1;
        }
        self.decide(&kind, dependent, Some(&header), &Command::SetDependencyCount { dependencies: others }, None, &id)?;
        Ok(())
    }
}
