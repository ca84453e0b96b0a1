//! A pool and its slots as one value, to which events are applied one by one.

use std::collections::VecDeque;

use super::plan::{Event, Plan, SHORT_TIME, State, Task, TaskPlan};
use crate::dispatch::{
    Action, ClaimRequest, Dispatcher, Effects, Idle, Input, SleepCondition, Waiting, Wake, handler_times::HandlerTimes,
    idle::Stamp,
};

/// A call to the file that is not answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Call {
    Claim(ClaimRequest),
    /// In turn if a slot waits for it.
    Store {
        task: usize,
        slot: Option<usize>,
        claim: Option<ClaimRequest>,
    },
    Release {
        task: usize,
    },
}

/// The answer of the file to a claim.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct ClaimResult {
    pub(super) tasks: Vec<usize>,
    pub(super) idle: Idle,
    pub(super) isolated_waits: bool,
    pub(super) is_cut: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Slot {
    /// Asks for its next action. `may_wait` after it has led a commit.
    Free {
        may_wait: bool,
    },
    Waits,
    Sleeps(SleepCondition),
    Runs {
        task: usize,
    },
    /// Queues the outcome of its handler.
    Stores {
        task: usize,
    },
    /// A call is on its way that it waits for.
    Calls,
    /// Counts answers.
    Reports,
    /// Checks the start conditions.
    Checks,
    Ended,
}

#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Simulation {
    pub dispatcher: Dispatcher<Task>,
    pub tasks: Vec<State>,
    pub(super) slots: Vec<Slot>,
    /// Calls that are not committed, oldest first, and those that are and not answered.
    pub(super) queued: VecDeque<Call>,
    pub(super) committed: Vec<(Call, Option<ClaimResult>)>,
    pub(super) fails: Vec<u8>,
    /// Tasks whose next queued outcome is refused, and those for which a slot must queue another one.
    pub(super) refused: Vec<bool>,
    pub(super) unreported: Vec<usize>,
    pub(super) limited: Vec<bool>,
    pub(super) limit_changed: Vec<bool>,
    pub(super) signal: u64,
    pub(super) now: i64,
    pub(super) stopped: bool,
    /// A slot has found that no task is left.
    pub(super) ended: bool,
    /// The number of slots that the pool is to have, and how often it has changed.
    pub(super) size: usize,
    pub(super) resized: usize,
    pub(super) abandoned: bool,
    /// How often a check has found that no task may start, and the slots that may start one.
    pub(super) unready: usize,
    pub(super) allowed: Vec<usize>,
    /// Claims that were committed. Not part of what decides: it is removed from canonical states.
    pub claims: usize,
    /// Handlers that have returned and whose outcomes are not answered.
    pub(super) unstored: usize,
    /// The driver reports that time passes.
    pub(super) watching: bool,
}

impl Simulation {
    pub(super) fn new(plan: &Plan) -> Self {
        let mut dispatcher = Dispatcher::new(plan.bounds.clone(), plan.limited.iter().copied());
        dispatcher.handler_times = HandlerTimes::after(plan.ran_before, SHORT_TIME);
        dispatcher.open_slots();
        let state = |task: &TaskPlan| if task.submitted_later { State::Unsubmitted } else { State::Ready };
        Self {
            dispatcher,
            tasks: plan.tasks.iter().map(state).collect(),
            slots: vec![Slot::Free { may_wait: false }; plan.bounds.slots],
            queued: VecDeque::new(),
            committed: Vec::new(),
            fails: plan.tasks.iter().map(|task| task.fails).collect(),
            refused: plan.tasks.iter().map(|task| task.refused).collect(),
            unreported: Vec::new(),
            limited: plan.limited.clone(),
            limit_changed: vec![false; plan.limited.len()],
            signal: 0,
            now: 0,
            stopped: false,
            ended: false,
            size: plan.bounds.slots,
            resized: 0,
            abandoned: false,
            unready: 0,
            allowed: Vec::new(),
            claims: 0,
            unstored: 0,
            watching: false,
        }
    }

