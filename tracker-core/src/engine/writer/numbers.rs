//! Assigns numbers that only rise: sequence numbers of tasks and batches, and fences (fencing tokens: each claim has a higher one). Called by
//! `engine/writer`, `engine/action`, `portable/imported_task` and `maintenance/recover`. Changes the file state in memory, or takes numbers
//! from the sequences of a store.

use super::Writer;
use crate::{
    model::error::{Error, Result},
    storage::{
        store::{NumberSeries, WorkingSet},
        tables::Source,
    },
};

/// Number of fences to request from a store before giving up. A reserved fence can be lower than the one that another process has given the
/// task since.
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

    /// Returns the numbers from `first` on, of which none was used. In a store they stay unused.
    pub(super) fn give_back_seqs(&mut self, first: u64) {
        if self.working_set().is_none() {
            self.file_state.next_seq = first;
        }
    }

    /// A number above those of all tasks so far. Each later task has at least this one.
    pub(super) fn next_seq(&mut self) -> Result<u64> {
        if self.working_set().is_some() { self.new_seq() } else { Ok(self.file_state.next_seq) }
    }

    /// The fence of the next claim. [`Self::take_peeked_fence`] takes it once the claim is written. In a store it is above `known`, a fence
    /// that the task has had.
    pub(crate) fn peek_fence(&mut self, known: Option<u64>) -> Result<u64> {
        let Some(set) = self.working_set() else { return Ok(self.file_state.next_fence) };
        let mut fence = self.reserved_fence.unwrap_or(0);
        for _ in 0..FENCE_ATTEMPTS {
            if fence > known.unwrap_or(0) {
                break;
            }
            fence = set.take_numbers(NumberSeries::Fence, 1)?;
        }
        self.reserved_fence = Some(fence);
        Ok(fence)
    }

    /// Takes the fence that [`Self::peek_fence`] has returned.
    pub(crate) fn take_peeked_fence(&mut self) -> Result<()> {
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

    /// Makes all later fences at least `fence`.
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

    /// The rows that this transaction has loaded from a store; `None` in a file.
    pub(super) fn working_set(&self) -> Option<WorkingSet> {
        self.rows.source().working_set().cloned()
    }
}

/// The number after one that the file states.
pub(super) fn after(number: u64) -> Result<u64> {
    number.checked_add(1).ok_or_else(exhausted)
}

/// Counting cannot reach the last number, so the stored one is damaged.
fn exhausted() -> Error {
    Error::corrupted("tracker.meta", "file_state", "a number that only rises stands at its end")
}
