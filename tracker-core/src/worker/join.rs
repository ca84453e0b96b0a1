//! `Join` polls the futures of the slots of an async worker inside one tokio task. Used by `async_worker`; runs the futures, and starts no
//! thread.

use std::{
    convert::Infallible,
    mem,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Wake, Waker},
};

use crate::model::error::Result;

/// Runs futures concurrently in one task, and polls only those that were woken. As a future it never ends: futures are added while it
/// runs.
pub(super) struct Join<F> {
    futures: Vec<JoinState<F>>,
    /// The places of futures that have ended.
    free: Vec<usize>,
    woken: Arc<Woken>,
    /// The errors of the futures that have ended, in the order of their ends.
    errors: Vec<Result<()>>,
}

enum JoinState<F> {
    Running(Pin<Box<F>>, Waker),
    Ended,
}

/// The futures that were woken, and the waker of the task that polls them all.
#[derive(Default)]
struct Woken(Mutex<(Vec<usize>, Option<Waker>)>);

/// The waker of one future.
struct FutureWaker {
    at: usize,
    woken: Arc<Woken>,
}

impl Wake for FutureWaker {
    fn wake(self: Arc<Self>) {
        let waker = {
            let mut woken = self.woken.0.lock().unwrap_or_else(PoisonError::into_inner);
            woken.0.push(self.at);
            woken.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<F: Future<Output = Result<()>>> Join<F> {
    pub(super) fn new() -> Self {
        Self { futures: Vec::new(), free: Vec::new(), woken: Arc::default(), errors: Vec::new() }
    }

    /// Adds a future. The next poll polls it.
    pub(super) fn push(&mut self, future: F) {
        let at = self.free.pop().unwrap_or(self.futures.len());
        let waker: Waker = Arc::new(FutureWaker { at, woken: self.woken.clone() }).into();
        waker.wake_by_ref();
        let state = JoinState::Running(Box::pin(future), waker);
        if at < self.futures.len() {
            self.futures[at] = state;
        } else {
            self.futures.push(state);
        }
    }

    pub(super) fn into_errors(self) -> Vec<Result<()>> {
        self.errors
    }
}

// Each future is in a box of its own, so `Join` may move.
impl<F> Unpin for Join<F> {}

impl<F: Future<Output = Result<()>>> Future for Join<F> {
    type Output = Infallible;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Infallible> {
        let woken = {
            let mut woken = self.woken.0.lock().unwrap_or_else(PoisonError::into_inner);
            woken.1 = Some(context.waker().clone());
            mem::take(&mut woken.0)
        };
        for at in woken {
            if let JoinState::Running(future, waker) = &mut self.futures[at]
                && let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(waker))
            {
                self.futures[at] = JoinState::Ended;
                self.free.push(at);
                self.errors.extend(output.is_err().then_some(output));
            }
        }
        Poll::Pending
    }
}
