//! The option `backoff`: the counterpart of `tracker_core::task::Backoff`. Parsed for `policy`; pure.

use std::time::Duration;

use proc_macro2::TokenStream;
use quote::quote;
use syn::Path;

use crate::{duration, suggest};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Backoff {
    None,
    Fixed(Duration),
    Linear { step: Duration, max: Duration },
    Exponential { first: Duration, max: Duration },
}

const FORMS: &str = "`none`, `fixed(5s)`, `linear(1s, 1m)` or `exponential(1s, 5m)`";

impl Backoff {
    /// Parses "none", "fixed(5s)", "linear(1s, 1m)", "exponential(1s, 5m)".
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (name, arguments) = match text.split_once('(') {
            None => (text, None),
            Some((name, rest)) => {
                let inner =
                    rest.strip_suffix(')').ok_or_else(|| format!("`{text}` does not end with `)`: write {FORMS}"))?;
                (name.trim(), Some(inner))
            }
        };
        let durations = arguments.map(|inner| inner.split(',').map(delay).collect::<Result<Vec<_>, _>>()).transpose();
        match name {
            "none" if arguments.is_none() => Ok(Self::None),
            "none" => Err("`none` takes no delay: write `none` alone".to_owned()),
            "fixed" => match durations?.as_deref() {
                Some(&[delay]) => Ok(Self::Fixed(delay)),
                _ => Err("`fixed` takes one delay: write `fixed(5s)`".to_owned()),
            },
            "linear" => {
                let (step, max) = pair(name, "1s, 1m", durations?.as_deref())?;
                Ok(Self::Linear { step, max })
            }
            "exponential" => {
                let (first, max) = pair(name, "1s, 5m", durations?.as_deref())?;
                Ok(Self::Exponential { first, max })
            }
            _ => {
                let known = ["none", "fixed", "linear", "exponential"];
                let meant = suggest::nearest(name, &known).map(|option| format!("; did you mean `{option}`?"));
                Err(format!("unknown backoff `{name}`: write {FORMS}{}", meant.unwrap_or_default()))
            }
        }
    }

    /// Returns the value of `tracker_core::task::Backoff` as tokens.
    pub fn tokens(self, tracker_core: &Path) -> TokenStream {
        let backoff = quote!(#tracker_core::task::Backoff);
        match self {
            Self::None => quote!(#backoff::None),
            Self::Fixed(delay) => {
                let delay = duration::tokens(delay);
                quote!(#backoff::Fixed(#delay))
            }
            Self::Linear { step, max } => {
                let (step, max) = (duration::tokens(step), duration::tokens(max));
                quote!(#backoff::Linear { step: #step, max: #max })
            }
            Self::Exponential { first, max } => {
                let (first, max) = (duration::tokens(first), duration::tokens(max));
                quote!(#backoff::Exponential { first: #first, max: #max })
            }
        }
    }
}

fn delay(text: &str) -> Result<Duration, String> {
    duration::parse(text).map_err(|error| error.replace("e.g. \"5m\"", "e.g. `5m`"))
}

fn pair(name: &str, example: &str, durations: Option<&[Duration]>) -> Result<(Duration, Duration), String> {
    match durations {
        Some(&[first, max]) if first <= max => Ok((first, max)),
        Some(&[_, _]) => Err(format!(
            "the longest delay is shorter than the first: write the first, then the longest, e.g. `{name}({example})`"
        )),
        _ => Err(format!("`{name}` takes its first and its longest delay: write `{name}({example})`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn every_form_is_parsed() {
        let cases = [
            ("none", Backoff::None),
            ("fixed(5s)", Backoff::Fixed(5 * SECOND)),
            ("linear(1s, 1m)", Backoff::Linear { step: SECOND, max: 60 * SECOND }),
            (" exponential ( 1s,1s ) ", Backoff::Exponential { first: SECOND, max: SECOND }),
        ];
        for (text, expected) in cases {
            assert_eq!(Backoff::parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn invalid_backoff_is_refused_with_the_correct_form() {
        let cases = [
            ("", "write `none`"),
            ("exponentail(1s, 5m)", "did you mean `exponential`?"),
            ("fixed", "write `fixed(5s)`"),
            ("fixed(1s, 2s)", "write `fixed(5s)`"),
            ("fixed(5s", "does not end with `)`"),
            ("fixed(0s)", "zero"),
            ("linear(1s)", "write `linear(1s, 1m)`"),
            ("exponential(5m, 1s)", "the longest delay is shorter"),
            ("exponential(1x, 5m)", "unknown unit `x`"),
            ("none(1s)", "write `none` alone"),
        ];
        for (text, expected) in cases {
            let error = Backoff::parse(text).err().unwrap_or_default();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
