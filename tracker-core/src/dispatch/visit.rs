//! The stay of a slot with one kind: which task it starts, what it claims, and when it goes on to the next kind.

use std::time::Duration;

use super::{
    Action, ClaimRequest, ClaimedTask, Dispatcher, Found, Idle, Isolation, KindQueue, LONG, Storing, TASKS_PER_VISIT,
    slot::{Mode, Visit},
};

impl<T: ClaimedTask> Dispatcher<T> {
    pub(super) fn begin_visit(&mut self, slot: usize, kind: usize, mode: Mode) {
        self.visitors += 1;
        self.kinds[kind].visitors += 1;
        let visit = Visit { kind, mode, started: 0, found: None, task: None, leaves: false };
        self.slots[slot].visit = Some(visit);
    }

    /// The next action of a slot that works on a kind. `None` if the visit has ended.
    pub(super) fn next_of_visit(&mut self, slot: usize, signal: u64, may_wait: bool) -> Option<Action<T>> {
        let stamp = self.stamp(signal);
        let visit = self.slots[slot].visit.as_mut()?;
        let (kind, mode) = (visit.kind, visit.mode);
        if visit.found.is_none() && mode != Mode::Alone && self.kinds[kind].empty == Some(stamp) {
            // Another slot has looked.
            visit.found = Some(Idle::default());
        }
        match mode {
            Mode::Prefetching => self.next_prefetched(slot, kind, signal, may_wait),
            Mode::Strict | Mode::Alone => self.next_in_turn(slot, kind, signal),
        }
    }

    fn next_in_turn(&mut self, slot: usize, kind: usize, signal: u64) -> Option<Action<T>> {
        let visit = self.slots[slot].visit.as_mut()?;
        if let Some(task) = visit.task.take() {
            if self.stopping {
                visit.leaves = true;
                self.queued(kind, 1);
                return Some(Action::Release { kind, tasks: vec![task] });
            }
            self.begin_handler(slot, kind);
            return Some(Action::Start { kind, task, claim: None });
        }
        let may_claim = visit.mode == Mode::Alone || self.isolation == Isolation::None;
        if self.stopping || visit.leaves || visit.found.is_some() || !may_claim {
            self.leave(slot);
            return None;
        }
        Some(Action::Claim(self.claim_in_turn(slot, kind, signal, false)))
    }

    fn next_prefetched(&mut self, slot: usize, kind: usize, signal: u64, may_wait: bool) -> Option<Action<T>> {
        let share = self.share();
        let visit = self.slots[slot].visit.as_ref()?;
        let is_full = self.kinds.len() > 1 && visit.started >= TASKS_PER_VISIT;
        let found = visit.found.is_some();
        let goes_on = self.goes_on(kind);
        let queue = &mut self.kinds[kind];
        if is_full && goes_on && queue.can_spare_one(share) {
            self.leave(slot);
            return None;
        }
        if queue.has_ready() {
            if self.stopping {
                return Some(self.release_ready(kind));
            }
            // Never more handlers have started than a crash may repeat.
            if self.running + self.unstored < self.bounds.prefetch.max(self.bounds.slots)
                && let Some(task) = queue.pop()
            {
                self.begin_handler(slot, kind);
                let claim = if goes_on { self.claim_ahead(kind, signal) } else { None };
                return Some(Action::Start { kind, task, claim });
            }
        } else if goes_on && !is_full && !found {
            let most = queue.room(share);
            if most > 0 {
                let claim = ClaimRequest { slot: Some(slot), begin: 1, ..self.claim(kind, most, signal) };
                self.slots[slot].claim = Some(claim.clone());
                return Some(Action::Claim(claim));
            }
        } else if queue.is_settled() {
            self.leave(slot);
            return None;
        }
        Some(self.wait(slot, may_wait))
    }

    /// Whether slots may claim further tasks of the kind to prefetch.
    fn goes_on(&self, kind: usize) -> bool {
        !self.stopping && self.isolation == Isolation::None && !self.kinds[kind].limited
    }

    fn begin_handler(&mut self, slot: usize, kind: usize) {
        self.kinds[kind].running += 1;
        self.running += 1;
        self.slots[slot].running = Some(kind);
        if let Some(visit) = &mut self.slots[slot].visit {
            visit.started += 1;
            visit.found = None;
        }
    }

    /// A claim that no slot waits for, when half of the prefetched tasks are used up. `None` while enough is there, or the last claim
    /// has found no more.
    fn claim_ahead(&mut self, kind: usize, signal: u64) -> Option<ClaimRequest> {
        let (share, bytes) = (self.share(), self.bytes());
        let queue = &self.kinds[kind];
        if queue.dry == Some(signal) || queue.coming() > share / 2 || queue.is_half_full(bytes) {
            return None;
        }
        let most = queue.room(share);
        Some(self.claim(kind, most, signal))
    }

    fn claim(&mut self, kind: usize, most: usize, signal: u64) -> ClaimRequest {
        let bytes = self.bytes();
        let bytes = self.kinds[kind].ask(most, bytes);
        ClaimRequest {
            kind,
            slot: None,
            most,
            begin: 0,
            bytes,
            isolated: false,
            gathers: self.is_brisk(),
            in_turn: false,
            stores: false,
            stamp: self.stamp(signal),
        }
    }

