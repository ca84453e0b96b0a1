//! `SharedDispatcher` keeps the dispatcher of a pool behind its lock, and wakes the slots that its effects name. Used by most of `worker`, called
//! by the commits that answer its actions, and by `api/shutdown` and `api/execution` as a `RunningPool`. It queues actions in `Engine`, and never
//! waits for a commit.

#[cfg(test)]
mod tests;

use std::{
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::{Settings, StopHandle, finished_attempt::FinishedAttempt, heartbeats::Heartbeats};
use crate::{
    api::{
        shared::Shared,
        shutdown::{RunningHandler, RunningPool},
    },
    dispatch::{
        Action, Bounds, ClaimRequest, ClaimedTask, Dispatcher, Effects, Found, Idle, Input, Reading, Storing, Waiting,
    },
    engine::{Claim, Claimed, Claims, FinishTask, Signal},
    model::error::Result,
};

/// Bytes of payload that a pool prefetches. They are enough for the largest payload, and small beside the memory of handlers.
const PREFETCHED_BYTES: usize = 16 << 20;

impl ClaimedTask for Claimed {
    fn bytes(&self) -> usize {
        Self::bytes(self)
    }
}

pub(super) struct SharedDispatcher {
    state: Mutex<State>,
    /// Rises when slots that wait for the pool are to continue.
    pub wake_up: Signal,
    /// Rises when something may be startable in the file.
    pub file_signal: Arc<Signal>,
    pub heartbeats: Arc<Heartbeats>,
    stop: StopHandle,
    /// Too many failures, an error, or the shutdown of the tracker.
    halted: AtomicBool,
    ended: Signal,
    /// Rises when the driver looks for slots to open, or the end of the pool.
    pub driver: Signal,
    /// Rises when the thread that renews leases is to report soon that time has passed, or to end.
    pub watch: Signal,
}

struct State {
    dispatcher: Dispatcher<Claimed>,
    /// Answers that no slot has counted.
    answers: Vec<Answer>,
    /// Whether no slot is left. Then tasks that a claim returns are released.
    closed: bool,
}

/// The answer to a queued action.
pub(super) struct Answer {
    pub kind: usize,
    /// The end of an attempt. `None` for a claim that failed.
    pub ended: Option<FinishedAttempt>,
    pub result: Result<()>,
}

impl SharedDispatcher {
    /// Makes the dispatcher for one kind per element of `limited`: whether the kind has a limit or a rate.
    pub(super) fn new(
        settings: &Settings,
        slots: usize,
        file_signal: &Arc<Signal>,
        limited: impl IntoIterator<Item = bool>,
    ) -> Arc<Self> {
        let bounds = Bounds {
            slots,
            prefetch: settings.prefetch,
            bytes: PREFETCHED_BYTES,
            keep_running: settings.keep_running,
            conditional: !settings.start_conditions.is_empty(),
        };
        let dispatcher = Dispatcher::new(bounds, limited);
        Arc::new(Self {
            state: Mutex::new(State { dispatcher, answers: Vec::new(), closed: false }),
            wake_up: Signal::default(),
            file_signal: file_signal.clone(),
            heartbeats: Arc::default(),
            stop: settings.stop.clone(),
            halted: AtomicBool::new(false),
            ended: Signal::default(),
            driver: Signal::default(),
            watch: Signal::default(),
        })
    }

    /// Whether no further handler may start.
    pub(super) fn is_stopping(&self) -> bool {
        self.halted.load(Ordering::Relaxed) || self.stop.is_stopped()
    }

    /// Has all slots end, and wakes them.
    pub(super) fn halt(&self) {
        self.note_halt();
        drop(self.lock());
        self.file_signal.raise();
    }

    /// Has all slots end that ask for their next step. The caller asks next.
    pub(super) fn note_halt(&self) {
        self.halted.store(true, Ordering::Relaxed);
    }

    /// The state, once the dispatcher knows of a stop.
    fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_stopping() && !state.dispatcher.is_stopping() {
            self.step(&mut state, Input::Stop);
        }
        if state.dispatcher.keeps_running() && self.stop.is_finishing() {
            self.step(&mut state, Input::EndWhenEmpty);
        }
        state
    }

    /// Waiting slots see the steps in their order, because each step wakes them before the lock is released.
    fn step(&self, state: &mut State, input: Input<Claimed>) -> Action<Claimed> {
        let Effects { action, wake } = state.dispatcher.step(input);
        match wake.waiting {
            Waiting::None => {}
            Waiting::Some(slots) => (0..slots).for_each(|_| self.wake_up.raise_for_one()),
            Waiting::All => self.wake_up.raise(),
        }
        if wake.sleeping {
            self.file_signal.raise();
        }
        if wake.driver {
            self.driver.raise();
        }
        if wake.watch {
            self.watch.raise();
        }
        action
    }

    fn note(&self, input: Input<Claimed>) {
        self.step(&mut self.lock(), input);
    }

    /// The slots for which the driver starts threads or futures now. `None` once the pool is over.
    pub(super) fn open_slots(&self) -> Option<Vec<usize>> {
        let mut state = self.lock();
        (!state.dispatcher.is_over()).then(|| state.dispatcher.open_slots())
    }

    /// Changes the number of slots. False if the pool is stopped or ends.
    pub(super) fn resize(&self, slots: usize) -> bool {
        let mut state = self.lock();
        let runs = !state.closed && !state.dispatcher.is_ending();
        if runs {
            self.step(&mut state, Input::Resize { slots });
        }
        runs
    }

    /// Wakes the slots and the driver after a stop or a finish, so that they notice it. Takes no lock of the pool, so that user code may call it
    /// anywhere.
    pub(super) fn notice_stop(&self) {
        self.file_signal.raise();
        self.driver.raise();
    }

    /// The next action of a slot, and the number of the wake-up signal now.
    pub(super) fn free(&self, slot: usize, may_wait: bool) -> (Action<Claimed>, u64) {
        let mut state = self.lock();
        let signal = self.file_signal.seen();
        let action = self.step(&mut state, Input::Free { slot, signal, may_wait });
        (action, self.wake_up.seen())
    }

    /// How the outcome of a slot's handler is stored.
    pub(super) fn finished(&self, slot: usize, took: Option<Duration>, stores: bool) -> Storing {
        let mut state = self.lock();
        let signal = self.file_signal.seen();
        match self.step(&mut state, Input::Finished { slot, signal, took, stores }) {
            Action::Store(storing) => storing,
            _ => Storing::Synchronous { claim: None },
        }
    }

    /// The start conditions are checked for a slot.
    pub(super) fn checked(&self, slot: usize, reading: Reading) {
        self.note(Input::Checked { slot, reading });
    }

    pub(super) fn unreadable(&self, took: Option<Duration>) {
        self.note(Input::Unreadable { took });
    }

    pub(super) fn stored_synchronously(&self, slot: usize) {
        self.note(Input::StoredSynchronously { slot });
    }

    /// A slot has ended by an error or a panic, or its thread was refused.
    pub(super) fn abandon(&self, slot: usize) {
        self.note(Input::Abandon { slot });
    }

    /// Returns whether this is to be called again in a millisecond. Queued calls that may wait for a long handler are committed.
    pub(super) fn time_passed(&self, shared: &Shared) -> bool {
        let mut state = self.lock();
        let holds_up_calls = state.dispatcher.holds_up_calls();
        self.step(&mut state, Input::TimePassed);
        let is_watched = state.dispatcher.is_watched();
        drop(state);
        if holds_up_calls {
            shared.engine.commit_in_background();
        }
        is_watched
    }

    pub(super) fn take_answers(&self) -> Vec<Answer> {
        mem::take(&mut self.lock().answers)
    }

    /// A claim is answered. The leases of its tasks are renewed from now on.
    pub(super) fn claimed(&self, shared: &Arc<Shared>, claim: ClaimRequest, claims: Claims, limited: bool) {
        // The clock may be the user's: it is not read behind the lock.
        let now = shared.engine.time().monotonic();
        let mut state = self.lock();
        for claimed in &claims.tasks {
            self.heartbeats.add_claimed(shared, claimed, now);
        }
        if state.closed {
            drop(state);
            return claims.tasks.into_iter().for_each(|claimed| self.heartbeats.give_back(claimed));
        }
        let Claims { tasks, due, expiry, held_back, isolated_waits, is_cut, .. } = claims;
        let found = Found { tasks, idle: Idle { due, expiry, held_back }, isolated_waits, is_cut, limited };
        self.step(&mut state, Input::Claimed { claim, found });
    }

    fn claim_failed(&self, request: ClaimRequest, result: Result<()>) {
        let mut state = self.lock();
        state.answers.push(Answer { kind: request.kind, ended: None, result });
        self.step(&mut state, Input::ClaimFailed { claim: request });
    }

    /// Queues a claim for whose answer no slot waits.
    pub(super) fn queue_claim(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        request: ClaimRequest,
        claim: Claim,
        limited: bool,
    ) {
        let gathers = request.gathers;
        let (this, to, requested) = (self.clone(), shared.clone(), request.clone());
        let answer = move |claims: Result<Claims>| match claims {
            Ok(claims) => this.claimed(&to, requested, claims, limited),
            Err(error) => this.claim_failed(requested, Err(error)),
        };
        let engine = &shared.engine;
        let queued = if gathers { engine.post_then(claim, answer) } else { engine.call_then(claim, answer) };
        if let Err(error) = queued {
            self.claim_failed(request, Err(error));
        }
    }

    /// Queues the outcome of an attempt, which the dispatcher has counted. `ended` is to be counted when it is stored; there is nothing
    /// to count if a task is given back.
    pub(super) fn queue_outcome(
        self: &Arc<Self>,
        shared: &Arc<Shared>,
        (kind, gathers): (usize, bool),
        action: FinishTask,
        ended: Option<FinishedAttempt>,
    ) -> Result<()> {
        let fence = action.finish.owner.fence;
        let (this, from) = (self.clone(), shared.clone());
        let answer = move |out: Result<_>| {
            let answer = ended.map(|ended| Answer { kind, ended: Some(ended), result: out.map(drop) });
            this.stored(&from, kind, fence, answer);
        };
        let engine = &shared.engine;
        let queued = if gathers { engine.post_then(action, answer) } else { engine.call_then(action, answer) };
        if queued.is_err() {
            self.stored(shared, kind, fence, None);
        }
        queued
    }

    /// Queues another outcome in place of one that was refused.
    pub(super) fn queue_instead(self: &Arc<Self>, shared: &Arc<Shared>, kind: usize, action: FinishTask) -> Result<()> {
        self.note(Input::Queued { kind });
        self.queue_outcome(shared, (kind, false), action, None)
    }

    fn stored(&self, shared: &Shared, kind: usize, fence: u64, answer: Option<Answer>) {
        self.heartbeats.remove(shared, fence);
        let mut state = self.lock();
        let (reports, failed) = (answer.is_some(), answer.as_ref().is_some_and(|answer| answer.result.is_err()));
        state.answers.extend(answer);
        self.step(&mut state, Input::Stored { kind, reports, failed });
    }

    /// Called when no slot is left. Releases the tasks that have not started, without waiting, and those that a later answer of a claim has.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let ready = state.dispatcher.drain();
        drop(state);
        for claimed in ready {
            self.heartbeats.give_back(claimed);
        }
        self.heartbeats.clear();
        self.ended.raise();
    }
}

impl RunningPool for SharedDispatcher {
    fn stop(&self) {
        self.halt();
    }

    fn is_stopping(&self) -> bool {
        self.is_stopping()
    }

    fn ended(&self) -> &Signal {
        &self.ended
    }

    fn running(&self) -> Vec<RunningHandler> {
        let slots = self.lock().dispatcher.running_slots();
        self.heartbeats.running(&slots)
    }
}
