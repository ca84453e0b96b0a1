#[cfg(feature = "tokio")]
use std::sync::Arc;
use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use crate::diary::Diary;

/// What the bodies of all tasks do, and what is known of them.
pub struct Bodies {
    length: Duration,
    diary: Option<Diary>,
    seen: Mutex<Seen>,
    changed: Condvar,
}

#[derive(Default)]
struct Seen {
    runs: Vec<u32>,
    begun: u64,
    ended: u64,
    different: u64,
    last: Option<(u64, Instant)>,
    /// Somebody waits for a body to begin. To wake nobody costs a system call too.
    awaited: bool,
}

impl Bodies {
    pub(crate) fn new(length: Duration, tasks: u64, diary: Option<Diary>) -> Self {
        let runs = vec![0; usize::try_from(tasks).unwrap_or(0)];
        Self { length, diary, seen: Mutex::new(Seen { runs, ..Seen::default() }), changed: Condvar::new() }
    }

    /// One body, on a thread that may block.
    pub fn run(&self, number: u64) {
        self.begin(number);
        if self.hangs(number) {
            loop {
                thread::sleep(Duration::from_secs(3600));
            }
        }
        if !self.length.is_zero() {
            thread::sleep(self.length);
        }
        self.end(number);
    }

    /// One body in an async runtime. What blocks does so on a thread made for that: the runtime's own timers are no
    /// finer than a millisecond.
    #[cfg(feature = "tokio")]
    pub async fn run_async(self: Arc<Self>, number: u64) {
        if self.hangs(number) {
            self.begin(number);
            std::future::pending::<()>().await;
        }
        if self.length.is_zero() {
            return self.run(number);
        }
        let _ = tokio::task::spawn_blocking(move || self.run(number)).await;
    }

    fn hangs(&self, number: u64) -> bool {
        self.diary.as_ref().is_some_and(|diary| diary.hangs(number))
    }

    fn begin(&self, number: u64) {
        let now = Instant::now();
        if let Some(diary) = &self.diary {
            diary.write('b', number);
        }
        let mut seen = self.seen();
        seen.begun += 1;
        seen.last = Some((number, now));
        if let Some(runs) = usize::try_from(number).ok().and_then(|number| seen.runs.get_mut(number)) {
            *runs += 1;
            if *runs == 1 {
                seen.different += 1;
            }
        }
        if seen.awaited {
            drop(seen);
            self.changed.notify_all();
        }
    }

    fn end(&self, number: u64) {
        if let Some(diary) = &self.diary {
            diary.write('e', number);
        }
        self.seen().ended += 1;
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many bodies have ended.
    pub(crate) fn runs(&self) -> u64 {
        self.seen().ended
    }

    /// Waits until so many different tasks have run, or until the deadline.
    pub(crate) fn wait_for(&self, different: u64, deadline: Instant) {
        let mut seen = self.seen();
        while seen.different < different || seen.ended < different {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            // Woken for every body, a waiter would cost what it measures: it looks every half millisecond instead.
            drop(seen);
            thread::sleep(left.min(Duration::from_micros(500)));
            seen = self.seen();
        }
    }

    /// Waits until this task begins, or until the deadline.
    pub(crate) fn wait_for_begin(&self, number: u64, deadline: Instant) -> Option<Instant> {
        let mut seen = self.seen();
        loop {
            if let Some((last, at)) = seen.last
                && last == number
            {
                return Some(at);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            seen.awaited = true;
            seen = self.changed.wait_timeout(seen, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
