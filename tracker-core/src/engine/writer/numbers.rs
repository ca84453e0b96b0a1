//! The numbers that a file assigns: sequence numbers and fences. They only rise, so none is assigned twice.

use super::Writer;
use crate::model::error::{Error, Result};

impl Writer<'_> {
    /// Takes the number of a new task.
    pub(crate) fn new_seq(&mut self) -> Result<u64> {
        self.new_seqs(1)
    }

    /// Takes `count` numbers for new tasks, and returns the first of them.
    pub(super) fn new_seqs(&mut self, count: usize) -> Result<u64> {
        let first = self.file_state.next_seq;
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.file_state.next_seq = first.checked_add(count).ok_or_else(exhausted)?;
        Ok(first)
    }

    /// The fence of the next claim; [`Self::use_fence`] takes it once the claim stands.
    pub(crate) fn next_fence(&self) -> u64 {
        self.file_state.next_fence
    }

    pub(crate) fn use_fence(&mut self) -> Result<()> {
        self.take_fence().map(drop)
    }

    pub(crate) fn take_fence(&mut self) -> Result<u64> {
        let fence = self.file_state.next_fence;
        self.file_state.next_fence = after(fence)?;
        Ok(fence)
    }

    /// Begins the fences at this one, where they would begin before it.
    pub(crate) fn raise_fence(&mut self, fence: u64) {
        self.mark_dirty();
        self.file_state.next_fence = self.file_state.next_fence.max(fence);
    }
}

/// The number after one that the file states.
pub(super) fn after(number: u64) -> Result<u64> {
    number.checked_add(1).ok_or_else(exhausted)
}

/// No file reaches the last number by counting: its numbers were written by something else.
fn exhausted() -> Error {
    Error::corrupted("tracker.meta", "file_state", "a number that only rises stands at its end")
}
