//! `Signal` is a number that threads and futures wait on until it rises. Used by `engine`, `worker`, `api/schedule`, `api/tasks/ends` and
//! `api/shutdown`; `api/port` waits for it on a thread or in a future. In memory, behind a lock; calls the wakers of futures, and `Clock::on_set` of
//! the user's clock.

use std::{
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::model::{
    panics::{self, catch_panic},
    time::Clock,
};

/// A number that rises, and that threads and futures wait on.
#[derive(Debug, Default)]
pub(crate) struct Signal {
    /// Rises only under the lock, so that no thread misses it between its read and its wait.
    raised: AtomicU64,
    lock: Mutex<()>,
    condition: Condvar,
    #[cfg(feature = "tokio")]
    notify: tokio::sync::Notify,
}

impl Signal {
    /// The number now. A caller reads it before it looks for work, so that it misses no work that is added meanwhile.
    pub(crate) fn seen(&self) -> u64 {
        self.raised.load(Ordering::SeqCst)
    }

    pub(crate) fn raise(&self) {
        self.increment();
        self.condition.notify_all();
        #[cfg(feature = "tokio")]
        wake_futures(&self.notify);
    }

    /// [`Self::raise`] for changes that one waiting thread can use up. All futures are woken.
    pub(crate) fn raise_for_one(&self) {
        self.increment();
        self.condition.notify_one();
        #[cfg(feature = "tokio")]
        wake_futures(&self.notify);
    }

    fn increment(&self) {
        let _lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.raised.fetch_add(1, Ordering::SeqCst);
    }

    /// Waits until the number is no longer `seen`, for `at_most` at the longest.
    pub(crate) fn wait(&self, seen: u64, at_most: Option<Duration>) {
        let deadline = at_most.and_then(|time| Instant::now().checked_add(time));
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        while self.seen() == seen {
            lock = match deadline {
                None => self.condition.wait(lock).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return;
                    }
                    self.condition.wait_timeout(lock, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// [`Self::wait`] for async callers.
    #[cfg(feature = "tokio")]
    pub(crate) async fn changed(&self, seen: u64, at_most: Option<Duration>) {
        let mut notified = std::pin::pin!(self.notify.notified());
        // Registered before the check, so that a later raise wakes it.
        notified.as_mut().enable();
        if self.seen() != seen {
            return;
        }
        match at_most {
            Some(time) => drop(tokio::time::timeout(time, notified).await),
            None => notified.await,
        }
    }
}

/// The wakers of async callers are foreign code.
#[cfg(feature = "tokio")]
fn wake_futures(notify: &tokio::sync::Notify) {
    drop(catch_panic(|| notify.notify_waiters()));
}

/// Raises signals when a clock is set, because waits that measure elapsed time do not notice it.
pub(super) fn raise_when_set(clock: &dyn Clock, signals: [Arc<Signal>; 2]) {
    let raise = move || signals.iter().for_each(|signal| signal.raise());
    if let Err(panic) = catch_panic(|| clock.on_set(Arc::new(raise))) {
        panics::log_catching_panics(|| {
            tracing::warn!(panic, "Clock::on_set panicked: waits do not notice when the clock is set");
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiter_returns_after_a_raise_or_its_timeout() {
        let signal = Signal::default();
        for raise in [Signal::raise, Signal::raise_for_one, Signal::raise] {
            let seen = signal.seen();
            signal.wait(seen, Some(Duration::ZERO));
            raise(&signal);
            assert_eq!(signal.seen(), seen + 1);
            signal.wait(seen, None);
        }
    }

    #[cfg(feature = "tokio")]
    #[test]
    fn panicking_waker_does_not_reach_the_raising_thread() {
        struct Panicking;

        impl std::task::Wake for Panicking {
            fn wake(self: Arc<Self>) {
                panic!("a waker panics");
            }
        }

        let signal = Signal::default();
        for raise in [Signal::raise, Signal::raise_for_one] {
            let seen = signal.seen();
            let mut changed = std::pin::pin!(signal.changed(seen, None));
            let waker = Arc::new(Panicking).into();
            let mut context = std::task::Context::from_waker(&waker);
            assert!(changed.as_mut().poll(&mut context).is_pending());
            raise(&signal);
            assert_eq!(signal.seen(), seen + 1);
            assert!(changed.poll(&mut context).is_ready());
        }
    }
}
