use std::time::Duration;

use super::{kind_runner::PassResult, pool::PoolState};
use crate::{
    engine::Engine,
    model::time::{Micros, between},
};

/// What one look at each kind found.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each says one thing of the round, and they change apart")]
pub(super) struct Pass {
    /// No more comes than what the looks can find: known before the first one.
    last: bool,
    worked: bool,
    blocked: bool,
    held_back: bool,
    due: Option<Micros>,
    expiry: Option<Micros>,
}

/// What comes before the next round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterPass {
    /// Nothing: there is more to do.
    None,
    /// Until the signal rises, at most this long.
    Wait(Option<Duration>),
    /// There is no next round: nothing is left.
    Over,
}

impl Pass {
    pub(super) fn begin(shift: &PoolState<'_>) -> Self {
        let last = !shift.settings.keep_running || shift.settings.stop.is_finishing();
        Self { last, ..Self::default() }
    }

    pub(super) fn add(&mut self, turn: PassResult) {
        match turn {
            PassResult::Worked => self.worked = true,
            PassResult::Blocked => self.blocked = true,
            PassResult::Idle { due, expiry, held_back } => {
                self.due = self.due.into_iter().chain(due).min();
                self.expiry = self.expiry.into_iter().chain(expiry).min();
                self.held_back |= held_back;
            }
        }
    }

    /// What comes next. `seen` is what the engine's signal was before the round.
    pub(super) fn rest(&self, shift: &PoolState<'_>, engine: &Engine, seen: u64) -> AfterPass {
        if self.worked {
            return AfterPass::None;
        }
        let nothing_left = self.due.is_none() && !self.blocked && !self.held_back && shift.isolation.is_empty();
        if nothing_left && self.last {
            // Something has come since: one look more, since an end is one for all threads.
            if engine.signal.seen() != seen && !shift.is_over() {
                return AfterPass::None;
            }
            shift.end(&engine.signal);
            return AfterPass::Over;
        }
        let now = engine.now();
        let next = self.due.into_iter().chain(self.expiry.filter(|at| *at > now)).min();
        let mut wait = next.map(|at| between(now, at).max(Duration::from_micros(100)));
        if self.blocked {
            wait = Some(wait.unwrap_or(Duration::MAX).min(Duration::from_millis(100)));
        }
        AfterPass::Wait(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Tracker, model::time::ManualClock, worker::Settings};

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn worker_waits_for_the_next_event_and_ends_without_one() -> crate::Result<()> {
        let tracker = Tracker::options().clock(ManualClock::new()).in_memory()?;
        let engine = &tracker.shared.engine;
        let (now, second) = (engine.now(), 1_000_000);
        let rest = |keep_running: bool, turns: &[PassResult]| {
            let settings = Settings { keep_running, ..Settings::default() };
            let shift = PoolState::new(&settings, turns.len());
            let mut round = Pass::begin(&shift);
            for turn in turns {
                round.add(*turn);
            }
            round.rest(&shift, engine, engine.signal.seen())
        };
        let nothing = PassResult::Idle { due: None, expiry: None, held_back: false };
        let due = |in_seconds: Micros| PassResult::Idle {
            due: Some(now + in_seconds * second),
            expiry: None,
            held_back: false,
        };
        let expiry = |in_seconds: Micros| PassResult::Idle {
            due: None,
            expiry: Some(now + in_seconds * second),
            held_back: false,
        };
        let held_back = PassResult::Idle { due: None, expiry: None, held_back: true };
        assert_eq!(rest(false, &[nothing, nothing]), AfterPass::Over);
        assert_eq!(rest(false, &[nothing, PassResult::Worked]), AfterPass::None);
        assert_eq!(rest(true, &[nothing]), AfterPass::Wait(None));
        assert_eq!(rest(false, &[held_back, nothing]), AfterPass::Wait(None), "a pause or a limit ends some day");
        assert_eq!(rest(false, &[due(7), due(5), due(9)]), AfterPass::Wait(Some(SECOND * 5)));
        assert_eq!(rest(true, &[due(7), expiry(3)]), AfterPass::Wait(Some(SECOND * 3)));
        assert_eq!(
            rest(true, &[due(7), expiry(0)]),
            AfterPass::Wait(Some(SECOND * 7)),
            "that one is there to be taken"
        );
        assert_eq!(
            rest(false, &[expiry(3)]),
            AfterPass::Over,
            "another process has it, and its leases are its own affair"
        );
        assert_eq!(rest(false, &[PassResult::Blocked, nothing]), AfterPass::Wait(Some(SECOND / 10)));
        assert_eq!(rest(false, &[PassResult::Blocked, due(0)]), AfterPass::Wait(Some(Duration::from_micros(100))));
        Ok(())
    }
}
