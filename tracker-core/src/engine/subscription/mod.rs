//! `Subscription`: the events that were not read yet, behind a lock, and the ways to wait for more. Made by `api/subscribe`; `Engine` fills it
//! when it publishes a commit; users and the server of `api/live` read it. In memory only; reads may block, and the wakers of streams are called.

mod queue;
#[cfg(feature = "tokio")]
mod stream;
mod thread;

use std::{
    fmt,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::Waker,
    time::{Duration, Instant},
};

use super::event::{CommitEvent, EventFilter, Notification};
use crate::model::panics;
use queue::{Next, SubscriptionQueue};
#[cfg(feature = "tokio")]
pub use stream::SubscriptionStream;

/// How a subscription is made.
#[derive(Clone, Debug)]
pub(crate) struct SubscriptionOptions {
    pub filter: EventFilter,
    /// Maximum number of waiting events; progress is not counted.
    pub capacity: usize,
    /// Minimum time between two events of progress of one task.
    pub progress_interval: Duration,
}

impl Default for SubscriptionOptions {
    fn default() -> Self {
        Self { filter: EventFilter::default(), capacity: 1024, progress_interval: Duration::from_millis(100) }
    }
}

/// Yields the events of tasks, kinds and batches, once they are durable, in the order of their commits. Created by
/// [`Tracker::subscribe`](crate::Tracker::subscribe), [`Tasks::subscribe`](crate::Tasks::subscribe), or with filters by
/// [`Tracker::subscription`](crate::Tracker::subscription).
///
/// - A slow subscriber never blocks a commit. Its queue is bounded (1,024 events unless
///   [`capacity`](crate::events::SubscriptionBuilder::capacity) says otherwise), drops the oldest events and yields their number as
///   [`Notification::Lagged`].
/// - Progress is not in that queue. Only the latest progress of a task is kept until it is read, and progress of one task is
///   yielded at most 10 times per second unless [`progress_interval`](crate::events::SubscriptionBuilder::progress_interval) says
///   otherwise. The progress of an attempt never follows the end of the attempt.
/// - Only commits of this tracker are events, not those of other processes.
/// - Each subscription has its own queue. Two subscriptions with the same filter or callback both get every event.
pub struct Subscription(Arc<SharedQueue>);

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("closed", &self.is_closed()).finish_non_exhaustive()
    }
}

/// Closes a [`Subscription`] from any thread.
#[derive(Clone)]
pub struct SubscriptionHandle(Arc<SharedQueue>);

impl SubscriptionHandle {
    /// Closes the subscription: see [`Subscription::close`].
    pub fn close(&self) {
        self.0.close();
    }

    /// Returns whether the subscription is closed: by [`close`](Self::close), because it was dropped, or with the tracker.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.lock().queue.is_closed()
    }
}

impl fmt::Debug for SubscriptionHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubscriptionHandle").field("closed", &self.is_closed()).finish()
    }
}

struct SharedQueue {
    filter: EventFilter,
    state: Mutex<QueueState>,
    changed: Condvar,
    /// False once the subscription is dropped or closed: commits make no events for it.
    is_open: AtomicBool,
}

struct QueueState {
    queue: SubscriptionQueue<Arc<CommitEvent>>,
    /// The task that polls the subscription as a stream.
    waker: Option<Waker>,
    /// A read has found nothing since the callback of [`Subscription::on_ready`] was called last.
    was_found_empty: bool,
}

