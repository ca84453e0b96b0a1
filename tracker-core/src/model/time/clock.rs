//! `Clock` tells the time; `SystemClock` is that of the system. Implemented by users and by `ManualClock`; set by `api/options`, called by
//! `TimeKeeper`, `engine/signal` and `maintenance/time_repair`. Reads the system's clock and touches no file.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use chrono::{DateTime, Utc};

/// The reading of a clock at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockReading {
    /// The wall clock. It may jump, in both directions.
    pub wall: DateTime<Utc>,
    /// The time since some fixed moment. It never goes back. It may stop while a laptop sleeps.
    pub monotonic: Duration,
}

/// Where the tracker takes its time from. [`SystemClock`] unless [`Options::clock`](crate::Options::clock) gives another.
pub trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> ClockReading;

    /// Registers `wake`, which the clock calls each time a program sets its time, so that waiting threads read it again. A clock
    /// that runs by itself ignores it.
    fn on_set(&self, wake: Arc<dyn Fn() + Send + Sync>) {
        drop(wake);
    }
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> ClockReading {
        (**self).now()
    }

    fn on_set(&self, wake: Arc<dyn Fn() + Send + Sync>) {
        (**self).on_set(wake);
    }
}

/// The computer's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> ClockReading {
        static START: OnceLock<std::time::Instant> = OnceLock::new();
        ClockReading { wall: Utc::now(), monotonic: START.get_or_init(std::time::Instant::now).elapsed() }
    }
}