    /// The state reduced to what later decisions read: of each signal number and count of stored outcomes, only whether it is current.
    pub(super) fn canonical(mut self) -> Self {
        let (signal, stored) = (self.dispatcher.changes(self.signal), self.dispatcher.stored);
        let current = |stamp: &mut Stamp| {
            (stamp.signal, stamp.stored) = (u64::from(stamp.signal == signal), u64::from(stamp.stored == stored));
        };
        for kind in &mut self.dispatcher.kinds {
            kind.exhausted_at = kind.exhausted_at.filter(|seen| *seen == signal).map(|_| 1);
            kind.empty = kind.empty.filter(|stamp| stamp.signal == signal && stamp.stored == stored);
            kind.empty.iter_mut().for_each(current);
        }
        for slot in &mut self.dispatcher.slots {
            current(&mut slot.pass.stamp);
            slot.claim.iter_mut().for_each(|claim| current(&mut claim.stamp));
        }
        let calls = self.queued.iter_mut().chain(self.committed.iter_mut().map(|(call, _)| call));
        for call in calls {
            match call {
                Call::Claim(claim) | Call::Store { claim: Some(claim), .. } => current(&mut claim.stamp),
                _ => {}
            }
        }
        for slot in &mut self.slots {
            if let Slot::Sleeps(condition) = slot {
                condition.seen = 1;
            }
        }
        (self.signal, self.dispatcher.resize_raises, self.dispatcher.stored, self.claims) = (1, 0, 1, 0);
        self
    }

    /// Every event that can happen now. Those of the pool itself come first.
    pub(super) fn events(&self, plan: &Plan) -> Vec<Event> {
        let mut events = Vec::new();
        for (number, slot) in self.slots.iter().enumerate() {
            match slot {
                Slot::Runs { task } if plan.tasks[*task].blocks && !self.is_last(*task) => {}
                Slot::Free { .. } | Slot::Runs { .. } | Slot::Stores { .. } | Slot::Reports => {
                    events.push(Event::Step(number));
                }
                // A slot that is blocked is woken. That it also looks again by itself is a precaution.
                Slot::Sleeps(condition) if condition.idle.due.is_some_and(|due| due <= self.now) => {
                    events.push(Event::Timeout(number));
                }
                Slot::Checks => events.extend(self.checks(plan, number)),
                Slot::Sleeps(_) | Slot::Waits | Slot::Calls | Slot::Ended => {}
            }
        }
        events.extend((!self.queued.is_empty()).then_some(Event::Commit));
        let answers = if plan.in_order { self.committed.len().min(1) } else { self.committed.len() };
        events.extend((0..answers).map(Event::Answer));
        if self.waits_for_time() {
            events.push(Event::Tick);
        }
        // Where no handler blocks, no slot may depend on it.
        events.extend((self.watching && plan.tasks.iter().any(|task| task.blocks)).then_some(Event::TimePassed));
        events
    }

    /// Whether every other task is done.
    fn is_last(&self, task: usize) -> bool {
        self.tasks.iter().enumerate().all(|(number, state)| number == task || *state == State::Done)
    }

    /// Every event from outside that can happen now.
    pub(super) fn external_events(&self, plan: &Plan) -> Vec<Event> {
        let mut events = Vec::new();
        for (number, task) in self.tasks.iter().enumerate() {
            events.extend((*task == State::Unsubmitted).then_some(Event::Submit(number)));
        }
        events.extend((plan.stops && !self.stopped).then_some(Event::Stop));
        events.extend((plan.ends && self.dispatcher.keeps_running()).then_some(Event::EndWhenEmpty));
        if plan.abandons && !self.abandoned {
            let running = |(_, slot): &(usize, &Slot)| matches!(slot, Slot::Runs { .. });
            events.extend(self.slots.iter().enumerate().filter(running).map(|(number, _)| Event::Abandon(number)));
        }
        if self.resized < plan.resizes && !self.dispatcher.is_ending() {
            events.extend((0..=2).filter(|size| *size != self.size).map(Event::Resize));
        }
        if plan.limit_changes {
            let limit_changed = |(_, limit_changed): &(usize, &bool)| !**limit_changed;
            events.extend(
                self.limit_changed.iter().enumerate().filter(limit_changed).map(|(kind, _)| Event::ChangeLimit(kind)),
            );
        }
        events
    }

