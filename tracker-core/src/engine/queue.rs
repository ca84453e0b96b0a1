use std::{collections::VecDeque, sync::PoisonError, time::Duration};

#[cfg(feature = "tokio")]
use super::signal::Signal;
use super::{
    commit::QUIET,
    job::Job,
    sync::{Condvar, Instant, Mutex, MutexGuard},
};
use crate::error::{Error, Result};

/// How many actions wait at most before callers wait for room. The checker's threads are few.
const ROOM: usize = if cfg!(shuttle) { 2 } else { 16_384 };
/// How long a leader waits for the callers of the last batch to come back.
const GATHER: Duration = Duration::from_micros(300);
/// After this was in vain again and again, so many batches go without.
const HASTE: u32 = 64;
/// Within this time, what was queued without waiting is committed.
pub(super) const RELAXED: Duration = Duration::from_millis(100);
/// After this time the keeper looks again although nothing calls for it.
const DAY: Duration = Duration::from_secs(86_400);
/// After this time the keeper looks again for an idle moment, when the last one was none.
const BUSY: Duration = Duration::from_millis(20);

/// What waits to be committed. At most one thread leads at a time: it takes what is there and commits it for all.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<Waiting>,
    /// Somebody added something.
    added: Condvar,
    /// A leader took something out.
    room: Condvar,
    /// The keeper is wanted.
    keeper: Condvar,
    /// The same as `room`, for async callers.
    #[cfg(feature = "tokio")]
    pub(super) freed: Signal,
}

#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each says one thing of the queue, and they change apart")]
struct Waiting {
    jobs: VecDeque<Box<dyn Job>>,
    leading: bool,
    gathering: bool,
    closed: bool,
    /// How many callers' jobs are in the queue, and how many the last batch answered.
    callers: usize,
    last: usize,
    /// For how many batches no leader waits for callers, after it was in vain; and for how many the next time.
    hasty: u32,
    vain: u32,
    /// Until when the keeper waits at most, if it waits. Who has something for it before then wakes it.
    keeper_until: Option<Instant>,
    /// The keeper must lead at once.
    keeper_wanted: bool,
    /// Somebody waits for what is in the queue, be it no thread: it is committed at once.
    urgent: bool,
    /// An async caller waits for room.
    #[cfg(feature = "tokio")]
    crowded: bool,
    /// Since when something waits for which no thread waits.
    relaxed_since: Option<Instant>,
}

/// Why the keeper wakes up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// It leads now.
    Lead,
    /// Nothing happened for so long.
    Quiet,
    Closed,
}

impl Waiting {
    /// Whether as many callers wait as the last batch answered.
    fn are_all_here(&self) -> bool {
        self.callers >= self.last
    }

