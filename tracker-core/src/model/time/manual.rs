//! `ManualClock` is a clock that tests set; it wakes waiting threads when it is set. Called by users in their tests. Keeps its time in memory,
//! behind a lock.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};

use super::{Clock, ClockReading};

/// A clock for tests: it stands still until a test moves it. Clones share the time.
///
/// ```
/// use std::time::Duration;
/// use tracker_core::time::{Clock, ManualClock};
///
/// let clock = ManualClock::new();
/// let before = clock.now();
/// clock.advance(Duration::from_secs(60));
/// assert_eq!((clock.now().wall - before.wall).num_seconds(), 60);
/// ```
#[derive(Clone)]
pub struct ManualClock {
    state: Arc<Mutex<ManualClockState>>,
}

struct ManualClockState {
    now: ClockReading,
    wakes: Vec<Arc<dyn Fn() + Send + Sync>>,
}

impl ManualClock {
    /// Creates a clock that shows 2030-01-01 00:00:00 UTC.
    #[must_use]
    pub fn new() -> Self {
        Self::at(DateTime::<Utc>::UNIX_EPOCH + TimeDelta::seconds(1_893_456_000))
    }

    /// Creates a clock that shows this time.
    #[must_use]
    pub fn at(wall: DateTime<Utc>) -> Self {
        let now = ClockReading { wall, monotonic: Duration::ZERO };
        Self { state: Arc::new(Mutex::new(ManualClockState { now, wakes: Vec::new() })) }
    }

    /// Advances the wall clock and the monotonic clock.
    pub fn advance(&self, by: Duration) {
        self.set(|now| {
            now.monotonic += by;
            now.wall += TimeDelta::from_std(by).unwrap_or(TimeDelta::MAX);
        });
    }

    /// Sets the wall clock, forwards or back; the monotonic clock does not notice. A laptop that slept does this.
    pub fn jump(&self, by: TimeDelta) {
        self.set(|now| now.wall += by);
    }

    fn set(&self, change: impl FnOnce(&mut ClockReading)) {
        let wakes = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            change(&mut state.now);
            state.wakes.clone()
        };
        for wake in wakes {
            wake();
        }
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ManualClock").field(&self.now()).finish()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> ClockReading {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).now
    }

    fn on_set(&self, wake: Arc<dyn Fn() + Send + Sync>) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).wakes.push(wake);
    }
}