    pub(super) fn apply(&mut self, plan: &Plan, event: Event) {
        match event {
            Event::Step(slot) => match self.slots[slot].clone() {
                Slot::Free { may_wait } => {
                    let signal = self.signal;
                    self.step(plan, Some(slot), Input::Free { slot, signal, may_wait });
                }
                Slot::Runs { task } => self.handler_returns(plan, slot, task),
                Slot::Stores { task } => {
                    self.queued.push_back(Call::Store { task, slot: None, claim: None });
                    self.slots[slot] = Slot::Free { may_wait: false };
                }
                Slot::Reports => self.report(plan, slot),
                other => panic!("slot {slot} is {other:?}"),
            },
            Event::Checked(slot, ready) => self.checked(plan, slot, ready),
            Event::Timeout(slot) => self.slots[slot] = Slot::Free { may_wait: false },
            Event::Commit => self.commit(plan),
            Event::Answer(at) => {
                let (call, result) = self.committed.remove(at);
                self.answer(plan, call, result);
            }
            Event::Tick => {
                self.now += 1;
            }
            Event::TimePassed => {
                self.step(plan, None, Input::TimePassed);
                self.watching = self.dispatcher.is_watched();
            }
            Event::Submit(task) => {
                self.tasks[task] = State::Ready;
                self.raise_signal();
            }
            Event::Stop => {
                self.stopped = true;
                self.step(plan, None, Input::Stop);
            }
            Event::EndWhenEmpty => self.step(plan, None, Input::EndWhenEmpty),
            Event::ChangeLimit(kind) => {
                self.limit_changed[kind] = true;
                self.limited[kind] = !self.limited[kind];
                self.raise_signal();
            }
            Event::Resize(slots) => {
                self.resized += 1;
                self.size = slots;
                self.step(plan, None, Input::Resize { slots });
            }
            Event::Abandon(slot) => {
                // As a pool that halts: the task is rescued later, and every slot ends.
                if let Slot::Runs { task } = self.slots[slot] {
                    self.tasks[task] = State::Done;
                }
                (self.abandoned, self.stopped) = (true, true);
                self.slots[slot] = Slot::Ended;
                self.step(plan, None, Input::Stop);
                self.step(plan, None, Input::Abandon { slot });
            }
        }
        self.check_running();
        self.check_waiting();
    }

    pub(super) fn raise_signal(&mut self) {
        self.signal += 1;
        for slot in &mut self.slots {
            if matches!(slot, Slot::Sleeps(_)) {
                *slot = Slot::Free { may_wait: false };
            }
        }
    }

    pub(super) fn step(&mut self, plan: &Plan, slot: Option<usize>, input: Input<Task>) {
        let Effects { action, wake } = self.dispatcher.step(input);
        self.wake(plan, wake);
        match slot {
            Some(slot) => self.perform(plan, slot, action),
            None => assert_eq!(action, Action::Continue),
        }
    }

    pub(super) fn wake(&mut self, plan: &Plan, wake: Wake) {
        let mut woken = match wake.waiting {
            Waiting::None => 0,
            Waiting::Some(slots) => slots,
            Waiting::All => usize::MAX,
        };
        let wake_up = |slot: &mut Slot| {
            if *slot == Slot::Waits && woken > 0 {
                woken -= 1;
                *slot = Slot::Free { may_wait: false };
            }
        };
        if plan.wakes_last {
            self.slots.iter_mut().rev().for_each(wake_up);
        } else {
            self.slots.iter_mut().for_each(wake_up);
        }
        if wake.sleeping {
            self.raise_signal();
        }
        self.watching |= wake.watch;
        if wake.driver {
            for slot in self.dispatcher.open_slots() {
                self.slots.resize(self.slots.len().max(slot + 1), Slot::Ended);
                assert_eq!(self.slots[slot], Slot::Ended, "slot {slot} is open twice");
                self.slots[slot] = Slot::Free { may_wait: false };
            }
        }
    }

    pub(super) fn perform(&mut self, plan: &Plan, slot: usize, action: Action<Task>) {
        self.slots[slot] = match action {
            // The thread commits what is queued; the answers come as they do.
            Action::Lead => {
                let leads = !self.queued.is_empty();
                while !self.queued.is_empty() {
                    self.commit(plan);
                }
                Slot::Free { may_wait: !leads }
            }
            Action::Wait => Slot::Waits,
            Action::Sleep(condition) if condition.seen == self.signal => Slot::Sleeps(condition),
            Action::Report if !self.unreported.is_empty() => Slot::Reports,
            Action::Continue | Action::Report | Action::Sleep(_) => Slot::Free { may_wait: false },
            Action::Check => Slot::Checks,
            Action::Exit => {
                self.check_exit(plan, slot);
                Slot::Ended
            }
            Action::Claim(claim) => {
                assert_eq!(claim.slot, Some(slot));
                self.queued.push_back(Call::Claim(claim));
                Slot::Calls
            }
            Action::Start { kind, task, claim } => {
                if let Some(claim) = claim {
                    assert_eq!((claim.slot, claim.begin), (None, 0));
                    self.queued.push_back(Call::Claim(claim));
                }
                self.use_allowed(plan, slot);
                self.start(plan, kind, task.id);
                Slot::Runs { task: task.id }
            }
            Action::Store(_) => panic!("no handler has returned"),
            Action::Release { kind, tasks } => {
                for task in tasks {
                    assert_eq!(plan.tasks[task.id].kind, kind);
                    assert!(matches!(self.tasks[task.id], State::Claimed { .. }), "{task:?} is given back twice");
                    self.tasks[task.id] = State::Ended;
                    self.queued.push_back(Call::Release { task: task.id });
                }
                Slot::Free { may_wait: false }
            }
        };
    }
}
