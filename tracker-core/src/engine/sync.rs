//! Provides the locks of the commit queue: those of the standard library, and in tests under `--cfg shuttle` those of a checker that tries
//! many orders of threads. Used by `commit_queue` and `queued_action`.

#[cfg(not(all(test, shuttle)))]
pub(super) use std::{
    sync::{Condvar, Mutex, MutexGuard},
    time::Instant,
};

#[cfg(all(test, shuttle))]
pub(super) use checked::{Condvar, Instant, Mutex, MutexGuard};

/// The checker has no time, so each reading advances it, and a timed wait only yields to the other threads.
#[cfg(all(test, shuttle))]
mod checked {
    use std::{
        ops::{Add, Deref, DerefMut},
        sync::{
            PoisonError,
            atomic::{AtomicU64, Ordering},
        },
        time::Duration,
    };

    use shuttle::sync;

    static NOW: AtomicU64 = AtomicU64::new(0);

    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    pub(in crate::engine) struct Instant(Duration);

    impl Instant {
        pub(in crate::engine) fn now() -> Self {
            Self(Duration::from_micros(NOW.fetch_add(100, Ordering::Relaxed)))
        }

        pub(in crate::engine) fn elapsed(self) -> Duration {
            Self::now().saturating_duration_since(self)
        }

        pub(in crate::engine) fn saturating_duration_since(self, other: Self) -> Duration {
            self.0.saturating_sub(other.0)
        }
    }

    impl Add<Duration> for Instant {
        type Output = Self;

        fn add(self, time: Duration) -> Self {
            Self(self.0 + time)
        }
    }

    #[derive(Default)]
    pub(in crate::engine) struct Mutex<T>(sync::Mutex<T>);

    pub(in crate::engine) struct MutexGuard<'a, T> {
        mutex: &'a sync::Mutex<T>,
        guard: sync::MutexGuard<'a, T>,
    }

    type Locked<'a, T> = Result<MutexGuard<'a, T>, PoisonError<MutexGuard<'a, T>>>;

    impl<T> Mutex<T> {
        pub(in crate::engine) fn new(value: T) -> Self {
            Self(sync::Mutex::new(value))
        }

        pub(in crate::engine) fn lock(&self) -> Locked<'_, T> {
            Ok(MutexGuard { mutex: &self.0, guard: self.0.lock().unwrap_or_else(PoisonError::into_inner) })
        }
    }

    impl<T> Deref for MutexGuard<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            &self.guard
        }
    }

    impl<T> DerefMut for MutexGuard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            &mut self.guard
        }
    }

    #[derive(Default)]
    pub(in crate::engine) struct Condvar(sync::Condvar);

    impl Condvar {
        pub(in crate::engine) fn new() -> Self {
            Self::default()
        }

        pub(in crate::engine) fn wait<'a, T>(&self, MutexGuard { mutex, guard }: MutexGuard<'a, T>) -> Locked<'a, T> {
            Ok(MutexGuard { mutex, guard: self.0.wait(guard).unwrap_or_else(PoisonError::into_inner) })
        }

        #[expect(clippy::type_complexity, reason = "as the standard library has it")]
        pub(in crate::engine) fn wait_timeout<'a, T>(
            &self,
            MutexGuard { mutex, guard }: MutexGuard<'a, T>,
            _: Duration,
        ) -> Result<(MutexGuard<'a, T>, ()), PoisonError<(MutexGuard<'a, T>, ())>> {
            drop(guard);
            shuttle::thread::yield_now();
            Ok((MutexGuard { mutex, guard: mutex.lock().unwrap_or_else(PoisonError::into_inner) }, ()))
        }

        pub(in crate::engine) fn notify_one(&self) {
            self.0.notify_one();
        }

        pub(in crate::engine) fn notify_all(&self) {
            self.0.notify_all();
        }
    }
}
