//! `guarded` runs user code of an attempt, and returns its panic as a `Failure`. Called by `api/handler`, `api/asynchronous/attempt` and
//! `model/failure`; touches no row.
//!
//! An attempt calls user code in many places, such as the handler, the `Display`, `Debug` and `source` of its error, the `Serialize` of
//! the task, and the `Drop` of each of these. A panic in them fails an attempt whose end is not stored yet, and must not end the thread.

use std::{
    error::Error as StdError,
    fmt::{self, Write as _},
};

use crate::model::{bounds::MANY, panics::catch_panic, transition::Failure};

/// Runs `code`. A panic becomes a failure whose text starts with `place`.
pub(crate) fn guarded<R>(place: &str, code: impl FnOnce() -> R) -> Result<R, Failure> {
    catch_panic(code).map_err(|text| Failure { panicked: true, ..Failure::new(format!("{place} panicked: {text}")) })
}

/// Formats a value of the user. A panic, or an error of the implementation, replaces the rest of the text.
pub(crate) fn text_of(place: &str, value: fmt::Arguments<'_>) -> Result<String, Failure> {
    let mut text = String::new();
    // Unlike `to_string`, `write!` does not panic if the implementation returns an error.
    let written = guarded(place, || text.write_fmt(value))?;
    if written.is_err() {
        let more = if text.is_empty() { "" } else { " " };
        let _never_fails = write!(text, "{more}({place} returned an error)");
    }
    Ok(text)
}

/// Describes an error of the user: its text and its causes. A panic of its `Display` becomes the text, one of its `source` a cause.
pub(crate) fn failure_of_error(error: &(dyn StdError + 'static), debug: Result<String, Failure>) -> Failure {
    let mut failure = match text_of("the error's Display", format_args!("{error}")) {
        Ok(text) => Failure::new(text),
        Err(panic) => panic,
    };
    let mut next = guarded("the error's source", || error.source());
    while failure.causes.len() < MANY {
        let cause = match next {
            Ok(Some(cause)) => cause,
            Ok(None) => break,
            Err(panic) => {
                failure.add(panic);
                break;
            }
        };
        match text_of("a cause's Display", format_args!("{cause}")) {
            Ok(text) => failure.causes.push(text),
            Err(panic) => failure.add(panic),
        }
        next = guarded("a cause's source", || cause.source());
    }
    match debug {
        Ok(debug) => failure.debug = debug,
        Err(panic) => failure.add(panic),
    }
    failure
}

impl Failure {
    /// Adds what went wrong while the failure was described or cleaned up.
    pub(crate) fn add(&mut self, panic: Failure) {
        self.panicked |= panic.panicked;
        self.causes.push(panic.error);
    }
}
