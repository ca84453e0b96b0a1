//! Polls the slots of an async worker in one task. Only `async_worker.rs` uses it.

use std::{
    mem,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Wake, Waker},
};

/// Runs futures beside each other in one task, and polls only those that were woken. Ends when all have ended.
pub(super) struct Join<F: Future> {
    futures: Vec<JoinState<F>>,
    woken: Arc<Woken>,
}

enum JoinState<F: Future> {
    Running(Pin<Box<F>>, Waker),
    Ended(Option<F::Output>),
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

impl<F: Future> Join<F> {
    pub(super) fn new(futures: impl Iterator<Item = F>) -> Self {
        let woken = Arc::new(Woken::default());
        let futures: Vec<_> = (0..)
            .zip(futures)
            .map(|(at, future)| {
                JoinState::Running(Box::pin(future), Arc::new(FutureWaker { at, woken: woken.clone() }).into())
            })
            .collect();
        woken.0.lock().unwrap_or_else(PoisonError::into_inner).0.extend(0..futures.len());
        Self { futures, woken }
    }
}

// The futures are boxed, their results are never pinned.
impl<F: Future> Unpin for Join<F> {}

impl<F: Future> Future for Join<F> {
    type Output = Vec<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let woken = {
            let mut woken = self.woken.0.lock().unwrap_or_else(PoisonError::into_inner);
            woken.1 = Some(context.waker().clone());
            mem::take(&mut woken.0)
        };
        for at in woken {
            if let JoinState::Running(future, waker) = &mut self.futures[at]
                && let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(waker))
            {
                self.futures[at] = JoinState::Ended(Some(output));
            }
        }
        if self.futures.iter().any(|state| matches!(state, JoinState::Running(..))) {
            return Poll::Pending;
        }
        let outputs = self.futures.iter_mut().filter_map(|state| match state {
            JoinState::Ended(output) => output.take(),
            JoinState::Running(..) => None,
        });
        Poll::Ready(outputs.collect())
    }
}