impl SharedQueue {
    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a change of the state, at most until a time.
    fn wait<'s>(&self, state: MutexGuard<'s, QueueState>, until: Option<Instant>) -> MutexGuard<'s, QueueState> {
        match until {
            None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(until) => {
                let left = until.saturating_duration_since(Instant::now());
                self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
            }
        }
    }

    fn pop(&self, state: &mut QueueState) -> Next<Arc<CommitEvent>> {
        let next = state.queue.pop(Instant::now());
        if matches!(next, Next::Wait(_) | Next::Empty) && !state.was_found_empty {
            state.was_found_empty = true;
            self.changed.notify_all();
        }
        next
    }

    /// Waits for the next item, until a deadline if there is one.
    fn next_until(&self, deadline: Option<Instant>) -> Option<Notification> {
        let mut state = self.lock();
        loop {
            let due = match self.pop(&mut state) {
                Next::Event(event) => return Some(Arc::unwrap_or_clone(event).notification),
                Next::Lagged(dropped) => return Some(Notification::Lagged(dropped)),
                Next::Closed => return None,
                Next::Wait(until) => Some(until),
                Next::Empty => None,
            };
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                return None;
            }
            state = self.wait(state, due.into_iter().chain(deadline).min());
        }
    }

    /// Adds the events of a commit that pass the filter. Returns the waker of a stream that has something to read now.
    fn push(&self, events: &[Arc<CommitEvent>]) -> Option<Waker> {
        let mut state = self.lock();
        let mut changed = false;
        for event in events.iter().filter(|event| self.filter.passes(event)) {
            match event.task {
                Some(task) if event.is_progress() => changed |= state.queue.push_progress(task, event.clone()),
                task => {
                    state.queue.push(event.clone(), task.filter(|_| event.ends_attempt));
                    changed = true;
                }
            }
        }
        if !changed {
            return None;
        }
        self.changed.notify_all();
        state.waker.take()
    }

    fn close(&self) {
        self.is_open.store(false, Ordering::Relaxed);
        self.stop(SubscriptionQueue::close);
    }

    /// Ends the queue and wakes what waits for it.
    fn stop(&self, stop: impl FnOnce(&mut SubscriptionQueue<Arc<CommitEvent>>)) {
        let mut state = self.lock();
        stop(&mut state.queue);
        self.changed.notify_all();
        let waker = state.waker.take();
        drop(state);
        wake(waker);
    }
}

/// Wakes the tasks of streams. A waker is foreign code.
fn wake(wakers: impl IntoIterator<Item = Waker>) {
    for waker in wakers {
        drop(panics::catch_panic(|| waker.wake()));
    }
}

impl Subscription {
    /// Returns the next item, if there is one.
    #[must_use]
    pub fn try_next(&self) -> Option<Notification> {
        self.0.next_until(Some(Instant::now()))
    }

    /// Waits for the next item, at most this long; `Duration::MAX` waits without a bound. Returns `None` on timeout, or if the
    /// subscription is closed: [`is_closed`](Self::is_closed) tells which.
    #[must_use]
    pub fn next_within(&self, at_most: Duration) -> Option<Notification> {
        self.0.next_until(Instant::now().checked_add(at_most))
    }

    /// Closes the subscription, from any thread that has a reference to it; [`handle`](Self::handle) makes one for other threads. Calls
    /// that wait return `None` at once, and what was not read is dropped.
    pub fn close(&self) {
        self.0.close();
    }

    /// Returns whether the subscription is closed, by [`close`](Self::close) or with the tracker. After the tracker is closed, the events that
    /// were not read can still be read.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.lock().queue.is_closed()
    }

    /// Returns a handle that closes the subscription from another thread.
    #[must_use]
    pub fn handle(&self) -> SubscriptionHandle {
        SubscriptionHandle(self.0.clone())
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Waits for each item. Ends when the subscription or the tracker is closed.
impl Iterator for Subscription {
    type Item = Notification;

    fn next(&mut self) -> Option<Notification> {
        self.0.next_until(None)
    }
}

/// The open subscriptions of a tracker.
#[derive(Default)]
pub(super) struct Subscribers(Mutex<SubscriberList>);

#[derive(Default)]
struct SubscriberList {
    queues: Vec<Arc<SharedQueue>>,
    closed: bool,
}

impl Subscribers {
    pub(super) fn subscribe(&self, options: SubscriptionOptions) -> Subscription {
        let SubscriptionOptions { filter, capacity, progress_interval } = options;
        let mut queue = SubscriptionQueue::new(capacity, progress_interval);
        let mut list = self.lock();
        if list.closed {
            queue.end();
        }
        let queue = Arc::new(SharedQueue {
            filter,
            state: Mutex::new(QueueState { queue, waker: None, was_found_empty: true }),
            changed: Condvar::new(),
            is_open: AtomicBool::new(true),
        });
        if !list.closed {
            list.queues.push(queue.clone());
        }
        Subscription(queue)
    }

    fn lock(&self) -> MutexGuard<'_, SubscriberList> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn any(&self) -> bool {
        let mut list = self.lock();
        list.queues.retain(|queue| queue.is_open.load(Ordering::Relaxed));
        !list.queues.is_empty()
    }

    pub(super) fn publish(&self, events: &[Arc<CommitEvent>]) {
        if events.is_empty() {
            return;
        }
        // The lock keeps the events of two commits apart.
        let list = self.lock();
        let wakers: Vec<_> = list.queues.iter().filter_map(|queue| queue.push(events)).collect();
        drop(list);
        wake(wakers);
    }

    pub(super) fn close(&self) {
        let mut list = self.lock();
        list.closed = true;
        let queues = std::mem::take(&mut list.queues);
        drop(list);
        for queue in queues {
            queue.stop(SubscriptionQueue::end);
        }
    }
}
