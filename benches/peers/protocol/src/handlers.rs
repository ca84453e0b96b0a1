//! The handlers that every peer runs, and the counts that the scenarios read.

#[cfg(feature = "tokio")]
use std::sync::Arc;
use std::{
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use crate::handler_log::HandlerLog;

/// The handlers of all tasks, and a record of their runs.
pub struct Handlers {
    length: Duration,
    log: Option<HandlerLog>,
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
    /// A thread waits for a begin. Without a waiter, a notification would cost a system call for nothing.
    awaited: bool,
}

/// A time without any change, after which a scenario stops: the rest of its time would measure nothing.
pub(crate) struct Standstill {
    allowed: Duration,
    progress: u64,
    since: Instant,
}

impl Standstill {
    pub(crate) fn new(allowed: Duration) -> Self {
        Self { allowed, progress: 0, since: Instant::now() }
    }

    /// Whether `progress` is unchanged for the allowed time.
    pub(crate) fn reached(&mut self, progress: u64) -> bool {
        if progress != self.progress {
            (self.progress, self.since) = (progress, Instant::now());
        }
        self.since.elapsed() >= self.allowed
    }
}

impl Handlers {
    pub(crate) fn new(length: Duration, tasks: u64, log: Option<HandlerLog>) -> Self {
        let runs = vec![0; usize::try_from(tasks).unwrap_or(0)];
        Self { length, log, seen: Mutex::new(Seen { runs, ..Seen::default() }), changed: Condvar::new() }
    }

    /// Runs one handler, on a thread that may block.
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

    /// Runs one handler in an async runtime. The sleep blocks a thread of the runtime's blocking pool, since the timers of
    /// the runtime are no finer than a millisecond.
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
        self.log.as_ref().is_some_and(|log| log.hangs(number))
    }

    fn begin(&self, number: u64) {
        let now = Instant::now();
        if let Some(log) = &self.log {
            log.write('b', number);
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
        if let Some(log) = &self.log {
            log.write('e', number);
        }
        self.seen().ended += 1;
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Number of handlers that have ended.
    pub(crate) fn runs(&self) -> u64 {
        self.seen().ended
    }

    /// Waits until so many different tasks have run, until the deadline, or until nothing changes any more.
    pub(crate) fn wait_for(&self, different: u64, deadline: Instant, mut standstill: Standstill) {
        let mut seen = self.seen();
        while seen.different < different || seen.ended < different {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || standstill.reached(seen.begun + seen.ended) {
                return;
            }
            // A wake-up for every handler would cost what is measured, so this polls every half millisecond.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standstill_begins_at_the_last_change() {
        let mut standstill = Standstill::new(Duration::ZERO);
        assert!(standstill.reached(0));
        let mut standstill = Standstill::new(Duration::from_secs(3600));
        assert!(!standstill.reached(1));
        assert!(!standstill.reached(1));
    }

    #[test]
    fn wait_ends_at_a_standstill_before_the_deadline() {
        let handlers = Handlers::new(Duration::ZERO, 2, None);
        handlers.run(0);
        let begun = Instant::now();
        handlers.wait_for(2, begun + Duration::from_secs(600), Standstill::new(Duration::from_millis(1)));
        assert!(begun.elapsed() < Duration::from_secs(60));
        assert_eq!(handlers.runs(), 1);
    }
}
