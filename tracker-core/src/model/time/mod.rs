//! Converts times to and from microseconds (`Micros`), which an injected `Clock` counts and `TimeKeeper` keeps from going back. Used by all
//! other folders. The conversions here are pure; `clock` reads the system's clock.

mod clock;
mod manual;
pub(crate) mod micros_serde;
mod now;

pub use clock::{Clock, ClockReading, SystemClock};
pub use manual::ManualClock;
pub(crate) use now::TimeKeeper;

use std::time::Duration;

use chrono::{DateTime, Utc};

/// Microseconds since 1970 in UTC.
pub(crate) type Micros = i64;

/// A duration in microseconds; one that is too long counts as the longest.
pub(crate) fn micros_of(duration: Duration) -> Micros {
    Micros::try_from(duration.as_micros()).unwrap_or(Micros::MAX)
}

/// How long it is from `start` to `end`; zero if `end` lies before.
pub(crate) fn between(start: Micros, end: Micros) -> Duration {
    Duration::from_micros(u64::try_from(end.saturating_sub(start)).unwrap_or(0))
}

/// A time of chrono's calendar. A time outside of it counts as its first or last time.
pub(crate) fn utc(at: Micros) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at).unwrap_or(if at < 0 {
        DateTime::<Utc>::MIN_UTC
    } else {
        DateTime::<Utc>::MAX_UTC
    })
}

/// The microseconds of a time.
pub(crate) fn micros_at(at: DateTime<Utc>) -> Micros {
    at.timestamp_micros()
}
