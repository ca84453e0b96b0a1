//! What a worker that works ahead has in its hands: tasks that are claimed and wait, and outcomes on their way to disk.

#[cfg(test)]
pub(super) mod tests;

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::heartbeats::Heartbeats;
use crate::{
    api::shared::Shared,
    engine::{Claimed, Claims, FinishTask, Signal},
    model::{
        error::Result,
        task::{TaskKey, TaskRef},
        transition::{Failure, Outcome, Owner},
    },
};

/// The buffer of one crew: a tray for each kind. Bodies take from it, and commits fill it.
pub(super) struct PrefetchBuffer {
    /// How many bodies run at once.
    slots: usize,
    /// How far ahead the crew works, and one kind of it.
    ahead: usize,
    share: usize,
    /// How many bytes of payload of one kind are in memory before their handlers begin.
    bytes: usize,
    state: Mutex<BufferState>,
    /// Rises when an answer came that somebody waits for.
    pub news: Signal,
    running: Arc<Heartbeats>,
}

#[derive(Default)]
struct BufferState {
    buffers: Vec<KindBuffer>,
    /// Bodies that run, and outcomes that are not known to be durable, of all kinds.
    running: usize,
    unsure: usize,
    answers: Vec<Answer>,
    /// A isolated is next in some line.
    isolated_waits: bool,
    /// How many visitors wait for news.
    asleep: usize,
    /// How long bodies take, the last ones weighing most, one long one not much.
    pace: Duration,
    /// Nobody works here any more: what is claimed yet is given back.
    closed: bool,
}

#[derive(Default)]
struct KindBuffer {
    /// Claimed, and not begun.
    ready: VecDeque<Claimed>,
    /// The bytes of their payloads.
    bytes: usize,
    /// Asked for by claims that are not answered yet.
    asked: usize,
    /// How many bytes of payload these claims may bring ahead.
    asked_bytes: usize,
    running: usize,
    unsure: usize,
    /// Who takes from here.
    visitors: usize,
    /// The last claim found less than it asked for; the number that the engine's signal had then.
    dry: Option<u64>,
}

/// How many bytes of payload a worker keeps ahead: enough for the largest payload, and small beside what handlers use.
const AHEAD_BYTES: usize = 16 << 20;

/// A body is short that takes no longer than it costs to wake a few threads.
const SHORT: Duration = Duration::from_micros(50);
/// A longer one counts for no more than this.
const LONG: Duration = Duration::from_micros(200);

/// The end of an attempt, as it is counted when it is durable.
pub(super) struct FinishedAttempt {
    pub task: TaskRef,
    pub id: TaskKey,
    pub owner: Owner,
    pub outcome: Outcome,
    pub failure: Option<Failure>,
    pub panicked: bool,
    pub run: Duration,
}

impl FinishedAttempt {
    pub(super) fn new(action: &FinishTask, failure: Option<Failure>, panicked: bool, run: Duration) -> Self {
        let (task, id, owner) = (action.task, action.id.clone(), action.finish.owner);
        Self { task, id, owner, outcome: action.finish.outcome, failure, panicked, run }
    }
}

/// What came of something that was handed in without waiting.
pub(super) struct Answer {
    /// The end of an attempt; else it is a claim that failed.
    pub ended: Option<FinishedAttempt>,
    pub result: Result<()>,
}

/// What a claim may bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// How many tasks at most.
    pub most: usize,
    /// How many bytes of payload those may have together that do not begin at once.
    pub bytes: usize,
}

/// What a visitor may do.
#[derive(Clone, Copy)]
pub(super) struct Permissions {
    pub begin: bool,
    pub claim: bool,
}

/// What a visitor does next.
#[expect(clippy::large_enum_variant, reason = "it is taken apart where it is made")]
pub(super) enum NextStep {
    /// Counts these answers; and whether a isolated is next in line.
    Settle(Vec<Answer>, bool),
    Begin(Claimed),
    GiveBack(VecDeque<Claimed>),
    /// Claims so many; the first one begins at once.
    Claim(Wanted),
    Wait,
    /// Nothing is left for him.
    Nothing,
}

impl PrefetchBuffer {
    pub(super) fn new(slots: usize, ahead: usize, kinds: usize, running: Arc<Heartbeats>) -> Arc<Self> {
        let buffers = (0..kinds).map(|_| KindBuffer::default()).collect();
        let state = Mutex::new(BufferState { buffers, pace: LONG, ..BufferState::default() });
        let (share, bytes) = (ahead / kinds.max(1), AHEAD_BYTES / kinds.max(1));
        Arc::new(Self { slots, ahead, share, bytes, state, news: Signal::default(), running })
    }

