//! The rule by which claims choose a task of a kind with several limits and needs, by a look at every task.

use std::collections::{BTreeMap, BTreeSet};

use tracker_core::{
    Tasks, TrackedTask,
    time::{Clock, ManualClock},
};

use crate::support::kinds::Status;

/// Number of times that later tasks of a value overtake the first one, at most.
pub const MOST_OVERTAKES: u32 = 16;

/// The fields of a task that the rule reads.
#[derive(Clone, Debug)]
pub struct Parts {
    pub number: u32,
    /// Index, limit and value.
    pub values: Vec<Value>,
    pub size: u64,
}

pub type Value = (&'static str, usize, String);

pub trait Sample: TrackedTask<Status = Status> + Clone {
    const HAS_NEEDS: bool;

    fn of(number: u32, host: Option<&str>, customer: &str, size: u64, priority: u8) -> Self;
    fn parts(&self) -> Parts;
}

/// A place in the claim order, and the task there.
pub type Place = (u8, i64, usize);

/// The rule by a look at every task.
#[derive(Default)]
pub struct Model {
    /// How often later tasks of a value have overtaken a task; of the heads of classes.
    overtaken: BTreeMap<(&'static str, String, Head), u32>,
    /// The task that did not fit into the budget, and how many later ones have started since.
    not_fitting: Option<(u32, u32)>,
    pub reservations: usize,
    /// The tasks as the last update has seen them, until the next claim.
    seen: Option<Seen>,
}

/// A task that is the first of its class for a status and a priority.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Head {
    place: Place,
    status: i32,
    class: String,
}

#[derive(Clone, Debug)]
pub struct Waiting {
    head: Head,
    parts: Parts,
    due: bool,
}

impl Waiting {
    fn place(&self) -> Place {
        self.head.place
    }
}

/// The waiting tasks in claim order, and the values and sizes of those in progress.
type Seen = (Vec<Waiting>, Vec<Parts>);

fn look<T: Sample>(tasks: &Tasks<T>, clock: &ManualClock) -> Seen {
    let (mut waiting, mut running) = (Vec::new(), Vec::new());
    for (at, record) in tasks.query().by_creation().fetch().unwrap().into_iter().enumerate() {
        let parts = record.task.parts();
        match record.status {
            Status::InProgress => running.push(parts),
            Status::Pending | Status::Failed => {
                let place = (u8::MAX - record.priority, record.due_at.timestamp_micros(), at);
                let class = format!("{:?} {}", parts.values, if T::HAS_NEEDS { parts.size } else { 0 });
                let head = Head { place, status: record.status as i32, class };
                waiting.push(Waiting { head, parts, due: record.due_at <= clock.now().wall });
            }
            _ => {}
        }
    }
    waiting.sort_by_key(Waiting::place);
    (waiting, running)
}

impl Model {
    /// Forgets tasks that are no heads any more. To be called after each change.
    pub fn update<T: Sample>(&mut self, tasks: &Tasks<T>, clock: &ManualClock) {
        self.seen = None;
        if self.overtaken.is_empty() {
            return;
        }
        let (waiting, running) = look(tasks, clock);
        let mut queues = BTreeSet::new();
        let is_head =
            |waiting: &&Waiting| queues.insert((waiting.head.class.clone(), waiting.head.status, waiting.place().0));
        let heads: BTreeSet<Head> = waiting.iter().filter(is_head).map(|waiting| waiting.head.clone()).collect();
        self.overtaken.retain(|(_, _, head), _| heads.contains(head));
        self.seen = Some((waiting, running));
    }

    /// The task that a claim must start.
    pub fn claim<T: Sample>(&mut self, tasks: &Tasks<T>, clock: &ManualClock, budget: u64) -> Option<u32> {
        let (waiting, running) = self.seen.take().unwrap_or_else(|| look(tasks, clock));
        let exceeds = |parts: &Parts| T::HAS_NEEDS && parts.size > budget;
        let exceeding: BTreeSet<Head> =
            waiting.iter().filter(|waiting| exceeds(&waiting.parts)).map(|waiting| waiting.head.clone()).collect();
        for ((_, _, head), times) in &mut self.overtaken {
            if *times >= MOST_OVERTAKES && exceeding.contains(head) {
                *times = 0;
            }
        }
        let in_use = |value: &Value| running.iter().filter(|parts| parts.values.contains(value)).count();
        let is_reserved = |(index, _, text): &Value, place: Place| {
            self.overtaken.iter().any(|((of, value, head), times)| {
                *times >= MOST_OVERTAKES && (of, value) == (index, text) && head.place < place
            })
        };
        let free = |waiting: &&Waiting| {
            let mut values = waiting.parts.values.iter();
            values.all(|value| in_use(value) < value.1 && !is_reserved(value, waiting.place()))
        };
        self.reservations += waiting
            .iter()
            .filter(|waiting| waiting.parts.values.iter().any(|value| is_reserved(value, waiting.place())))
            .count();
        let used: u64 = running.iter().map(|parts| parts.size).sum();
        let fits = |parts: &Parts| !T::HAS_NEEDS || parts.size == 0 || used + parts.size <= budget;
        let mut blocked = None;
        let mut chosen = None;
        for candidate in waiting.iter().filter(|waiting| waiting.due && !exceeds(&waiting.parts)).filter(free) {
            let number = candidate.parts.number;
            match blocked {
                None if !fits(&candidate.parts) => {
                    blocked = Some(self.not_fitting.filter(|(other, _)| *other == number).unwrap_or((number, 0)));
                }
                Some((_, times)) if times >= MOST_OVERTAKES => break,
                _ if fits(&candidate.parts) => {
                    chosen = Some(candidate.clone());
                    break;
                }
                _ => {}
            }
        }
        let chosen = chosen?;
        match blocked {
            Some((number, times)) => self.not_fitting = Some((number, times + 1)),
            None => self.not_fitting = self.not_fitting.filter(|(other, _)| *other != chosen.parts.number),
        }
        for value in &chosen.parts.values {
            let of_value =
                |waiting: &&Waiting| waiting.due && !exceeds(&waiting.parts) && waiting.parts.values.contains(value);
            let first = waiting.iter().find(of_value).filter(|first| first.place() < chosen.place());
            if let Some(first) = first {
                *self.overtaken.entry((value.0, value.2.clone(), first.head.clone())).or_default() += 1;
            }
        }
        Some(chosen.parts.number)
    }
}
