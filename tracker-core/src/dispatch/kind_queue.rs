//! The tasks of one kind that a pool has claimed and not started, and counts of those on their way.

use std::collections::VecDeque;

use super::{protocol::ClaimedTask, rest::Stamp};

/// One kind in a pool.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct KindQueue<T> {
    /// Claimed, and not started.
    ready: VecDeque<T>,
    /// Bytes of payload in `ready`.
    bytes: usize,
    /// Tasks that unanswered claims may bring, and their bytes of payload.
    asked: usize,
    asked_bytes: usize,
    /// Handlers that run, and outcomes that are queued and not answered.
    pub running: usize,
    pub unstored: usize,
    /// Slots that work on this kind.
    pub visitors: usize,
    /// The number of the file's signal before the last claim, if that found less than it asked for.
    pub dry: Option<u64>,
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
            asked: 0,
            asked_bytes: 0,
            running: 0,
            unstored: 0,
            visitors: 0,
            dry: None,
            empty: None,
            limited,
        }
    }

    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// How many tasks are ready or asked for.
    pub(super) fn coming(&self) -> usize {
        self.ready.len() + self.asked
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
        (self.visitors + share).saturating_sub(self.coming() + self.running)
    }

    /// Whether the other visitors can start all that is ready or on its way, so that one may leave.
    pub(super) fn can_spare_one(&self, share: usize) -> bool {
        self.coming() + self.running < self.visitors + share
    }

    /// Whether half of the bytes that may be prefetched are there or on their way. The rest is not worth a commit.
    pub(super) fn is_half_full(&self, most_bytes: usize) -> bool {
        self.bytes + self.asked_bytes > most_bytes / 2
    }

    /// Counts a claim of `most` tasks, and returns the bytes of payload that it may bring: all that are left. A claim that is made
    /// meanwhile brings only what starts at once.
    pub(super) fn ask(&mut self, most: usize, most_bytes: usize) -> usize {
        let bytes = most_bytes.saturating_sub(self.bytes + self.asked_bytes);
        self.asked += most;
        self.asked_bytes += bytes;
        bytes
    }

    /// Ends a claim that [`ask`](Self::ask) has counted.
    pub(super) fn answered(&mut self, most: usize, bytes: usize) {
        self.asked -= most;
        self.asked_bytes -= bytes;
    }

    pub(super) fn push(&mut self, tasks: Vec<T>) {
        self.bytes += tasks.iter().map(ClaimedTask::bytes).sum::<usize>();
        self.ready.extend(tasks);
    }

    /// Whether nothing is ready, on its way from the file, or on its way to it.
    pub(super) fn is_settled(&self) -> bool {
        self.coming() == 0 && self.unstored == 0
    }
}