    pub(super) fn prefetches(&self) -> bool {
        self.share > 0
    }

    fn lock(&self) -> MutexGuard<'_, BufferState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn enter(&self, tray: usize) {
        self.lock().buffers[tray].visitors += 1;
    }

    pub(super) fn leave(&self, tray: usize) {
        let mut state = self.lock();
        state.buffers[tray].visitors -= 1;
        self.tell(&state);
    }

    /// A visitor no longer waits.
    pub(super) fn wake_up(&self) {
        self.lock().asleep -= 1;
    }

    /// Whether bodies are so short that their outcomes, and the claims for them, wait for the thread that ran them to come
    /// back, rather than wake another thread.
    pub(super) fn is_brisk(&self) -> bool {
        self.lock().is_brisk()
    }

    /// Wakes those who were left asleep since others would do all in a moment, should these not have done it.
    pub(super) fn nudge(&self) {
        let state = self.lock();
        if state.buffers.iter().any(|tray| !tray.ready.is_empty()) {
            self.tell(&state);
        }
    }

    /// What comes next for a visitor, who falls asleep where it is nothing, if he means to. He leaves when all that was
    /// handed in is answered and counted.
    pub(super) fn next(&self, at: usize, may: Permissions, sleep: bool) -> NextStep {
        let mut state = self.lock();
        if !state.answers.is_empty() || state.isolated_waits {
            return NextStep::Settle(std::mem::take(&mut state.answers), std::mem::take(&mut state.isolated_waits));
        }
        let open = state.running + state.unsure;
        let tray = &mut state.buffers[at];
        if !tray.ready.is_empty() {
            if !may.begin {
                return NextStep::GiveBack(tray.take_all());
            }
            // Never more finished bodies that a crash would repeat than were allowed.
            if open < self.ahead.max(self.slots)
                && let Some(claimed) = tray.ready.pop_front()
            {
                tray.bytes = tray.bytes.saturating_sub(claimed.bytes());
                tray.running += 1;
                state.running += 1;
                return NextStep::Begin(claimed);
            }
        } else if may.claim {
            let most = tray.room(self.share);
            if most > 0 {
                return NextStep::Claim(tray.ask(most, self.bytes));
            }
        } else if tray.asked == 0 && tray.unsure == 0 {
            return NextStep::Nothing;
        }
        state.asleep += usize::from(sleep);
        NextStep::Wait
    }

    /// Whether a visitor may go although there is something on the tray: the others can take all of it.
    pub(super) fn can_spare(&self, at: usize) -> bool {
        let state = self.lock();
        let tray = &state.buffers[at];
        tray.ready.len() + tray.asked + tray.running < tray.visitors + self.share
    }

    /// How many to claim along with an outcome; none while enough is there, or nothing more was to be had.
    pub(super) fn ask(&self, at: usize, signal: u64) -> Option<Wanted> {
        let mut state = self.lock();
        let tray = &mut state.buffers[at];
        if tray.dry == Some(signal) || tray.ready.len() + tray.asked > self.share / 2 || tray.is_full(self.bytes) {
            return None;
        }
        let most = tray.room(self.share);
        Some(tray.ask(most, self.bytes))
    }

    /// A body has ended, and its outcome is queued: a claim may have its place. It took so long, if it was on a thread that
    /// leads_commits.
    pub(super) fn end(&self, at: usize, took: Option<Duration>) {
        let mut state = self.lock();
        state.buffers[at].running -= 1;
        state.running -= 1;
        state.pace = (state.pace * 7 + took.map_or(LONG, |took| took.min(LONG))) / 8;
        self.tell_of_place(&state, at);
    }

    /// An outcome is about to be queued. Whether bodies are brisk, as [`is_brisk`](Self::is_brisk) says.
    pub(super) fn hand_in(&self, at: usize) -> bool {
        let mut state = self.lock();
        state.buffers[at].unsure += 1;
        state.unsure += 1;
        state.is_brisk()
    }

    /// It is answered. `ended` is what to count; there is nothing to count where a task was given back.
    pub(super) fn answered(&self, shared: &Shared, at: usize, fence: u64, answer: Option<Answer>) {
        self.running.remove(shared, fence);
        let mut state = self.lock();
        state.buffers[at].unsure -= 1;
        state.unsure -= 1;
        let went_well = answer.as_ref().is_none_or(|answer| answer.result.is_ok());
        state.answers.extend(answer);
        if went_well { self.tell_of_place(&state, at) } else { self.tell(&state) }
    }

    /// A claim is answered; `signal` is what the engine's signal was when it was asked.
    pub(super) fn claimed(&self, shared: &Arc<Shared>, at: usize, wanted: Wanted, signal: u64, claims: Result<Claims>) {
        let mut state = self.lock();
        let tray = &mut state.buffers[at];
        tray.asked -= wanted.most;
        tray.asked_bytes -= wanted.bytes;
        match claims {
            Ok(claims) => {
                // There is more for what is left of the bytes once some of these have begun.
                let goes_on = claims.is_cut && !claims.tasks.is_empty();
                tray.dry = (claims.tasks.len() < wanted.most && !goes_on).then_some(signal);
                for claimed in &claims.tasks {
                    self.running.add_claimed(shared, claimed);
                }
                tray.bytes += claims.tasks.iter().map(Claimed::bytes).sum::<usize>();
                tray.ready.extend(claims.tasks);
                state.isolated_waits |= claims.isolated_waits;
                if state.closed {
                    self.give_back_all(state);
                    return;
                }
            }
            Err(error) => state.answers.push(Answer { ended: None, result: Err(error) }),
        }
        self.tell_of_tasks(&state, at);
    }

    /// A place is free: one visitor can use it, and to wake all for each would cost more than short bodies do.
    fn tell_of_place(&self, state: &BufferState, at: usize) {
        if state.concerns_all(at) {
            self.tell(state);
        } else if state.asleep > 0 && !(state.is_brisk() && state.is_anybody_awake(at)) {
            self.news.raise_for_one();
        }
    }

    /// Tasks have come: where they are short, only as many are woken as have enough to do.
    fn tell_of_tasks(&self, state: &BufferState, at: usize) {
        if state.concerns_all(at) || !state.is_brisk() {
            return self.tell(state);
        }
        let work = state.pace.as_micros() * state.buffers[at].ready.len() as u128 / SHORT.as_micros();
        let wanted = usize::try_from(work).unwrap_or(usize::MAX).max(usize::from(!state.is_anybody_awake(at)));
        for _ in 0..wanted.min(state.asleep) {
            self.news.raise_for_one();
        }
    }

    fn tell(&self, state: &BufferState) {
        if state.asleep > 0 {
            self.news.raise();
        }
    }

    /// Nobody works here any more.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        self.give_back_all(state);
        self.running.clear();
    }

    /// Gives back what has not begun, without waiting.
    fn give_back_all(&self, mut state: MutexGuard<'_, BufferState>) {
        let ready: Vec<_> = state.buffers.iter_mut().flat_map(KindBuffer::take_all).collect();
        drop(state);
        for claimed in ready {
            self.running.give_back(claimed);
        }
    }
}

