//! `Explanation` states why a task is not running, or what would start it. Made for `Tasks::explain` and `api/inspect/plan`; pure.

use std::{fmt, time::Duration};

use chrono::{DateTime, Utc};

use super::{Header, NEVER, Rules};
use crate::model::{
    counted::counted,
    dependency::Dependency,
    needs::LackingResource,
    status::Role,
    task::{IndexLimit, SharedLimit, TaskKey},
    time::{Micros, between, utc},
};

/// Why a task is not running, as a value; its `Display` is a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Explanation {
    /// It is running.
    Running {
        /// The worker's name.
        worker: String,
        /// Until when, unless the lease is renewed.
        until: DateTime<Utc>,
    },
    /// Its lease ran out; the next claim or rescue frees it.
    LeaseExpired {
        /// The worker's name.
        worker: String,
        /// Since when it is free.
        since: DateTime<Utc>,
    },
    /// The kind is paused.
    Paused,
    /// The task is paused.
    TaskPaused,
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
        dependencies: Vec<Dependency>,
    },
    /// As many tasks with the same value of this index are in progress as its limit allows.
    Limited {
        /// The indexed field.
        index: String,
        /// The limit.
        most: u32,
    },
    /// A value of this index is reserved for an earlier task, which later ones have overtaken as often as they may.
    Reserved {
        /// The indexed field.
        index: String,
        /// The task that starts first.
        first: TaskKey,
    },
    /// As many tasks of its kind are in progress as the kind's limit allows.
    KindLimited {
        /// [`Policy::max_in_progress`](crate::task::Policy::max_in_progress) of the kind.
        most: u32,
    },
    /// As many tasks of the kinds that share a limit are in progress as that limit allows.
    SharedLimit {
        /// The name of the limit.
        name: String,
        /// How many tasks may be in progress.
        most: u32,
    },
    /// It needs more of a resource than its budget in the file leaves beside the tasks in progress.
    BudgetReached {
        /// The name of the resource.
        resource: String,
        /// The amount that the task needs, rounded up.
        amount: u64,
        /// The amount that the tasks in progress use.
        in_use: u64,
        /// The budget.
        budget: u64,
    },
    /// It never starts: it needs more of a resource than its budget in the file.
    ExceedsBudget {
        /// The name of the resource.
        resource: String,
        /// The amount that the task needs, rounded up.
        amount: u64,
        /// The budget.
        budget: u64,
    },
    /// As many tasks of its kind have started in a period as the kind's rate allows.
    RateReached {
        /// When the next one may.
        until: DateTime<Utc>,
    },
    /// It would be claimed, after the tasks before it.
    Queued {
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
    /// It is ignored.
    Ignored,
    /// It is cancelled.
    Cancelled,
    /// It has a status from which no claim starts it.
    Parked {
        /// The status's name.
        status: String,
    },
}

/// The facts besides the header that decide whether a task runs.
#[derive(Default)]
pub(crate) struct StartContext {
    pub paused: bool,
    /// The limit per value of an index that blocks it, and the task for which the value is reserved if the limit is not reached.
    pub blocking: Option<(IndexLimit, Option<TaskKey>)>,
    /// Number of tasks of the kind that are in progress; 0 if the kind does not limit it.
    pub in_progress: u64,
    /// The shared limit of the kind that is reached.
    pub shared_limit: Option<SharedLimit>,
    /// The resource of which too little is free.
    pub lacking: Option<LackingResource>,
    /// When the kind's rate lets the next task start, if not now.
    pub rate_reached_until: Option<Micros>,
    pub ahead: u64,
    /// Its unresolved dependencies, or the first ones.
    pub dependencies: Vec<Dependency>,
}

