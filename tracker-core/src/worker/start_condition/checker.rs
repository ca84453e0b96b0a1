//! `StartChecker` checks the start conditions of a pool, remembers its recent starts, and does not ask again before the time that a
//! condition named. Made by `pool_state`, called by `pool` and `async_slot`; runs user code under its lock and no other.

use std::{
    collections::VecDeque,
    iter::repeat_n,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::{BlockingCondition, RETRY, RecentStarts, SHORTEST_RETRY, StartCheck, StartConditions, StartStatus};
use crate::{
    dispatch::{Action, Reading},
    model::{
        panics,
        time::{Micros, between, micros_of},
    },
};

/// How long starts are remembered, besides the latest one.
const REMEMBERED: Duration = Duration::from_secs(60);
/// The most starts that are remembered.
const REMEMBERED_MAX: usize = 10_000;

/// The start conditions of a pool that runs.
#[derive(Debug, Default)]
pub(crate) struct StartChecker {
    conditions: StartConditions,
    status: StartStatus,
    state: Mutex<CheckerState>,
}

#[derive(Debug, Default)]
struct CheckerState {
    /// When handlers started, oldest first.
    starts: VecDeque<Micros>,
    /// How many starts are allowed that have not taken place: each counts as a start now.
    allowed: usize,
    /// No condition is checked before this time.
    not_before: Option<Micros>,
    /// The logged reason why no handler starts.
    reason: Option<String>,
    /// Whether the log has a line that a condition cannot be checked.
    has_warned: bool,
}

impl StartChecker {
    /// Tells `status` what each check finds.
    pub fn new(conditions: StartConditions, status: StartStatus) -> Self {
        Self { conditions, status, state: Mutex::default() }
    }

    /// Checks the conditions. A reading that is ready counts as a start until it is used up or withdrawn, so that two slots do not use the same room.
    fn check(&self, now: Micros) -> Reading {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = state.not_before.filter(|at| *at > now) {
            return Reading::NotBefore(at);
        }
        let started = state.starts.iter().rev().map(|at| between(*at, now));
        let ages: Vec<_> = repeat_n(Duration::ZERO, state.allowed).chain(started).collect();
        let Some((condition, check)) = self.conditions.check(&RecentStarts { ages: &ages }) else {
            (state.not_before, state.reason) = (None, None);
            state.allowed += 1;
            self.status.set(None);
            return Reading::Ready;
        };
        let failed = matches!(check, StartCheck::Failed { .. });
        let (reason, retry_in) = match check {
            StartCheck::Ready => (String::new(), RETRY),
            StartCheck::Wait { reason, retry_in } => (reason, retry_in),
            StartCheck::Failed { error } => {
                if !std::mem::replace(&mut state.has_warned, true) {
                    panics::log_catching_panics(|| {
                        tracing::warn!(error, "a start condition cannot be checked: no task starts");
                    });
                }
                (error, RETRY)
            }
        };
        self.status.set(Some(BlockingCondition { condition, reading: reason.clone(), failed }));
        if state.reason.as_ref() != Some(&reason) {
            panics::log_catching_panics(|| tracing::debug!(reason, "no task starts now"));
            state.reason = Some(reason);
        }
        let at = now.saturating_add(micros_of(retry_in.max(SHORTEST_RETRY)));
        state.not_before = Some(at);
        Reading::NotBefore(at)
    }

    /// A start that was allowed takes place.
    fn use_up(&self, now: Micros) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.allowed -= 1;
        state.add_start(now);
    }

    /// A start that was allowed does not take place, so other slots check again.
    fn withdraw(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.allowed -= 1;
        if self.conditions.delay.is_some() {
            state.not_before = None;
        }
    }
}

impl Drop for StartChecker {
    fn drop(&mut self) {
        self.status.set(None);
    }
}

impl CheckerState {
    fn add_start(&mut self, now: Micros) {
        let is_old = |at: &Micros| between(*at, now) >= REMEMBERED;
        while self.starts.len() >= REMEMBERED_MAX || self.starts.front().is_some_and(is_old) {
            self.starts.pop_front();
        }
        self.starts.push_back(now);
    }
}

/// The start that a slot is allowed, until its handler starts. Withdrawn when dropped.
pub(crate) struct StartGrant<'c> {
    checker: &'c StartChecker,
    is_allowed: bool,
}

impl<'c> StartGrant<'c> {
    pub fn new(checker: &'c StartChecker) -> Self {
        Self { checker, is_allowed: false }
    }

    /// Checks the conditions.
    pub fn check(&mut self, now: Micros) -> Reading {
        let reading = self.checker.check(now);
        self.is_allowed = reading == Reading::Ready;
        reading
    }

    /// Uses up the start when a handler starts, and withdraws it when the slot does anything besides looking for a task.
    pub fn use_or_withdraw<T>(&mut self, action: &Action<T>, now: impl FnOnce() -> Micros) {
        match action {
            Action::Start { .. } => {
                if std::mem::take(&mut self.is_allowed) {
                    self.checker.use_up(now());
                }
            }
            Action::Claim(_) | Action::Continue | Action::Report | Action::Lead | Action::Store(_) => {}
            Action::Check | Action::Wait | Action::Sleep(_) | Action::Release { .. } | Action::Exit => self.withdraw(),
        }
    }

