//! The start conditions of a simulation: a check finds any answer, and each start needs one that allowed it.

use super::{
    plan::{Event, Plan, State},
    simulation::{Simulation, Slot},
};
use crate::dispatch::{Input, Reading};

impl Simulation {
    /// The answers that a check can find now.
    pub(super) fn checks(&self, plan: &Plan, slot: usize) -> impl Iterator<Item = Event> + use<> {
        let unready = (self.unready < plan.unready).then_some(Event::Checked(slot, false));
        [Event::Checked(slot, true)].into_iter().chain(unready)
    }

    pub(super) fn checked(&mut self, plan: &Plan, slot: usize, ready: bool) {
        self.allowed.retain(|allowed| *allowed != slot);
        let reading = if ready {
            self.allowed.push(slot);
            self.allowed.sort_unstable();
            Reading::Ready
        } else {
            self.unready += 1;
            Reading::NotBefore(self.now + 1)
        };
        self.slots[slot] = Slot::Free { may_wait: false };
        self.step(plan, None, Input::Checked { slot, reading });
    }

    /// Whether a task or a slot waits for a later time.
    pub(super) fn waits_for_time(&self) -> bool {
        let is_later = |at: &i64| *at > self.now;
        let delayed = |task: &State| matches!(task, State::Delayed(at) if is_later(at));
        let sleeps = |slot: &Slot| matches!(slot, Slot::Sleeps(sleep) if sleep.idle.due.as_ref().is_some_and(is_later));
        self.tasks.iter().any(delayed) || self.slots.iter().any(sleeps)
    }

    /// A slot starts a task: a check has allowed it, for this start alone.
    pub(super) fn use_allowed(&mut self, plan: &Plan, slot: usize) {
        if plan.bounds.conditional {
            let at = self.allowed.iter().position(|allowed| *allowed == slot);
            self.allowed.remove(at.unwrap_or_else(|| panic!("slot {slot} starts a task unchecked")));
        }
    }
}
