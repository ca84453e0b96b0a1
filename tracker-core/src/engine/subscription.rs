use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant},
};

use super::event::Event;

/// What a watcher hears.
#[derive(Clone, Debug, PartialEq)]
pub enum Notification {
    /// Something happened to a task.
    Event(Event),
    /// The watcher was too slow for so many events; they are gone. Read the tracker's state to catch up.
    Lagged(u64),
}

/// Hears of what happens to tasks, after it is durable. Made by [`Tracker::subscribe`](crate::Tracker::subscribe).
///
/// A slow watcher never makes a writer wait: it misses events, and is told how many. It hears of changes that this
/// process makes.
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
    missed: u64,
    closed: bool,
}

impl SubscriptionQueue {
    fn lock(&self) -> MutexGuard<'_, QueuedEvents> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl QueuedEvents {
    fn next(&mut self) -> Option<Notification> {
        if self.missed > 0 {
            return Some(Notification::Lagged(std::mem::take(&mut self.missed)));
        }
        self.events.pop_front().map(Notification::Event)
    }
}

impl Subscription {
    /// The next event, if one is there.
    #[must_use]
    pub fn try_next(&self) -> Option<Notification> {
        self.0.lock().next()
    }

    /// Waits for the next event, at most this long. `None` if there was none, or the tracker is closed.
    #[must_use]
    pub fn next_within(&self, at_most: Duration) -> Option<Notification> {
        let until = Instant::now().checked_add(at_most)?;
        let mut heard = self.0.lock();
        loop {
            let next = heard.next();
            let left = until.saturating_duration_since(Instant::now());
            if next.is_some() || heard.closed || left.is_zero() {
                return next;
            }
            heard = self.0.condition.wait_timeout(heard, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Waits for each event; ends when the tracker is closed.
impl Iterator for Subscription {
    type Item = Notification;

    fn next(&mut self) -> Option<Notification> {
        let mut heard = self.0.lock();
        loop {
            let next = heard.next();
            if next.is_some() || heard.closed {
                return next;
            }
            heard = self.0.condition.wait(heard).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[derive(Default)]
pub(super) struct Subscribers(Mutex<Vec<Weak<SubscriptionQueue>>>);

impl Subscribers {
    pub(super) fn subscribe(&self, capacity: usize) -> Subscription {
        let ear = Arc::new(SubscriptionQueue {
            state: Mutex::default(),
            condition: Condvar::new(),
            capacity: capacity.max(1),
        });
        self.lock().push(Arc::downgrade(&ear));
        Subscription(ear)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<SubscriptionQueue>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn any(&self) -> bool {
        let mut ears = self.lock();
        ears.retain(|ear| ear.strong_count() > 0);
        !ears.is_empty()
    }

    pub(super) fn tell(&self, events: &[Event]) {
        if events.is_empty() {
            return;
        }
        for ear in self.lock().iter().filter_map(Weak::upgrade) {
            let mut heard = ear.lock();
            for event in events {
                if heard.events.len() >= ear.capacity {
                    heard.events.pop_front();
                    heard.missed += 1;
                }
                heard.events.push_back(event.clone());
            }
            ear.condition.notify_all();
        }
    }

    pub(super) fn close(&self) {
        for ear in self.lock().drain(..).filter_map(|ear| ear.upgrade()) {
            ear.lock().closed = true;
            ear.condition.notify_all();
        }
    }
}
