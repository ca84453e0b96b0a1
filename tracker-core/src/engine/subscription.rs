//! Queues of events, one for each subscriber. Filled after a commit; a full queue drops its oldest events.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use super::event::Event;

/// An item of a subscription.
#[derive(Clone, Debug, PartialEq)]
pub enum Notification {
    /// An event of a task.
    Event(Event),
    /// Number of events that were dropped because the subscriber was too slow. Read the state of the tracker to catch up.
    Lagged(u64),
}

/// Yields the events of tasks, once they are durable. Created by [`Tracker::subscribe`](crate::Tracker::subscribe).
///
/// A slow subscriber never blocks a writer: its queue drops the oldest events and yields their number. Only changes of this
/// process are events.
pub struct Subscription(Arc<SubscriptionQueue>);

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").finish_non_exhaustive()
    }
}

struct SubscriptionQueue {
    state: Mutex<QueuedEvents>,
    condition: Condvar,
    capacity: usize,
}

#[derive(Default)]
struct QueuedEvents {
    events: VecDeque<Event>,
    dropped: u64,
    closed: bool,
}

impl SubscriptionQueue {
    fn lock(&self) -> MutexGuard<'_, QueuedEvents> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl QueuedEvents {
    fn next(&mut self) -> Option<Notification> {
        if self.dropped > 0 {
            return Some(Notification::Lagged(std::mem::take(&mut self.dropped)));
        }
        self.events.pop_front().map(Notification::Event)
    }
}

impl Subscription {
    /// Returns the next event, if there is one.
    #[must_use]
    pub fn try_next(&self) -> Option<Notification> {
        self.0.lock().next()
    }

    /// Waits for the next event, at most this long. Returns `None` on timeout, or if the tracker is closed.
    #[must_use]
    pub fn next_within(&self, at_most: Duration) -> Option<Notification> {
        let until = Instant::now().checked_add(at_most)?;
        let mut state = self.0.lock();
        loop {
            let next = state.next();
            let left = until.saturating_duration_since(Instant::now());
            if next.is_some() || state.closed || left.is_zero() {
                return next;
            }
            state = self.0.condition.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Waits for each event. Ends when the tracker is closed.
impl Iterator for Subscription {
    type Item = Notification;

    fn next(&mut self) -> Option<Notification> {
        let mut state = self.0.lock();
        loop {
            let next = state.next();
            if next.is_some() || state.closed {
                return next;
            }
            state = self.0.condition.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[derive(Default)]
pub(super) struct Subscribers(Mutex<Vec<Weak<SubscriptionQueue>>>);

impl Subscribers {
    pub(super) fn subscribe(&self, capacity: usize) -> Subscription {
        let queue = Arc::new(SubscriptionQueue {
            state: Mutex::default(),
            condition: Condvar::new(),
            capacity: capacity.max(1),
        });
        self.lock().push(Arc::downgrade(&queue));
        Subscription(queue)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<SubscriptionQueue>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn any(&self) -> bool {
        let mut queues = self.lock();
        queues.retain(|queue| queue.strong_count() > 0);
        !queues.is_empty()
    }

    pub(super) fn publish(&self, events: &[Event]) {
        if events.is_empty() {
            return;
        }
        for queue in self.lock().iter().filter_map(Weak::upgrade) {
            let mut state = queue.lock();
            for event in events {
                if state.events.len() >= queue.capacity {
                    state.events.pop_front();
                    state.dropped += 1;
                }
                state.events.push_back(event.clone());
            }
            queue.condition.notify_all();
        }
    }

    pub(super) fn close(&self) {
        for queue in self.lock().drain(..).filter_map(|queue| queue.upgrade()) {
            queue.lock().closed = true;
            queue.condition.notify_all();
        }
    }
}
