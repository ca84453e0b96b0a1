//! Decides the work of a slot that is assigned to one kind: which task it starts, which claim it makes, and when the assignment ends. Also applies
//! the answers of claims and the ends of handlers. Called by `Dispatcher::step`; pure.

use std::time::Duration;

use super::{
    Action, ClaimRequest, ClaimedTask, Dispatcher, Found, Idle, Reading, Storing, TASKS_PER_ASSIGNMENT,
    slot::{Assignment, Mode, Slot},
};
use crate::model::time::Micros;

impl<T: ClaimedTask> Dispatcher<T> {
    pub(super) fn assign(&mut self, slot: usize, kind: usize, mode: Mode) {
        self.assigned += 1;
        self.kinds[kind].assigned += 1;
        let assignment =
            Assignment { kind, mode, started: 0, found: None, task: None, ends_next: false, reading: None };
        self.slots[slot].assignment = Some(assignment);
    }

    /// The next action of a slot that works on a kind. `None` if the assignment has ended.
    pub(super) fn next_of_assignment(&mut self, slot: usize, signal: u64, may_wait: bool) -> Option<Action<T>> {
        let stamp = self.stamp(signal);
        let assignment = self.slots[slot].assignment.as_mut()?;
        let (kind, mode) = (assignment.kind, assignment.mode);
        if assignment.found.is_none() && mode != Mode::Isolated && self.kinds[kind].empty == Some(stamp) {
            // Another slot has found nothing, and the tasks have not changed since.
            assignment.found = Some(Idle::default());
        }
        match mode {
            Mode::Shared => self.next_shared(slot, kind, signal, may_wait),
            Mode::Synchronous | Mode::Isolated => self.next_synchronous(slot, kind, signal),
        }
    }

    fn next_synchronous(&mut self, slot: usize, kind: usize, signal: u64) -> Option<Action<T>> {
        let is_leaving = self.is_leaving();
        let assignment = self.slots[slot].assignment.as_mut()?;
        if let Some(task) = assignment.task.take() {
            if is_leaving {
                self.queued(kind, 1);
                return Some(Action::Release { kind, tasks: vec![task] });
            }
            self.begin_handler(slot, kind);
            return Some(Action::Start { kind, task, claim: None });
        }
        let may_claim = assignment.mode == Mode::Isolated || !self.isolation;
        if is_leaving || assignment.ends_next || assignment.found.is_some() || !may_claim {
            self.end_assignment(slot);
            return None;
        }
        if !self.bounds.conditional {
            return Some(Action::Claim(self.claim_for_slot(slot, kind, signal, false)));
        }
        Some(match assignment.reading.take() {
            None => Action::Check,
            Some(Reading::Ready) => Action::Claim(self.claim_for_slot(slot, kind, signal, false)),
            Some(Reading::NotBefore(at)) => Action::Claim(self.look_for_slot(slot, kind, signal, at)),
        })
    }

    fn next_shared(&mut self, slot: usize, kind: usize, signal: u64, may_wait: bool) -> Option<Action<T>> {
        if self.has_surplus() && !self.stopping {
            self.end_assignment(slot);
            return None;
        }
        if self.kinds[kind].ready_or_requested() == 0 && !self.is_shared(kind) {
            self.set_mode(slot, Mode::Synchronous);
            return self.next_synchronous(slot, kind, signal);
        }
        let share = self.share();
        let assignment = self.slots[slot].assignment.as_ref()?;
        let is_full = self.kinds.len() > 1 && assignment.started >= TASKS_PER_ASSIGNMENT;
        let found = assignment.found.is_some();
        let may_claim = self.may_claim(kind);
        let queue = &mut self.kinds[kind];
        if is_full && may_claim && queue.can_release_slot(share) {
            self.end_assignment(slot);
            return None;
        }
        if queue.has_ready() {
            if self.stopping {
                return Some(self.release_ready(kind));
            }
            // A crash repeats handlers that run, or have ended and are not stored: at most this many.
            if self.running + self.unstored < self.bounds.prefetch.max(self.bounds.slots)
                && let Some(task) = queue.pop()
            {
                self.begin_handler(slot, kind);
                let claim = if may_claim { self.claim_for_prefetch(kind, signal) } else { None };
                return Some(Action::Start { kind, task, claim });
            }
        } else if may_claim && !found {
            let capacity = self.free_capacity(kind);
            if capacity > 0 {
                // Without prefetch each claimed task starts, as if its slot had claimed it.
                let begin = if share > 0 { 1 } else { capacity };
                let claim = ClaimRequest { slot: Some(slot), begin, ..self.claim(kind, capacity, signal) };
                self.slots[slot].claim = Some(claim.clone());
                return Some(Action::Claim(claim));
            }
        } else if queue.is_quiescent() {
            self.end_assignment(slot);
            return None;
        }
        Some(self.wait(slot, may_wait))
    }

