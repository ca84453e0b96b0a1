//! Assigns numbers that only rise: sequence numbers of tasks and batches, and fences (fencing tokens: each claim has a higher one). Called by
//! `engine/writer`, `engine/action`, `portable/imported_task` and `maintenance/recover`. Changes the file state in memory, or takes numbers
//! from the sequences of a store.

use super::Writer;
use crate::{
    model::{
        error::{Error, Result},
        task::TaskRef,
    },
    storage::{
        store::{NumberSeries, WorkingSet},
        tables::Source,
    },
};

/// The most fences that one claim takes from a store until one exceeds the task's last fence: another process may have claimed the task after a fence
/// was reserved. If none does, the claim fails as `Corrupted`.
const FENCE_ATTEMPTS: usize = 4;

impl Writer<'_> {
    /// Takes the number of a new task or batch.
    pub(crate) fn new_seq(&mut self) -> Result<u64> {
        self.new_seqs(1)
    }

    /// Takes `count` numbers for new tasks, and returns the first of them.
    pub(super) fn new_seqs(&mut self, count: usize) -> Result<u64> {
        if let Some(set) = self.working_set() {
            return set.take_numbers(NumberSeries::Sequence, count as u64);
        }
        let first = self.file_state.next_seq;
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.file_state.next_seq = first.checked_add(count).ok_or_else(exhausted)?;
        Ok(first)
    }

    /// Puts back the numbers from `first` on, of which none was used. A store does not give them out again.
    pub(super) fn give_back_seqs(&mut self, first: u64) {
        if self.working_set().is_none() {
            self.file_state.next_seq = first;
        }
    }

    /// A number above those of all tasks so far. Each later task has at least this one. In a store, this takes a number.
    pub(super) fn seq_bound(&mut self) -> Result<u64> {
        if self.working_set().is_some() { self.new_seq() } else { Ok(self.file_state.next_seq) }
    }

    /// Reserves the fence of the next claim, above `known`, the last fence of the task. [`Self::take_reserved_fence`] takes it once the claim is written;
    /// until then it stays reserved for the next claim of this transaction.
    pub(crate) fn reserve_fence(&mut self, task: TaskRef, known: Option<u64>) -> Result<u64> {
        let known = known.unwrap_or(0);
        let Some(set) = self.working_set() else {
            let fence = self.file_state.next_fence;
            if known >= fence {
                let what = format_args!("its next fence is {fence}, and {task} has a later one");
                return Err(Error::corrupted("tracker.meta", "file_state", what));
            }
            return Ok(fence);
        };
        let mut fence = self.reserved_fence.unwrap_or(0);
        for _ in 0..FENCE_ATTEMPTS {
            if fence > known {
                break;
            }
            fence = set.take_numbers(NumberSeries::Fence, 1)?;
        }
        self.reserved_fence = Some(fence);
        if known >= fence {
            let what = format_args!("its fence is {known}, and the store gives out {fence}");
            return Err(Error::corrupted("tracker.headers", task, what));
        }
        Ok(fence)
    }

    /// Takes the fence that [`Self::reserve_fence`] has returned.
    pub(crate) fn take_reserved_fence(&mut self) -> Result<()> {
        if self.working_set().is_some() {
            self.reserved_fence = None;
            return Ok(());
        }
        self.take_fence().map(drop)
    }

    /// Takes the next fence.
    pub(crate) fn take_fence(&mut self) -> Result<u64> {
        if let Some(set) = self.working_set() {
            return set.take_numbers(NumberSeries::Fence, 1);
        }
        let fence = self.file_state.next_fence;
        self.file_state.next_fence = after(fence)?;
        Ok(fence)
    }

    /// Makes all later fences at least `fence`. Marks the transaction as changed, since `recover` changes nothing else in one.
    pub(crate) fn raise_fence(&mut self, fence: u64) -> Result<()> {
        self.mark_dirty();
        if let Some(set) = self.working_set() {
            return set.raise_numbers(NumberSeries::Fence, fence);
        }
        self.file_state.next_fence = self.file_state.next_fence.max(fence);
        Ok(())
    }

    /// Makes all later sequence numbers at least `seq`.
    pub(super) fn raise_seq(&mut self, seq: u64) -> Result<()> {
        if let Some(set) = self.working_set() {
            return set.raise_numbers(NumberSeries::Sequence, seq);
        }
        self.file_state.next_seq = self.file_state.next_seq.max(seq);
        Ok(())
    }

    /// The working set of the unit of work, behind a lock of its own; `None` in a file.
    pub(super) fn working_set(&self) -> Option<WorkingSet> {
        self.rows.source().working_set().cloned()
    }
}

/// The next number. [`ErrorKind::Corrupted`](crate::ErrorKind::Corrupted) if there is none.
pub(super) fn after(number: u64) -> Result<u64> {
    number.checked_add(1).ok_or_else(exhausted)
}

/// No file uses up 2^64 numbers, so the stored one is damaged.
fn exhausted() -> Error {
    Error::corrupted("tracker.meta", "file_state", "a number that only rises stands at its end")
}
