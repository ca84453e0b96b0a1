//! A thread's or a future's stay with one kind, in a worker that works ahead.

use std::{sync::Arc, time::Duration};

use super::{
    kind_runner::{PassResult, TASKS_PER_PASS, claim_of},
    pool::PoolState,
    prefetch_buffer::{Answer, FinishedAttempt, NextStep, Permissions, PrefetchBuffer, Wanted},
};
use crate::{
    api::{execution::Execution, handler::EndedAttempt, tasks::Tasks},
    engine::{Claim, Claimed, Claims, FinishTask},
    model::{error::Result, task::TrackedTask, transition::Outcome},
};

pub(super) struct PrefetchVisit<'v, T: TrackedTask> {
    shift: &'v PoolState<'v>,
    tasks: &'v Tasks<T>,
    buffer_index: usize,
    /// How many bodies have run here in a row, and how many may where others wait for the thread.
    row: usize,
    most: usize,
    /// The last look found nothing.
    found: Option<PassResult>,
    /// It waits for news, or did a moment ago.
    asleep: bool,
    /// It is a thread that commits for itself what it waits for.
    leads_commits: bool,
}

/// What to do next.
#[expect(clippy::large_enum_variant, reason = "it is taken apart where it is made")]
pub(super) enum Step {
    /// Run the body of this one.
    Begin(Claimed),
    /// Claim, and tell what came of it.
    PrefetchRequest(Claim, PrefetchRequest),
    /// Wait until the buffer's news are no longer this.
    Wait(u64),
    Leave(PassResult),
}

/// A claim on its way.
pub(super) struct PrefetchRequest {
    wanted: Wanted,
    signal: u64,
}

impl<T: TrackedTask> Drop for PrefetchVisit<'_, T> {
    fn drop(&mut self) {
        self.wake_up();
        self.shift.buffer.leave(self.buffer_index);
    }
}

impl<'v, T: TrackedTask> PrefetchVisit<'v, T> {
    pub(super) fn new(
        shift: &'v PoolState<'v>,
        tasks: &'v Tasks<T>,
        buffer_index: usize,
        kinds: usize,
        leads_commits: bool,
    ) -> Self {
        shift.buffer.enter(buffer_index);
        let most = if kinds > 1 { TASKS_PER_PASS } else { usize::MAX };
        Self { shift, tasks, buffer_index, row: 0, most, found: None, asleep: false, leads_commits }
    }

    fn wake_up(&mut self) {
        if std::mem::take(&mut self.asleep) {
            self.buffer().wake_up();
        }
    }

