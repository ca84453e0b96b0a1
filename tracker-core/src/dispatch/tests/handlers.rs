//! The handlers of a simulation: what holds when one starts, and what its slot does when it returns.

use super::{
    plan::{Plan, State, took},
    simulation::{Call, Simulation, Slot},
};
use crate::dispatch::{Action, Effects, Input, Storing};

impl Simulation {
    pub(super) fn start(&mut self, plan: &Plan, kind: usize, task: usize) {
        assert!(matches!(self.tasks[task], State::Claimed { .. }), "task {task} starts without a claim");
        assert_eq!(plan.tasks[task].kind, kind);
        assert!(!self.stopped, "task {task} starts after the stop");
        assert!(self.open_slots() <= self.size, "task {task} starts before the slots that are too many have left");
        let running: Vec<_> = (0..self.tasks.len()).filter(|other| self.tasks[*other] == State::Running).collect();
        if !running.is_empty() {
            assert!(!plan.tasks[task].isolated, "isolated task {task} starts beside {running:?}");
            assert!(
                !running.iter().any(|other| plan.tasks[*other].isolated),
                "task {task} starts beside an isolated one"
            );
        }
        self.tasks[task] = State::Running;
        let most = plan.bounds.prefetch.max(plan.most_slots());
        assert!(running.len() + 1 + self.unstored <= most, "a crash would repeat more than {most} handlers");
    }

    pub(super) fn handler_returns(&mut self, plan: &Plan, slot: usize, task: usize) {
        let took = Some(took(plan, task));
        if plan.tasks[task].unreadable {
            self.tasks[task] = State::Done;
            self.slots[slot] = Slot::Free { may_wait: false };
            return self.step(plan, None, Input::Unreadable { took });
        }
        self.tasks[task] = State::Ended;
        self.unstored += 1;
        let Effects { action, wake } =
            self.dispatcher.step(Input::Finished { slot, signal: self.signal, took, stores: true });
        let Action::Store(storing) = action else { panic!("{action:?}") };
        self.slots[slot] = match storing {
            Storing::Synchronous { claim } => {
                self.queued.push_back(Call::Store { task, slot: Some(slot), claim });
                Slot::Calls
            }
            Storing::Queued { kind, .. } => {
                assert!(
                    plan.bounds.prefetch > 0 || plan.short_handlers,
                    "without prefetch a slot waits until its outcome is stored"
                );
                assert_eq!(plan.tasks[task].kind, kind);
                Slot::Stores { task }
            }
        };
        self.wake(plan, wake);
    }
}
