use std::{collections::VecDeque, sync::PoisonError, time::Duration};

#[cfg(feature = "tokio")]
use super::signal::Signal;
use super::{
    group_commit::QUIET,
    queued_action::QueuedAction,
    sync::{Condvar, Instant, Mutex, MutexGuard},
};
use crate::model::error::{Error, Result};

/// How many actions wait at most before callers wait for room. The checker's threads are few.
const CAPACITY: usize = if cfg!(shuttle) { 2 } else { 16_384 };
/// How long a leader waits for the callers of the last batch to come back.
const GATHER: Duration = Duration::from_micros(300);
/// After this was in next_gather_skips again and again, so many batches go without.
const GATHER_SKIPS_MAX: u32 = 64;
/// Within this time, what was queued without waiting is committed.
pub(super) const RELAXED: Duration = Duration::from_millis(100);
/// After this time the background looks again although nothing calls for it.
const DAY: Duration = Duration::from_secs(86_400);
/// After this time the background looks again for an idle moment, when the last one was none.
const BUSY: Duration = Duration::from_millis(20);

/// What waits to be committed. At most one thread leads at a time: it takes what is there and commits it for all.
#[derive(Default)]
pub(super) struct CommitQueue {
    state: Mutex<QueueState>,
    /// Somebody added something.
    added: Condvar,
    /// A leader took something out.
    room: Condvar,
    /// The background is wanted.
    background: Condvar,
    /// The same as `room`, for async callers.
    #[cfg(feature = "tokio")]
    pub(super) freed: Signal,
}

#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each says one thing of the queue, and they change apart")]
struct QueueState {
    actions: VecDeque<Box<dyn QueuedAction>>,
    leading: bool,
    gathering: bool,
    closed: bool,
    /// How many callers' actions are in the queue, and how many the last batch answered.
    callers: usize,
    last: usize,
    /// For how many batches no leader waits for callers, after it was in next_gather_skips; and for how many the next time.
    gather_skips: u32,
    next_gather_skips: u32,
    /// Until when the background waits at most, if it waits. Who has something for it before then wakes it.
    background_until: Option<Instant>,
    /// The background must lead at once.
    background_wanted: bool,
    /// Somebody waits for what is in the queue, be it no thread: it is committed at once.
    urgent: bool,
    /// An async caller waits for room.
    #[cfg(feature = "tokio")]
    async_waits_for_room: bool,
    /// Since when something waits for which no thread waits.
    relaxed_since: Option<Instant>,
}

/// Why the background wakes up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BackgroundStep {
    /// It leads now.
    Lead,
    /// Nothing happened for so long.
    Quiet,
    Closed,
}

impl QueueState {
    /// Whether as many callers wait as the last batch answered.
    fn has_all_callers(&self) -> bool {
        self.callers >= self.last
    }

    /// Where nothing is left, nothing presses. What stands behind somebody's turn keeps its time.
    fn settle(&mut self) {
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

    /// Adds actions of a waiting caller. He becomes the leader if there is none: his waiter tells him.
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

    /// Waits until there is room for more.
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

    /// What `freed` shows while there is no room for more.
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

    /// Adds a action for which no thread sleeps: it is committed within [`RELAXED`]. Never blocks.
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

    /// Wakes the background unless it wakes up by itself until then.
    fn wake_background_before(&self, waiting: &QueueState, time: Instant) {
        if waiting.background_until.is_some_and(|until| until > time) {
            self.background.notify_one();
        }
    }

    /// Makes the caller the leader if there is something to commit and nobody at it. Otherwise whoever leads sees to it
    /// that what is queued by now is committed next.
    pub(super) fn try_lead(&self) -> bool {
        let mut waiting = self.lock();
        if waiting.leading || waiting.actions.front().is_none_or(|action| action.is_user_transaction()) {
            waiting.urgent = true;
            return false;
        }
        waiting.leading = true;
        true
    }

    /// Adds actions for whose answers no thread waits: the background tells them, or whoever leads by then. Never blocks.
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

    /// The leader takes what is there, up to somebody's turn.
    pub(super) fn take(&self) -> Vec<Box<dyn QueuedAction>> {
        let mut waiting = self.gather();
        let end =
            waiting.actions.iter().position(|action| action.is_user_transaction()).unwrap_or(waiting.actions.len());
        let taken: Vec<_> = waiting.actions.drain(..end).collect();
        waiting.last = std::mem::take(&mut waiting.callers);
        waiting.settle();
        self.room.notify_all();
        #[cfg(feature = "tokio")]
        if std::mem::take(&mut waiting.async_waits_for_room) {
            self.freed.raise();
        }
        taken
    }

    /// If the callers of the last batch are likely to come back in a moment, the leader waits for them: a commit for all
    /// costs little more than one for a few. Bodies that take longer than that would be waited for in next_gather_skips.
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
        let in_vain = waiting.callers * 2 < waiting.last;
        waiting.next_gather_skips =
            if in_vain { (waiting.next_gather_skips * 2).clamp(1, GATHER_SKIPS_MAX) } else { 0 };
        waiting.gather_skips = waiting.next_gather_skips;
        waiting
    }

    /// The leader of a turn takes it out; false if it is not at the head yet.
    pub(super) fn take_user_transaction(&self) -> bool {
        let mut waiting = self.lock();
        let mine = waiting.actions.front().is_some_and(|action| action.is_user_transaction());
        if mine {
            drop(waiting.actions.pop_front());
            waiting.settle();
        }
        mine
    }

    /// The leader is done: the next one is the first caller that waits, or the background.
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
            self.wake_background_before(&waiting, Instant::now() + QUIET);
        }
    }

    /// The background waits until it must lead: for what nobody waits for, at the end of its time; to close; or because
    /// the time that `idles_in` gives is over, and nobody waits for anything.
    pub(super) fn next_background_step(&self, idles_in: impl Fn() -> Option<Duration>) -> BackgroundStep {
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
            let mut silent = idles_in();
            if silent.is_some_and(|left| left.is_zero()) {
                if !waiting.leading && waiting.actions.is_empty() {
                    waiting.leading = true;
                    return BackgroundStep::Quiet;
                }
                silent = Some(BUSY);
            }
            let left = relaxed.into_iter().chain(silent).min().map(|left| left.max(Duration::from_millis(1)));
            let left = left.unwrap_or(DAY);
            waiting.background_until = Some(Instant::now() + left);
            waiting = self.background.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
            waiting.background_until = None;
        }
    }

    /// The background looks again at what it waits for.
    pub(super) fn wake_background(&self) {
        // Not between its look and its sleep.
        let waiting = self.lock();
        self.background.notify_one();
        drop(waiting);
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