    fn buffer(&self) -> &'v Arc<PrefetchBuffer> {
        &self.shift.buffer
    }

    /// Counts what is durable by now, and says what comes next.
    pub(super) fn step(&mut self) -> Result<Step> {
        self.wake_up();
        let mut sleeps = !self.leads_commits;
        loop {
            let seen = self.buffer().news.seen();
            let stops = self.shift.stops();
            let full = self.row >= self.most;
            let goes_on = !stops && self.shift.isolation.may_go_on();
            if full && goes_on && self.buffer().can_spare(self.buffer_index) {
                return Ok(Step::Leave(PassResult::Worked));
            }
            let may = Permissions { begin: !stops, claim: goes_on && !full && self.found.is_none() };
            return Ok(match self.buffer().next(self.buffer_index, may, sleeps) {
                NextStep::Settle(answers, isolated) => {
                    if isolated {
                        self.shift.isolation.drain();
                    }
                    self.settle(answers)?;
                    continue;
                }
                NextStep::GiveBack(ready) => {
                    for claimed in ready {
                        self.hand_in(FinishTask::release(claimed), None)?;
                    }
                    continue;
                }
                NextStep::Begin(claimed) => {
                    self.row += 1;
                    self.found = None;
                    Step::Begin(claimed)
                }
                NextStep::Claim(wanted) => {
                    let look = PrefetchRequest { wanted, signal: self.tasks.shared.engine.signal.seen() };
                    let Wanted { most, bytes: ahead_bytes } = wanted;
                    Step::PrefetchRequest(Claim { most, ahead_bytes, ..claim_of(self.tasks, false)? }, look)
                }
                NextStep::Wait if !sleeps => {
                    sleeps = !self.tasks.shared.engine.lead_if_free();
                    continue;
                }
                NextStep::Wait => {
                    self.asleep = true;
                    Step::Wait(seen)
                }
                NextStep::Nothing => Step::Leave(match self.found.take() {
                    Some(idle) if self.row == 0 && goes_on => idle,
                    _ => PassResult::Worked,
                }),
            });
        }
    }

    /// What came of a look.
    pub(super) fn looked(&mut self, look: &PrefetchRequest, claims: Result<Claims>) {
        if let Ok(Claims { tasks, due, expiry, held_back, isolated_waits, .. }) = &claims
            && tasks.is_empty()
        {
            let (due, expiry, held_back) = (*due, *expiry, *held_back);
            self.found =
                Some(if *isolated_waits { PassResult::Worked } else { PassResult::Idle { due, expiry, held_back } });
        }
        self.buffer().claimed(&self.tasks.shared, self.buffer_index, look.wanted, look.signal, claims);
    }

    /// The body begins. More is claimed by then if little is left.
    pub(super) fn begins(&self, execution: &Execution<T>, begun: bool, limit: Option<Duration>) -> Result<()> {
        self.shift.running.begin(execution, begun, limit);
        if let Some((claim, look)) = self.ask()? {
            let (buffer, shared, buffer_index) = (self.buffer().clone(), self.tasks.shared.clone(), self.buffer_index);
            let answer =
                move |out: Result<Claims>| buffer.claimed(&shared, buffer_index, look.wanted, look.signal, out);
            let engine = &self.tasks.shared.engine;
            if self.buffer().is_brisk() { engine.post_then(claim, answer) } else { engine.call_then(claim, answer) }?;
        }
        Ok(())
    }

    fn ask(&self) -> Result<Option<(Claim, PrefetchRequest)>> {
        if self.shift.stops() || !self.shift.isolation.may_go_on() {
            return Ok(None);
        }
        let signal = self.tasks.shared.engine.signal.seen();
        let Some(wanted) = self.buffer().ask(self.buffer_index, signal) else { return Ok(None) };
        let Wanted { most, bytes: ahead_bytes } = wanted;
        Ok(Some((
            Claim { most, begin: 0, ahead_bytes, ..claim_of(self.tasks, false)? },
            PrefetchRequest { wanted, signal },
        )))
    }

    /// It cannot be decoded, and was put out of the line.
    pub(super) fn unreadable(&self, fence: u64) {
        self.buffer().end(self.buffer_index, self.leads_commits.then_some(Duration::ZERO));
        self.shift.running.remove(&self.tasks.shared, fence);
        self.shift.summary().unreadable += 1;
    }

    /// The body has ended, and took so long: hands in its outcome.
    pub(super) fn ended(
        &mut self,
        execution: &mut Execution<T>,
        finished: EndedAttempt,
        run: Duration,
        took: Duration,
    ) -> Result<()> {
        let handed_in = self.end(execution, finished, run);
        self.buffer().end(self.buffer_index, self.leads_commits.then_some(took));
        handed_in
    }

    fn end(&self, execution: &mut Execution<T>, finished: EndedAttempt, run: Duration) -> Result<()> {
        let EndedAttempt { action, failure, panicked } = finished;
        let Some(action) = action.transpose()? else {
            // The body has stored an outcome itself.
            let (outcome, failure) = execution.take_ended().unwrap_or((Outcome::Release, None));
            self.shift.running.remove(&self.tasks.shared, execution.fence());
            self.shift.count(&outcome, failure.as_ref(), panicked, run);
            return Ok(());
        };
        let ended = FinishedAttempt::new(&action, failure, panicked, run);
        self.hand_in(action, Some(ended))
    }

    /// Hands in the end of an attempt without waiting.
    fn hand_in(&self, action: FinishTask, ended: Option<FinishedAttempt>) -> Result<()> {
        let brisk = self.buffer().hand_in(self.buffer_index);
        let (fence, buffer_index) = (action.finish.owner.fence, self.buffer_index);
        let (buffer, shared) = (self.buffer().clone(), self.tasks.shared.clone());
        let answer = move |out: Result<_>| {
            let answer = ended.map(|ended| Answer { ended: Some(ended), result: out.map(drop) });
            buffer.answered(&shared, buffer_index, fence, answer);
        };
        let engine = &self.tasks.shared.engine;
        if brisk { engine.post_then(action, answer) } else { engine.call_then(action, answer) }
    }

    fn settle(&mut self, answers: Vec<Answer>) -> Result<()> {
        for answer in answers {
            let Answer { ended: Some(ended), result } = answer else { return answer.result };
            if let Some(failure) = self.shift.stored(result, &ended)? {
                let (outcome, told) = (Outcome::Fail { retry_in: None }, Some(failure));
                self.found = None;
                self.hand_in(FinishTask::plain(ended.task, ended.id, ended.owner, outcome, told), None)?;
            }
        }
        Ok(())
    }
}
