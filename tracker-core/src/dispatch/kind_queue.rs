//! The tasks of one kind that a pool has claimed and not started, and counts of those on their way.

use std::collections::VecDeque;

use super::{idle::Stamp, protocol::ClaimedTask};

/// One kind in a pool.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct KindQueue<T> {
    /// Claimed, and not started.
    ready: VecDeque<T>,
    /// Bytes of payload in `ready`.
    bytes: usize,
    /// Tasks that unanswered claims may bring, and their bytes of payload.
    requested: usize,
    requested_bytes: usize,
    /// Handlers that run, and outcomes that are queued and not answered.
    pub running: usize,
    pub unstored: usize,
    /// Slots that work on this kind.
    pub assigned: usize,
    /// The number of the file's signal before the last claim, if that found less than it asked for.
    pub exhausted_at: Option<u64>,
    /// The state of the file in which a claim found nothing at all.
    pub empty: Option<Stamp>,
    /// The kind has a limit or a rate. A prefetched task would hold a place of the limit while it waits.
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

    /// How many tasks are ready or asked for.
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

    /// How many more tasks may be claimed. A finished handler leaves its place at once: its outcome is stored before the next claim.
    pub(super) fn room(&self, share: usize) -> usize {
        (self.assigned + share).saturating_sub(self.ready_or_requested() + self.running)
    }

    /// Whether the other assigned can start all that is ready or on its way, so that one may leave.
    pub(super) fn can_spare_one(&self, share: usize) -> bool {
        self.ready_or_requested() + self.running < self.assigned + share
    }

    /// Whether half of the bytes that may be prefetched are there or on their way. The rest is not worth a commit.
    pub(super) fn is_half_full(&self, most_bytes: usize) -> bool {
        self.bytes + self.requested_bytes > most_bytes / 2
    }

    /// Counts a claim of `most` tasks, and returns the bytes of payload that it may bring: all that are left. A claim that is made
    /// meanwhile brings only what starts at once.
    pub(super) fn request(&mut self, most: usize, most_bytes: usize) -> usize {
        let bytes = most_bytes.saturating_sub(self.bytes + self.requested_bytes);
        self.requested += most;
        self.requested_bytes += bytes;
        bytes
    }

    /// Ends a claim that [`request`](Self::ask) has counted.
    pub(super) fn answered(&mut self, most: usize, bytes: usize) {
        self.requested -= most;
        self.requested_bytes -= bytes;
    }

    pub(super) fn push(&mut self, tasks: Vec<T>) {
        self.bytes += tasks.iter().map(ClaimedTask::bytes).sum::<usize>();
        self.ready.extend(tasks);
    }

    /// Whether nothing is ready, on its way from the file, or on its way to it.
    pub(super) fn is_quiescent(&self) -> bool {
        self.ready_or_requested() == 0 && self.unstored == 0
    }
}
