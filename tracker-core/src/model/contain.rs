//! Calls of foreign code: a panic of a subscriber, a clock or a deserializer ends here.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// Runs foreign code. Returns the text of its panic as an error.
pub(crate) fn contain<R>(code: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(code)).map_err(|payload| {
        let text = panic_text(&*payload).to_owned();
        discard(payload);
        text
    })
}

/// Drops the payload of a panic, which may panic itself. The payload of that second panic is leaked: each drop could panic again.
pub(crate) fn discard(payload: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(again);
    }
}

/// Writes to the log. A panic of a subscriber is dropped: the log cannot report it.
pub(crate) fn log(write: impl FnOnce()) {
    drop(contain(write));
}

/// The message of a panic.
pub(crate) fn panic_text(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("the panic has no message")
}
