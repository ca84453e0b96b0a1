//! Records one pass of a slot (a place where a handler runs) over all kinds in a `Pass`, and what its claims left for later in an `Idle`;
//! `SleepCondition` tells how long the slot then sleeps. Used by `dispatch` and by `worker`, which claims and sleeps; pure.

use std::time::Duration;

use crate::model::time::{Micros, between};

/// A version of the stored tasks as the pool knows it. `signal` counts the commits that made tasks startable, `stored` the outcomes that the
/// pool has stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Stamp {
    pub signal: u64,
    pub stored: u64,
}

/// Why a claim found nothing: when the next task is due or a lease ends, and whether a pause, a limit or a start condition holds tasks back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Idle {
    /// When the next task is due.
    pub due: Option<Micros>,
    /// When the first lease ends.
    pub expiry: Option<Micros>,
    /// A pause, a limit or a start condition holds tasks back.
    pub held_back: bool,
}

impl Idle {
    /// Whether no task waits for a time and none is held back.
    pub(super) fn has_nothing_waiting(&self) -> bool {
        *self == Self::default()
    }
}

/// One pass of a slot over every kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Pass {
    /// How many kinds were tried.
    pub tried: usize,
    /// The version of the stored tasks before the first kind was tried.
    pub stamp: Stamp,
    /// Whether the pool ends when no task is left; read before the first kind was tried.
    pub ends_when_empty: bool,
    /// A claim has found a task, or an outcome was stored.
    pub worked: bool,
    /// An isolated task, which runs alone, runs or waits.
    pub blocked: bool,
    pub idle: Idle,
}

impl Pass {
    pub(super) fn add(&mut self, idle: &Idle) {
        self.idle.due = self.idle.due.into_iter().chain(idle.due).min();
        self.idle.expiry = self.idle.expiry.into_iter().chain(idle.expiry).min();
        self.idle.held_back |= idle.held_back;
    }

    /// Whether nothing is left for the pool, provided that no other slot has a task. The pool does not wait for leases of other processes.
    pub(super) fn is_empty(&self) -> bool {
        !self.worked && !self.blocked && self.idle.due.is_none() && !self.idle.held_back
    }
}

/// When a sleeping slot continues: after a signal later than `seen`, or at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SleepCondition {
    pub seen: u64,
    pub idle: Idle,
    /// An isolated task, which runs alone, runs or waits until all other handlers have ended.
    pub blocked: bool,
}

impl SleepCondition {
    /// The longest time that the slot sleeps.
    pub(crate) fn duration(&self, now: Micros) -> Option<Duration> {
        const BLOCKED: Duration = Duration::from_millis(100);
        // No wait for a lease that has expired: its task could be claimed in this pass, so another slot has claimed it or does so now.
        let expiry = self.idle.expiry.filter(|at| *at > now);
        let next = self.idle.due.into_iter().chain(expiry).min();
        let duration = next.map(|at| between(now, at).max(Duration::from_micros(100)));
        if self.blocked { Some(duration.unwrap_or(BLOCKED).min(BLOCKED)) } else { duration }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slot_sleeps_until_the_next_due_time_or_expiry() {
        const SECOND: Micros = 1_000_000;
        let now = 50 * SECOND;
        let sleep = |due: Option<i64>, expiry: Option<i64>, blocked| {
            let at = |seconds: Option<i64>| seconds.map(|seconds| now + seconds * SECOND);
            let idle = Idle { due: at(due), expiry: at(expiry), held_back: false };
            SleepCondition { seen: 0, idle, blocked }.duration(now).map(|duration| duration.as_micros())
        };
        assert_eq!(sleep(None, None, false), None);
        assert_eq!(sleep(Some(7), None, false), Some(7_000_000));
        assert_eq!(sleep(Some(7), Some(3), false), Some(3_000_000));
        assert_eq!(sleep(Some(7), Some(0), false), Some(7_000_000), "the lease has ended and its task can be claimed");
        assert_eq!(sleep(Some(0), None, false), Some(100));
        assert_eq!(sleep(None, None, true), Some(100_000));
        assert_eq!(sleep(Some(0), None, true), Some(100));
        assert_eq!(sleep(Some(7), None, true), Some(100_000));
    }

    #[test]
    fn pass_keeps_the_earliest_times_of_all_kinds() {
        let mut pass = Pass::default();
        assert!(pass.is_empty());
        pass.add(&Idle { expiry: Some(3), ..Idle::default() });
        assert!(pass.is_empty(), "a lease of another process");
        pass.add(&Idle { due: Some(9), ..Idle::default() });
        pass.add(&Idle { due: Some(5), expiry: Some(8), held_back: false });
        assert_eq!(pass.idle, Idle { due: Some(5), expiry: Some(3), held_back: false });
        assert!(!pass.is_empty());
        let held_back = Idle { held_back: true, ..Idle::default() };
        pass.add(&held_back);
        pass.add(&Idle::default());
        assert!(pass.idle.held_back);
        for pass in [
            Pass { worked: true, ..Pass::default() },
            Pass { blocked: true, ..Pass::default() },
            Pass { idle: held_back, ..Pass::default() },
        ] {
            assert!(!pass.is_empty());
        }
    }
}
