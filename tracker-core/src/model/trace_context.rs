//! `TraceContext` is the W3C trace context of the code that submitted a task. Made by users for `api/tasks/options`, by `portable/task` from JSON and by
//! `storage/encoding/header` from a row. Kept in the header, and read by `api/execution` for handlers, and by `api/record`. Pure.

use std::{fmt, str::FromStr};

use super::error::{Error, Result};

/// The longest `tracestate` in bytes.
const LONGEST_STATE: usize = 512;
/// The most members of a `tracestate`.
const MEMBERS_MAX: usize = 32;
/// The length of a `traceparent` of version 00.
const LENGTH: usize = 55;
/// The flags that the recommendation defines: sampled, and random trace id.
const KNOWN_FLAGS: u8 = 3;

/// The [W3C trace context](https://www.w3.org/TR/trace-context/) of the code that submits a task, so that the spans of its attempts
/// belong to the same trace.
///
/// It is made from the text of a `traceparent`, as OpenTelemetry libraries and HTTP headers have it. [`with_state`](Self::with_state) adds a
/// `tracestate`. [`SubmitOptions::trace_context`](crate::submit::SubmitOptions::trace_context) stores it with the task, and
/// [`Execution::trace_context`](crate::Execution::trace_context) returns it to the handler.
///
/// ```
/// use tracker_core::submit::TraceContext;
///
/// let context: TraceContext = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse()?;
/// assert_eq!(context.trace_id(), 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
/// assert!(context.is_sampled());
/// assert_eq!(context.to_string(), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
/// assert!("00-0-0-01".parse::<TraceContext>().is_err());
/// # Ok::<_, tracker_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TraceContext {
    trace_id: u128,
    parent_id: u64,
    flags: u8,
    state: String,
}

impl TraceContext {
    /// Makes a trace context of numbers. `None` if the trace id or the parent id is 0, which the recommendation forbids.
    #[must_use]
    pub fn new(trace_id: u128, parent_id: u64, is_sampled: bool) -> Option<Self> {
        let flags = u8::from(is_sampled);
        (trace_id != 0 && parent_id != 0).then_some(Self { trace_id, parent_id, flags, state: String::new() })
    }

    /// Sets the flags; those that the recommendation does not define are dropped.
    pub(crate) fn with_flags(mut self, flags: u8) -> Self {
        self.flags = flags & KNOWN_FLAGS;
        self
    }

    /// Adds a `tracestate`: at most 512 bytes of printable ASCII, and at most 32 members of the form `key=value` between commas. Empty
    /// text removes it.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the text has another form or is longer.
    pub fn with_state(mut self, tracestate: impl Into<String>) -> Result<Self> {
        let state = tracestate.into();
        if state.len() > LONGEST_STATE {
            return Err(Error::too_large("a tracestate", state.len(), LONGEST_STATE));
        }
        let invalid = |why: String| Err(Error::invalid(format!("invalid tracestate {state:?}: {why}")));
        if let Some(other) = state.chars().find(|c| !matches!(c, '\t' | ' '..='~')) {
            return invalid(format!("{other:?} is not printable ASCII"));
        }
        let members = || state.split(',').map(str::trim).filter(|member| !member.is_empty());
        if let Some(member) = members().find(|member| member.split_once('=').is_none_or(|(key, _)| key.is_empty())) {
            return invalid(format!("expected key=value, found {member:?}"));
        }
        if members().count() > MEMBERS_MAX {
            return invalid(format!("it has {} members, and at most {MEMBERS_MAX} are possible", members().count()));
        }
        self.state = state;
        Ok(self)
    }

    /// Returns the id of the trace, not 0. Its 16 bytes are those of the number, the most significant first.
    #[must_use]
    pub fn trace_id(&self) -> u128 {
        self.trace_id
    }

    /// Returns the id of the span that submitted the task, not 0. Its 8 bytes are those of the number, the most significant first.
    #[must_use]
    pub fn parent_id(&self) -> u64 {
        self.parent_id
    }

    /// Returns whether the submitter records the trace.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.flags & 1 == 1
    }

    /// Returns the flags: bit 0 is set if the trace is sampled, bit 1 if its id is random.
    #[must_use]
    pub fn flags(&self) -> u8 {
        self.flags
    }

    /// Returns the `tracestate`; empty if there is none.
    #[must_use]
    pub fn state(&self) -> &str {
        &self.state
    }
}

