//! `catch_panic` and `log_catching_panics` call foreign code, such as a clock, a deserializer or a log subscriber. The first returns its panic as an
//! error, the second drops it. Called by `model`, `storage/file`, `engine`, `api` and `worker`; touches no row and no file.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// Runs foreign code. Returns the text of its panic as an error.
pub(crate) fn catch_panic<R>(code: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(code)).map_err(|payload| {
        let text = panic_text(&*payload).to_owned();
        discard(payload);
        text
    })
}

/// Drops the payload of a panic, which may panic itself. The payload of that second panic is leaked, because each drop could panic again.
pub(crate) fn discard(payload: Box<dyn Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(again);
    }
}

/// Writes to the log or to a recorder of metrics. A panic of its subscriber is dropped, because the log cannot report it.
pub(crate) fn log_catching_panics(write: impl FnOnce()) {
    drop(catch_panic(write));
}

/// The message of a panic.
pub(crate) fn panic_text(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("the panic has no message")
}
