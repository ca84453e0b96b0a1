//! Queues the actions that wait for a commit, and chooses their leader: a caller or the background thread. A relaxed action has no waiting caller.
//! Also decides how long a leader gathers callers, and when the background thread does idle work. Used by `engine/calls`, `group_commit`,
//! `background`, `deferred` and `user_transaction`. In memory, behind a lock; threads wait and are woken here, and the wakers of futures are called.

use std::{collections::VecDeque, sync::PoisonError, time::Duration};

#[cfg(feature = "tokio")]
use super::signal::Signal;
use super::{
    group_commit::IDLE_AFTER,
    queued_action::QueuedAction,
    sync::{Condvar, Instant, Mutex, MutexGuard},
};
use crate::model::error::{Error, Result};

/// Number of queued actions above which callers wait for room. Small under shuttle, the checker of thread orders, which has few threads.
pub(super) const CAPACITY: usize = if cfg!(shuttle) { 2 } else { 16_384 };
/// How long a leader waits for the callers of the last group to return.
const GATHER: Duration = Duration::from_micros(300);
/// The highest number of groups that skip gathering after repeated timeouts.
const GATHER_SKIPS_MAX: u32 = 64;
/// Time within which an action without a waiting caller is committed.
pub(super) const RELAXED: Duration = Duration::from_millis(100);
/// Longest sleep of the background thread.
const DAY: Duration = Duration::from_secs(86_400);
/// Sleep of the background thread when idle work (retention, a quick-repair commit) is due and the queue is busy.
const BUSY: Duration = Duration::from_millis(20);

/// Actions that wait for a commit. At most one thread leads: it takes the queued actions and commits them for all callers.
#[derive(Default)]
pub(super) struct CommitQueue {
    state: Mutex<QueueState>,
    /// An action was added while the leader gathers.
    added: Condvar,
    /// A leader took actions out.
    room: Condvar,
    /// The background thread has work.
    background: Condvar,
    /// [`Self::room`] for async callers.
    #[cfg(feature = "tokio")]
    pub(super) freed: Signal,
}

#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent flags of the queue")]
struct QueueState {
    actions: VecDeque<Box<dyn QueuedAction>>,
    leading: bool,
    gathering: bool,
    closed: bool,
    /// Number of callers with actions in the queue.
    callers: usize,
    /// Number of callers in the last group.
    last_callers: usize,
    /// Number of groups that still skip gathering.
    gather_skips: u32,
    /// The value that `gather_skips` gets if few callers return again.
    next_gather_skips: u32,
    /// End of the sleep of the background thread, if it sleeps. An action that is due earlier wakes it.
    background_until: Option<Instant>,
    /// The background thread must lead at once.
    background_wanted: bool,
    /// A future or callback waits for a queued action: it is committed at once.
    urgent: bool,
    /// An async caller waits for room.
    #[cfg(feature = "tokio")]
    async_waits_for_room: bool,
    /// When the oldest relaxed action was queued.
    relaxed_since: Option<Instant>,
}

/// The next step of the background thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BackgroundStep {
    /// It is the leader now.
    Lead,
    /// It is the leader, and the queue is idle.
    Idle,
    Closed,
}

impl QueueState {
    /// Whether as many callers wait as the last group had.
    fn has_all_callers(&self) -> bool {
        self.callers >= self.last_callers
    }

    /// Clears the deadlines of an empty queue. Those of actions behind a user transaction stay.
    fn clear_deadlines_if_empty(&mut self) {
        if self.actions.is_empty() {
            self.urgent = false;
            self.relaxed_since = None;
        }
    }
}

