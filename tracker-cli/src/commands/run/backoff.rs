//! `BackoffArg`: the value of `--backoff`. Parsed for `args`; pure.

use std::{str::FromStr, time::Duration};

use tracker_core::task::Backoff;

use crate::human_duration::HumanDuration;

/// `10s`, or `1s..5m` for a delay that doubles from the first to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackoffArg(pub Backoff);

impl FromStr for BackoffArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let duration = |text: &str| text.parse::<HumanDuration>().map(|duration| duration.0);
        Ok(Self(match text.split_once("..") {
            Some((first, max)) => Backoff::Exponential { first: duration(first)?, max: duration(max)? },
            None => match duration(text)? {
                Duration::ZERO => Backoff::None,
                delay => Backoff::Fixed(delay),
            },
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_fixed_or_doubles() {
        let seconds = Duration::from_secs;
        assert_eq!("0".parse(), Ok(BackoffArg(Backoff::None)));
        assert_eq!("10s".parse(), Ok(BackoffArg(Backoff::Fixed(seconds(10)))));
        assert_eq!("1s..5m".parse(), Ok(BackoffArg(Backoff::Exponential { first: seconds(1), max: seconds(300) })));
        assert!("1s..".parse::<BackoffArg>().is_err());
    }
}
