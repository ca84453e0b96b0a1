//! `RowCopy` copies all rows of the tracker, except `tracker.meta` and counters of 0, from the source of a move to its target, in commits of bounded
//! size. Each commit stores the key of the last row that was copied, so a move continues there. Called by `move_tasks/mod.rs`; `summary` reads the
//! tables that are listed here. Reads the source, writes the target, and reports progress to the user's function.

use super::{MoveProgress, MoveStep, end::End};
use crate::{
    model::{
        error::Result,
        kinds::Kinds,
        move_mark::{CopiedRow, MoveMark, MoveState},
    },
    storage::{
        raw_rows::{Portion, WITH_TASKS, put_rows, put_tasks, rows_after, tasks_after},
        store::StoreTable,
    },
};

/// The rows of one commit.
pub(super) const PORTION: Portion = Portion { rows: 1_000, bytes: 4 << 20 };

/// The tables that are copied, in this order: first the kinds, from which the rows of tasks are derived.
pub(super) fn tables() -> impl Iterator<Item = StoreTable> {
    let others = StoreTable::ALL.iter().copied();
    let others = others.filter(|table| *table != StoreTable::Meta && !WITH_TASKS.contains(table));
    let (kinds, others): (Vec<_>, Vec<_>) = others.partition(|table| *table == StoreTable::Kinds);
    kinds.into_iter().chain([StoreTable::Headers]).chain(others)
}

/// Whether a row is copied and compared. A store keeps the counter of a limit key at 0 as the lock of its queue; such a row is left out.
pub(super) fn is_kept(table: StoreTable, value: &[u8]) -> bool {
    table != StoreTable::LimitInUse || value.iter().any(|byte| *byte != 0)
}

/// A copy under way.
pub(super) struct RowCopy<'m> {
    pub from: &'m End,
    pub to: &'m mut End,
    pub kinds: &'m Kinds,
    pub mark: MoveMark,
    pub progress: MoveProgress,
    pub report: &'m mut dyn FnMut(&MoveProgress),
}

impl RowCopy<'_> {
    /// Copies the rows after `copied`.
    pub(super) fn run(&mut self, copied: Option<CopiedRow>) -> Result<()> {
        self.progress.step = MoveStep::CopyRows;
        let mut copied = copied;
        let first = copied.as_ref().map(|copied| copied.table.clone());
        for table in tables().skip_while(|table| first.as_ref().is_some_and(|first| table.name() != first)) {
            let mut after = copied.take().map(|copied| copied.key);
            loop {
                let from = after.as_deref();
                after = if table == StoreTable::Headers { self.tasks(from)? } else { self.rows(table, from)? };
                if after.is_none() {
                    break;
                }
                (self.report)(&self.progress);
            }
        }
        Ok(())
    }

    /// Copies some tasks. Returns the key of the last one; `None` at the end.
    fn tasks(&mut self, after: Option<&[u8]>) -> Result<Option<Vec<u8>>> {
        let tasks = self.from.read(|source| tasks_after(source, after, PORTION))?;
        let Some(last) = tasks.last() else { return Ok(None) };
        let kinds = self.kinds;
        let (last, mark) = (last.key.clone(), self.mark_at(StoreTable::Headers, &last.key));
        self.to.write(|rows, _| {
            put_tasks(rows.source(), kinds, &tasks)?;
            rows.put_move_mark(&mark)
        })?;
        self.progress.tasks += tasks.len() as u64;
        Ok(Some(last))
    }

    /// Copies some rows of a table. Returns the key of the last one; `None` at the end.
    fn rows(&mut self, table: StoreTable, after: Option<&[u8]>) -> Result<Option<Vec<u8>>> {
        let found = self.from.read(|source| rows_after(source, table, after, PORTION))?;
        let Some((last, _)) = found.last() else { return Ok(None) };
        let mark = self.mark_at(table, last);
        self.to.write(|rows, _| {
            let kept = found.iter().filter(|(_, value)| is_kept(table, value));
            put_rows(rows.source(), table, kept.map(|(key, value)| (key.as_slice(), value.as_slice())))?;
            rows.put_move_mark(&mark)
        })?;
        Ok(Some(last.clone()))
    }

    fn mark_at(&self, table: StoreTable, key: &[u8]) -> MoveMark {
        let copied = CopiedRow { table: table.name().to_owned(), key: key.to_vec() };
        MoveMark { state: MoveState::Arriving(Some(copied)), ..self.mark.clone() }
    }
}
