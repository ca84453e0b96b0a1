//! Decides which slots an input wakes beside its own: those that wait for the pool, and those that sleep until the file changes. Called by
//! `Dispatcher::step`; pure.

use super::{ClaimedTask, Dispatcher, SHORT, Waiting};

impl<T: ClaimedTask> Dispatcher<T> {
    pub(super) fn wake_all(&mut self) {
        if self.waiting > 0 {
            self.wake.waiting = Waiting::All;
        }
    }

    pub(super) fn wake_some(&mut self, slots: usize) {
        if slots > 0 && self.wake.waiting != Waiting::All {
            self.wake.waiting = Waiting::Some(slots);
        }
    }

    /// A handler may start, or a claim may be made. One slot can use it. Waking all slots for each would cost more than short handlers do.
    pub(super) fn wake_for_capacity(&mut self, kind: usize) {
        if self.affects_all_slots(kind) {
            self.wake_all();
        } else if self.waiting > 0 && !(self.has_short_handlers() && self.is_an_assigned_slot_awake(kind)) {
            self.wake_some(1);
        }
    }

    /// A claim has brought `claimed_tasks` tasks. As many slots are woken as there are tasks, but if handlers are short, only as many as have
    /// enough to do.
    pub(super) fn wake_for_tasks(&mut self, kind: usize, claimed_tasks: usize) {
        if self.affects_all_slots(kind) {
            return self.wake_all();
        }
        let ready = self.kinds[kind].ready();
        let wanted = if claimed_tasks == 0 {
            0
        } else if self.has_short_handlers() {
            let work = self.handler_time.as_micros() * ready as u128 / SHORT.as_micros();
            usize::try_from(work).unwrap_or(usize::MAX).max(usize::from(!self.is_an_assigned_slot_awake(kind)))
        } else {
            ready
        };
        self.wake_some(wanted.min(self.waiting));
    }

    /// An answer has come that no slot has waited for. If no slot works on a kind, one that sleeps looks again, or ends the pool.
    pub(super) fn wake_if_unassigned(&mut self) {
        self.wake.sleeping |= self.assigned == 0;
    }

    fn is_an_assigned_slot_awake(&self, kind: usize) -> bool {
        self.waiting < self.kinds[kind].assigned
    }

    /// Whether a change of the kind concerns every slot: nothing is there or on its way any more, or there are several kinds, so that
    /// a single slot that is woken may have no use for it.
    fn affects_all_slots(&self, kind: usize) -> bool {
        self.stopping || self.kinds.len() > 1 || self.isolation || self.kinds[kind].is_quiescent()
    }
}
