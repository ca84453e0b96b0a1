//! Waits until a task may have become startable, also by a commit of another process, and tells the change number and whether others may write. Called
//! by `worker`, `engine`, `api/tracker` and `api/schedule`. `change` reads the file or store; a wait does so at intervals if the file has several
//! writers (`Sharing::Writers`) or is a store, and a long wait on a store starts the thread of `Listening`.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use super::{
    Engine,
    listening::{ListenedWait, Listening},
};
use crate::{model::error::Result, storage::file::Sharing};

/// Interval before the first check of the file; each further one is double the last, up to the maximum.
const POLL_MIN: Duration = Duration::from_millis(5);
const POLL_MAX: Duration = Duration::from_millis(100);

/// The commits of other processes that this one has seen, and the listener for further ones.
#[derive(Default)]
pub(super) struct CrossProcess {
    /// The change number of the last commit that this process has made or seen.
    known: AtomicU64,
    listening: Listening,
}

impl CrossProcess {
    pub(super) fn known(&self) -> u64 {
        self.known.load(Ordering::Relaxed)
    }

    pub(super) fn set_known(&self, change: u64) {
        self.known.store(change, Ordering::Relaxed);
    }

    pub(super) fn close(&self) {
        self.listening.close();
    }
}

/// The intervals of one wait.
pub(super) struct PollIntervals {
    left: Option<Duration>,
    interval: Duration,
}

impl Default for PollIntervals {
    fn default() -> Self {
        Self::new(None)
    }
}

impl PollIntervals {
    /// For a wait of at most this long.
    fn new(left: Option<Duration>) -> Self {
        Self { left, interval: POLL_MIN }
    }

    /// The next interval; `None` at the end of the wait.
    pub(super) fn next(&mut self) -> Option<Duration> {
        self.next_within(POLL_MAX)
    }

    /// [`Self::next`], but not longer than `longest`.
    fn next_within(&mut self, longest: Duration) -> Option<Duration> {
        let interval = self.left.map_or(self.interval, |left| left.min(self.interval)).min(longest);
        self.left = self.left.map(|left| left.saturating_sub(interval));
        self.interval = self.interval.saturating_mul(2).min(longest);
        (!interval.is_zero()).then_some(interval)
    }

    /// Whether the wait is so long that a listener is worth its start.
    fn is_long(&self) -> bool {
        self.interval >= POLL_MAX
    }
}

impl Engine {
    /// Whether other processes may write to the file.
    pub(crate) fn is_shared_by_writers(&self) -> bool {
        self.database.sharing() == Sharing::Writers
    }

    /// Whether the file may change without a commit of this process.
    pub(super) fn is_written_by_others(&self) -> bool {
        self.is_shared_by_writers() || self.database.is_read_only()
    }

    /// Waits until the signal is no longer `seen`, for `at_most` at the longest. Changes by other processes raise it too.
    pub(crate) fn wait(&self, seen: u64, at_most: Option<Duration>) {
        if self.database.sharing() != Sharing::Writers {
            return self.signal.wait(seen, at_most);
        }
        let mut polls = Polls::new(self, at_most);
        while let Some(interval) = polls.next() {
            self.signal.wait(seen, Some(interval));
            if self.has_changed(seen) {
                return;
            }
        }
    }

    /// [`Self::wait`] for async callers.
    #[cfg(feature = "tokio")]
    pub(crate) async fn wait_async(&self, seen: u64, at_most: Option<Duration>) {
        if self.database.sharing() != Sharing::Writers {
            return self.signal.changed(seen, at_most).await;
        }
        let mut polls = Polls::new(self, at_most);
        while let Some(interval) = polls.next() {
            self.signal.changed(seen, Some(interval)).await;
            if self.has_changed(seen) {
                return;
            }
        }
    }

    /// A number that differs after a commit of any process.
    pub(crate) fn change(&self) -> Result<u64> {
        self.refuse_inside_transaction()?;
        self.database.change()
    }

    /// Whether the signal has risen or another process has changed the file, which raises the signal.
    fn has_changed(&self, seen: u64) -> bool {
        if self.signal.seen() == seen {
            // A file that cannot be read is for the next call to report.
            let change = self.change();
            if change.as_ref().is_ok_and(|change| *change == self.cross_process.known()) {
                return false;
            }
            self.signal.raise();
        }
        true
    }
}

/// The polls of the change number by one wait. A long wait uses the listener of the store, if there is one, and polls less often then.
struct Polls<'e> {
    engine: &'e Engine,
    intervals: PollIntervals,
    wait: Option<ListenedWait>,
}

impl<'e> Polls<'e> {
    fn new(engine: &'e Engine, at_most: Option<Duration>) -> Self {
        Self { engine, intervals: PollIntervals::new(at_most), wait: None }
    }

    fn next(&mut self) -> Option<Duration> {
        let Ok(Some(store)) = self.engine.database.store() else { return self.intervals.next() };
        let listening = &self.engine.cross_process.listening;
        let longest = if listening.is_listening() { store.poll_interval().max(POLL_MIN) } else { POLL_MAX };
        if self.wait.is_none() && self.intervals.is_long() {
            self.wait = Some(listening.start_wait(store, &self.engine.signal));
        }
        self.intervals.next_within(longest)
    }
}
