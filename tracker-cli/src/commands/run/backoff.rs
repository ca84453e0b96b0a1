use std::{str::FromStr, time::Duration};

use tracker_core::task::Backoff;

use crate::span::Span;

/// How long a failed line waits: `10s`, or `1s..5m` for a delay that doubles from the first to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delay(pub Backoff);

impl FromStr for Delay {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let span = |text: &str| text.parse::<Span>().map(|span| span.0);
        Ok(Self(match text.split_once("..") {
            Some((first, max)) => Backoff::Exponential { first: span(first)?, max: span(max)? },
            None => match span(text)? {
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
        assert_eq!("0".parse(), Ok(Delay(Backoff::None)));
        assert_eq!("10s".parse(), Ok(Delay(Backoff::Fixed(seconds(10)))));
        assert_eq!("1s..5m".parse(), Ok(Delay(Backoff::Exponential { first: seconds(1), max: seconds(300) })));
        assert!("1s..".parse::<Delay>().is_err());
    }
}