/// Writes the `traceparent` in version 00.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.parent_id, self.flags)
    }
}

/// Reads a `traceparent` of version 00, or the fields that a later version has in common with it.
impl FromStr for TraceContext {
    type Err = Error;

    fn from_str(traceparent: &str) -> Result<Self> {
        parse(traceparent).map_err(|why| {
            Error::invalid(format!(
                "invalid traceparent {traceparent:?}: {why}; expected 00-<32 hexadecimal digits>-<16>-<2>, in lower case"
            ))
        })
    }
}

fn parse(text: &str) -> Result<TraceContext, &'static str> {
    let mut fields = text.splitn(5, '-');
    let mut field = |length| {
        let field =
            fields.next().filter(|field| field.len() == length).ok_or("a field is missing or has another length")?;
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if !field.bytes().all(is_digit) {
            return Err("a field has a character that is not a hexadecimal digit in lower case");
        }
        u128::from_str_radix(field, 16).map_err(|_| "a field is not a number")
    };
    let (version, trace_id, parent_id, flags) = (field(2)?, field(32)?, field(16)?, field(2)?);
    if version == 0xff {
        return Err("the version ff does not exist");
    }
    if version == 0 && text.len() != LENGTH {
        return Err("text follows the last field");
    }
    let number = |field: u128| u64::try_from(field).unwrap_or_default();
    let flags = u8::try_from(flags).unwrap_or_default();
    let context =
        TraceContext::new(trace_id, number(parent_id), false).ok_or("the trace id or the parent id is zero")?;
    Ok(context.with_flags(flags))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::model::error::ErrorKind;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn traceparent_is_read_and_written() {
        let context: TraceContext = PARENT.parse().unwrap();
        assert_eq!((context.parent_id(), context.flags(), context.state()), (0x00f0_67aa_0ba9_02b7, 1, ""));
        assert_eq!(context.to_string(), PARENT);
        assert_eq!(TraceContext::new(context.trace_id(), context.parent_id(), true), Some(context));
        // A later version may have further fields and flags.
        let later: TraceContext =
            format!("{}ff-more", PARENT.replacen("00", "7a", 1).strip_suffix("01").unwrap()).parse().unwrap();
        assert_eq!(later.to_string(), PARENT.replace("-01", "-03"));
    }

    #[test]
    fn invalid_traceparent_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", "another length"),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", "missing"),
            (&PARENT.to_uppercase(), "not a hexadecimal digit"),
            (&PARENT.replace('4', "+"), "not a hexadecimal digit"),
            (&PARENT.replace('4', "é"), "another length"),
            (&PARENT.replacen("00", "ff", 1), "the version ff"),
            (&format!("{PARENT}-more"), "text follows"),
            (&format!("{PARENT} "), "another length"),
            ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", "is zero"),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", "is zero"),
        ] {
            let error = text.parse::<TraceContext>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.to_string().contains(reason), "{text}: {error}");
        }
        assert_eq!(TraceContext::new(0, 1, true), None);
    }

    #[test]
    fn tracestate_is_bounded_and_checked() {
        let context: TraceContext = PARENT.parse().unwrap();
        let with = |state: &str| context.clone().with_state(state);
        assert_eq!(with("a=1, b@c=x/y,").unwrap().state(), "a=1, b@c=x/y,");
        assert_eq!(with("a=1").unwrap().with_state("").unwrap(), context);
        let longest = format!("a={}", "x".repeat(510));
        assert_eq!(with(&longest).unwrap().state().len(), 512);
        assert_eq!(with(&format!("{longest}x")).unwrap_err().kind(), ErrorKind::Invalid);
        let many = "a=1,".repeat(33);
        for (state, reason) in [
            ("a", "key=value"),
            ("=1", "key=value"),
            ("a=\u{7f}", "printable"),
            ("a=ä", "printable"),
            (&many, "33 members"),
        ] {
            let error = with(state).unwrap_err().to_string();
            assert!(error.contains(reason), "{state}: {error}");
        }
    }
}
