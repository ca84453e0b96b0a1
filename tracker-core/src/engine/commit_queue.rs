//! Queues the actions that wait for a commit, and chooses their leader: a caller or the background thread. A relaxed action has no waiting
//! caller. Used by all of `engine`; does not touch the file.

use std::{collections::VecDeque, sync::PoisonError, time::Duration};

#[cfg(feature = "tokio")]
use super::signal::Signal;
use super::{
    group_commit::IDLE_AFTER,
    queued_action::QueuedAction,
    sync::{Condvar, Instant, Mutex, MutexGuard},
};
use crate::model::error::{Error, Result};

/// Number of queued actions above which callers wait for room. Small under the checker, which has few threads.
pub(super) const CAPACITY: usize = if cfg!(shuttle) { 2 } else { 16_384 };
/// How long a leader waits for the callers of the last group to return.
const GATHER: Duration = Duration::from_micros(300);
/// The highest number of groups that skip gathering after repeated timeouts.
const GATHER_SKIPS_MAX: u32 = 64;
/// Time within which an action without a waiting caller is committed.
pub(super) const RELAXED: Duration = Duration::from_millis(100);
/// Longest sleep of the background thread.
const DAY: Duration = Duration::from_secs(86_400);
/// Sleep of the background thread when it is due for idle work and the queue is busy.
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
    /// Number of callers with actions in the queue, and of those whom the last group answered.
    callers: usize,
    last: usize,
    /// Number of groups that still skip gathering, and the number for the next timeout.
    gather_skips: u32,
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
    /// Whether as many callers wait as the last group answered.
    fn has_all_callers(&self) -> bool {
        self.callers >= self.last
    }

    /// Clears the deadlines of an empty queue. Actions after a user transaction keep theirs.
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

    /// Adds actions of a waiting caller. If there is no leader, its waiter makes it the leader.
    pub(super) fn push(&self, actions: Vec<Box<dyn QueuedAction>>) -> Result<()> {
        let mut waiting = self.lock();
        while waiting.actions.len() >= CAPACITY && !waiting.closed {
            waiting = self.room.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        if waiting.closed {
            return Err(Error::closed());
        }
        let leader = actions.first().and_then(|action| action.waiter().cloned());
        waiting.actions.extend(actions);
        waiting.callers += 1;
        if !waiting.leading
            && let Some(leader) = leader
        {
            waiting.leading = true;
            leader.lead();
        } else if waiting.gathering && waiting.has_all_callers() {
            self.added.notify_one();
        }
        Ok(())
    }

    /// Waits for room in the queue.
    pub(super) fn wait_for_room(&self) -> Result<()> {
        let mut waiting = self.lock();
        while waiting.actions.len() >= CAPACITY && !waiting.closed {
            if !waiting.leading {
                waiting.background_wanted = true;
                self.background.notify_one();
            }
            waiting = self.room.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        if waiting.closed { Err(Error::closed()) } else { Ok(()) }
    }

    /// The value of `freed` while the queue is full.
    #[cfg(feature = "tokio")]
    pub(super) fn is_full(&self) -> Option<u64> {
        let mut waiting = self.lock();
        let full = waiting.actions.len() >= CAPACITY && !waiting.closed;
        waiting.async_waits_for_room |= full;
        if full && !waiting.leading {
            waiting.background_wanted = true;
            self.background.notify_one();
        }
        full.then(|| self.freed.seen())
    }

    /// Adds an action without a waiting caller: it is committed within [`RELAXED`]. Never blocks.
    pub(super) fn push_relaxed(&self, action: Box<dyn QueuedAction>) -> Result<()> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(Error::closed());
        }
        waiting.actions.push_back(action);
        if waiting.relaxed_since.is_none() {
            let now = Instant::now();
            waiting.relaxed_since = Some(now);
            self.wake_background_before(&waiting, now + RELAXED);
        }
        Ok(())
    }

    /// Wakes the background thread unless it wakes by itself before `time`.
    fn wake_background_before(&self, waiting: &QueueState, time: Instant) {
        if waiting.background_until.is_some_and(|until| until > time) {
            self.background.notify_one();
        }
    }

    /// Makes the caller the leader if actions wait and there is none. Otherwise the actions queued by now are committed next.
    pub(super) fn try_lead(&self) -> bool {
        let mut waiting = self.lock();
        if waiting.leading || waiting.actions.front().is_none_or(|action| action.is_user_transaction()) {
            waiting.urgent = true;
            return false;
        }
        waiting.leading = true;
        true
    }

    /// Adds actions whose answers go to callbacks. The background thread or the next leader commits them at once. Never blocks.
    pub(super) fn push_for_background(&self, actions: Vec<Box<dyn QueuedAction>>) -> Result<()> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(Error::closed());
        }
        waiting.actions.extend(actions);
        waiting.urgent = true;
        if !waiting.leading {
            waiting.background_wanted = true;
            self.background.notify_one();
        }
        Ok(())
    }

    /// [`Self::push_for_background`] for one action. Gives the action back if the queue is full or closed.
    pub(super) fn push_unless_full(&self, action: Box<dyn QueuedAction>) -> Result<(), (Box<dyn QueuedAction>, Error)> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err((action, Error::closed()));
        }
        if waiting.actions.len() >= CAPACITY {
            return Err((action, Error::queue_full(CAPACITY)));
        }
        waiting.actions.push_back(action);
        waiting.urgent = true;
        if !waiting.leading {
            waiting.background_wanted = true;
            self.background.notify_one();
        }
        Ok(())
    }

    /// The leader takes the queued actions, up to the next user transaction.
    pub(super) fn take(&self) -> Vec<Box<dyn QueuedAction>> {
        let mut waiting = self.gather();
        let end =
            waiting.actions.iter().position(|action| action.is_user_transaction()).unwrap_or(waiting.actions.len());
        let taken: Vec<_> = waiting.actions.drain(..end).collect();
        waiting.last = std::mem::take(&mut waiting.callers);
        waiting.clear_deadlines_if_empty();
        self.room.notify_all();
        #[cfg(feature = "tokio")]
        if std::mem::take(&mut waiting.async_waits_for_room) {
            self.freed.raise();
        }
        taken
    }

    /// Waits for the callers of the last group, since a commit for all costs little more than one for a few. After a timeout
    /// a rising number of groups does not wait, because the handlers between two calls take longer.
    fn gather(&self) -> MutexGuard<'_, QueueState> {
        let mut waiting = self.lock();
        if waiting.has_all_callers() {
            return waiting;
        }
        if waiting.gather_skips > 0 {
            waiting.gather_skips -= 1;
            return waiting;
        }
        let until = Instant::now() + GATHER;
        waiting.gathering = true;
        while !waiting.has_all_callers() && !waiting.closed {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            waiting = self.added.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        waiting.gathering = false;
        let timed_out = waiting.callers * 2 < waiting.last;
        waiting.next_gather_skips =
            if timed_out { (waiting.next_gather_skips * 2).clamp(1, GATHER_SKIPS_MAX) } else { 0 };
        waiting.gather_skips = waiting.next_gather_skips;
        waiting
    }

    /// The leader takes its user transaction out of the queue. False if it is not at the head yet.
    pub(super) fn take_user_transaction(&self) -> bool {
        let mut waiting = self.lock();
        let mine = waiting.actions.front().is_some_and(|action| action.is_user_transaction());
        if mine {
            drop(waiting.actions.pop_front());
            waiting.clear_deadlines_if_empty();
        }
        mine
    }

    /// Ends the lead. The first waiting caller leads next, or the background thread.
    pub(super) fn hand_over(&self) {
        let mut waiting = self.lock();
        if let Some(waiter) = waiting.actions.iter().find_map(|action| action.waiter()) {
            waiter.lead();
            return;
        }
        waiting.leading = false;
        if waiting.urgent && !waiting.actions.is_empty() {
            waiting.background_wanted = true;
            self.background.notify_one();
        } else if waiting.closed {
            self.background.notify_one();
        } else {
            self.wake_background_before(&waiting, Instant::now() + IDLE_AFTER);
        }
    }

    /// The background thread waits for its next step: relaxed actions are due, the queue closes, or the queue is idle and the time
    /// that `idle_work_due_in` returns has passed.
    pub(super) fn next_background_step(&self, idle_work_due_in: impl Fn() -> Option<Duration>) -> BackgroundStep {
        let mut waiting = self.lock();
        loop {
            if !waiting.leading && !waiting.actions.is_empty() {
                let due = waiting.relaxed_since.is_some_and(|since| since.elapsed() >= RELAXED);
                if waiting.background_wanted || due || waiting.closed {
                    waiting.background_wanted = false;
                    waiting.leading = true;
                    return BackgroundStep::Lead;
                }
            }
            if waiting.closed && !waiting.leading {
                return BackgroundStep::Closed;
            }
            let relaxed = waiting.relaxed_since.map(|since| RELAXED.saturating_sub(since.elapsed()));
            let mut idle = idle_work_due_in();
            if idle.is_some_and(|left| left.is_zero()) {
                if !waiting.leading && waiting.actions.is_empty() {
                    waiting.leading = true;
                    return BackgroundStep::Idle;
                }
                idle = Some(BUSY);
            }
            let left = relaxed.into_iter().chain(idle).min().map(|left| left.max(Duration::from_millis(1)));
            let left = left.unwrap_or(DAY);
            waiting.background_until = Some(Instant::now() + left);
            waiting = self.background.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
            waiting.background_until = None;
        }
    }

    /// Lets the background thread check its deadlines again.
    pub(super) fn wake_background(&self) {
        // The lock excludes a wake between its check and its sleep.
        let waiting = self.lock();
        self.background.notify_one();
        drop(waiting);
    }

    pub(super) fn refuse_closed(&self) -> Result<()> {
        if self.lock().closed { Err(Error::closed()) } else { Ok(()) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().actions.is_empty()
    }

    pub(super) fn close(&self) {
        let mut waiting = self.lock();
        waiting.closed = true;
        self.room.notify_all();
        #[cfg(feature = "tokio")]
        self.freed.raise();
        self.added.notify_all();
        self.background.notify_all();
    }
}

#[cfg(all(test, shuttle))]
#[path = "commit_queue_checked.rs"]
mod checked;