    fn set_mode(&mut self, slot: usize, mode: Mode) {
        if let Some(assignment) = &mut self.slots[slot].assignment {
            assignment.mode = mode;
        }
    }

    /// Whether the pool may claim further tasks of the kind that any of its slots may start.
    fn may_claim(&self, kind: usize) -> bool {
        !self.stopping && !self.isolation && !self.kinds[kind].limited
    }

    /// Number of tasks that may be claimed now for any slot. A slot whose outcome is queued counts as free: the outcome is committed before the claim.
    fn free_capacity(&self, kind: usize) -> usize {
        let claimed = self.kinds[kind].ready_or_requested();
        if self.share() == 0 && claimed > 0 {
            // Slots that the claim on its way does not serve wait for the next one.
            return 0;
        }
        let is_idle = |slot: &&Slot<T>| {
            let assignment = slot.assignment.as_ref();
            slot.running.is_none() && assignment.is_some_and(|to| to.kind == kind && to.mode == Mode::Shared)
        };
        (self.slots.iter().filter(is_idle).count() + self.share()).saturating_sub(claimed)
    }

    fn begin_handler(&mut self, slot: usize, kind: usize) {
        self.watch.note_progress();
        self.kinds[kind].running += 1;
        self.running += 1;
        self.slots[slot].running = Some(kind);
        if let Some(assignment) = &mut self.slots[slot].assignment {
            assignment.started += 1;
            assignment.found = None;
        }
    }

    /// A claim that no slot waits for. `None` while more than half of the prefetched tasks are left, or if the last claim found no more.
    fn claim_for_prefetch(&mut self, kind: usize, signal: u64) -> Option<ClaimRequest> {
        let (share, bytes) = (self.share(), self.bytes());
        let queue = &self.kinds[kind];
        let is_enough = queue.ready_or_requested() > share / 2 || queue.is_half_full(bytes);
        if share == 0 || queue.exhausted_at == Some(signal) || is_enough {
            return None;
        }
        let most = self.free_capacity(kind);
        Some(self.claim(kind, most, signal))
    }

    fn claim(&mut self, kind: usize, most: usize, signal: u64) -> ClaimRequest {
        let bytes = self.bytes();
        let bytes = self.kinds[kind].request(most, bytes);
        ClaimRequest {
            kind,
            slot: None,
            most,
            begin: 0,
            bytes,
            isolated: false,
            gathers: self.has_short_handlers(),
            for_slot: false,
            stores: false,
            not_before: None,
            stamp: self.stamp(signal),
        }
    }

    /// A claim of one task by a slot that starts it itself. `stores` if it goes with the outcome of the slot's last task.
    fn claim_for_slot(&mut self, slot: usize, kind: usize, signal: u64, stores: bool) -> ClaimRequest {
        let isolated = self.slots[slot].assignment.as_ref().is_some_and(|assignment| assignment.mode == Mode::Isolated);
        let claim = ClaimRequest {
            kind,
            slot: Some(slot),
            most: 1,
            begin: 1,
            bytes: 0,
            isolated,
            gathers: false,
            for_slot: true,
            stores,
            not_before: None,
            stamp: self.stamp(signal),
        };
        self.slots[slot].claim = Some(claim.clone());
        claim
    }

    /// A claim that takes no task, but tells whether one could start, although the start conditions forbid it until `at`.
    fn look_for_slot(&mut self, slot: usize, kind: usize, signal: u64, at: Micros) -> ClaimRequest {
        let claim = self.claim_for_slot(slot, kind, signal, false);
        let look = ClaimRequest { most: 0, begin: 0, not_before: Some(at), ..claim };
        self.slots[slot].claim = Some(look.clone());
        look
    }

    /// How many bytes of payload of one kind are prefetched.
    fn bytes(&self) -> usize {
        self.bounds.bytes / self.kinds.len().max(1)
    }

    pub(super) fn end_claim(&mut self, claim: &ClaimRequest) {
        if let Some(slot) = claim.slot {
            self.slots[slot].claim = None;
        }
        if !claim.for_slot {
            self.kinds[claim.kind].answered(claim.most, claim.bytes);
        }
    }