impl CommitQueue {
    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds actions of a caller that waits for their answers. If there is no leader, its [`Waiter`](super::queued_action::Waiter) makes it the leader.
    pub(super) fn push(&self, actions: Vec<Box<dyn QueuedAction>>) -> Result<()> {
        let mut state = self.lock();
        while state.actions.len() >= CAPACITY && !state.closed {
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.closed {
            return Err(Error::closed());
        }
        let leader = actions.first().and_then(|action| action.waiter().cloned());
        state.actions.extend(actions);
        state.callers += 1;
        if !state.leading
            && let Some(leader) = leader
        {
            state.leading = true;
            leader.lead();
        } else if state.gathering && state.has_all_callers() {
            self.added.notify_one();
        }
        Ok(())
    }

    /// Waits for room in the queue.
    pub(super) fn wait_for_room(&self) -> Result<()> {
        let mut state = self.lock();
        while state.actions.len() >= CAPACITY && !state.closed {
            self.request_background(&mut state);
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.closed { Err(Error::closed()) } else { Ok(()) }
    }

    /// The value of `freed` if the queue is full. Then `freed` is raised once there is room, which the background thread makes.
    #[cfg(feature = "tokio")]
    pub(super) fn seen_if_full(&self) -> Option<u64> {
        let mut state = self.lock();
        let full = state.actions.len() >= CAPACITY && !state.closed;
        state.async_waits_for_room |= full;
        if full {
            self.request_background(&mut state);
        }
        full.then(|| self.freed.seen())
    }

    /// Adds an action without a waiting caller: it is committed within [`RELAXED`]. Never blocks, and has no limit: a caller that may block has called
    /// [`Self::wait_for_room`] before.
    pub(super) fn push_relaxed(&self, action: Box<dyn QueuedAction>) -> Result<()> {
        let mut state = self.lock();
        if state.closed {
            return Err(Error::closed());
        }
        state.actions.push_back(action);
        if state.relaxed_since.is_none() {
            let now = Instant::now();
            state.relaxed_since = Some(now);
            self.wake_background_before(&state, now + RELAXED);
        }
        Ok(())
    }

    /// Has the background thread lead, unless there is a leader.
    fn request_background(&self, state: &mut QueueState) {
        if !state.leading {
            state.background_wanted = true;
            self.background.notify_one();
        }
    }

    /// Has the background thread commit the queued actions at once, unless there is a leader.
    pub(super) fn commit_in_background(&self) {
        let mut state = self.lock();
        if !state.actions.is_empty() {
            self.request_background(&mut state);
        }
    }

    /// Wakes the background thread unless it wakes by itself before `time`.
    fn wake_background_before(&self, state: &QueueState, time: Instant) {
        if state.background_until.is_some_and(|until| until > time) {
            self.background.notify_one();
        }
    }

    /// Makes the caller the leader. False if another thread leads, no action waits, or a user transaction is the next one; then the actions that are
    /// queued by now are committed without delay.
    pub(super) fn try_lead(&self) -> bool {
        let mut state = self.lock();
        if state.leading || state.actions.front().is_none_or(|action| action.is_user_transaction()) {
            state.urgent = true;
            return false;
        }
        state.leading = true;
        true
    }

    /// Adds actions whose answers go to callbacks. The background thread or the next leader commits them at once. Never blocks.
    pub(super) fn push_for_background(&self, actions: Vec<Box<dyn QueuedAction>>) -> Result<()> {
        let mut state = self.lock();
        if state.closed {
            return Err(Error::closed());
        }
        state.actions.extend(actions);
        state.urgent = true;
        self.request_background(&mut state);
        Ok(())
    }

    /// [`Self::push_for_background`] for one action. Gives the action back if the queue is full or closed.
    pub(super) fn push_unless_full(&self, action: Box<dyn QueuedAction>) -> Result<(), (Box<dyn QueuedAction>, Error)> {
        let mut state = self.lock();
        if state.closed {
            return Err((action, Error::closed()));
        }
        if state.actions.len() >= CAPACITY {
            return Err((action, Error::queue_full(CAPACITY)));
        }
        state.actions.push_back(action);
        state.urgent = true;
        self.request_background(&mut state);
        Ok(())
    }

    /// The leader takes the queued actions, up to the next user transaction.
    pub(super) fn take(&self) -> Vec<Box<dyn QueuedAction>> {
        let mut state = self.gather();
        let end = state.actions.iter().position(|action| action.is_user_transaction()).unwrap_or(state.actions.len());
        let taken: Vec<_> = state.actions.drain(..end).collect();
        state.last_callers = std::mem::take(&mut state.callers);
        state.clear_deadlines_if_empty();
        self.room.notify_all();
        #[cfg(feature = "tokio")]
        if std::mem::take(&mut state.async_waits_for_room) {
            // A waker may call the queue.
            drop(state);
            self.freed.raise();
        }
        taken
    }

    /// Waits up to [`GATHER`] for as many callers as the last group had, since a commit for all costs little more than one for a few. If fewer than half
    /// of them return, the handlers between two calls take longer than that: the next group does not wait, and if it happens again, the next 2, 4, …
    /// [`GATHER_SKIPS_MAX`] groups.
    fn gather(&self) -> MutexGuard<'_, QueueState> {
        let mut state = self.lock();
        if state.has_all_callers() {
            return state;
        }
        if state.gather_skips > 0 {
            state.gather_skips -= 1;
            return state;
        }
        let until = Instant::now() + GATHER;
        state.gathering = true;
        while !state.has_all_callers() && !state.closed {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self.added.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.gathering = false;
        let few_returned = state.callers * 2 < state.last_callers;
        state.next_gather_skips =
            if few_returned { (state.next_gather_skips * 2).clamp(1, GATHER_SKIPS_MAX) } else { 0 };
        state.gather_skips = state.next_gather_skips;
        state
    }

    /// The leader takes its user transaction out of the queue. False if it is not at the head yet. The lead passes to the first waiting caller, so a
    /// user transaction at the head is that of the leader.
    pub(super) fn take_user_transaction(&self) -> bool {
        let mut state = self.lock();
        let is_head = state.actions.front().is_some_and(|action| action.is_user_transaction());
        if is_head {
            drop(state.actions.pop_front());
            state.clear_deadlines_if_empty();
        }
        is_head
    }

    /// Ends the lead. The first waiting caller leads next, or the background thread.
    pub(super) fn hand_over(&self) {
        let mut state = self.lock();
        if let Some(waiter) = state.actions.iter().find_map(|action| action.waiter()) {
            waiter.lead();
            return;
        }
        state.leading = false;
        if state.urgent && !state.actions.is_empty() {
            state.background_wanted = true;
            self.background.notify_one();
        } else if state.closed {
            self.background.notify_one();
        } else {
            self.wake_background_before(&state, Instant::now() + IDLE_AFTER);
        }
    }

    /// The background thread waits for its next step: relaxed actions are due, the queue closes, or the queue is idle and the time
    /// that `idle_work_due_in` returns has passed.
    pub(super) fn next_background_step(&self, idle_work_due_in: impl Fn() -> Option<Duration>) -> BackgroundStep {
        let mut state = self.lock();
        loop {
            if !state.leading && !state.actions.is_empty() {
                let due = state.relaxed_since.is_some_and(|since| since.elapsed() >= RELAXED);
                if state.background_wanted || due || state.closed {
                    state.background_wanted = false;
                    state.leading = true;
                    return BackgroundStep::Lead;
                }
            }
            if state.closed && !state.leading {
                return BackgroundStep::Closed;
            }
            let relaxed = state.relaxed_since.map(|since| RELAXED.saturating_sub(since.elapsed()));
            let mut idle = idle_work_due_in();
            if idle.is_some_and(|left| left.is_zero()) {
                if !state.leading && state.actions.is_empty() {
                    state.leading = true;
                    return BackgroundStep::Idle;
                }
                idle = Some(BUSY);
            }
            let left = relaxed.into_iter().chain(idle).min().map(|left| left.max(Duration::from_millis(1)));
            let left = left.unwrap_or(DAY);
            state.background_until = Some(Instant::now() + left);
            state = self.background.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            state.background_until = None;
        }
    }

    /// Lets the background thread check its deadlines again.
    pub(super) fn wake_background(&self) {
        // The lock excludes a wake between the check and the sleep of the background thread.
        let _state = self.lock();
        self.background.notify_one();
    }

    pub(super) fn refuse_closed(&self) -> Result<()> {
        if self.lock().closed { Err(Error::closed()) } else { Ok(()) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().actions.is_empty()
    }

    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        self.room.notify_all();
        self.added.notify_all();
        self.background.notify_all();
        drop(state);
        #[cfg(feature = "tokio")]
        self.freed.raise();
    }
}

#[cfg(all(test, shuttle))]
#[path = "commit_queue_checked.rs"]
mod checked;