    /// Where nothing is left, nothing presses. What stands behind somebody's turn keeps its time.
    fn settle(&mut self) {
        if self.jobs.is_empty() {
            self.urgent = false;
            self.relaxed_since = None;
        }
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds jobs of a waiting caller. He becomes the leader if there is none: his waiter tells him.
    pub(super) fn push(&self, jobs: Vec<Box<dyn Job>>) -> Result<()> {
        let mut waiting = self.lock();
        while waiting.jobs.len() >= ROOM && !waiting.closed {
            waiting = self.room.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        if waiting.closed {
            return Err(Error::closed());
        }
        let leader = jobs.first().and_then(|job| job.waiter().cloned());
        waiting.jobs.extend(jobs);
        waiting.callers += 1;
        if !waiting.leading
            && let Some(leader) = leader
        {
            waiting.leading = true;
            leader.lead();
        } else if waiting.gathering && waiting.are_all_here() {
            self.added.notify_one();
        }
        Ok(())
    }

    /// Waits until there is room for more.
    pub(super) fn wait_for_room(&self) -> Result<()> {
        let mut waiting = self.lock();
        while waiting.jobs.len() >= ROOM && !waiting.closed {
            if !waiting.leading {
                waiting.keeper_wanted = true;
                self.keeper.notify_one();
            }
            waiting = self.room.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        if waiting.closed { Err(Error::closed()) } else { Ok(()) }
    }

    /// What `freed` shows while there is no room for more.
    #[cfg(feature = "tokio")]
    pub(super) fn is_full(&self) -> Option<u64> {
        let mut waiting = self.lock();
        let full = waiting.jobs.len() >= ROOM && !waiting.closed;
        waiting.crowded |= full;
        if full && !waiting.leading {
            waiting.keeper_wanted = true;
            self.keeper.notify_one();
        }
        full.then(|| self.freed.seen())
    }

    /// Adds a job for which no thread sleeps: it is committed within [`RELAXED`]. Never blocks.
    pub(super) fn push_relaxed(&self, job: Box<dyn Job>) -> Result<()> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(Error::closed());
        }
        waiting.jobs.push_back(job);
        if waiting.relaxed_since.is_none() {
            let now = Instant::now();
            waiting.relaxed_since = Some(now);
            self.wake_keeper_before(&waiting, now + RELAXED);
        }
        Ok(())
    }

    /// Wakes the keeper unless it wakes up by itself until then.
    fn wake_keeper_before(&self, waiting: &Waiting, time: Instant) {
        if waiting.keeper_until.is_some_and(|until| until > time) {
            self.keeper.notify_one();
        }
    }

    /// Makes the caller the leader if there is something to commit and nobody at it. Otherwise whoever leads sees to it
    /// that what is queued by now is committed next.
    pub(super) fn try_lead(&self) -> bool {
        let mut waiting = self.lock();
        if waiting.leading || waiting.jobs.front().is_none_or(|job| job.is_turn()) {
            waiting.urgent = true;
            return false;
        }
        waiting.leading = true;
        true
    }

    /// Adds jobs for whose answers no thread waits: the keeper tells them, or whoever leads by then. Never blocks.
    pub(super) fn push_for_keeper(&self, jobs: Vec<Box<dyn Job>>) -> Result<()> {
        let mut waiting = self.lock();
        if waiting.closed {
            return Err(Error::closed());
        }
        waiting.jobs.extend(jobs);
        waiting.urgent = true;
        if !waiting.leading {
            waiting.keeper_wanted = true;
            self.keeper.notify_one();
        }
        Ok(())
    }

    /// The leader takes what is there, up to somebody's turn.
    pub(super) fn take(&self) -> Vec<Box<dyn Job>> {
        let mut waiting = self.gather();
        let end = waiting.jobs.iter().position(|job| job.is_turn()).unwrap_or(waiting.jobs.len());
        let taken: Vec<_> = waiting.jobs.drain(..end).collect();
        waiting.last = std::mem::take(&mut waiting.callers);
        waiting.settle();
        self.room.notify_all();
        #[cfg(feature = "tokio")]
        if std::mem::take(&mut waiting.crowded) {
            self.freed.raise();
        }
        taken
    }

    /// If the callers of the last batch are likely to come back in a moment, the leader waits for them: a commit for all
    /// costs little more than one for a few. Bodies that take longer than that would be waited for in vain.
    fn gather(&self) -> MutexGuard<'_, Waiting> {
        let mut waiting = self.lock();
        if waiting.are_all_here() {
            return waiting;
        }
        if waiting.hasty > 0 {
            waiting.hasty -= 1;
            return waiting;
        }
        let until = Instant::now() + GATHER;
        waiting.gathering = true;
        while !waiting.are_all_here() && !waiting.closed {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            waiting = self.added.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        waiting.gathering = false;
        let in_vain = waiting.callers * 2 < waiting.last;
        waiting.vain = if in_vain { (waiting.vain * 2).clamp(1, HASTE) } else { 0 };
        waiting.hasty = waiting.vain;
        waiting
    }

    /// The leader of a turn takes it out; false if it is not at the head yet.
    pub(super) fn take_turn(&self) -> bool {
        let mut waiting = self.lock();
        let mine = waiting.jobs.front().is_some_and(|job| job.is_turn());
        if mine {
            drop(waiting.jobs.pop_front());
            waiting.settle();
        }
        mine
    }

    /// The leader is done: the next one is the first caller that waits, or the keeper.
    pub(super) fn hand_over(&self) {
        let mut waiting = self.lock();
        if let Some(waiter) = waiting.jobs.iter().find_map(|job| job.waiter()) {
            waiter.lead();
            return;
        }
        waiting.leading = false;
        if waiting.urgent && !waiting.jobs.is_empty() {
            waiting.keeper_wanted = true;
            self.keeper.notify_one();
        } else if waiting.closed {
            self.keeper.notify_one();
        } else {
            self.wake_keeper_before(&waiting, Instant::now() + QUIET);
        }
    }

    /// The keeper waits until it must lead: for what nobody waits for, at the end of its time; to close; or because
    /// the time that `idles_in` gives is over, and nobody waits for anything.
    pub(super) fn keep(&self, idles_in: impl Fn() -> Option<Duration>) -> Call {
        let mut waiting = self.lock();
        loop {
            if !waiting.leading && !waiting.jobs.is_empty() {
                let due = waiting.relaxed_since.is_some_and(|since| since.elapsed() >= RELAXED);
                if waiting.keeper_wanted || due || waiting.closed {
                    waiting.keeper_wanted = false;
                    waiting.leading = true;
                    return Call::Lead;
                }
            }
            if waiting.closed && !waiting.leading {
                return Call::Closed;
            }
            let relaxed = waiting.relaxed_since.map(|since| RELAXED.saturating_sub(since.elapsed()));
            let mut silent = idles_in();
            if silent.is_some_and(|left| left.is_zero()) {
                if !waiting.leading && waiting.jobs.is_empty() {
                    waiting.leading = true;
                    return Call::Quiet;
                }
                silent = Some(BUSY);
            }
            let left = relaxed.into_iter().chain(silent).min().map(|left| left.max(Duration::from_millis(1)));
            let left = left.unwrap_or(DAY);
            waiting.keeper_until = Some(Instant::now() + left);
            waiting = self.keeper.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner).0;
            waiting.keeper_until = None;
        }
    }

    /// The keeper looks again at what it waits for.
    pub(super) fn wake_keeper(&self) {
        // Not between its look and its sleep.
        let waiting = self.lock();
        self.keeper.notify_one();
        drop(waiting);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().jobs.is_empty()
    }

    pub(super) fn close(&self) {
        let mut waiting = self.lock();
        waiting.closed = true;
        self.room.notify_all();
        #[cfg(feature = "tokio")]
        self.freed.raise();
        self.added.notify_all();
        self.keeper.notify_all();
    }
}

#[cfg(all(test, shuttle))]
#[path = "queue_checked.rs"]
mod checked;
