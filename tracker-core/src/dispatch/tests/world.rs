//! A pool, its file and its slots as one value, in which one event happens after the other.

use std::{collections::VecDeque, time::Duration};

use crate::dispatch::{
    Action, Bounds, ClaimRequest, ClaimedTask, Dispatcher, Effects, Found, Idle, Input, Rest, Storing, Waiting, Wake,
    rest::Stamp,
};

/// The number of a task, and the bytes of its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Task {
    pub id: usize,
    bytes: usize,
}

impl ClaimedTask for Task {
    fn bytes(&self) -> usize {
        self.bytes
    }
}

/// What a pool is given to do.
#[expect(clippy::struct_excessive_bools, reason = "independent properties of a test's pool")]
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub name: &'static str,
    pub bounds: Bounds,
    pub tasks: Vec<TaskPlan>,
    pub limited: Vec<bool>,
    /// Whether a stop may come at any time.
    pub stops: bool,
    /// Whether the pool, which keeps running, may be told at any time to end when nothing is left.
    pub ends: bool,
    /// Handlers are shorter than the wake-up of a thread.
    pub brisk: bool,
    /// A slot that waits for a place is woken from the back.
    pub wakes_last: bool,
    /// Whether a slot may end by an error while it runs a handler.
    pub abandons: bool,
    /// Whether each kind may get a limit, or lose it, once.
    pub toggles: bool,
    /// Answers come in the order of the commits.
    pub in_order: bool,
}

