//! Decides which other slots are woken after an input, those that wait for the pool and those that sleep until the file changes, and whether the driver
//! reports passed time. Called by `Dispatcher::step`; pure.

use super::{ClaimedTask, Dispatcher, Waiting};

/// Whether the driver reports passed time each millisecond, because there is more to do than slots were woken for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) enum Watch {
    #[default]
    Off,
    /// Nothing has happened since it reported last.
    Standstill,
    /// A handler has started since, a claim or an outcome was answered, or the watch has begun.
    Progress,
}

impl Watch {
    pub(super) fn note_progress(&mut self) {
        if *self == Self::Standstill {
            *self = Self::Progress;
        }
    }
}

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

    /// A handler may start, or a claim may be made. One woken slot is enough: waking all of them each time would take longer than a short handler.
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
            self.handler_times.slots_for(ready).max(usize::from(!self.is_an_assigned_slot_awake(kind)))
        } else {
            ready
        };
        self.wake_some(wanted.min(self.waiting));
    }

    /// A queued outcome or claim is answered. If no slot works on a kind, those that sleep claim again, or end the pool if nothing is left.
    pub(super) fn wake_if_unassigned(&mut self) {
        self.wake.sleeping |= self.assigned == 0;
    }

    /// Has the driver report soon that time has passed, if slots are not woken for all there is to do: a running handler may take longer than
    /// expected, and the slots that wait could work meanwhile.
    pub(super) fn watch(&mut self) {
        if self.has_short_handlers() && self.watch == Watch::Off {
            self.watch = Watch::Progress;
            self.wake.watch = true;
        }
    }

    pub(super) fn time_passed(&mut self) {
        if self.watch != Watch::Progress && self.is_stalled() {
            self.wake_all();
        }
        self.watch = if self.waiting > 0 && self.has_short_handlers() { Watch::Standstill } else { Watch::Off };
    }

    /// Whether queued calls may wait for a thread that runs a long handler: nothing has happened since the last report of passed time. The driver reads
    /// this before the next report, and has the calls committed.
    pub(crate) fn holds_up_calls(&self) -> bool {
        self.watch == Watch::Standstill && !self.has_all_answers()
    }

    /// Whether a slot that waits could start a task, or could claim while others run handlers.
    fn is_stalled(&self) -> bool {
        let may_start = self.running + self.unstored < self.bounds.prefetch.max(self.bounds.slots);
        self.kinds.iter().any(|queue| {
            if queue.has_ready() { may_start } else { queue.running > 0 && queue.ready_or_requested() == 0 }
        })
    }

    fn is_an_assigned_slot_awake(&self, kind: usize) -> bool {
        self.waiting < self.kinds[kind].assigned
    }

    /// Whether a change of the kind concerns every slot: no task is ready or requested and no outcome is unanswered, each slot claims for itself, or
    /// there are several kinds, so that a single slot that is woken may have no use for it.
    fn affects_all_slots(&self, kind: usize) -> bool {
        self.stopping
            || self.kinds.len() > 1
            || self.isolation
            || !self.shares_tasks()
            || self.kinds[kind].is_quiescent()
    }
}
