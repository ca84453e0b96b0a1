//! `Dispatcher` decides the next step of each slot of a worker pool. `worker/shared_dispatcher` keeps one per pool behind a lock, tells it
//! what has happened, and returns its effects to the slots. Pure: it has no clock, lock, thread or file.
//!
//! # Protocol
//!
//! A slot asks with [`Input::Free`] and gets one [`Action`]. The table lists what its driver tells when it has performed the action.
//!
//! | action | next input of the slot |
//! |---|---|
//! | `Continue`, `Report`, `Release` | `Free` |
//! | `Lead` | `Free`, with `may_wait` if the thread could not lead |
//! | `Wait` | `Free` after a wake-up of the pool |
//! | `Sleep` | `Free` after a change of the file, or the time that [`SleepCondition::duration`] gives |
//! | `Check` | `Checked`, then `Free` |
//! | `Claim` | `Claimed`, then `Free` |
//! | `Start` | `Finished` or `Unreadable` |
//! | `Store(Synchronous)` | `Claimed` or `StoredSynchronously`, then `Free` |
//! | `Store(Queued)` | `Free` |
//! | `Exit` | none |
//!
//! The driver starts a thread or a future for each slot of [`Dispatcher::open_slots`], at the start and whenever [`Wake::driver`] is set, until
//! [`Dispatcher::is_over`]. Queued outcomes, released tasks and the claim of a `Start` are answered on any thread, by `Stored`, `Claimed` or `ClaimFailed`. A
//! slot that ends in another way than `Exit` is reported by `Abandon`.
//!
//! # Invariants
//!
//! - A task is given out once, by `Start` or `Release`, and each claimed task is, unless the pool is dropped.
//! - Nothing starts after `Stop`.
//! - With start conditions, each start has its own reading that is ready. A reading that is not ready makes the claim a look, which takes no
//!   task: so the pool still ends when nothing is left.
//! - While an isolated task runs, no other handler does.
//! - At most `max(prefetch, slots)` handlers have started whose outcomes are not stored, apart from those that ran before a resize. Without prefetch a slot starts nothing before
//!   its last outcome is stored, unless handlers are short.
//! - At most `slots + prefetch` tasks are leased.
//! - Payloads that are prefetched have at most `bytes` bytes.
//! - The last slot exits only when no claim and no outcome of the pool is unanswered.
//! - No slot waits for ever: when every claim and outcome is answered, each slot has ended or sleeps until the file changes. A slot that waits for the
//!   handlers of others is watched: time that passes without a start or an answer wakes it.
//! - A thread commits its queued calls (`Lead`) before it waits or leaves after a resize, unless another thread commits.
//! - A resize does not make slots repeat a claim.
//! - After a resize, slots that are too many exit as soon as they run no handler, and start nothing. Without a slot the pool holds no task, and it is
//!   not over until it is stopped.
//! - The last slots of a pool claim and wake a bounded number of times each: after a claim that found nothing, other slots do not repeat it.
//!
//! # Short handlers
//!
//! A thread runs a short handler faster than another wakes up. So in a pool of one kind, while handlers are short, slots are woken only for a part of
//! what there is to do, and without prefetch one slot claims for all that wait ([`Mode::Shared`]). `handler_times` decides what is short.
//! A handler that takes longer than its predecessors would hold back what the others could do: the driver reports passed time each millisecond
//! then ([`Wake::watch`]), and has the queued calls of the handler's thread committed ([`Dispatcher::holds_up_calls`]).
//!
//! `tests/` explores every order of events on small pools and checks these.

mod assignment;
mod handler_times;
mod idle;
mod kind_queue;
mod protocol;
mod slot;
mod slots;
#[cfg(test)]
mod tests;
mod wake;

use handler_times::HandlerTimes;
pub(crate) use idle::{Idle, SleepCondition};
use idle::{Pass, Stamp};
use kind_queue::KindQueue;
pub(crate) use protocol::{Action, ClaimRequest, ClaimedTask, Effects, Found, Input, Reading, Storing, Waiting, Wake};
use slot::{Mode, Slot};
use wake::Watch;

/// The bounds of a pool.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Bounds {
    /// How many handlers run at once.
    pub slots: usize,
    /// How many tasks are claimed before a slot needs them, all kinds together.
    pub prefetch: usize,
    /// How many bytes of payload those have, all kinds together.
    pub bytes: usize,
    /// The pool waits for further tasks when nothing is left.
    pub keep_running: bool,
    /// Start conditions are checked before each claim, and nothing is prefetched.
    pub conditional: bool,
}

/// How many tasks of one kind a slot works on in a row while other kinds wait.
const TASKS_PER_ASSIGNMENT: usize = 64;

