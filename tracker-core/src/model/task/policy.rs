//! `Policy` holds the attempts, lease, backoff, retention and limits of a kind. Made by the derive; read by `model/transition`, `storage`,
//! `engine`, `api`, `portable` and `worker` through `Kind`. Plain data.

use std::{borrow::Cow, time::Duration};

use serde::{Deserialize, Deserializer, Serialize};

use super::{Backoff, Need};
use crate::model::{status::Role, time::micros_serde};

/// The limits and defaults of a kind. The policy of the type that opened the kind last is stored in the file and applies.
///
/// Serde writes durations in microseconds; a missing field has the default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Policy {
    /// Failures in a row after which a task is exhausted; `None` retries for ever. At least 1.
    pub max_attempts: Option<u32>,
    /// Rescues after which a task is exhausted. At least 1.
    pub max_crashes: u32,
    /// Where a task goes whose attempt ended with its process.
    pub interrupted: QueueEnd,
    /// How long a lease lasts unless it is renewed. At least 1 ms.
    #[serde(rename = "lease_us", with = "micros_serde")]
    pub lease: Duration,
    /// The delay before a failed task is due again.
    pub backoff: Backoff,
    /// The share (0 to 1) of the delay that is random, so that failures do not return in step.
    pub jitter: f32,
    /// The longest time that a worker gives one attempt; `None` sets no limit.
    #[serde(rename = "timeout_us", with = "micros_serde")]
    pub timeout: Option<Duration>,
    /// The priority of a task that names none: 0 to 255, higher first.
    pub priority: u8,
    /// How many attempts a task's history keeps. At least 1.
    pub history: u16,
    /// Codes of further statuses from which a task of this kind may start.
    pub startable: Cow<'static, [i32]>,
    /// How long ended tasks are kept, by role.
    pub retention: Cow<'static, [Retention]>,
    /// How many tasks with the same value of an index may be in progress at once, for each limited index. At most 8.
    #[serde(alias = "limit", deserialize_with = "limits_of_any_form")]
    pub limits: Cow<'static, [IndexLimit]>,
    /// How many tasks may start in a period.
    pub rate: Option<Rate>,
    /// How many tasks of the kind may be in progress at once, in all steps together; `None` sets no limit. At least 1.
    ///
    /// Claims honour it. A start by id does not, but its task is counted.
    pub max_in_progress: Option<u32>,
    /// How many tasks of the kind may wait; `None` sets no limit. At least 1.
    ///
    /// While as many wait, the submit of a new task is refused with [`ErrorKind::Full`](crate::ErrorKind::Full). Tasks wait in each status
    /// from which a claim starts them, whether or not they are due, paused or have dependencies. Tasks that start again, that are submitted and
    /// started in one call, and that follow from a success, a batch, a schedule or an import are counted, but not refused.
    pub max_waiting: Option<u64>,
    /// Limits that the kind shares with other kinds of the file, by name.
    pub shared_limits: Cow<'static, [SharedLimit]>,
    /// The amounts of named resources that each task needs while it is in progress. At most 8.
    ///
    /// A resource can have a budget in the file ([`Tracker::set_budget`](crate::Tracker::set_budget)) and one of a pool
    /// ([`Worker::budget`](crate::worker::Worker::budget)). Claims start the first task in claim order whose needs fit into the budgets beside those
    /// of all tasks in progress in the file, of all kinds. The first task of a kind that does not fit is overtaken by at most 16 later ones of the
    /// kind, and then no later one starts before it. A task that exceeds a budget is left out. A start by id ignores budgets, but its task is
    /// counted.
    pub needs: Cow<'static, [Need]>,
}

impl Policy {
    /// Three attempts, ten crashes, a lease of five minutes, no backoff, ten attempts of history, nothing deleted, no limits.
    pub const DEFAULT: Self = Self {
        max_attempts: Some(3),
        max_crashes: 10,
        interrupted: QueueEnd::Back,
        lease: Duration::from_secs(300),
        backoff: Backoff::None,
        jitter: 0.0,
        timeout: None,
        priority: 0,
        history: 10,
        startable: Cow::Borrowed(&[]),
        retention: Cow::Borrowed(&[]),
        limits: Cow::Borrowed(&[]),
        rate: None,
        max_in_progress: None,
        max_waiting: None,
        shared_limits: Cow::Borrowed(&[]),
        needs: Cow::Borrowed(&[]),
    };
}

impl Default for Policy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// An end of the queue of a kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueEnd {
    /// The task takes the place in the claim order that it had: before all tasks of its priority that have not been claimed. Its status
    /// is the one from which it was claimed, and it has no delay. A task that crashed at least twice goes to the back nevertheless.
    Front,
    /// The task fails over to the status after a failure, and is due after the delay that [`Policy::backoff`] gives for its crashes.
    #[default]
    Back,
}

impl QueueEnd {
    /// Both ends.
    pub const ALL: [Self; 2] = [Self::Front, Self::Back];

    /// Returns the name of the end in attributes, files and JSON lines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Front => "front",
            Self::Back => "back",
        }
    }

    /// Returns the end of a name, if there is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|end| end.name() == name)
    }
}

/// Tasks in a terminal role are deleted when they have been there this long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// One of succeeded, exhausted, ignored, cancelled.
    pub role: Role,
    /// How long such a task is kept after its last change.
    #[serde(rename = "keep_us", with = "micros_serde")]
    pub keep: Duration,
}

/// A limit on the tasks with the same value of an index that are in progress at a time, in all steps together.
///
/// Claims apply it: the tasks of a value whose limit is reached wait, and those of other values start. A start by id
/// ignores it, as it ignores due times, but its task is counted. Tasks whose value is `None` are not
/// limited.
///
/// A kind can limit several indexes: a task starts only if the limits of all its values allow it. While a task waits for one of its values, later
/// tasks use the others. The first due task of a value is overtaken at most 16 times by later tasks of the value, and then no later one
/// starts before it. Tasks of other values start as before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexLimit {
    /// The name of the indexed field.
    pub index: Cow<'static, str>,
    /// How many at a time. At least 1.
    pub most: u32,
}

/// Reads limits as they are written now, and the one limit or none that earlier versions wrote.
fn limits_of_any_form<'de, D: Deserializer<'de>>(from: D) -> Result<Cow<'static, [IndexLimit]>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Limits {
        Several(Vec<IndexLimit>),
        One(Option<IndexLimit>),
    }
    Ok(match Limits::deserialize(from)? {
        Limits::Several(limits) => limits.into(),
        Limits::One(limit) => limit.into_iter().collect(),
    })
}

/// A limit on the tasks of all kinds that name it which are in progress at a time.
///
/// Claims honour it: a task starts only if all limits of its kind allow it. A start by id does not, but its task is counted. If the kinds
/// give different numbers, each kind starts tasks while fewer than its own number are in progress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedLimit {
    /// The name by which kinds share the limit. 1 to 128 bytes.
    pub name: Cow<'static, str>,
    /// How many at a time. At least 1.
    pub most: u32,
}

/// A limit on the tasks that start in any period of this length.
///
/// Claims honour it. A start by id does not, but is counted. When the rate changes, the latest starts still count, as many
/// as the one before allowed in its period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// How many: 1 to 10,000.
    pub starts: u32,
    /// In which time. At least 1 ms.
    #[serde(rename = "period_us", with = "micros_serde")]
    pub period: Duration,
}