    fn withdraw(&mut self) {
        if std::mem::take(&mut self.is_allowed) {
            self.checker.withdraw();
        }
    }
}

impl Drop for StartGrant<'_> {
    fn drop(&mut self) {
        self.withdraw();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    };

    use super::*;

    const SECOND: Micros = 1_000_000;

    fn checker(condition: impl super::super::StartCondition + 'static) -> StartChecker {
        let mut conditions = StartConditions::default();
        conditions.add(condition);
        StartChecker::new(conditions, StartStatus::default())
    }

    #[test]
    fn condition_is_asked_again_after_its_time_only() {
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        let checker = checker(move || {
            counted.fetch_add(1, SeqCst);
            StartCheck::wait("no").retry_in(Duration::from_secs(5))
        });
        assert_eq!(checker.check(0), Reading::NotBefore(5 * SECOND));
        assert_eq!(checker.check(5 * SECOND - 1), Reading::NotBefore(5 * SECOND));
        assert_eq!(asked.load(SeqCst), 1);
        assert_eq!(checker.check(5 * SECOND), Reading::NotBefore(10 * SECOND));
        assert_eq!(asked.load(SeqCst), 2);
    }

    #[test]
    fn failure_and_panic_of_a_condition_let_nothing_start() {
        for condition in [|| Err("no sensor"), || panic!("no sensor")] as [fn() -> Result<bool, &'static str>; 2] {
            let checker = checker(condition);
            assert_eq!(checker.check(0), Reading::NotBefore(SECOND));
            assert_eq!(checker.check(SECOND), Reading::NotBefore(2 * SECOND));
            assert!(checker.state.lock().is_ok_and(|state| state.has_warned), "no lock is poisoned");
        }
        assert_eq!(
            checker(|| StartCheck::wait("at once").retry_in(Duration::ZERO)).check(0),
            Reading::NotBefore(10_000)
        );
        assert_eq!(checker(|| true).check(0), Reading::Ready);
        assert_eq!(checker(|| false).check(0), Reading::NotBefore(SECOND));
    }

    /// A condition with a name.
    struct Battery(AtomicUsize);

    impl super::super::StartCondition for Battery {
        fn check(&self, _: &RecentStarts<'_>) -> StartCheck {
            match self.0.fetch_add(1, SeqCst) {
                0 => StartCheck::wait("20 % are left"),
                1 => StartCheck::Failed { error: "no battery".to_owned() },
                _ => StartCheck::Ready,
            }
        }

        fn name(&self) -> &'static str {
            "battery"
        }
    }

    #[test]
    fn status_names_the_condition_and_its_reading() {
        let (mut conditions, status) = (StartConditions::default(), StartStatus::default());
        conditions.add(|| true);
        conditions.add(Battery(AtomicUsize::new(0)));
        let checker = StartChecker::new(conditions, status.clone());
        assert_eq!(status.blocking(), None);
        let battery = |reading: &str, failed| {
            Some(BlockingCondition { condition: "battery".to_owned(), reading: reading.to_owned(), failed })
        };
        checker.check(0);
        assert_eq!(status.blocking(), battery("20 % are left", false));
        checker.check(SECOND);
        assert_eq!(status.blocking(), battery("no battery", true));
        assert_eq!(checker.check(2 * SECOND), Reading::Ready);
        assert_eq!(status.blocking(), None);
    }

    #[test]
    fn delay_counts_from_the_last_start_that_took_place() {
        let conditions = StartConditions { delay: Some(Duration::from_secs(90)), ..StartConditions::default() };
        let checker = StartChecker::new(conditions, StartStatus::default());
        let mut grant = StartGrant::new(&checker);
        assert_eq!(grant.check(0), Reading::Ready);
        grant.use_or_withdraw::<()>(&Action::Exit, || 0);
        assert_eq!(grant.check(SECOND), Reading::Ready, "the first did not take place");
        let mut other = StartGrant::new(&checker);
        assert_eq!(other.check(2 * SECOND), Reading::NotBefore(92 * SECOND), "an allowed start may take place now");
        grant.use_or_withdraw(&Action::Start { kind: 0, task: (), claim: None }, || 5 * SECOND);
        assert_eq!(other.check(92 * SECOND), Reading::NotBefore(95 * SECOND), "it took place after its check");
        assert_eq!(other.check(95 * SECOND), Reading::Ready);
        assert_eq!(grant.check(96 * SECOND), Reading::NotBefore(186 * SECOND));
        drop(other);
        assert_eq!(grant.check(96 * SECOND), Reading::Ready, "the other was dropped");
    }

    #[test]
    fn recent_starts_are_those_of_the_last_minute() {
        let checker = StartChecker::default();
        for at in [0, 10, 50, 65] {
            assert_eq!(checker.check(at * SECOND), Reading::Ready);
            checker.use_up(at * SECOND);
        }
        let state = checker.state.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(state.starts, [10 * SECOND, 50 * SECOND, 65 * SECOND]);
        let ages = [0, 15, 55].map(Duration::from_secs);
        let recent = RecentStarts { ages: &ages };
        assert_eq!((recent.within(Duration::from_secs(16)), recent.last()), (2, Some(Duration::ZERO)));
    }
}
