//! `Pending` waits for the answer of a deferred call, which comes later. Made by `DeferredTasks` and `single_calls!`, read by users. The
//! committing thread, the thread for deferred work, or the caller if the call is refused at once stores the answer behind a lock and wakes the
//! reader. A callback runs on the thread for callbacks, or after the close on the thread that registers it.

use std::{
    fmt, mem,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use crate::{
    api::{shared::Shared, single_call::SingleCall},
    engine::{Action, Engine},
    model::{
        error::{Error, Result},
        panics::{self, catch_panic},
    },
};

/// The result of a deferred call, once the call is durable or refused. Made by the calls of [`DeferredTasks`](super::DeferredTasks).
///
/// Dropping it gives up the result, not the call. It is a future, too, of no particular runtime.
pub struct Pending<R> {
    answer: Arc<PendingAnswer<R>>,
    engine: Arc<Engine>,
}

type Callback<R> = Box<dyn FnOnce(Result<R>) + Send>;

struct PendingAnswer<R> {
    stage: Mutex<Stage<R>>,
    answered: Condvar,
}

enum Stage<R> {
    Waiting(Option<Waker>),
    Callback(Callback<R>),
    Answered(Result<R>),
    Taken,
}

impl<R> PendingAnswer<R> {
    fn lock(&self) -> MutexGuard<'_, Stage<R>> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the result if it is there.
    fn take(stage: &mut Stage<R>) -> Option<Result<R>> {
        match mem::replace(stage, Stage::Taken) {
            Stage::Answered(result) => Some(result),
            other => {
                *stage = other;
                None
            }
        }
    }
}

/// The other end of a [`Pending`].
pub(super) struct Answerer<R> {
    answer: Arc<PendingAnswer<R>>,
    engine: Arc<Engine>,
}

impl<R: Send + 'static> Answerer<R> {
    /// Stores the result and wakes what waits for it. Runs no user code but wakers.
    pub(super) fn answer(self, result: Result<R>) {
        let mut stage = self.answer.lock();
        match mem::replace(&mut *stage, Stage::Taken) {
            Stage::Callback(callback) => {
                drop(stage);
                call(&self.engine, callback, result);
            }
            Stage::Waiting(waker) => {
                if let Err(error) = &result
                    && Arc::strong_count(&self.answer) == 1
                {
                    panics::log_catching_panics(
                        || tracing::debug!(%error, "a deferred call without a receiver was refused"),
                    );
                }
                *stage = Stage::Answered(result);
                self.answer.answered.notify_all();
                drop(stage);
                if let Some(waker) = waker {
                    drop(catch_panic(|| waker.wake()));
                }
            }
            Stage::Answered(_) | Stage::Taken => {}
        }
    }
}

/// Calls a callback on the thread for callbacks.
fn call<R: Send + 'static>(engine: &Engine, callback: Callback<R>, result: Result<R>) {
    engine.callbacks.push(move || callback(result));
}