/// The state of one pool.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Dispatcher<T> {
    bounds: Bounds,
    kinds: Vec<KindQueue<T>>,
    slots: Vec<Slot<T>>,
    /// Slots for which the driver has a thread or a future.
    open: usize,
    /// Slots that work on a kind.
    assigned: usize,
    /// Slots that wait for a wake-up.
    waiting: usize,
    /// Handlers that run, and outcomes that are queued and not answered, of all kinds.
    running: usize,
    unstored: usize,
    /// Answers that no slot has counted.
    unreported: usize,
    /// Outcomes that the pool has stored: each may have made another task startable, or startable at a later time.
    stored: u64,
    /// How often a resize has raised the signal of the file, although no task has changed.
    resize_raises: u64,
    /// An isolated task is next or runs: no other task starts until the slot that works on it has ended.
    isolation: bool,
    handler_times: HandlerTimes,
    watch: Watch,
    stopping: bool,
    /// A slot has found that no task is left.
    ended: bool,
    /// Of the current step.
    wake: Wake,
}

impl<T: ClaimedTask> Dispatcher<T> {
    /// A pool that serves one kind for each element of `limited`, which is true if the kind has a limit or a rate.
    pub(crate) fn new(bounds: Bounds, limited: impl IntoIterator<Item = bool>) -> Self {
        let kinds: Vec<_> = limited.into_iter().map(KindQueue::new).collect();
        Self {
            bounds,
            kinds,
            slots: Vec::new(),
            open: 0,
            assigned: 0,
            waiting: 0,
            running: 0,
            unstored: 0,
            unreported: 0,
            stored: 0,
            resize_raises: 0,
            isolation: false,
            handler_times: HandlerTimes::new(),
            watch: Watch::default(),
            stopping: false,
            ended: false,
            wake: Wake::default(),
        }
    }

