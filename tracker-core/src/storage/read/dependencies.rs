//! Reads the rows of dependencies, pending propagations and batches, and writes single ones. Called by `engine/writer`, `engine/action`,
//! `api`, `storage/write/retime`, `portable` and `maintenance`.

use std::ops::Bound;

use super::rows::Rows;
use crate::{
    model::{
        error::{Error, Result},
        new_task::NewTask,
        task::TaskRef,
        transition::{Batch, DependencyEnd, OnDependencyFailure},
    },
    storage::{
        definitions::DependencyEndRow,
        encoding::{self, end_code, end_of, on_failure_code, on_failure_of},
        keys::{DependencyKey, MemberKey},
        store::RowGuard,
        tables::{Source, Tables, Writing, row},
        write::change::occupied,
    },
};

/// The end of a task or batch that has not been propagated to all its dependents yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PendingPropagation {
    pub target: TaskRef,
    pub end: DependencyEnd,
    /// The sequence number that was next when the dependency ended: dependents from it on were submitted later and saw the end themselves.
    pub before: u64,
    /// The last dependent that was resolved: the next part continues after it.
    pub beyond: Option<TaskRef>,
}

/// Comes before all tasks and batches.
const FIRST: TaskRef = TaskRef { kind: 0, seq: 0 };

impl<S: Source> Tables<S> {
    /// Up to `most` dependencies of a task.
    pub(crate) fn dependencies_of(
        &mut self,
        dependent: TaskRef,
        most: usize,
    ) -> Result<Vec<(TaskRef, OnDependencyFailure)>> {
        let from = DependencyKey { from: dependent, to: FIRST };
        let rows = Rows::of("tracker.dependencies", self.dependency_rows()?, from.pack()..=from.last().pack())?;
        rows.take(most).map(|row| entry_of("tracker.dependencies", row?)).collect()
    }

    /// Up to `most` dependents of a task or a batch that come after `beyond`.
    pub(crate) fn dependents_of(
        &mut self,
        target: TaskRef,
        beyond: Option<TaskRef>,
        most: usize,
    ) -> Result<Vec<(TaskRef, OnDependencyFailure)>> {
        let from = DependencyKey { from: target, to: beyond.unwrap_or(FIRST) };
        let bounds = (Bound::Excluded(from.pack()), Bound::Included(from.last().pack()));
        let rows = Rows::of("tracker.dependents", self.dependents()?, bounds)?;
        rows.take(most).map(|row| entry_of("tracker.dependents", row?)).collect()
    }

    /// The first end that has not been propagated to all dependents yet.
    pub(crate) fn first_pending_propagation(&mut self) -> Result<Option<PendingPropagation>> {
        let Some((key, value)) = self.propagations()?.rows()?.next().transpose()? else { return Ok(None) };
        pending_of(TaskRef::unpack(key.value()), value.value()).map(Some)
    }

    pub(crate) fn pending_propagation_of(&mut self, target: TaskRef) -> Result<Option<PendingPropagation>> {
        let value = self.propagations()?.get(&target.pack())?;
        value.map(|value| pending_of(target, value.value())).transpose()
    }

    pub(crate) fn batch(&mut self, number: u64) -> Result<Option<Batch>> {
        let bytes = self.batches()?.get(number)?;
        bytes.map(|bytes| row("tracker.batches", number, bytes.value())).transpose()
    }

    /// The batches with their numbers, the latest first.
    pub(crate) fn latest_batches(&mut self, most: usize) -> Result<Vec<(u64, Batch)>> {
        self.batches()?.rows()?.rev().take(most).map(batch_of).collect()
    }

    /// Returns the highest number of a batch. The row itself is not decoded.
    pub(crate) fn last_batch_number(&mut self) -> Result<Option<u64>> {
        Ok(self.batches()?.rows()?.next_back().transpose()?.map(|(number, _)| number.value()))
    }

    /// The batches with their numbers, in the order in which they were opened, beyond a number.
    pub(crate) fn batches_beyond(&mut self, beyond: Option<u64>, most: usize) -> Result<Vec<(u64, Batch)>> {
        let Some(from) = beyond.map_or(Some(0), |beyond| beyond.checked_add(1)) else { return Ok(Vec::new()) };
        let mut low = from;
        let rows = self.batches()?.range(from..)?.take(most).map(|row| {
            let (number, batch) = batch_of(row)?;
            if number < low {
                return Err(Error::corrupted("tracker.batches", number, "its rows are out of order"));
            }
            low = number.saturating_add(1);
            Ok((number, batch))
        });
        rows.collect()
    }

    /// The task that is submitted when a batch is over.
    pub(crate) fn follow_up(&mut self, number: u64) -> Result<Option<NewTask>> {
        let bytes = self.follow_ups()?.get(number)?;
        bytes.map(|bytes| row("tracker.follow_ups", number, bytes.value())).transpose()
    }

    pub(crate) fn with_label(&mut self, label: &str) -> Result<Option<u64>> {
        Ok(self.batch_labels()?.get(label)?.map(|number| number.value()))
    }

    /// The tasks of a batch in the order of kinds and submission; of one kind, or of all.
    pub(crate) fn members_of(&mut self, batch: u64, kind: Option<u32>, most: usize) -> Result<Vec<TaskRef>> {
        let first = TaskRef { kind: kind.unwrap_or(0), seq: 0 };
        let last = TaskRef { kind: kind.unwrap_or(u32::MAX), seq: u64::MAX };
        self.members_from(batch, first, last, most)
    }

