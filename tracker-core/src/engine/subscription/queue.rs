//! `SubscriptionQueue` holds the events that one subscription still delivers. Used by `subscription/mod.rs`, which keeps it behind a lock,
//! and by `stream` and `thread`. Pure: the caller passes the time.
//!
//! Events are kept in a queue of bounded length. Progress is kept beside it, one value for each task, so that no amount of progress
//! displaces an event. Both carry numbers of one sequence, so that they are delivered in order, except progress that is withheld: the interval since
//! the last delivery of progress of its task must pass first.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    time::{Duration, Instant},
};

use crate::model::task::TaskRef;

/// A longer interval counts as this one, so that its end is a time that the clock can represent.
const LONGEST_INTERVAL: Duration = Duration::from_secs(10 * 365 * 86_400);

/// The state of one subscription. `E` is a cheap handle of an event.
pub(super) struct SubscriptionQueue<E> {
    /// The most events that wait.
    capacity: usize,
    /// The shortest time between two deliveries of progress of one task.
    progress_interval: Duration,
    next_number: u64,
    events: VecDeque<QueuedEvent<E>>,
    /// Number of events that were dropped since the last `Lagged`.
    dropped: u64,
    progress: HashMap<TaskRef, Progress<E>>,
    /// The progress that can be delivered now, by its number.
    deliverable: BTreeMap<u64, TaskRef>,
    /// The tasks whose progress is withheld, by the end of that time.
    withheld: BTreeSet<(Instant, TaskRef)>,
    state: State,
}

struct QueuedEvent<E> {
    number: u64,
    event: E,
    /// The last progress of the attempt that the event ends, if it is not read yet. It is delivered right before the event.
    progress: Option<(TaskRef, E)>,
}

enum Progress<E> {
    Deliverable {
        number: u64,
        latest: E,
    },
    /// Progress of the task was delivered less than an interval ago.
    Withheld {
        until: Instant,
        latest: Option<(u64, E)>,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// No event comes any more. Those that wait are delivered.
    Ended,
    /// Nothing is delivered any more.
    Closed,
}

/// The next item of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next<E> {
    Event(E),
    /// Number of events that were dropped.
    Lagged(u64),
    /// Nothing before this time, unless something is pushed.
    Wait(Instant),
    /// Nothing until something is pushed.
    Empty,
    Closed,
}

impl<E> SubscriptionQueue<E> {
    pub(super) fn new(capacity: usize, progress_interval: Duration) -> Self {
        Self {
            capacity,
            progress_interval: progress_interval.min(LONGEST_INTERVAL),
            next_number: 0,
            events: VecDeque::new(),
            dropped: 0,
            progress: HashMap::new(),
            deliverable: BTreeMap::new(),
            withheld: BTreeSet::new(),
            state: State::Open,
        }
    }

    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    /// Adds an event. `ended` is the task whose attempt it begins or ends: later progress is that of another attempt. A full queue drops
    /// its oldest event.
    pub(super) fn push(&mut self, event: E, ended: Option<TaskRef>) {
        if self.state != State::Open {
            return;
        }
        let progress = ended.and_then(|task| Some((task, self.take_progress(task)?)));
        if self.events.len() >= self.capacity {
            self.dropped += 1;
            if self.events.pop_front().is_none() {
                return;
            }
        }
        let number = self.number();
        self.events.push_back(QueuedEvent { number, event, progress });
    }

    /// Keeps the latest progress of a task. True if a receiver that waits must look again.
    pub(super) fn push_progress(&mut self, task: TaskRef, event: E) -> bool {
        if self.state != State::Open {
            return false;
        }
        match self.progress.get_mut(&task) {
            Some(Progress::Deliverable { latest, .. } | Progress::Withheld { latest: Some((_, latest)), .. }) => {
                *latest = event;
                return false;
            }
            Some(Progress::Withheld { latest, .. }) => {
                self.next_number += 1;
                *latest = Some((self.next_number, event));
            }
            None => {
                let number = self.number();
                self.deliverable.insert(number, task);
                self.progress.insert(task, Progress::Deliverable { number, latest: event });
            }
        }
        true
    }

