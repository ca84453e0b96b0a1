//! `PortableLine` is one line of JSON, read as a kind, a batch, a task, a schedule, a throttle key, a budget or a seal (which closes a
//! batch). Used by `import`; `deferred` keeps lines with their numbers. Pure. `export` writes the types of the lines directly.

use serde::{Deserialize, de::IgnoredAny};

use super::{
    batch::{PortableBatch, PortableSeal},
    budget::PortableBudget,
    foreign::advice,
    schedule::PortableSchedule,
    task::PortableTask,
    throttle::PortableThrottle,
};
use crate::{
    api::inspect::KindInfo,
    model::payload::{too_wide, wide_integer},
};

/// A line of any type.
pub(super) enum PortableLine {
    Kind(Box<KindInfo>),
    Batch(Box<PortableBatch>),
    Seal(PortableSeal),
    Schedule(Box<PortableSchedule>),
    Throttle(Box<PortableThrottle>),
    Budget(PortableBudget),
    Task(Box<PortableTask>),
}

/// A line with its number, and how long its text was.
pub(super) struct Numbered {
    pub number: u64,
    pub bytes: usize,
    pub line: PortableLine,
}

/// The fields that name the type of a line: each occurs only in lines of its type.
#[derive(Default, Deserialize)]
struct Sort {
    define: Option<IgnoredAny>,
    open_batch: Option<IgnoredAny>,
    seal_batch: Option<IgnoredAny>,
    add_schedule: Option<IgnoredAny>,
    throttle: Option<IgnoredAny>,
    set_budget: Option<IgnoredAny>,
}

impl PortableLine {
    /// Parses a line. The error is the text of what is wrong with it.
    pub(super) fn read(text: &[u8]) -> Result<Self, String> {
        if let Some(integer) = wide_integer(text) {
            return Err(too_wide(integer));
        }
        let sort = Sort::of(text);
        let (line, least) = if sort.define.is_some() {
            (serde_json::from_slice(text).map(Self::Kind), "")
        } else if sort.open_batch.is_some() {
            (serde_json::from_slice(text).map(Self::Batch), "")
        } else if sort.seal_batch.is_some() {
            (serde_json::from_slice(text).map(Self::Seal), "")
        } else if sort.add_schedule.is_some() {
            (serde_json::from_slice(text).map(Self::Schedule), "")
        } else if sort.throttle.is_some() {
            (serde_json::from_slice(text).map(Self::Throttle), "")
        } else if sort.set_budget.is_some() {
            (serde_json::from_slice(text).map(Self::Budget), "")
        } else {
            (serde_json::from_slice(text).map(Self::Task), "; a task has at least an id and a payload")
        };
        line.map_err(|error| match advice(text, &error) {
            Some(advice) => format!("{error}; {advice}"),
            None => format!("{error}{least}"),
        })
    }
}

impl Sort {
    fn of(text: &[u8]) -> Self {
        // A line without one of these words is a task, so most lines are parsed once.
        let words: [&[u8]; 6] = [
            b"\"define\"",
            b"\"open_batch\"",
            b"\"seal_batch\"",
            b"\"add_schedule\"",
            b"\"throttle\"",
            b"\"set_budget\"",
        ];
        let quotes = text.iter().enumerate().filter(|(_, byte)| **byte == b'"').map(|(at, _)| at);
        let mentions = |at: usize| text.get(at..).is_some_and(|rest| words.iter().any(|word| rest.starts_with(word)));
        if quotes.into_iter().any(mentions) {
            serde_json::from_slice(text).unwrap_or_default()
        } else {
            Self::default()
        }
    }
}