    /// The tasks of a batch in the order of kinds and submission, after one of them.
    pub(crate) fn members_after(&mut self, batch: u64, after: TaskRef, most: usize) -> Result<Vec<TaskRef>> {
        let next = TaskRef { kind: after.kind, seq: after.seq.saturating_add(1) };
        self.members_from(batch, next, TaskRef { kind: u32::MAX, seq: u64::MAX }, most)
    }

    fn members_from(&mut self, batch: u64, first: TaskRef, last: TaskRef, most: usize) -> Result<Vec<TaskRef>> {
        let keys = MemberKey { batch, task: first }.pack()..=MemberKey { batch, task: last }.pack();
        let rows = Rows::of("tracker.batch_members", self.batch_members()?, keys)?;
        rows.take(most).map(|row| Ok(MemberKey::unpack(row?.0.value()).task)).collect()
    }
}

type BatchRow<'r> = (RowGuard<'r, u64>, RowGuard<'r, &'static [u8]>);

fn batch_of(entry: Result<BatchRow<'_>>) -> Result<(u64, Batch)> {
    let (key, value) = entry?;
    Ok((key.value(), row("tracker.batches", key.value(), value.value())?))
}

fn entry_of(
    table: &str,
    (key, value): (RowGuard<'_, &[u8; DependencyKey::LEN]>, RowGuard<'_, u8>),
) -> Result<(TaskRef, OnDependencyFailure)> {
    let key = DependencyKey::unpack(key.value());
    let on_failure = on_failure_of(value.value()).map_err(|what| Error::corrupted(table, key.from, what))?;
    Ok((key.to, on_failure))
}

fn pending_of(target: TaskRef, (code, before, kind, seq): DependencyEndRow) -> Result<PendingPropagation> {
    let end = end_of(code).map_err(|what| Error::corrupted("tracker.propagations", target, what))?;
    Ok(PendingPropagation { target, end, before, beyond: (kind > 0).then_some(TaskRef { kind, seq }) })
}

impl Tables<Writing<'_>> {
    pub(crate) fn put_dependency(
        &mut self,
        key: DependencyKey,
        on_failure: Option<OnDependencyFailure>,
    ) -> Result<Option<OnDependencyFailure>> {
        let reversed = key.reversed().pack();
        let before = if let Some(code) = on_failure.map(on_failure_code) {
            self.dependents()?.insert(&reversed, code)?;
            self.dependency_rows()?.replace(&key.pack(), code)?
        } else {
            self.dependents()?.remove(&reversed)?;
            self.dependency_rows()?.take(&key.pack())?
        };
        let before = before.map(|code| on_failure_of(code.value()));
        before.transpose().map_err(|what| Error::corrupted("tracker.dependencies", key.from, what))
    }

    pub(crate) fn put_pending_propagation(&mut self, pending: PendingPropagation) -> Result<()> {
        let TaskRef { kind, seq } = pending.beyond.unwrap_or(FIRST);
        self.propagations()?.insert(&pending.target.pack(), (end_code(pending.end), pending.before, kind, seq))?;
        Ok(())
    }

    pub(crate) fn remove_pending_propagation(&mut self, target: TaskRef) -> Result<()> {
        // If a damaged table lists a row but cannot remove it, the row would be propagated again for ever.
        match self.propagations()?.take(&target.pack())? {
            Some(_) => Ok(()),
            None => Err(Error::corrupted("tracker.propagations", target, "its rows are out of order")),
        }
    }

    pub(crate) fn put_batch(&mut self, number: u64, batch: &Batch) -> Result<()> {
        let bytes = encoding::encode(batch)?;
        self.batches()?.insert(number, bytes.as_slice())?;
        Ok(())
    }

    /// Writes a new batch, its label and its follow-up task.
    pub(crate) fn add_batch(&mut self, number: u64, batch: &Batch, follow_up: Option<&NewTask>) -> Result<()> {
        if self.batches()?.get(number)?.is_some() {
            return Err(occupied("tracker.batches", number));
        }
        self.put_batch(number, batch)?;
        self.batch_labels()?.insert(batch.label.as_str(), number)?;
        follow_up.map_or(Ok(()), |new| self.put_follow_up(number, new))
    }

    /// The tasks of a kind that will follow batches, each with its batch's number.
    pub(crate) fn follow_ups_of(&mut self, kind: u32) -> Result<Vec<(u64, NewTask)>> {
        let mut found = Vec::new();
        for entry in self.follow_ups()?.rows()? {
            let (number, bytes) = entry?;
            let new: NewTask = row("tracker.follow_ups", number.value(), bytes.value())?;
            if new.kind == kind {
                found.push((number.value(), new));
            }
        }
        Ok(found)
    }

    pub(crate) fn put_follow_up(&mut self, number: u64, new: &NewTask) -> Result<()> {
        let bytes = encoding::encode(new)?;
        self.follow_ups()?.insert(number, bytes.as_slice())?;
        Ok(())
    }

    /// Removes and returns the follow-up task of a batch.
    pub(crate) fn take_follow_up(&mut self, number: u64) -> Result<Option<NewTask>> {
        let bytes = self.follow_ups()?.take(number)?;
        bytes.map(|bytes| row("tracker.follow_ups", number, bytes.value())).transpose()
    }

    pub(crate) fn remove_batch(&mut self, number: u64, batch: &Batch) -> Result<()> {
        self.batches()?.remove(number)?;
        self.batch_labels()?.remove(batch.label.as_str())?;
        self.follow_ups()?.remove(number)?;
        Ok(())
    }
}