impl Rules<'_> {
    /// Why the task is not running.
    pub(crate) fn explain(&self, header: &Header, context: &StartContext) -> Explanation {
        if let Some(lease) = &header.lease {
            let worker = lease.worker.clone();
            return if lease.has_expired(self.now) {
                Explanation::LeaseExpired { worker, since: utc(lease.expires) }
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
            Explanation::Waiting { others: header.waits, dependencies: context.dependencies.clone() }
        } else if header.paused {
            Explanation::TaskPaused
        } else if context.paused {
            Explanation::Paused
        } else if header.due > self.now {
            Explanation::NotDue { at: utc(header.due), wait: between(self.now, header.due) }
        } else if let Some((limit, reserved_for)) = &context.blocking {
            let index = limit.index.to_string();
            match reserved_for {
                Some(first) => Explanation::Reserved { index, first: first.clone() },
                None => Explanation::Limited { index, most: limit.most },
            }
        } else if let Some(most) = self.policy.max_in_progress.filter(|most| context.in_progress >= u64::from(*most)) {
            Explanation::KindLimited { most }
        } else if let Some(limit) = &context.shared_limit {
            Explanation::SharedLimit { name: limit.name.to_string(), most: limit.most }
        } else if let Some(lacking) = &context.lacking {
            let LackingResource { resource, amount, in_use, budget } = lacking.clone();
            if lacking.exceeds_budget() {
                Explanation::ExceedsBudget { resource, amount, budget }
            } else {
                Explanation::BudgetReached { resource, amount, in_use, budget }
            }
        } else if let Some(until) = context.rate_reached_until {
            Explanation::RateReached { until: utc(until) }
        } else {
            Explanation::Queued { ahead: context.ahead }
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stamp = |at: &DateTime<Utc>| at.format("%Y-%m-%d %H:%M:%S UTC").to_string();
        match self {
            Self::Running { worker, until } => write!(f, "it is running: {worker} has it until {}", stamp(until)),
            Self::LeaseExpired { worker, since } => {
                write!(f, "the lease of {worker} ran out at {}; the next claim or rescue frees it", stamp(since))
            }
            Self::Limited { index, most } => {
                let are = if *most == 1 { "is" } else { "are" };
                write!(f, "it is limited: {most} with the same {index} {are} in progress, and no more may be")
            }
            Self::Reserved { index, first } => {
                write!(
                    f,
                    "it waits for \"{first}\" with the same {index}, which later tasks have overtaken as often as they may"
                )
            }
            Self::KindLimited { most } => {
                let running = counted(*most, "task of its kind is", "tasks of its kind are");
                write!(f, "it is limited: {running} in progress, and no more may be")
            }
            Self::SharedLimit { name, most } => {
                let running = match most {
                    1 => format!("1 task that shares the limit {name:?} is"),
                    _ => format!("{most} tasks that share the limit {name:?} are"),
                };
                write!(f, "it is limited: {running} in progress, and no more may be")
            }
            Self::BudgetReached { resource, amount, in_use, budget } => {
                write!(f, "it needs {amount} of {resource:?}: {in_use} of {budget} are in use")
            }
            Self::ExceedsBudget { resource, amount, budget } => {
                write!(
                    f,
                    "it needs {amount} of {resource:?}, and the budget is {budget}: raise the budget, or change the task"
                )
            }
            Self::RateReached { until } => {
                write!(f, "it is limited: the rate of its kind is reached until {}", stamp(until))
            }
            Self::Paused => f.write_str("its kind is paused: resume it"),
            Self::TaskPaused => f.write_str("it is paused: resume it"),
            Self::Unreadable => {
                f.write_str("it could not be decoded; open its kind with a fitting type, or requeue it")
            }
            Self::NotDue { at, wait } => write!(f, "it is due at {}, in {}", stamp(at), rounded(*wait)),
            Self::Waiting { others, dependencies } => {
                let names: Vec<_> = dependencies.iter().map(|dependency| dependency.on.to_string()).collect();
                let (s, more) = (if *others == 1 { "" } else { "s" }, *others as usize > dependencies.len());
                write!(f, "it waits for {others} other{s}: {}{}", names.join(", "), if more { " …" } else { "" })
            }
            Self::Queued { ahead: 0 } => f.write_str("it is the next task to be claimed"),
            Self::Queued { ahead: 1 } => f.write_str("it is queued behind 1 other task"),
            Self::Queued { ahead } => write!(f, "it is queued behind {ahead} other tasks"),
            Self::Exhausted { failures, crashes } => {
                let s = if *failures == 1 { "" } else { "s" };
                let es = if *crashes == 1 { "" } else { "es" };
                write!(
                    f,
                    "it was given up after {failures} failure{s} and {crashes} crash{es}; requeue it to try again"
                )
            }
            Self::Succeeded => f.write_str("it has succeeded"),
            Self::Ignored => f.write_str("it is ignored; requeue it to run it"),
            Self::Cancelled => f.write_str("it is cancelled; requeue it to run it"),
            Self::Parked { status } => write!(f, "it is parked in {status}: move or start it by hand"),
        }
    }
}

/// A duration in the largest unit that fits, such as `3 h`.
fn rounded(wait: Duration) -> String {
    let seconds = wait.as_secs_f64();
    match wait.as_secs() {
        0..120 => format!("{seconds:.1} s"),
        120..7_200 => format!("{:.0} min", seconds / 60.0),
        7_200..172_800 => format!("{:.0} h", seconds / 3_600.0),
        _ => format!("{:.0} days", seconds / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        dependency::{DependencyTarget, TaskName},
        task::TaskId as _,
        transition::OnDependencyFailure,
    };

    #[test]
    fn explanation_shows_a_wait_in_a_fitting_unit() {
        for (seconds, text) in [(1, "1.0 s"), (3_600, "60 min"), (10_800, "3 h"), (604_800, "7 days")] {
            let why = Explanation::NotDue { at: DateTime::UNIX_EPOCH, wait: Duration::from_secs(seconds) };
            assert_eq!(why.to_string(), format!("it is due at 1970-01-01 00:00:00 UTC, in {text}"));
        }
    }

    #[test]
    fn wait_names_the_known_dependencies() {
        let on = DependencyTarget::Task(TaskName::new("job", 7_u64.to_key()));
        let dependencies = vec![Dependency { on, on_failure: OnDependencyFailure::Wait }];
        for (others, text) in [(1, "it waits for 1 other: job \"7\""), (2, "it waits for 2 others: job \"7\" …")] {
            let why = Explanation::Waiting { others, dependencies: dependencies.clone() };
            assert_eq!(why.to_string(), text);
        }
    }

    #[test]
    fn one_is_told_in_the_singular() {
        for (why, text) in [
            (Explanation::Queued { ahead: 1 }, "it is queued behind 1 other task"),
            (
                Explanation::Exhausted { failures: 1, crashes: 1 },
                "it was given up after 1 failure and 1 crash; requeue it to try again",
            ),
        ] {
            assert_eq!(why.to_string(), text);
        }
    }
}
