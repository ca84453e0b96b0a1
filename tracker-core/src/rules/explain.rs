use std::{fmt, time::Duration};

use chrono::{DateTime, Utc};

use super::{Header, NEVER, Rules};
use crate::{
    need::Need,
    status::Role,
    time::{Micros, between, utc},
};

/// Why a task is not running, as a value; its `Display` is a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Explanation {
    /// It is running.
    Running {
        /// Who has it.
        worker: String,
        /// Until when, unless the lease is renewed.
        until: DateTime<Utc>,
    },
    /// Its lease ran out; the next claim or rescue frees it.
    LeaseOver {
        /// Who had it.
        worker: String,
        /// Since when it is free.
        since: DateTime<Utc>,
    },
    /// The kind is paused.
    Paused,
    /// It could not be decoded.
    Unreadable,
    /// It waits for its due time.
    NotDue {
        /// When it is due.
        at: DateTime<Utc>,
        /// How long that is from now.
        wait: Duration,
    },
    /// It waits for others.
    Waiting {
        /// For how many.
        others: u32,
        /// The first ones of them.
        needs: Vec<Need>,
    },
    /// So many tasks with the same value of this index are in progress as may be at once.
    Limited {
        /// The indexed field.
        index: String,
        /// The limit.
        most: u32,
    },
    /// So many tasks of its kind have started as may in a period.
    RateReached {
        /// When the next one may.
        until: DateTime<Utc>,
    },
    /// It would be claimed: so many tasks are before it.
    InLine {
        /// How many are before it; 0 means that it is next.
        ahead: u64,
    },
    /// It has no attempts left.
    Exhausted {
        /// Failures in a row.
        failures: u32,
        /// Crashes.
        crashes: u32,
    },
    /// It is done.
    Succeeded,
    /// It is set aside.
    Ignored,
    /// It is cancelled.
    Cancelled,
    /// It stands in a status from which nothing starts it by itself.
    Parked {
        /// The status's name.
        status: String,
    },
}

/// What besides the header decides whether a task runs.
#[derive(Default)]
pub(crate) struct Situation {
    pub paused: bool,
    /// Whether its value has no slot free.
    pub full: bool,
    /// When the kind's rate lets the next task start, if not now.
    pub opens: Option<Micros>,
    pub ahead: u64,
    /// What it waits for, or the first ones.
    pub needs: Vec<Need>,
}

impl Rules<'_> {
    /// Why the task is not running.
    pub(crate) fn explain(&self, header: &Header, situation: &Situation) -> Explanation {
        if let Some(lease) = &header.lease {
            let worker = lease.worker.clone();
            return if lease.is_over(self.now) {
                Explanation::LeaseOver { worker, since: utc(lease.expires) }
            } else {
                Explanation::Running { worker, until: utc(lease.expires) }
            };
        }
        let Some(status) = self.graph.status(header.code) else {
            return Explanation::Parked { status: header.code.to_string() };
        };
        let exhausted = Explanation::Exhausted { failures: header.failures, crashes: header.crashes };
        if !self.is_claimable(status) {
            return match status.role {
                Role::Succeeded => Explanation::Succeeded,
                Role::Exhausted => exhausted,
                Role::Ignored => Explanation::Ignored,
                Role::Cancelled => Explanation::Cancelled,
                _ => Explanation::Parked { status: status.name.clone() },
            };
        }
        if header.unreadable {
            Explanation::Unreadable
        } else if header.due == NEVER {
            exhausted
        } else if header.waits > 0 {
            Explanation::Waiting { others: header.waits, needs: situation.needs.clone() }
        } else if situation.paused {
            Explanation::Paused
        } else if header.due > self.now {
            Explanation::NotDue { at: utc(header.due), wait: between(self.now, header.due) }
        } else if let Some(limit) = self.policy.limit.as_ref().filter(|_| situation.full) {
            Explanation::Limited { index: limit.index.to_string(), most: limit.most }
        } else if let Some(opens) = situation.opens {
            Explanation::RateReached { until: utc(opens) }
        } else {
            Explanation::InLine { ahead: situation.ahead }
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stamp = |at: &DateTime<Utc>| at.format("%Y-%m-%d %H:%M:%S UTC").to_string();
        match self {
            Self::Running { worker, until } => write!(f, "it is running: {worker} has it until {}", stamp(until)),
            Self::LeaseOver { worker, since } => {
                write!(f, "the lease of {worker} ran out at {}; the next claim or rescue frees it", stamp(since))
            }
            Self::Limited { index, most } => {
                write!(f, "it is limited: {most} with the same {index} are in progress, and no more may be")
            }
            Self::RateReached { until } => {
                write!(f, "it is limited: the rate of its kind is reached until {}", stamp(until))
            }
            Self::Paused => f.write_str("its kind is paused: resume it"),
            Self::Unreadable => {
                f.write_str("it could not be decoded; open its kind with a fitting type, or requeue it")
            }
            Self::NotDue { at, wait } => write!(f, "it is due at {}, in {:.1} s", stamp(at), wait.as_secs_f64()),
            Self::Waiting { others, needs } => {
                let names: Vec<_> = needs.iter().map(|need| need.on.to_string()).collect();
                let (s, more) = (if *others == 1 { "" } else { "s" }, *others as usize > needs.len());
                write!(f, "it waits for {others} other{s}: {}{}", names.join(", "), if more { " …" } else { "" })
            }
            Self::InLine { ahead: 0 } => f.write_str("it is next in line: a worker that claims will get it"),
            Self::InLine { ahead } => write!(f, "it is in line behind {ahead} others"),
            Self::Exhausted { failures, crashes } => {
                write!(f, "it was given up after {failures} failures and {crashes} crashes; requeue it to try again")
            }
            Self::Succeeded => f.write_str("it has succeeded"),
            Self::Ignored => f.write_str("it is ignored; requeue it to run it"),
            Self::Cancelled => f.write_str("it is cancelled; requeue it to run it"),
            Self::Parked { status } => write!(f, "it is parked in {status}: move or start it by hand"),
        }
    }
}
