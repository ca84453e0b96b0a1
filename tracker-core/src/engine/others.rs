//! Other processes that write to the file: they change it without a word to this one, but for its change number.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use super::{Engine, writer::Effects};
use crate::disk::file::Sharing;

/// How long a wait goes on before the first look at the file, and, doubled each time, between two looks at most.
const NAP: Duration = Duration::from_millis(5);
const NAP_MAX: Duration = Duration::from_millis(100);

/// The change number up to which this process knows the file.
#[derive(Default)]
pub(super) struct Known(AtomicU64);

impl Known {
    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn set(&self, effects: &Effects) {
        self.0.store(effects.change, Ordering::Relaxed);
    }
}

/// The naps of one wait.
struct Naps {
    left: Option<Duration>,
    nap: Duration,
}

impl Naps {
    /// The next nap; `None` at the end of the wait.
    fn next(&mut self) -> Option<Duration> {
        let nap = self.left.map_or(self.nap, |left| left.min(self.nap));
        self.left = self.left.map(|left| left.saturating_sub(nap));
        self.nap = (self.nap * 2).min(NAP_MAX);
        (!nap.is_zero()).then_some(nap)
    }
}

impl Engine {
    /// Whether other processes may write to the file.
    pub(crate) fn is_shared_by_writers(&self) -> bool {
        self.database.sharing() == Sharing::Writers
    }

    /// Waits until the signal is no longer `seen`, at most this long. What another process changes raises it too.
    pub(crate) fn wait(&self, seen: u64, at_most: Option<Duration>) {
        if self.database.sharing() != Sharing::Writers {
            return self.signal.wait(seen, at_most);
        }
        let mut naps = Naps { left: at_most, nap: NAP };
        while let Some(nap) = naps.next() {
            self.signal.wait(seen, Some(nap));
            if self.is_news(seen) {
                return;
            }
        }
    }

    /// The same for async callers.
    #[cfg(feature = "tokio")]
    pub(crate) async fn wait_async(&self, seen: u64, at_most: Option<Duration>) {
        if self.database.sharing() != Sharing::Writers {
            return self.signal.changed(seen, at_most).await;
        }
        let mut naps = Naps { left: at_most, nap: NAP };
        while let Some(nap) = naps.next() {
            self.signal.changed(seen, Some(nap)).await;
            if self.is_news(seen) {
                return;
            }
        }
    }

    /// Whether the signal has risen, or the file has changed by another's hand: then it rises for all who wait.
    fn is_news(&self, seen: u64) -> bool {
        if self.signal.seen() == seen {
            // A file that cannot be read is for the next call to report.
            let change = self.read(|rows| Ok(rows.pulse()?.change));
            if change.is_ok_and(|change| change == self.known.get()) {
                return false;
            }
            self.signal.raise();
        }
        true
    }
}