    /// Takes out the progress of a task that is not read yet.
    fn take_progress(&mut self, task: TaskRef) -> Option<E> {
        if let Some(Progress::Withheld { latest, .. }) = self.progress.get_mut(&task) {
            return latest.take().map(|(_, event)| event);
        }
        let Some(Progress::Deliverable { number, latest }) = self.progress.remove(&task) else { return None };
        self.deliverable.remove(&number);
        Some(latest)
    }

    /// Withholds the progress of a task from now on, for an interval.
    fn withhold(&mut self, task: TaskRef, now: Instant) {
        if self.progress_interval.is_zero() {
            return;
        }
        let latest = match self.progress.remove(&task) {
            None => None,
            Some(Progress::Deliverable { number, latest }) => {
                self.deliverable.remove(&number);
                Some((number, latest))
            }
            Some(Progress::Withheld { until, latest }) => {
                self.withheld.remove(&(until, task));
                latest
            }
        };
        let until = now.checked_add(self.progress_interval).unwrap_or(now);
        self.withheld.insert((until, task));
        self.progress.insert(task, Progress::Withheld { until, latest });
    }

    /// Makes progress deliverable whose interval is over, and forgets tasks without progress.
    fn release(&mut self, now: Instant) {
        while let Some((until, task)) = self.withheld.first().copied() {
            if until > now {
                return;
            }
            self.withheld.pop_first();
            if let Some(Progress::Withheld { latest: Some((number, latest)), .. }) = self.progress.remove(&task) {
                self.deliverable.insert(number, task);
                self.progress.insert(task, Progress::Deliverable { number, latest });
            }
        }
    }

    /// Takes out what is delivered next.
    pub(super) fn pop(&mut self, now: Instant) -> Next<E> {
        self.release(now);
        if self.dropped > 0 {
            return Next::Lagged(std::mem::take(&mut self.dropped));
        }
        let first_progress = self.deliverable.first_key_value().map(|(number, task)| (*number, *task));
        if let Some((number, task)) = first_progress
            && self.events.front().is_none_or(|event| number < event.number)
            && let Some(event) = self.take_progress(task)
        {
            self.withhold(task, now);
            return Next::Event(event);
        }
        if let Some((task, event)) = self.events.front_mut().and_then(|event| event.progress.take())
            && !matches!(self.progress.get(&task), Some(Progress::Withheld { .. }))
        {
            self.withhold(task, now);
            return Next::Event(event);
        }
        if let Some(QueuedEvent { event, .. }) = self.events.pop_front() {
            return Next::Event(event);
        }
        if self.state != State::Open {
            return Next::Closed;
        }
        self.due().map_or(Next::Empty, Next::Wait)
    }

    /// Whether [`pop`](Self::pop) would return something to deliver, or that the subscription is closed.
    pub(super) fn is_ready(&mut self, now: Instant) -> bool {
        self.release(now);
        self.dropped > 0 || !self.events.is_empty() || !self.deliverable.is_empty() || self.state != State::Open
    }

    /// When withheld progress can be delivered.
    pub(super) fn due(&self) -> Option<Instant> {
        let has_progress = |task| matches!(self.progress.get(task), Some(Progress::Withheld { latest: Some(_), .. }));
        self.withheld.iter().find(|(_, task)| has_progress(task)).map(|(until, _)| *until)
    }

    /// The events have come to an end. Those that wait are still delivered, and progress that is not withheld.
    pub(super) fn end(&mut self) {
        if self.state == State::Open {
            self.state = State::Ended;
        }
    }

    /// Drops all that waits.
    pub(super) fn close(&mut self) {
        *self = Self { state: State::Closed, ..Self::new(0, Duration::ZERO) };
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state != State::Open
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
