//! Durations in attributes: parsed by `tracker-duration`, refused if zero, and written as tokens. Called by `policy`, `backoff`, `rate` and
//! `expand`; pure.

use std::time::Duration;

use proc_macro2::TokenStream;
use quote::quote;

/// Parses a duration that is longer than zero.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let duration = tracker_duration::parse(text)?;
    if duration.is_zero() {
        return Err(format!("`{}` is zero: write a duration longer than zero, e.g. \"5m\"", text.trim()));
    }
    Ok(duration)
}

/// The duration as a value of `core::time::Duration`.
pub(crate) fn tokens(duration: Duration) -> TokenStream {
    let (seconds, nanos) = (duration.as_secs(), duration.subsec_nanos());
    quote!(::core::time::Duration::new(#seconds, #nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_refused() {
        assert_eq!(parse("5m"), Ok(Duration::from_secs(300)));
        for text in ["0", "0s", "0h0m", "0.0000000001ms"] {
            let error = parse(text).err().unwrap_or_default();
            assert!(error.contains("is zero"), "{text}: {error}");
        }
        assert!(parse("5").is_err());
    }
}