    /// Whether [`Input::Stop`] has come.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping
    }

    /// Whether the pool continues when nothing is left.
    pub(crate) fn keeps_running(&self) -> bool {
        self.bounds.keep_running
    }

    /// Whether the driver reports [`Input::TimePassed`] each millisecond.
    pub(crate) fn is_watched(&self) -> bool {
        self.watch != Watch::Off
    }

    /// The slots whose handlers have not returned.
    pub(crate) fn running_slots(&self) -> Vec<usize> {
        (0..self.slots.len()).filter(|slot| self.slots[*slot].running.is_some()).collect()
    }

    /// Takes out every task that has not started, when the pool is dropped.
    pub(crate) fn drain(&mut self) -> Vec<T> {
        let own = self.slots.iter_mut().filter_map(|slot| slot.assignment.as_mut()?.task.take());
        self.kinds.iter_mut().flat_map(KindQueue::take_all).chain(own).collect()
    }

    /// Applies an input and returns its effects.
    pub(crate) fn step(&mut self, input: Input<T>) -> Effects<T> {
        let action = match input {
            Input::Free { slot, signal, may_wait } => self.free(slot, self.changes(signal), may_wait),
            Input::Finished { slot, signal, took, stores } => self.finished(slot, self.changes(signal), took, stores),
            input => {
                self.apply(input);
                Action::Continue
            }
        };
        Effects { action, wake: std::mem::take(&mut self.wake) }
    }

    /// Applies an input that has no action.
    fn apply(&mut self, input: Input<T>) {
        match input {
            Input::Free { .. } | Input::Finished { .. } => {}
            Input::Claimed { claim, found } => self.claimed(&claim, found),
            Input::Checked { slot, reading } => {
                if let Some(assignment) = &mut self.slots[slot].assignment {
                    assignment.reading = Some(reading);
                }
            }
            Input::ClaimFailed { claim } => {
                self.end_claim(&claim);
                self.unreported += 1;
                self.wake_all();
                self.wake_if_unassigned();
            }
            Input::Unreadable { took } => self.measure(took),
            Input::StoredSynchronously { slot } => {
                self.stored += 1;
                if let Some(assignment) = &mut self.slots[slot].assignment {
                    assignment.ends_next = true;
                }
            }
            Input::Queued { kind } => self.queued(kind, 1),
            Input::Stored { kind, reports, failed } => {
                self.watch.note_progress();
                self.kinds[kind].unstored -= 1;
                self.unstored -= 1;
                self.stored += 1;
                self.unreported += usize::from(reports);
                if failed {
                    self.wake_all();
                } else {
                    self.wake_for_capacity(kind);
                }
                self.wake_if_unassigned();
            }
            Input::TimePassed => self.time_passed(),
            Input::Stop => {
                self.stopping = true;
                self.wake_all();
                self.wake.sleeping = true;
                self.wake.driver = self.is_over();
            }
            Input::Resize { slots } => self.resize(slots),
            Input::EndWhenEmpty => {
                self.bounds.keep_running = false;
                self.wake.sleeping = true;
            }
            Input::Abandon { slot } => self.abandon(slot),
        }
    }

    fn free(&mut self, slot: usize, signal: u64, may_wait: bool) -> Action<T> {
        if std::mem::take(&mut self.slots[slot].waits) {
            self.waiting -= 1;
        }
        self.end_handler(slot);
        self.slots[slot].reports = std::mem::take(&mut self.unreported) > 0;
        if self.slots[slot].reports {
            return Action::Report;
        }
        let mut turns = 0;
        loop {
            turns += 1;
            // A pass takes two turns for each kind, and at most one full pass follows the current one.
            debug_assert!(turns <= 4 * (self.kinds.len() + 1), "slot {slot} comes to no action");
            let action = if self.slots[slot].assignment.is_some() {
                self.next_of_assignment(slot, signal, may_wait)
            } else if self.stopping || (self.has_surplus() && self.open == 1) {
                Some(self.exit_when_stored(slot, may_wait))
            } else if self.ended {
                Some(self.exit(slot))
            } else if self.has_surplus() {
                Some(self.leave(slot, may_wait))
            } else {
                self.next_kind(slot, signal)
            };
            if let Some(action) = action {
                return action;
            }
        }
    }

    /// Goes on to the next kind of the pass, or ends the pass. `None` if the slot tries again.
    fn next_kind(&mut self, slot: usize, signal: u64) -> Option<Action<T>> {
        let kinds = self.kinds.len();
        if self.slots[slot].pass.tried == kinds {
            return self.end_pass(slot, signal);
        }
        let (stamp, ends_when_empty) = (self.stamp(signal), !self.bounds.keep_running);
        let Slot { pass, first, .. } = &mut self.slots[slot];
        if pass.tried == 0 {
            *pass = Pass { stamp, ends_when_empty, ..Pass::default() };
        }
        let kind = (*first + pass.tried) % kinds;
        pass.tried += 1;
        if !self.isolation {
            let mode = if self.is_shared(kind) { Mode::Shared } else { Mode::Synchronous };
            self.assign(slot, kind, mode);
        } else if self.assigned == 0 {
            self.assign(slot, kind, Mode::Isolated);
        } else {
            pass.blocked = true;
        }
        None
    }

    fn end_pass(&mut self, slot: usize, signal: u64) -> Option<Action<T>> {
        let stamp = self.stamp(signal);
        let Slot { pass, first, .. } = &mut self.slots[slot];
        let pass = std::mem::take(pass);
        *first = (*first + 1) % self.kinds.len();
        if pass.worked {
            return None;
        }
        if pass.is_empty() && pass.ends_when_empty && self.is_quiescent() {
            // A change since the first pass may have made a task startable.
            if pass.stamp != stamp {
                return None;
            }
            self.ended = true;
            self.wake.sleeping = true;
            return Some(self.exit(slot));
        }
        let seen = pass.stamp.signal.wrapping_add(self.resize_raises);
        Some(Action::Sleep(SleepCondition { seen, idle: pass.idle, blocked: pass.blocked }))
    }

    /// Whether no task is ready, and each claim and queued outcome is answered.
    fn has_all_answers(&self) -> bool {
        self.kinds.iter().all(KindQueue::is_quiescent)
    }

    /// Whether no slot works on a kind or may queue an outcome, and all answers have come.
    fn is_quiescent(&self) -> bool {
        self.assigned == 0 && self.has_all_answers() && !self.slots.iter().any(|slot| slot.reports)
    }

    fn wait(&mut self, slot: usize, may_wait: bool) -> Action<T> {
        if !may_wait {
            return Action::Lead;
        }
        self.slots[slot].waits = true;
        self.waiting += 1;
        self.watch();
        Action::Wait
    }

    fn release_ready(&mut self, kind: usize) -> Action<T> {
        let tasks = self.kinds[kind].take_all();
        self.queued(kind, tasks.len());
        Action::Release { kind, tasks }
    }

    fn queued(&mut self, kind: usize, outcomes: usize) {
        self.kinds[kind].unstored += outcomes;
        self.unstored += outcomes;
    }

    /// The number of changes of the tasks that the signal of the file counts.
    fn changes(&self, signal: u64) -> u64 {
        signal.wrapping_sub(self.resize_raises)
    }

    fn stamp(&self, signal: u64) -> Stamp {
        Stamp { signal, stored: self.stored }
    }

    /// How many tasks of one kind are claimed before a slot needs them.
    fn share(&self) -> usize {
        self.bounds.prefetch / self.kinds.len().max(1)
    }

    /// Whether the pool claims tasks of the kind for any of its slots. A kind that has got a limit is shared until the tasks that are ready have started.
    fn is_shared(&self, kind: usize) -> bool {
        let queue = &self.kinds[kind];
        let is_wanted = !queue.limited && self.shares_tasks();
        (is_wanted || queue.has_ready()) && !self.bounds.conditional
    }

    /// Whether the pool claims for any of its slots, where limits and start conditions allow it.
    fn shares_tasks(&self) -> bool {
        self.share() > 0 || self.shares_claims()
    }

    /// Whether slots without prefetch claim for all that run no handler. One of them runs short handlers of many tasks faster than others wake up.
    fn shares_claims(&self) -> bool {
        self.handler_times.suit_shared_claims()
            && self.bounds.prefetch == 0
            && self.bounds.slots > 1
            && self.kinds.len() == 1
    }

    /// Whether handlers are so short that their outcomes, and the claims for the next, wait for the thread that has run them to come
    /// back, rather than wake another thread.
    fn has_short_handlers(&self) -> bool {
        self.handler_times.are_short() && self.shares_tasks()
    }
}
