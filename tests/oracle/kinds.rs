//! The kinds that the attacks use: ids of three types, and three limits of attempts.

use serde::{Deserialize, Serialize};
use tracker_core::{TaskStatus, TrackedTask, task::TaskId};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Status {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
    Exhausted = 50,
    Cancelled = 60,
}

/// A kind as the log and the checker name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Kind {
    Short,
    Named,
    Endless,
}

impl Kind {
    pub const ALL: [Self; 3] = [Self::Short, Self::Named, Self::Endless];

    /// Failures in a row after which a task is exhausted.
    pub fn max_attempts(self) -> Option<u32> {
        match self {
            Self::Short => Some(2),
            Self::Named => Some(3),
            Self::Endless => None,
        }
    }
}

/// Ended attempts that each kind keeps.
pub const HISTORY: usize = 8;

/// A task of one of the kinds. Its text follows from its value, so that a payload made of two is recognised.
pub trait Task: TrackedTask<Status = Status> + Send + Sync + 'static {
    const LABEL: Kind;
    type Id: TaskId;

    fn id_of(task: u32) -> Self::Id;
    fn new(task: u32, value: u64) -> Self;
    fn number(&self) -> u32;
    fn set_value(&mut self, value: u64);
    /// The value, or `None` if the payload is not one that was stored.
    fn value(&self) -> Option<u64>;
}

fn text_of(value: u64) -> String {
    format!("{value:x}.").repeat(1 + usize::try_from(value % 60).unwrap())
}

macro_rules! kind {
    ($name:ident, $text:tt, $attempts:tt, $id:ty, $to_id:expr, $to_number:expr) => {
        #[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
        #[task(
                                                                                            name = $text,
                                                                                            status = Status,
                                                                                            max_attempts = $attempts,
                                                                                            max_crashes = 1_000_000,
                                                                                            lease = "60s",
                                                                                            backoff = "fixed(1ms)",
                                                                                            history = 8
                                                                                        )]
        pub struct $name {
            #[task(id)]
            id: $id,
            value: u64,
            text: String,
        }

        impl Task for $name {
            const LABEL: Kind = Kind::$name;
            type Id = $id;

            fn id_of(task: u32) -> $id {
                $to_id(task)
            }

            fn new(task: u32, value: u64) -> Self {
                Self { id: Self::id_of(task), value, text: text_of(value) }
            }

            fn number(&self) -> u32 {
                $to_number(&self.id)
            }

            fn set_value(&mut self, value: u64) {
                (self.value, self.text) = (value, text_of(value));
            }

            fn value(&self) -> Option<u64> {
                (self.text == text_of(self.value)).then_some(self.value)
            }
        }
    };
}

kind!(Short, "short", 2, u32, |task: u32| task, |id: &u32| *id);
kind!(Named, "named", 3, String, |task: u32| format!("task {task}"), |id: &String| id
    .get(5..)
    .and_then(|id| id.parse().ok())
    .unwrap_or(u32::MAX));
kind!(Endless, "endless", "unlimited", u64, |task: u32| u64::from(task) << 20, |id: &u64| u32::try_from(id >> 20)
    .unwrap());
