//! The option `rate`: the counterpart of `tracker_core::task::Rate`. Parsed for `policy`; pure.

use std::time::Duration;

use proc_macro2::TokenStream;
use quote::quote;
use syn::Path;

use crate::duration;

const STARTS_MAX: u32 = 10_000;
const EXAMPLE: &str = "e.g. \"10/s\", \"100/m\" or \"1/500ms\"";

/// How many tasks may start in a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rate {
    pub starts: u32,
    pub period: Duration,
}

impl Rate {
    /// Parses "10/s", "100/m", "5/1m30s".
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let Some((starts, period)) = text.split_once('/') else {
            return Err(format!("`{text}` is not a rate: write a number of starts, `/` and a period, {EXAMPLE}"));
        };
        let starts =
            starts.trim().parse().ok().filter(|starts| (1..=STARTS_MAX).contains(starts)).ok_or_else(|| {
                format!(
                    "a rate is 1 to {STARTS_MAX} starts in a period: write {EXAMPLE}; for more, write a shorter period"
                )
            })?;
        let period = period.trim();
        // A unit without a number means one unit.
        let one = if period.starts_with(char::is_alphabetic) { "1" } else { "" };
        let period = duration::parse(&format!("{one}{period}"))?;
        if period < Duration::from_millis(1) {
            return Err(format!("a rate's period lasts at least a millisecond: write {EXAMPLE}"));
        }
        Ok(Self { starts, period })
    }

    /// Returns the value of `tracker_core::task::Rate` as tokens.
    pub fn tokens(self, tracker_core: &Path) -> TokenStream {
        let (starts, period) = (self.starts, duration::tokens(self.period));
        quote!(::core::option::Option::Some(#tracker_core::task::Rate { starts: #starts, period: #period }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_and_period_are_parsed() {
        let cases =
            [("10/s", 10, 1_000), ("1/500ms", 1, 500), (" 100 / m ", 100, 60_000), ("10000/1m30s", 10_000, 90_000)];
        for (text, starts, millis) in cases {
            assert_eq!(Rate::parse(text), Ok(Rate { starts, period: Duration::from_millis(millis) }), "{text}");
        }
    }

    #[test]
    fn invalid_rate_is_refused_with_the_correct_form() {
        let cases = [
            ("", "write a number of starts"),
            ("10", "write a number of starts"),
            ("0/s", "1 to 10000 starts"),
            ("10001/s", "write a shorter period"),
            ("ten/s", "1 to 10000 starts"),
            ("-1/s", "1 to 10000 starts"),
            ("10/", "the duration is empty"),
            ("10/sec", "unknown unit `sec`"),
            ("10/0s", "zero"),
            ("10/0.1ms", "at least a millisecond"),
        ];
        for (text, expected) in cases {
            let error = Rate::parse(text).err().unwrap_or_default();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