    /// A claim is answered: its tasks are ready, or belong to its slot.
    pub(super) fn claimed(&mut self, claim: &ClaimRequest, found: Found<T>) {
        self.watch.note_progress();
        self.end_claim(claim);
        // The claim saw every outcome that is stored, its own included, if no other was stored after it was made.
        let is_current = claim.stamp.stored == self.stored;
        self.stored += u64::from(claim.stores);
        let Found { mut tasks, mut idle, isolated_waits, is_cut, limited } = found;
        if let Some(at) = claim.not_before.filter(|_| idle.held_back) {
            idle.due = Some(idle.due.map_or(at, |due| due.min(at)));
        }
        self.isolation |= isolated_waits;
        let queue = &mut self.kinds[claim.kind];
        queue.limited = limited;
        if tasks.is_empty() {
            if is_current && idle.has_nothing_waiting() && !isolated_waits {
                queue.empty = Some(super::Stamp { stored: self.stored, ..claim.stamp });
            }
            if let Some(assignment) = claim.slot.and_then(|slot| self.slots[slot].assignment.as_mut()) {
                assignment.found = Some(idle);
            }
        }
        if claim.for_slot {
            let task = tasks.pop();
            if let Some(assignment) = claim.slot.and_then(|slot| self.slots[slot].assignment.as_mut()) {
                assignment.task = task;
            }
        } else {
            // A claim that is cut by its bytes finds more when some of these have started.
            let may_find_more = is_cut && !tasks.is_empty();
            queue.exhausted_at = (tasks.len() < claim.most && !may_find_more).then_some(claim.stamp.signal);
            let claimed_tasks = tasks.len();
            queue.push(tasks);
            self.wake_for_tasks(claim.kind, claimed_tasks);
            self.wake_if_unassigned();
        }
    }

    /// A handler has returned: how its outcome is stored, and the claim that goes with it.
    pub(super) fn finished(&mut self, slot: usize, signal: u64, took: Option<Duration>, stores: bool) -> Action<T> {
        self.measure(took);
        let Some(Assignment { kind, mode, started, .. }) = self.slots[slot].assignment else { return Action::Continue };
        let is_shared = mode == Mode::Shared || (mode == Mode::Synchronous && self.is_shared(kind));
        if is_shared {
            self.set_mode(slot, Mode::Shared);
            // The handler counts as running until the slot is free, so that a claim in its place comes after the outcome.
            self.queued(kind, usize::from(stores));
            return Action::Store(Storing::Queued { kind, gathers: self.has_short_handlers() });
        }
        self.end_handler(slot);
        let claims = !self.is_leaving()
            && !self.isolation
            && !self.bounds.conditional
            && (self.kinds.len() == 1 || started < TASKS_PER_ASSIGNMENT);
        let claim = claims.then(|| self.claim_for_slot(slot, kind, signal, true));
        Action::Store(Storing::Synchronous { claim })
    }

    /// A handler no longer counts as running: its outcome is queued, or its task could not be decoded.
    pub(super) fn end_handler(&mut self, slot: usize) {
        let Some(kind) = self.slots[slot].running.take() else { return };
        self.kinds[kind].running -= 1;
        self.running -= 1;
        if self.slots[slot].assignment.as_ref().is_some_and(|assignment| assignment.mode == Mode::Shared) {
            self.wake_for_capacity(kind);
        }
    }

    /// Notes how long a handler has taken. Slots that stop sharing claims are woken to claim for themselves.
    pub(super) fn measure(&mut self, took: Option<Duration>) {
        let shared = self.shares_claims();
        self.handler_times.add(took);
        if shared && !self.shares_claims() {
            self.wake_all();
        }
        if self.waiting > 0 {
            self.watch();
        }
    }

    /// Ends the assignment of a slot.
    pub(super) fn end_assignment(&mut self, slot: usize) {
        let Some(Assignment { kind, mode, started, found, .. }) = self.slots[slot].assignment.take() else { return };
        self.assigned -= 1;
        self.kinds[kind].assigned -= 1;
        if mode == Mode::Isolated {
            self.isolation = false;
            self.wake.sleeping = true;
        }
        let pass = &mut self.slots[slot].pass;
        match found {
            Some(idle) if started == 0 && !self.isolation => pass.add(&idle),
            _ => pass.worked = true,
        }
    }
}
