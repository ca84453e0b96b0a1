//! `TimeKeeper` tells the tracker's time, which never goes back, except when the first time of a store replaces that of the clock. Made by
//! `api/options` and `maintenance/move_tasks`; called by `engine`, and by `worker` and `api/execution`, which measure attempts. Keeps the last time
//! behind a lock, which is not held while the clock is read, since the clock may panic or call the tracker.

use std::{
    cell::Cell,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::Utc;

use super::{Clock, ClockReading, Micros, micros_at, micros_of};
use crate::model::panics::{self, catch_panic};

thread_local! {
    /// Whether this thread is reading a clock.
    static READING: Cell<bool> = const { Cell::new(false) };
}

/// Makes one time of two clocks: max(wall, the file's clock floor, last time + monotonic time passed).
pub(crate) struct TimeKeeper {
    clock: Arc<dyn Clock>,
    last: Mutex<Option<LastReading>>,
    /// Whether the time of a store counts, and this clock only measures what has passed since.
    follows_store: AtomicBool,
}

#[derive(Clone, Copy)]
struct LastReading {
    now: Micros,
    seen: ClockReading,
}

impl TimeKeeper {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, last: Mutex::new(None), follows_store: AtomicBool::new(false) }
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The time now, never before `clock_floor` nor before any time this has given.
    pub(crate) fn now(&self, clock_floor: Micros) -> Micros {
        // The clock is foreign code, so it is not called while the lock is held.
        let seen = self.reading();
        let mut last = self.lock();
        let on = last.map_or(Micros::MIN, |last| {
            last.now.saturating_add(micros_of(seen.monotonic.saturating_sub(last.seen.monotonic)))
        });
        let follows_store = self.follows_store.load(Ordering::Relaxed) && on > Micros::MIN;
        let wall = if follows_store { Micros::MIN } else { micros_at(seen.wall) };
        let now = wall.max(clock_floor).max(on);
        // Another thread may have read the clock later and come here first.
        let seen = last.map_or(seen, |last| if last.seen.monotonic > seen.monotonic { last.seen } else { seen });
        *last = Some(LastReading { now, seen });
        now
    }

    /// Takes over the time of a store. From then on, the clock only measures what has passed since. Returns the time now, never before
    /// any time this has given.
    pub(crate) fn follow(&self, store_time: Micros) -> Micros {
        let seen = self.reading();
        let mut last = self.lock();
        // The first time of the store also replaces one of the clock.
        let is_first = !self.follows_store.swap(true, Ordering::Relaxed);
        let now = last.filter(|_| !is_first).map_or(store_time, |last| last.now.max(store_time));
        *last = Some(LastReading { now, seen });
        now
    }

    /// The time that the monotonic clock shows.
    pub(crate) fn monotonic(&self) -> Duration {
        self.reading().monotonic
    }

    fn lock(&self) -> MutexGuard<'_, Option<LastReading>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the clock. If it panics, or calls the tracker and so itself, returns its last time, or the system's time if it has
    /// returned none yet.
    fn reading(&self) -> ClockReading {
        if READING.replace(true) {
            return self.last_reading();
        }
        let read = catch_panic(|| self.clock.now());
        let reading = read.unwrap_or_else(|panic| {
            panics::log_catching_panics(|| {
                tracing::warn!(panic, "the clock panicked: the last known time is used, or the system's");
            });
            self.last_reading()
        });
        READING.set(false);
        reading
    }

    fn last_reading(&self) -> ClockReading {
        self.lock().map_or_else(|| ClockReading { wall: Utc::now(), monotonic: Duration::ZERO }, |last| last.seen)
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::model::time::ManualClock;

    #[test]
    fn a_clock_that_steps_back_a_day_goes_on_from_where_it_was() {
        let clock = ManualClock::new();
        let background = TimeKeeper::new(Arc::new(clock.clone()));
        let first = background.now(0);
        clock.jump(TimeDelta::days(-1));
        assert_eq!(background.now(0), first);
        clock.advance(Duration::from_secs(5));
        assert_eq!(background.now(0), first + 5_000_000);
    }

    #[test]
    fn the_mark_in_the_file_is_never_undercut() {
        let clock = ManualClock::new();
        let background = TimeKeeper::new(Arc::new(clock));
        let ahead = background.now(0) + 1_000;
        assert_eq!(background.now(ahead), ahead);
        assert_eq!(background.now(0), ahead);
    }

    #[test]
    fn a_jump_forward_is_believed() {
        let clock = ManualClock::new();
        let background = TimeKeeper::new(Arc::new(clock.clone()));
        let first = background.now(0);
        clock.jump(TimeDelta::hours(1));
        assert_eq!(background.now(0), first + 3_600_000_000);
    }
}
