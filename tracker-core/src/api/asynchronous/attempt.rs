//! Runs one attempt of an async handler: catches its panics, limits its time and ends it on cancellation. Called by `api/tasks/run`,
//! `worker/async_slot` and `worker/async_worker`; polls user code, and stores nothing.

use std::{
    future::{pending, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    task::Poll,
    thread,
    time::Duration,
};

use crate::model::{panics::discard, user_code::guarded};

/// The longest sleep before the tracker's clock is asked again, if it is not the system's.
const SLEEP_MAX: Duration = Duration::from_millis(100);

/// Runs the future of a handler, and catches the panics of its polls and of its drop.
pub(crate) async fn catch_panics<R>(handler: impl Future<Output = R>) -> thread::Result<R> {
    with_timeout(handler, None, || Duration::ZERO, pending())
        .await
        .unwrap_or_else(|| Err(Box::new("the attempt has no timeout")))
}

/// Runs the future of a handler with a timeout, and catches the panics of its polls and of its drop. `None` if it did not end
/// within it, or `cancelled` ended first; it is dropped then. `elapsed` is the time of the attempt so far by the tracker's
/// clock.
pub(crate) async fn with_timeout<R>(
    handler: impl Future<Output = R>,
    limit: Option<Duration>,
    elapsed: impl Fn() -> Duration,
    cancelled: impl Future<Output = ()>,
) -> Option<thread::Result<R>> {
    let mut handler = pin!(Some(handler));
    let result = tokio::select! {
        biased;
        result = polled(handler.as_mut(), limit, elapsed) => result,
        () = cancelled => None,
    };
    match catch_unwind(AssertUnwindSafe(|| handler.set(None))) {
        Ok(()) => result,
        // A panic of the handler itself is the cause, and not the one of the drop that follows it.
        Err(payload) => match result {
            Some(Err(first)) => {
                discard(payload);
                Some(Err(first))
            }
            result => {
                // The result is a value of the user, whose drop may panic too.
                drop(guarded("the result's Drop", || drop(result)));
                Some(Err(payload))
            }
        },
    }
}

async fn polled<F: Future>(
    mut handler: Pin<&mut Option<F>>,
    limit: Option<Duration>,
    elapsed: impl Fn() -> Duration,
) -> Option<thread::Result<F::Output>> {
    let mut ended = pin!(poll_fn(|context| {
        let Some(handler) = handler.as_mut().as_pin_mut() else { return Poll::Pending };
        match catch_unwind(AssertUnwindSafe(|| handler.poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    }));
    let Some(limit) = limit else { return Some(ended.await) };
    loop {
        let left = limit.saturating_sub(elapsed());
        if let Ok(result) = tokio::time::timeout(left.min(SLEEP_MAX), ended.as_mut()).await {
            return Some(result);
        }
        if elapsed() >= limit {
            return None;
        }
    }
}