#[expect(clippy::struct_excessive_bools, reason = "independent properties of a test's task")]
#[derive(Clone, Debug, Default)]
pub(super) struct TaskPlan {
    pub kind: usize,
    /// It crashed its process at least twice.
    pub isolated: bool,
    /// It crashed its process once: it is not prefetched.
    pub crashed: bool,
    /// How often it fails, to be tried again at a later time.
    pub fails: u8,
    pub bytes: usize,
    /// It is submitted at any time, not before the start.
    pub late: bool,
    /// It cannot be decoded.
    pub unreadable: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum State {
    Unsubmitted,
    Ready,
    /// Fails, and is due at this time.
    Delayed(i64),
    /// Claimed, and not given to a slot. `ahead` if it was prefetched.
    Claimed {
        ahead: bool,
    },
    Running,
    /// Its handler has returned, or the task is released: on its way to the file.
    Ended,
    Done,
}

/// Something on its way to the file or from it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Call {
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

/// What a claim has brought from the file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Brought {
    tasks: Vec<usize>,
    idle: Idle,
    isolated_waits: bool,
    is_cut: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Slot {
    /// Asks. It has led a commit, or needs not, where it may wait.
    Free {
        may_wait: bool,
    },
    Waits,
    Sleeps(Rest),
    Runs {
        task: usize,
    },
    /// Queues the outcome of its handler.
    Stores {
        task: usize,
    },
    /// A call is on its way that it waits for.
    Calls,
    Ended,
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Event {
    /// A slot asks, or its handler returns.
    Step(usize),
    /// The oldest call is committed.
    Commit,
    /// A committed call is answered.
    Answer(usize),
    Tick,
    Submit(usize),
    Stop,
    EndWhenEmpty,
    Abandon(usize),
    Toggle(usize),
    /// The sleep of a slot ends by time.
    Timeout(usize),
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub dispatcher: Dispatcher<Task>,
    pub tasks: Vec<State>,
    slots: Vec<Slot>,
    /// Calls that are not committed, oldest first, and those that are and not answered.
    queued: VecDeque<Call>,
    committed: Vec<(Call, Option<Brought>)>,
    fails: Vec<u8>,
    limited: Vec<bool>,
    toggled: Vec<bool>,
    signal: u64,
    now: i64,
    stopped: bool,
    abandoned: bool,
    /// Claims that were committed. Not part of what decides: it is removed from canonical states.
    pub claims: usize,
    /// Handlers that have returned, whose outcomes no answer has told to be stored.
    unstored: usize,
}

impl World {
    pub(super) fn new(plan: &Plan) -> Self {
        let mut dispatcher = Dispatcher::new(plan.bounds.clone(), plan.limited.iter().copied());
        if plan.brisk {
            dispatcher.pace = took(plan);
        }
        let state = |task: &TaskPlan| if task.late { State::Unsubmitted } else { State::Ready };
        Self {
            dispatcher,
            tasks: plan.tasks.iter().map(state).collect(),
            slots: vec![Slot::Free { may_wait: false }; plan.bounds.slots],
            queued: VecDeque::new(),
            committed: Vec::new(),
            fails: plan.tasks.iter().map(|task| task.fails).collect(),
            limited: plan.limited.clone(),
            toggled: vec![false; plan.limited.len()],
            signal: 0,
            now: 0,
            stopped: false,
            abandoned: false,
            claims: 0,
            unstored: 0,
        }
    }

    /// The state without what no later decision looks at: of a number of the signal, or of stored outcomes, only whether it is current.
    pub(super) fn canonical(mut self) -> Self {
        let (signal, stored) = (self.signal, self.dispatcher.stored);
        let current = |stamp: &mut Stamp| {
            (stamp.signal, stamp.stored) = (u64::from(stamp.signal == signal), u64::from(stamp.stored == stored));
        };
        for kind in &mut self.dispatcher.kinds {
            kind.dry = kind.dry.filter(|seen| *seen == signal).map(|_| 1);
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
            if let Slot::Sleeps(rest) = slot {
                rest.seen = 1;
            }
        }
        (self.signal, self.dispatcher.stored, self.claims) = (1, 1, 0);
        self
    }

    /// Every event that can happen now. Those of the pool itself come first.
    pub(super) fn events(&self, plan: &Plan) -> Vec<Event> {
        let mut events = Vec::new();
        for (number, slot) in self.slots.iter().enumerate() {
            match slot {
                Slot::Free { .. } | Slot::Runs { .. } | Slot::Stores { .. } => events.push(Event::Step(number)),
                // A slot that is blocked is woken. That it also looks again by itself is a precaution.
                Slot::Sleeps(rest) if rest.idle.due.is_some_and(|due| due <= self.now) => {
                    events.push(Event::Timeout(number));
                }
                Slot::Sleeps(_) | Slot::Waits | Slot::Calls | Slot::Ended => {}
            }
        }
        events.extend((!self.queued.is_empty()).then_some(Event::Commit));
        let answers = if plan.in_order { self.committed.len().min(1) } else { self.committed.len() };
        events.extend((0..answers).map(Event::Answer));
        if self.tasks.iter().any(|task| matches!(task, State::Delayed(at) if *at > self.now)) {
            events.push(Event::Tick);
        }
        events
    }

    /// Every event from outside that can happen now.
    pub(super) fn outside(&self, plan: &Plan) -> Vec<Event> {
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
        if plan.toggles {
            let toggled = |(_, toggled): &(usize, &bool)| !**toggled;
            events.extend(self.toggled.iter().enumerate().filter(toggled).map(|(kind, _)| Event::Toggle(kind)));
        }
        events
    }

    /// Whether every slot has ended.
    pub(super) fn is_over(&self) -> bool {
        self.slots.iter().all(|slot| *slot == Slot::Ended)
    }

    /// Whether a slot waits for a wake-up of the pool.
    pub(super) fn waits(&self) -> bool {
        self.slots.contains(&Slot::Waits)
    }

    pub(super) fn happen(&mut self, plan: &Plan, event: Event) {
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
                other => panic!("slot {slot} is {other:?}"),
            },
            Event::Timeout(slot) => self.slots[slot] = Slot::Free { may_wait: false },
            Event::Commit => self.commit(plan),
            Event::Answer(at) => {
                let (call, brought) = self.committed.remove(at);
                self.answer(plan, call, brought);
            }
            Event::Tick => {
                self.now += 1;
            }
            Event::Submit(task) => {
                self.tasks[task] = State::Ready;
                self.raise();
            }
            Event::Stop => {
                self.stopped = true;
                self.step(plan, None, Input::Stop);
            }
            Event::EndWhenEmpty => self.step(plan, None, Input::EndWhenEmpty),
            Event::Toggle(kind) => {
                self.toggled[kind] = true;
                self.limited[kind] = !self.limited[kind];
                self.raise();
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
    }

    fn raise(&mut self) {
        self.signal += 1;
        for slot in &mut self.slots {
            if matches!(slot, Slot::Sleeps(_)) {
                *slot = Slot::Free { may_wait: false };
            }
        }
    }

    fn step(&mut self, plan: &Plan, slot: Option<usize>, input: Input<Task>) {
        let Effects { action, wake } = self.dispatcher.step(input);
        self.wake(plan, wake);
        match slot {
            Some(slot) => self.perform(plan, slot, action),
            None => assert_eq!(action, Action::Continue),
        }
    }

    fn wake(&mut self, plan: &Plan, wake: Wake) {
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
            self.raise();
        }
    }

    fn perform(&mut self, plan: &Plan, slot: usize, action: Action<Task>) {
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
            Action::Sleep(rest) if rest.seen == self.signal => Slot::Sleeps(rest),
            Action::Continue | Action::Report | Action::Sleep(_) => Slot::Free { may_wait: false },
            Action::Exit => {
                self.check_exit(plan);
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

    fn start(&mut self, plan: &Plan, kind: usize, task: usize) {
        assert!(matches!(self.tasks[task], State::Claimed { .. }), "task {task} starts without a claim");
        assert_eq!(plan.tasks[task].kind, kind);
        assert!(!self.stopped, "task {task} starts after the stop");
        let running: Vec<_> = (0..self.tasks.len()).filter(|other| self.tasks[*other] == State::Running).collect();
        if !running.is_empty() {
            assert!(!plan.tasks[task].isolated, "isolated task {task} starts beside {running:?}");
            assert!(
                !running.iter().any(|other| plan.tasks[*other].isolated),
                "task {task} starts beside an isolated one"
            );
        }
        self.tasks[task] = State::Running;
        let most = plan.bounds.prefetch.max(plan.bounds.slots);
        assert!(running.len() + 1 + self.unstored <= most, "a crash would repeat more than {most} handlers");
    }

    fn handler_returns(&mut self, plan: &Plan, slot: usize, task: usize) {
        let took = Some(took(plan));
        if plan.tasks[task].unreadable {
            self.tasks[task] = State::Done;
            self.slots[slot] = Slot::Free { may_wait: false };
            return self.step(plan, None, Input::Unreadable { slot, took });
        }
        self.tasks[task] = State::Ended;
        self.unstored += 1;
        let Effects { action, wake } =
            self.dispatcher.step(Input::Finished { slot, signal: self.signal, took, stores: true });
        let Action::Store(storing) = action else { panic!("{action:?}") };
        self.slots[slot] = match storing {
            Storing::InTurn { claim } => {
                self.queued.push_back(Call::Store { task, slot: Some(slot), claim });
                Slot::Calls
            }
            Storing::Queued { kind, .. } => {
                assert!(plan.bounds.prefetch > 0, "without prefetch a slot waits until its outcome is stored");
                assert_eq!(plan.tasks[task].kind, kind);
                Slot::Stores { task }
            }
        };
        self.wake(plan, wake);
    }

    /// Commits the oldest call.
    fn commit(&mut self, plan: &Plan) {
        let Some(call) = self.queued.pop_front() else { return };
        let brought = match &call {
            Call::Claim(claim) => Some(self.claim(plan, claim)),
            Call::Store { task, claim, .. } => {
                if self.fails[*task] > 0 {
                    self.fails[*task] -= 1;
                    self.tasks[*task] = State::Delayed(self.now + 1);
                } else {
                    self.tasks[*task] = State::Done;
                }
                claim.as_ref().map(|claim| self.claim(plan, claim))
            }
            Call::Release { task } => {
                self.tasks[*task] = State::Ready;
                None
            }
        };
        self.committed.push((call, brought));
        let leased = self
            .tasks
            .iter()
            .filter(|task| matches!(task, State::Claimed { .. } | State::Running | State::Ended))
            .count();
        assert!(leased <= plan.bounds.slots + plan.bounds.prefetch, "{leased} tasks are leased");
        let ahead = |number: &usize| self.tasks[*number] == State::Claimed { ahead: true };
        let bytes: usize = (0..self.tasks.len()).filter(ahead).map(|number| plan.tasks[number].bytes).sum();
        assert!(bytes <= plan.bounds.bytes, "{bytes} bytes are prefetched");
    }

    fn claim(&mut self, plan: &Plan, claim: &ClaimRequest) -> Brought {
        let mut brought = Brought { tasks: Vec::new(), idle: Idle::default(), isolated_waits: false, is_cut: false };
        self.claims += 1;
        let mut ahead_bytes = 0;
        for number in 0..self.tasks.len() {
            let task = &plan.tasks[number];
            let due = match self.tasks[number] {
                State::Ready => true,
                State::Delayed(at) => at <= self.now,
                _ => false,
            };
            if task.kind != claim.kind || !due || brought.tasks.len() == claim.most {
                continue;
            }
            if task.isolated && (!claim.isolated || !brought.tasks.is_empty()) {
                brought.isolated_waits = true;
                break;
            }
            let ahead = brought.tasks.len() >= claim.begin;
            if ahead && (task.crashed || task.isolated) {
                break;
            }
            if ahead && ahead_bytes + task.bytes > claim.bytes {
                brought.is_cut = true;
                break;
            }
            ahead_bytes += if ahead { task.bytes } else { 0 };
            self.tasks[number] = State::Claimed { ahead };
            brought.tasks.push(number);
            if task.isolated {
                break;
            }
        }
        if brought.tasks.is_empty() && !brought.isolated_waits {
            let due = |(task, state): (&TaskPlan, &State)| match state {
                State::Delayed(at) if task.kind == claim.kind => Some(*at),
                _ => None,
            };
            brought.idle.due = plan.tasks.iter().zip(&self.tasks).filter_map(due).min();
        }
        brought
    }

    fn answer(&mut self, plan: &Plan, call: Call, brought: Option<Brought>) {
        match call {
            Call::Claim(claim) => self.claimed(plan, claim, brought),
            Call::Store { slot: None, task, .. } => {
                self.unstored -= 1;
                let kind = plan.tasks[task].kind;
                self.step(plan, None, Input::Stored { kind, reports: true, failed: false });
            }
            Call::Store { slot: Some(slot), claim, .. } => {
                self.unstored -= 1;
                if let Some(claim) = claim {
                    self.claimed(plan, claim, brought);
                } else {
                    self.slots[slot] = Slot::Free { may_wait: false };
                    self.step(plan, None, Input::StoredInTurn { slot });
                }
            }
            Call::Release { task } => {
                let kind = plan.tasks[task].kind;
                self.step(plan, None, Input::Stored { kind, reports: false, failed: false });
            }
        }
    }

    fn claimed(&mut self, plan: &Plan, claim: ClaimRequest, brought: Option<Brought>) {
        let Brought { tasks, idle, isolated_waits, is_cut } = brought.unwrap();
        if let Some(slot) = claim.slot {
            self.slots[slot] = Slot::Free { may_wait: false };
        }
        let tasks = tasks.into_iter().map(|id| Task { id, bytes: plan.tasks[id].bytes }).collect();
        let found = Found { tasks, idle, isolated_waits, is_cut, limited: self.limited[claim.kind] };
        self.step(plan, None, Input::Claimed { claim, found });
    }

    fn check_exit(&self, plan: &Plan) {
        let claimed = |task: &State| matches!(task, State::Claimed { .. });
        // The first slot that exits decides for all.
        if !self.stopped && !self.slots.contains(&Slot::Ended) {
            assert!(!plan.bounds.keep_running || !self.dispatcher.keeps_running(), "the pool was to go on");
            let left = self.tasks.iter().filter(|task| !matches!(task, State::Done | State::Unsubmitted)).count();
            assert_eq!(left, 0, "a slot exits with tasks left: {:?}", self.tasks);
        }
        // What other slots wait for themselves is theirs to answer for.
        let is_own = |call: &Call| match call {
            Call::Claim(claim) => claim.slot.is_none(),
            Call::Store { slot, .. } => slot.is_none(),
            Call::Release { .. } => true,
        };
        let open = self.queued.iter().chain(self.committed.iter().map(|(call, _)| call)).filter(|call| is_own(call));
        assert_eq!(open.count(), 0, "a slot exits while calls of the pool are open");
        let others = self.slots.iter().filter(|slot| !matches!(slot, Slot::Ended)).count();
        assert!(others > 1 || !self.tasks.iter().any(claimed), "claimed tasks are left: {:?}", self.tasks);
    }

    /// Checks a state in which nothing happens by itself any more.
    pub(super) fn check_quiet(&self) {
        assert!(!self.waits(), "a slot waits for ever: {:?}", self.slots);
        assert!(!self.slots.contains(&Slot::Calls), "a call is lost: {:?}", self.slots);
        if self.is_over() {
            return;
        }
        assert!(!self.stopped && self.dispatcher.keeps_running(), "a slot sleeps for ever: {:?}", self.slots);
        let idle = |task: &State| matches!(task, State::Done | State::Unsubmitted);
        assert!(self.tasks.iter().all(idle), "all slots sleep while tasks are left: {:?}", self.tasks);
    }
}

fn took(plan: &Plan) -> Duration {
    Duration::from_micros(if plan.brisk { 10 } else { 1_000 })
}