impl BufferState {
    fn is_brisk(&self) -> bool {
        self.pace < SHORT
    }

    fn is_anybody_awake(&self, at: usize) -> bool {
        self.asleep < self.buffers[at].visitors
    }

    /// What every visitor must hear: that nothing is there or on its way any more; and where there are several kinds, all,
    /// since whoever is woken may have no use for it.
    fn concerns_all(&self, at: usize) -> bool {
        let tray = &self.buffers[at];
        let over = tray.asked == 0 && tray.unsure == 0 && tray.ready.is_empty();
        self.closed || self.buffers.len() > 1 || self.isolated_waits || over
    }
}

impl KindBuffer {
    /// A claim of so many is on its way. It may bring all bytes that are left: one that is asked for meanwhile brings only
    /// what begins at once.
    fn ask(&mut self, most: usize, limit: usize) -> Wanted {
        let bytes = limit.saturating_sub(self.bytes + self.asked_bytes);
        self.asked += most;
        self.asked_bytes += bytes;
        Wanted { most, bytes }
    }

    /// Whether half of the bytes that may be kept ahead are there or on their way: what is smaller is worth no commit.
    fn is_full(&self, limit: usize) -> bool {
        self.bytes + self.asked_bytes > limit / 2
    }

    fn take_all(&mut self) -> VecDeque<Claimed> {
        self.bytes = 0;
        std::mem::take(&mut self.ready)
    }

    /// How many more may be claimed. Outcomes that are handed in leave their place: they are stored before the next claim.
    fn room(&self, share: usize) -> usize {
        (self.visitors + share).saturating_sub(self.ready.len() + self.asked + self.running)
    }
}
