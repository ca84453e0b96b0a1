//! Serializes durations as whole microseconds, for `#[serde(with)]` of a `Duration` or an `Option<Duration>`. Used by `Policy` and
//! `Backoff`; pure.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::micros_of;

pub(crate) trait AsMicros: Sized {
    type Micros: Serialize + for<'de> Deserialize<'de>;
    fn micros(&self) -> Self::Micros;
    fn of_micros(micros: Self::Micros) -> Self;
}

impl AsMicros for Duration {
    type Micros = u64;

    fn micros(&self) -> u64 {
        micros_of(*self).unsigned_abs()
    }

    fn of_micros(micros: u64) -> Self {
        Self::from_micros(micros)
    }
}

impl AsMicros for Option<Duration> {
    type Micros = Option<u64>;

    fn micros(&self) -> Option<u64> {
        self.as_ref().map(AsMicros::micros)
    }

    fn of_micros(micros: Option<u64>) -> Self {
        micros.map(Duration::from_micros)
    }
}

pub(crate) fn serialize<T: AsMicros, S: Serializer>(duration: &T, to: S) -> Result<S::Ok, S::Error> {
    duration.micros().serialize(to)
}

pub(crate) fn deserialize<'de, T: AsMicros, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    T::Micros::deserialize(from).map(T::of_micros)
}