    /// A claim of one task by a slot that starts it itself. `stores` if it goes with the outcome of the slot's last task.
    fn claim_in_turn(&mut self, slot: usize, kind: usize, signal: u64, stores: bool) -> ClaimRequest {
        let isolated = self.slots[slot].visit.as_ref().is_some_and(|visit| visit.mode == Mode::Alone);
        let claim = ClaimRequest {
            kind,
            slot: Some(slot),
            most: 1,
            begin: 1,
            bytes: 0,
            isolated,
            gathers: false,
            in_turn: true,
            stores,
            stamp: self.stamp(signal),
        };
        self.slots[slot].claim = Some(claim.clone());
        claim
    }

    /// How many bytes of payload of one kind are prefetched.
    fn bytes(&self) -> usize {
        self.bounds.bytes / self.kinds.len().max(1)
    }

    pub(super) fn end_claim(&mut self, claim: &ClaimRequest) {
        if let Some(slot) = claim.slot {
            self.slots[slot].claim = None;
        }
        if !claim.in_turn {
            self.kinds[claim.kind].answered(claim.most, claim.bytes);
        }
    }

    pub(super) fn claimed(&mut self, claim: &ClaimRequest, found: Found<T>) {
        self.end_claim(claim);
        // Unless another outcome was stored since, the claim knows all of them, its own included.
        let is_current = claim.stamp.stored == self.stored;
        self.stored += u64::from(claim.stores);
        let Found { mut tasks, idle, isolated_waits, is_cut, limited } = found;
        if isolated_waits && self.isolation == Isolation::None {
            self.isolation = Isolation::Waits;
        }
        let queue = &mut self.kinds[claim.kind];
        queue.limited = limited;
        if tasks.is_empty() {
            if is_current && idle.is_plain() && !isolated_waits && !claim.isolated {
                queue.empty = Some(super::Stamp { stored: self.stored, ..claim.stamp });
            }
            if let Some(visit) = claim.slot.and_then(|slot| self.slots[slot].visit.as_mut()) {
                visit.found = (!isolated_waits).then_some(idle);
            }
        }
        if claim.in_turn {
            let task = tasks.pop();
            if let Some(visit) = claim.slot.and_then(|slot| self.slots[slot].visit.as_mut()) {
                visit.task = task;
            }
        } else {
            // Cut claims find more when some of these have started.
            let goes_on = is_cut && !tasks.is_empty();
            queue.dry = (tasks.len() < claim.most && !goes_on).then_some(claim.stamp.signal);
            let came = tasks.len();
            queue.push(tasks);
            self.wake_for_tasks(claim.kind, came);
        }
    }

    pub(super) fn finished(&mut self, slot: usize, signal: u64, took: Option<Duration>, stores: bool) -> Action<T> {
        let Some(Visit { kind, mode, started, .. }) = self.slots[slot].visit else { return Action::Continue };
        if mode == Mode::Prefetching {
            // The handler keeps its place until the slot is free: a claim that takes the place comes after the outcome.
            self.queued(kind, usize::from(stores));
            self.measure(took);
            return Action::Store(Storing::Queued { kind, gathers: self.is_brisk() });
        }
        self.end_handler(slot);
        let claims = mode == Mode::Strict
            && !self.stopping
            && self.isolation == Isolation::None
            && !self.prefetches(kind)
            && (self.kinds.len() == 1 || started < TASKS_PER_VISIT);
        let claim = claims.then(|| self.claim_in_turn(slot, kind, signal, true));
        Action::Store(Storing::InTurn { claim })
    }

    /// A handler has left its place: its outcome is queued, or its task could not be decoded.
    pub(super) fn end_handler(&mut self, slot: usize) {
        let Some(kind) = self.slots[slot].running.take() else { return };
        self.kinds[kind].running -= 1;
        self.running -= 1;
        if self.slots[slot].visit.as_ref().is_some_and(|visit| visit.mode == Mode::Prefetching) {
            self.wake_for_place(kind);
        }
    }

    pub(super) fn measure(&mut self, took: Option<Duration>) {
        self.pace = (self.pace * 7 + took.map_or(LONG, |took| took.min(LONG))) / 8;
    }

    /// Ends the visit of a slot.
    pub(super) fn leave(&mut self, slot: usize) {
        let Some(Visit { kind, mode, started, found, .. }) = self.slots[slot].visit.take() else { return };
        self.visitors -= 1;
        self.kinds[kind].visitors -= 1;
        let was_isolated = self.isolation != Isolation::None;
        if mode == Mode::Alone {
            self.isolation = Isolation::None;
        }
        let pass = &mut self.slots[slot].pass;
        match found {
            Some(idle) if started == 0 && !self.stopping && (mode == Mode::Alone || !was_isolated) => pass.add(&idle),
            _ => pass.worked = true,
        }
        if mode == Mode::Alone || (was_isolated && self.visitors == 0) {
            self.wake.sleeping = true;
        }
        if self.kinds.iter().any(KindQueue::has_ready) {
            // The wake-up that this slot had may have been for those.
            self.wake_some(1.min(self.waiting));
        }
    }
}
