//! The file of a simulation: commits the queued calls of a pool, and answers them.

use super::{
    plan::{Plan, State, Task, TaskPlan},
    simulation::{Call, ClaimResult, Simulation, Slot},
};
use crate::dispatch::{ClaimRequest, Found, Idle, Input};

impl Simulation {
    /// Commits the oldest call.
    pub(super) fn commit(&mut self, plan: &Plan) {
        let Some(call) = self.queued.pop_front() else { return };
        // The file tells slots that sleep of a task that has become free.
        let mut freed = false;
        let result = match &call {
            Call::Claim(claim) => Some(self.claim(plan, claim)),
            Call::Store { task, slot: None, .. } if self.refused[*task] => None,
            Call::Store { task, claim, .. } => {
                if self.fails[*task] > 0 {
                    self.fails[*task] -= 1;
                    self.tasks[*task] = State::Delayed(self.now + 1);
                    freed = plan.resizes > 0;
                } else {
                    self.tasks[*task] = State::Done;
                }
                claim.as_ref().map(|claim| self.claim(plan, claim))
            }
            Call::Release { task } => {
                self.tasks[*task] = State::Ready;
                freed = true;
                None
            }
        };
        if freed {
            self.raise_signal();
        }
        self.committed.push((call, result));
        let leased = self
            .tasks
            .iter()
            .filter(|task| matches!(task, State::Claimed { .. } | State::Running | State::Ended))
            .count();
        assert!(leased <= plan.most_slots() + plan.bounds.prefetch, "{leased} tasks are leased");
        let prefetched = |number: &usize| self.tasks[*number] == State::Claimed { prefetched: true };
        let bytes: usize = (0..self.tasks.len()).filter(prefetched).map(|number| plan.tasks[number].bytes).sum();
        assert!(bytes <= plan.bounds.bytes, "{bytes} bytes are prefetched");
    }

    pub(super) fn claim(&mut self, plan: &Plan, claim: &ClaimRequest) -> ClaimResult {
        let mut result = ClaimResult { tasks: Vec::new(), idle: Idle::default(), isolated_waits: false, is_cut: false };
        self.claims += 1;
        let mut prefetched_bytes = 0;
        for number in 0..self.tasks.len() {
            let task = &plan.tasks[number];
            let due = match self.tasks[number] {
                State::Ready => true,
                State::Delayed(at) => at <= self.now,
                _ => false,
            };
            if task.kind == claim.kind && due && claim.most == 0 {
                result.idle.held_back = true;
                break;
            }
            if task.kind != claim.kind || !due || result.tasks.len() == claim.most {
                continue;
            }
            if task.isolated && (!claim.isolated || !result.tasks.is_empty()) {
                result.isolated_waits = true;
                break;
            }
            let prefetched = result.tasks.len() >= claim.begin;
            if prefetched && (task.crashed || task.isolated) {
                break;
            }
            if prefetched && prefetched_bytes + task.bytes > claim.bytes {
                result.is_cut = true;
                break;
            }
            prefetched_bytes += if prefetched { task.bytes } else { 0 };
            self.tasks[number] = State::Claimed { prefetched };
            result.tasks.push(number);
            if task.isolated {
                break;
            }
        }
        if result.tasks.is_empty() && !result.isolated_waits {
            let due = |(task, state): (&TaskPlan, &State)| match state {
                State::Delayed(at) if task.kind == claim.kind => Some(*at),
                _ => None,
            };
            result.idle.due = plan.tasks.iter().zip(&self.tasks).filter_map(due).min();
        }
        result
    }

    pub(super) fn answer(&mut self, plan: &Plan, call: Call, result: Option<ClaimResult>) {
        match call {
            Call::Claim(claim) => self.claimed(plan, claim, result),
            Call::Store { slot: None, task, .. } => {
                self.unstored -= 1;
                let kind = plan.tasks[task].kind;
                let failed = std::mem::take(&mut self.refused[task]);
                self.unreported.extend(failed.then_some(task));
                self.step(plan, None, Input::Stored { kind, reports: true, failed });
            }
            Call::Store { slot: Some(slot), claim, .. } => {
                self.unstored -= 1;
                if let Some(claim) = claim {
                    self.claimed(plan, claim, result);
                } else {
                    self.slots[slot] = Slot::Free { may_wait: false };
                    self.step(plan, None, Input::StoredSynchronously { slot });
                }
            }
            Call::Release { task } => {
                let kind = plan.tasks[task].kind;
                self.step(plan, None, Input::Stored { kind, reports: false, failed: false });
            }
        }
    }

    /// A slot queues an outcome in place of each that was refused.
    pub(super) fn report(&mut self, plan: &Plan, slot: usize) {
        for task in std::mem::take(&mut self.unreported) {
            self.step(plan, None, Input::Queued { kind: plan.tasks[task].kind });
            self.unstored += 1;
            self.queued.push_back(Call::Store { task, slot: None, claim: None });
        }
        self.slots[slot] = Slot::Free { may_wait: false };
    }

    pub(super) fn claimed(&mut self, plan: &Plan, claim: ClaimRequest, result: Option<ClaimResult>) {
        let ClaimResult { tasks, idle, isolated_waits, is_cut } = result.unwrap();
        if let Some(slot) = claim.slot {
            self.slots[slot] = Slot::Free { may_wait: false };
        }
        let tasks = tasks.into_iter().map(|id| Task { id, bytes: plan.tasks[id].bytes }).collect();
        let found = Found { tasks, idle, isolated_waits, is_cut, limited: self.limited[claim.kind] };
        self.step(plan, None, Input::Claimed { claim, found });
    }
}
