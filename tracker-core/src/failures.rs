//! What is kept of an error or a panic.

use std::error::Error as StdError;

use crate::{rules::Failure, store::MANY};

/// What is kept of an error: its text, its causes, its debug form.
pub(crate) fn failure_of(error: &(dyn StdError + 'static)) -> Failure {
    let mut causes = Vec::new();
    let mut source = error.source();
    while let Some(cause) = source {
        causes.push(cause.to_string());
        source = cause.source();
        if causes.len() >= MANY {
            break;
        }
    }
    Failure { error: error.to_string(), causes, debug: format!("{error:?}"), panicked: false }
}

/// The failure of a panic.
pub(crate) fn failure_of_panic(payload: &(dyn std::any::Any + Send)) -> Failure {
    let text = payload
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "the body panicked".to_owned());
    Failure { panicked: true, ..Failure::new(text) }
}
