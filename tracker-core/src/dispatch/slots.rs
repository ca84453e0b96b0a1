//! Counts the slots of a pool: which are open, which leave after a resize, and when the pool is over. Called by `Dispatcher::step` and
//! `worker/shared_dispatcher`; pure. A driver starts a thread or a future for each open slot.

use super::{Action, ClaimedTask, Dispatcher, KindQueue, idle::Pass, slot::Slot};

impl<T: ClaimedTask> Dispatcher<T> {
    /// Opens slots until the pool has its number, and returns those that it has opened: the lowest numbers that are free.
    pub(crate) fn open_slots(&mut self) -> Vec<usize> {
        if self.is_ending() {
            return Vec::new();
        }
        let missing = self.bounds.slots.saturating_sub(self.open);
        let is_free = |number: &usize| self.slots.get(*number).is_none_or(|slot| !slot.open);
        let numbers: Vec<_> = (0..self.slots.len() + missing).filter(is_free).take(missing).collect();
        for number in &numbers {
            let slot = Slot::new(number % self.kinds.len().max(1));
            if *number < self.slots.len() {
                self.slots[*number] = slot;
            } else {
                self.slots.push(slot);
            }
        }
        self.open += numbers.len();
        numbers
    }

    /// Whether no further slot opens: the pool is stopped, or a slot has found that no task is left.
    pub(crate) fn is_ending(&self) -> bool {
        self.stopping || self.ended
    }

    /// Whether no slot is open, and none will be.
    pub(crate) fn is_over(&self) -> bool {
        self.is_ending() && self.open == 0
    }

    /// Sets the number of slots. Those that are too many exit once they are free, and the driver opens those that are missing.
    pub(super) fn resize(&mut self, slots: usize) {
        self.bounds.slots = slots;
        self.wake_all();
        if self.has_surplus() {
            self.wake.sleeping = true;
            self.resize_raises += 1;
        }
        self.wake.driver = true;
    }

    /// Whether more slots are open than the pool is to have. The next ones that are free leave.
    pub(super) fn has_surplus(&self) -> bool {
        self.open > self.bounds.slots
    }

    /// Whether a free slot exits, and starts nothing more.
    pub(super) fn is_leaving(&self) -> bool {
        self.stopping || self.has_surplus()
    }

    /// The last open slot of a pool that shrinks to none, and each slot after a stop: releases tasks that have not started, and exits when all
    /// outcomes are stored.
    pub(super) fn exit_when_stored(&mut self, slot: usize, may_wait: bool) -> Action<T> {
        if let Some(kind) = self.kinds.iter().position(KindQueue::has_ready) {
            return self.release_ready(kind);
        }
        if self.has_all_answers() { self.exit(slot) } else { self.wait(slot, may_wait) }
    }

    /// The exit of a slot that is too many. Its thread commits its queued calls first, because no other thread may lead soon.
    pub(super) fn leave(&mut self, slot: usize, may_wait: bool) -> Action<T> {
        if !may_wait && !self.has_all_answers() {
            // Another slot may leave meanwhile: then this one begins with the first kind again.
            self.slots[slot].pass = Pass::default();
            return Action::Lead;
        }
        self.exit(slot)
    }

    pub(super) fn exit(&mut self, slot: usize) -> Action<T> {
        self.close(slot);
        Action::Exit
    }

    fn close(&mut self, slot: usize) {
        self.slots[slot] = Slot { open: false, ..Slot::new(0) };
        self.open -= 1;
        self.wake.driver |= self.is_over();
    }

    /// A slot has ended by an error or a panic, or the system has refused its thread.
    pub(super) fn abandon(&mut self, slot: usize) {
        if std::mem::take(&mut self.slots[slot].waits) {
            self.waiting -= 1;
        }
        if let Some(claim) = self.slots[slot].claim.take() {
            self.end_claim(&claim);
        }
        if let Some(kind) = self.slots[slot].running.take() {
            self.kinds[kind].running -= 1;
            self.running -= 1;
        }
        if self.slots[slot].assignment.is_some() {
            self.end_assignment(slot);
        }
        self.close(slot);
        self.wake_all();
        self.wake.sleeping = true;
    }
}
