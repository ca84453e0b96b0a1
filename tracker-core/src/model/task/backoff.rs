//! `Backoff` computes the delay before the next attempt from the number of failures. Part of `Policy`; called by `model/transition`, stored by
//! `storage/encoding/kind`. Pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::time::micros_serde;

/// How long a failed task waits before it is due again.
///
/// The delay grows with the number of failures in a row and never exceeds `max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Backoff {
    /// Due at once.
    #[default]
    None,
    /// A constant delay after every failure.
    #[serde(rename = "fixed_us", with = "micros_serde")]
    Fixed(Duration),
    /// `step`, 2 × `step`, 3 × `step` … up to `max`.
    Linear {
        /// The first delay, and what each further failure adds.
        #[serde(rename = "step_us", with = "micros_serde")]
        step: Duration,
        /// The longest delay.
        #[serde(rename = "max_us", with = "micros_serde")]
        max: Duration,
    },
    /// `first`, 2 × `first`, 4 × `first` … up to `max`.
    Exponential {
        /// The first delay.
        #[serde(rename = "first_us", with = "micros_serde")]
        first: Duration,
        /// The longest delay.
        #[serde(rename = "max_us", with = "micros_serde")]
        max: Duration,
    },
}

impl Backoff {
    /// Returns the delay after `failures` failures in a row (0 counts as 1), before jitter.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tracker_core::task::Backoff;
    ///
    /// let second = Duration::from_secs(1);
    /// let backoff = Backoff::Exponential { first: second, max: 5 * second };
    /// assert_eq!(backoff.delay(1), second);
    /// assert_eq!(backoff.delay(3), 4 * second);
    /// assert_eq!(backoff.delay(400), 5 * second);
    /// ```
    #[must_use]
    pub fn delay(self, failures: u32) -> Duration {
        let nth = failures.max(1);
        match self {
            Self::None => Duration::ZERO,
            Self::Fixed(delay) => delay,
            Self::Linear { step, max } => step.saturating_mul(nth).min(max),
            Self::Exponential { first, max } => {
                let factor = 1_u32.checked_shl(nth - 1).unwrap_or(u32::MAX);
                first.saturating_mul(factor).min(max)
            }
        }
    }
}
