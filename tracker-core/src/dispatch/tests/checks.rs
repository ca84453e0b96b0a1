//! The invariants that a simulation checks when a slot exits and when no event is left.

use super::{
    plan::{Plan, State, Task},
    simulation::{Call, Simulation, Slot},
};
use crate::dispatch::KindQueue;

impl Simulation {
    /// How many slots have not ended.
    pub(super) fn open_slots(&self) -> usize {
        self.slots.iter().filter(|slot| **slot != Slot::Ended).count()
    }

    pub(super) fn runs_handlers(&self) -> bool {
        self.slots.iter().any(|slot| matches!(slot, Slot::Runs { .. }))
    }

    /// Whether a slot waits for a wake-up of the pool.
    pub(super) fn waits(&self) -> bool {
        self.slots.contains(&Slot::Waits)
    }

    pub(super) fn check_exit(&mut self, plan: &Plan, slot: usize) {
        let claimed = |task: &State| matches!(task, State::Claimed { .. });
        // Calls that another slot waits for do not count.
        let is_pool_call = |call: &Call| match call {
            Call::Claim(claim) => claim.slot.is_none(),
            Call::Store { slot, .. } => slot.is_none(),
            Call::Release { .. } => true,
        };
        let is_surplus = !self.stopped && !self.ended && self.open_slots() > self.size;
        if is_surplus && self.open_slots() > 1 {
            let another_leads = self.slots[slot] == Slot::Free { may_wait: true };
            assert!(another_leads || !self.queued.iter().any(is_pool_call), "slot {slot} leaves calls uncommitted");
            return;
        }
        // The first slot that finds the pool empty decides for all.
        if !self.stopped && !is_surplus && !std::mem::replace(&mut self.ended, true) {
            assert!(!plan.bounds.keep_running || !self.dispatcher.keeps_running(), "the pool was to go on");
            let left = self.tasks.iter().filter(|task| !matches!(task, State::Done | State::Unsubmitted)).count();
            assert_eq!(left, 0, "a slot exits with tasks left: {:?}", self.tasks);
        }
        let open =
            self.queued.iter().chain(self.committed.iter().map(|(call, _)| call)).filter(|call| is_pool_call(call));
        assert_eq!(open.count(), 0, "a slot exits while calls of the pool are open");
        assert!(self.open_slots() > 1 || !self.tasks.iter().any(claimed), "claimed tasks are left: {:?}", self.tasks);
    }

    /// Checks that a shutdown names the handlers that run, and none that has returned.
    pub(super) fn check_running(&self) {
        let running = self.dispatcher.running_slots();
        for (number, slot) in self.slots.iter().enumerate() {
            let runs = running.contains(&number);
            match slot {
                Slot::Runs { .. } => assert!(runs, "the handler of slot {number} runs"),
                Slot::Waits | Slot::Sleeps(_) | Slot::Calls | Slot::Checks | Slot::Reports | Slot::Ended => {
                    assert!(!runs, "the handler of slot {number} has returned: {slot:?}");
                }
                // Between the return of a handler and the next step of its slot.
                Slot::Free { .. } | Slot::Stores { .. } => {}
            }
        }
    }

    /// Checks that a slot waits for the pool only while there is something that wakes it.
    pub(super) fn check_waiting(&self) {
        let is_expected = |kind: &KindQueue<Task>| kind.ready_or_requested() > 0 || kind.unstored > 0;
        let slot_acts = self.slots.iter().any(|slot| matches!(slot, Slot::Free { .. } | Slot::Stores { .. }));
        let wakes = slot_acts || self.watching || self.dispatcher.kinds.iter().any(is_expected);
        assert!(!self.waits() || wakes, "a slot waits for the handlers of others: {:?}", self.slots);
    }

    /// Checks a state in which no event of the pool is left.
    pub(super) fn check_quiescent(&self) {
        assert!(!self.waits(), "a slot waits for ever: {:?}", self.slots);
        assert!(!self.slots.contains(&Slot::Calls), "a call is lost: {:?}", self.slots);
        assert_eq!(self.dispatcher.is_over(), self.open_slots() == 0 && (self.stopped || self.ended));
        if self.dispatcher.is_over() {
            return;
        }
        assert_eq!(self.open_slots(), self.size, "slots are missing, or too many: {:?}", self.slots);
        if self.size == 0 {
            let held = |task: &State| matches!(task, State::Claimed { .. } | State::Running | State::Ended);
            assert!(!self.tasks.iter().any(held), "a pool without slots holds tasks: {:?}", self.tasks);
            return;
        }
        assert!(!self.stopped && self.dispatcher.keeps_running(), "a slot sleeps for ever: {:?}", self.slots);
        let idle = |task: &State| matches!(task, State::Done | State::Unsubmitted);
        assert!(self.tasks.iter().all(idle), "all slots sleep while tasks are left: {:?}", self.tasks);
    }
}
