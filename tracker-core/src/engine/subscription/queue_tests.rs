//! Holds the queue of a subscription against a plain list, over random sequences of pushes, reads and passing time.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use super::{Next, SubscriptionQueue};
use crate::model::{sample::Random, task::TaskRef};

const fn task(seq: u64) -> TaskRef {
    TaskRef { kind: 1, seq }
}

/// The queue as a plain list that is searched from its start.
struct Model {
    capacity: usize,
    interval: Duration,
    items: Vec<Item>,
    dropped: u64,
    /// When progress of a task was delivered last.
    delivered: HashMap<TaskRef, Instant>,
    ended: bool,
}

#[derive(Clone, Copy, Debug)]
enum Item {
    Event(u32),
    Progress { event: u32, task: TaskRef, attempt_ended: bool },
}

impl Model {
    fn progress_of(&self, of: TaskRef) -> Option<usize> {
        self.items
            .iter()
            .position(|item| matches!(item, Item::Progress { task, attempt_ended: false, .. } if *task == of))
    }

    fn push(&mut self, event: u32, ended: Option<TaskRef>) {
        let last = ended.and_then(|task| self.progress_of(task)).map(|at| self.items.remove(at));
        let events = self.items.iter().filter(|item| matches!(item, Item::Event(_))).count();
        if events >= self.capacity {
            self.dropped += 1;
            let Some(oldest) = self.items.iter().position(|item| matches!(item, Item::Event(_))) else { return };
            self.items.remove(oldest);
            if oldest > 0 && matches!(self.items[oldest - 1], Item::Progress { attempt_ended: true, .. }) {
                self.items.remove(oldest - 1);
            }
        }
        if let Some(Item::Progress { event, task, .. }) = last {
            self.items.push(Item::Progress { event, task, attempt_ended: true });
        }
        self.items.push(Item::Event(event));
    }

    fn push_progress(&mut self, of: TaskRef, event: u32) {
        let new = Item::Progress { event, task: of, attempt_ended: false };
        match self.progress_of(of) {
            Some(at) => self.items[at] = new,
            None => self.items.push(new),
        }
    }

    fn pop(&mut self, now: Instant) -> Next<u32> {
        if self.dropped > 0 {
            return Next::Lagged(std::mem::take(&mut self.dropped));
        }
        let mut due = None;
        let mut at = 0;
        while let Some(item) = self.items.get(at).copied() {
            match item {
                Item::Event(event) => {
                    self.items.remove(at);
                    return Next::Event(event);
                }
                Item::Progress { event, task, attempt_ended } => {
                    let until = self.delivered.get(&task).map(|delivered| *delivered + self.interval);
                    match until.filter(|until| *until > now) {
                        None => {
                            self.items.remove(at);
                            self.delivered.insert(task, now);
                            return Next::Event(event);
                        }
                        Some(_) if attempt_ended => drop(self.items.remove(at)),
                        Some(until) => {
                            due = due.into_iter().chain([until]).min();
                            at += 1;
                        }
                    }
                }
            }
        }
        if self.ended { Next::Closed } else { due.map_or(Next::Empty, Next::Wait) }
    }
}

#[test]
fn queue_delivers_what_a_plain_list_delivers() {
    let mut reached = HashSet::new();
    for seed in 1..=3_000 {
        let mut random = Random(0x9E37_79B9_7F4A_7C15 ^ (seed << 20));
        let interval = Duration::from_millis([0, 1, 3, 10][random.below(4)]);
        let capacity = [0, 1, 3, 50][random.below(4)];
        let mut queue = SubscriptionQueue::new(capacity, interval);
        let mut model =
            Model { capacity, interval, items: Vec::new(), dropped: 0, delivered: HashMap::new(), ended: false };
        let mut now = Instant::now();
        let mut delivered: HashMap<u32, (Instant, TaskRef)> = HashMap::new();
        let mut tasks = HashMap::new();
        for number in 0..200 {
            let of = task(random.below(3) as u64);
            match random.below(10) {
                0..4 => {
                    tasks.insert(number, of);
                    queue.push_progress(of, number);
                    model.push_progress(of, number);
                }
                step @ 4..6 => {
                    let ended = (step == 4).then_some(of);
                    queue.push(number, ended);
                    model.push(number, ended);
                }
                6 => now += Duration::from_millis(random.below(4) as u64),
                _ => {
                    let ready = queue.is_ready(now);
                    let next = queue.pop(now);
                    assert_eq!(next, model.pop(now), "seed {seed}, step {number}");
                    // Progress before an event may turn out to be withheld only when it is read, so the event follows.
                    assert_eq!(ready, matches!(next, Next::Event(_) | Next::Lagged(_)), "seed {seed}, step {number}");
                    reached.insert(std::mem::discriminant(&next));
                    if let Next::Event(event) = next
                        && let Some(of) = tasks.get(&event)
                    {
                        let before = delivered.values().filter(|(_, task)| task == of).map(|(at, _)| *at).max();
                        assert!(before.is_none_or(|before| now >= before + interval), "seed {seed}, step {number}");
                        delivered.insert(event, (now, *of));
                    }
                }
            }
        }
        queue.end();
        model.ended = true;
        loop {
            let next = queue.pop(now);
            assert_eq!(next, model.pop(now), "seed {seed}, at the end");
            reached.insert(std::mem::discriminant(&next));
            if next == Next::Closed {
                break;
            }
        }
    }
    assert_eq!(reached.len(), 5, "each answer is reached");
}

#[test]
fn progress_displaces_no_event() {
    let now = Instant::now();
    let mut queue = SubscriptionQueue::new(2, Duration::from_secs(1));
    queue.push(0, Some(task(1)));
    for number in 1..=200_000 {
        queue.push_progress(task(1), number);
    }
    queue.push(200_001, Some(task(1)));
    let delivered: Vec<_> = std::iter::from_fn(|| Some(queue.pop(now)).filter(|next| *next != Next::Empty)).collect();
    assert_eq!(delivered, [0, 200_000, 200_001].map(Next::Event));
}

#[test]
fn progress_that_is_withheld_comes_after_its_interval() {
    let (now, second) = (Instant::now(), Duration::from_secs(1));
    let mut queue = SubscriptionQueue::new(2, second);
    assert!(queue.push_progress(task(1), 1));
    assert_eq!(queue.pop(now), Next::Event(1));
    assert!(queue.push_progress(task(1), 2), "a receiver has a time to wait for now");
    assert!(!queue.push_progress(task(1), 3));
    assert!(!queue.is_ready(now));
    assert_eq!(queue.pop(now), Next::Wait(now + second));
    assert_eq!(queue.pop(now + second), Next::Event(3));
    assert_eq!(queue.pop(now + 2 * second), Next::Empty);
    assert!(queue.progress.is_empty() && queue.withheld.is_empty(), "nothing is kept of a task without progress");
}

#[test]
fn closed_queue_delivers_nothing() {
    let now = Instant::now();
    let mut queue = SubscriptionQueue::new(1, Duration::MAX);
    queue.push(1, None);
    queue.push(2, None);
    queue.push_progress(task(1), 3);
    queue.close();
    queue.push(4, None);
    assert!(!queue.push_progress(task(1), 5));
    assert_eq!(queue.pop(now), Next::Closed);
}
