use std::time::Duration;

use super::{crew::Shift, lane::Turn};
use crate::{
    engine::Engine,
    time::{Micros, between},
};

/// What one look at each kind found.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each says one thing of the round, and they change apart")]
pub(super) struct Round {
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
pub(super) enum Rest {
    /// Nothing: there is more to do.
    None,
    /// Until the signal rises, at most this long.
    Wait(Option<Duration>),
    /// There is no next round: nothing is left.
    Over,
}

impl Round {
    pub(super) fn begin(shift: &Shift<'_>) -> Self {
        let last = !shift.settings.run_on || shift.settings.stop.is_finishing();
        Self { last, ..Self::default() }
    }

    pub(super) fn add(&mut self, turn: Turn) {
        match turn {
            Turn::Worked => self.worked = true,
            Turn::Blocked => self.blocked = true,
            Turn::Idle { due, expiry, held_back } => {
                self.due = self.due.into_iter().chain(due).min();
                self.expiry = self.expiry.into_iter().chain(expiry).min();
                self.held_back |= held_back;
            }
        }
    }

    pub(super) fn rest(&self, shift: &Shift<'_>, engine: &Engine) -> Rest {
        if self.worked {
            return Rest::None;
        }
        let nothing_left = self.due.is_none() && !self.blocked && !self.held_back && shift.gate.is_empty();
        if nothing_left && self.last {
            engine.signal.raise();
            return Rest::Over;
        }
        let now = engine.now();
        let next = self.due.into_iter().chain(self.expiry.filter(|at| *at > now)).min();
        let mut wait = next.map(|at| between(now, at).max(Duration::from_micros(100)));
        if self.blocked {
            wait = Some(wait.unwrap_or(Duration::MAX).min(Duration::from_millis(100)));
        }
        Rest::Wait(wait)
    }
}