impl<R: Send + 'static> Pending<R> {
    pub(super) fn new(engine: &Arc<Engine>) -> (Self, Answerer<R>) {
        let answer = Arc::new(PendingAnswer { stage: Mutex::new(Stage::Waiting(None)), answered: Condvar::new() });
        let answerer = Answerer { answer: answer.clone(), engine: engine.clone() };
        (Self { answer, engine: engine.clone() }, answerer)
    }

    /// Queues a call, or answers why it could not be prepared.
    pub(crate) fn of<A: Action, F>(shared: &Arc<Shared>, call: Result<SingleCall<A, F>>) -> Self
    where
        F: FnOnce(A::Out) -> Result<R> + Send + 'static,
    {
        let (pending, answerer) = Self::new(&shared.engine);
        match call {
            Ok(SingleCall { action, finish }) => {
                shared.engine.defer(action, move |out| answerer.answer(out.and_then(finish)));
            }
            Err(error) => answerer.answer(Err(error)),
        }
        pending
    }

    /// Returns whether the result is there. Stays true after the result is taken.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(*self.answer.lock(), Stage::Answered(_) | Stage::Taken)
    }

    /// Takes the result if it is there. Returns `None` until then, and after the result was taken. Never waits.
    pub fn try_take(&mut self) -> Option<Result<R>> {
        PendingAnswer::take(&mut self.answer.lock())
    }

    /// Waits for the result.
    ///
    /// # Errors
    /// The error of the call, and [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the result was taken, or if the call would wait for
    /// its own thread: inside a [`Tracker::transaction`](crate::Tracker::transaction), or in [`DeferredTasks::call`](super::DeferredTasks::call).
    pub fn wait(mut self) -> Result<R> {
        self.wait_until(None).unwrap_or_else(|| Err(Error::closed()))
    }

    /// Waits up to `at_most` for the result. Returns `None` on timeout; the call continues.
    ///
    /// # Errors
    /// As [`Pending::wait`].
    pub fn wait_within(&mut self, at_most: Duration) -> Option<Result<R>> {
        self.wait_until(Instant::now().checked_add(at_most))
    }

    fn wait_until(&mut self, deadline: Option<Instant>) -> Option<Result<R>> {
        let mut stage = self.answer.lock();
        if let Some(result) = PendingAnswer::take(&mut stage) {
            return Some(result);
        }
        if let Err(error) = self.engine.refuse_waiting() {
            return Some(Err(error));
        }
        loop {
            if matches!(*stage, Stage::Taken) {
                return Some(Err(already_taken()));
            }
            if let Some(result) = PendingAnswer::take(&mut stage) {
                return Some(result);
            }
            stage = match deadline {
                None => self.answer.answered.wait(stage).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return None;
                    }
                    self.answer.answered.wait_timeout(stage, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// Calls `callback` with the result, on the tracker's thread for callbacks, also if the result is there already.
    ///
    /// The callbacks of a tracker run one after the other, in the order of the commits, with those of
    /// [`Tasks::on_given_up`](crate::Tasks::on_given_up). One that blocks delays the others, and the close of the tracker, but no commit. A
    /// panic is logged. After the tracker is closed, the callback runs on the thread that calls `on_done`.
    ///
    /// It is not called if the result was taken before.
    pub fn on_done(self, callback: impl FnOnce(Result<R>) + Send + 'static) {
        let mut stage = self.answer.lock();
        match mem::replace(&mut *stage, Stage::Taken) {
            Stage::Answered(result) => {
                drop(stage);
                call(&self.engine, Box::new(callback), result);
            }
            Stage::Waiting(_) => *stage = Stage::Callback(Box::new(callback)),
            Stage::Callback(_) | Stage::Taken => {}
        }
    }
}

impl<R> Unpin for Pending<R> {}

impl<R> Future for Pending<R> {
    type Output = Result<R>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<R>> {
        // A waker may be foreign code, whose panic shall not leave the answer behind.
        let waker = context.waker().clone();
        let mut stage = self.answer.lock();
        match mem::replace(&mut *stage, Stage::Taken) {
            Stage::Answered(result) => Poll::Ready(result),
            Stage::Waiting(replaced) => {
                *stage = Stage::Waiting(Some(waker));
                drop(stage);
                // A waker may be foreign code, so it is dropped after the lock.
                drop(catch_panic(AssertUnwindSafe(|| drop(replaced))));
                Poll::Pending
            }
            Stage::Callback(_) | Stage::Taken => Poll::Ready(Err(already_taken())),
        }
    }
}

fn already_taken() -> Error {
    Error::invalid("the result of the deferred call was taken before")
}

impl<R> fmt::Debug for Pending<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done = matches!(*self.answer.lock(), Stage::Answered(_) | Stage::Taken);
        f.debug_struct("Pending").field("done", &done).finish_non_exhaustive()
    }
}
