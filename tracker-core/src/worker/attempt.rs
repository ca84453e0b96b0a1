//! One attempt of an async body: its panic is caught, and its time is limited.

use std::{
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::Poll,
    thread,
    time::Duration,
};

/// The longest sleep before the tracker's clock is asked again, where it is not the system's.
const NAP: Duration = Duration::from_millis(100);

/// What the body's future came to: its result or its panic.
pub(crate) async fn caught<R>(body: impl Future<Output = R>) -> thread::Result<R> {
    let mut body = pin!(body);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| body.as_mut().poll(context))) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}

/// The same within a limit; `None` if it did not end within it, and is dropped. `elapsed` is the time of the attempt so
/// far by the tracker's clock.
pub(super) async fn limited<R>(
    body: impl Future<Output = R>,
    limit: Option<Duration>,
    elapsed: impl Fn() -> Duration,
) -> Option<thread::Result<R>> {
    let mut body = pin!(caught(body));
    let Some(limit) = limit else { return Some(body.await) };
    loop {
        let left = limit.saturating_sub(elapsed());
        if let Ok(result) = tokio::time::timeout(left.min(NAP), body.as_mut()).await {
            return Some(result);
        }
        if elapsed() >= limit {
            return None;
        }
    }
}
