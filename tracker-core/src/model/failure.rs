//! What is kept of an error or a panic.

use std::error::Error as StdError;

use crate::model::{
    transition::Failure,
    user_code::{failure_of_error, text_of},
};

/// What is kept of an error: its text, its causes, its debug form.
pub(crate) fn failure_of(error: &(dyn StdError + 'static)) -> Failure {
    failure_of_error(error, text_of("the error's Debug", format_args!("{error:?}")))
}

/// The failure of a panic.
pub(crate) fn failure_of_panic(payload: &(dyn std::any::Any + Send)) -> Failure {
    let text = payload
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "the handler panicked".to_owned());
    Failure { panicked: true, ..Failure::new(text) }
}
