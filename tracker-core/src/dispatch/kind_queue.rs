//! `KindQueue` holds the tasks of one kind that a pool has prefetched, and counts those that are being claimed, run or stored. Used by
//! `Dispatcher`; pure.

use std::collections::VecDeque;

use super::{idle::Stamp, protocol::ClaimedTask};

/// The state of one kind in a pool.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct KindQueue<T> {
    /// Claimed tasks whose handlers have not started.
    ready: VecDeque<T>,
    /// Bytes of payload in `ready`.
    bytes: usize,
    /// The most tasks that unanswered claims may return.
    requested: usize,
    /// The most bytes of payload that unanswered claims may return.
    requested_bytes: usize,
    /// Running handlers.
    pub running: usize,
    /// Outcomes that are queued and not committed.
    pub unstored: usize,
    /// Slots that are assigned to this kind.
    pub assigned: usize,
    /// The number of the wake-up signal before the last claim, if that claim returned fewer tasks than requested and was not cut by its
    /// bytes.
    pub exhausted_at: Option<u64>,
    /// The stamp of the last claim that returned no task.
    pub empty: Option<Stamp>,
    /// Whether the kind has a concurrency limit or a rate. Such a kind is not prefetched, because a waiting task would use up the limit.
    pub limited: bool,
}

impl<T: ClaimedTask> KindQueue<T> {
    pub(super) fn new(limited: bool) -> Self {
        Self {
            ready: VecDeque::new(),
            bytes: 0,
            requested: 0,
            requested_bytes: 0,
            running: 0,
            unstored: 0,
            assigned: 0,
            exhausted_at: None,
            empty: None,
            limited,
        }
    }

    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Number of tasks that are ready or requested.
    pub(super) fn ready_or_requested(&self) -> usize {
        self.ready.len() + self.requested
    }

    pub(super) fn ready(&self) -> usize {
        self.ready.len()
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        let task = self.ready.pop_front()?;
        self.bytes = self.bytes.saturating_sub(task.bytes());
        Some(task)
    }

    pub(super) fn take_all(&mut self) -> Vec<T> {
        self.bytes = 0;
        std::mem::take(&mut self.ready).into()
    }

    /// Whether one assigned slot can leave, because the others suffice for all ready and requested tasks. `share` is how many tasks of the kind are
    /// claimed before a slot needs them.
    pub(super) fn can_release_slot(&self, share: usize) -> bool {
        self.ready_or_requested() + self.running < self.assigned + share
    }

    /// Whether more than half of the bytes that may be prefetched are ready or requested. Then no claim is made, because the rest does not justify
    /// a commit.
    pub(super) fn is_half_full(&self, most_bytes: usize) -> bool {
        self.bytes + self.requested_bytes > most_bytes / 2
    }

    /// Counts a claim of `most` tasks and returns how many bytes of payload its prefetched tasks may have: all that is left. A second claim before the
    /// answer gets 0, so it returns only tasks that start at once.
    pub(super) fn request(&mut self, most: usize, most_bytes: usize) -> usize {
        let bytes = most_bytes.saturating_sub(self.bytes + self.requested_bytes);
        self.requested += most;
        self.requested_bytes += bytes;
        bytes
    }

    /// Ends a claim that [`request`](Self::request) counted.
    pub(super) fn answered(&mut self, most: usize, bytes: usize) {
        self.requested -= most;
        self.requested_bytes -= bytes;
    }

    pub(super) fn push(&mut self, tasks: Vec<T>) {
        self.bytes += tasks.iter().map(ClaimedTask::bytes).sum::<usize>();
        self.ready.extend(tasks);
    }

    /// Whether no task is ready or requested, and no outcome waits for its commit.
    pub(super) fn is_quiescent(&self) -> bool {
        self.ready_or_requested() == 0 && self.unstored == 0
    }
}
