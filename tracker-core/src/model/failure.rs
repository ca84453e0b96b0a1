//! Makes a stored `Failure` from an error or a panic. Called by `api/execution`, `api/handler`, `api/tasks/run` and `worker`; runs user
//! code (`Display`, `Debug` and `source`), guarded.

use std::error::Error as StdError;

use crate::model::{
    panics::panic_text,
    transition::Failure,
    user_code::{failure_of_error, text_of},
};

/// The stored form of an error: its text, its causes, its debug form.
pub(crate) fn failure_of(error: &(dyn StdError + 'static)) -> Failure {
    failure_of_error(error, text_of("the error's Debug", format_args!("{error:?}")))
}

/// The failure of a panic.
pub(crate) fn failure_of_panic(payload: &(dyn std::any::Any + Send)) -> Failure {
    Failure { panicked: true, ..Failure::new(panic_text(payload)) }
}
