//! A thread's or a future's stay with one kind, in a worker that works ahead.

use std::{sync::Arc, time::Duration};

use super::{
    crew::Shift,
    lane::{ROW, Turn, claim_of},
    stock::{Answer, Ended, May, Next, Stock, Wanted},
};
use crate::{
    body::EndedAttempt,
    engine::{Claim, Claimed, Claims, FinishTask},
    error::Result,
    execution::Execution,
    rules::Outcome,
    task::TrackedTask,
    tasks::Tasks,
};

pub(super) struct Visit<'v, T: TrackedTask> {
    shift: &'v Shift<'v>,
    tasks: &'v Tasks<T>,
    tray: usize,
    /// How many bodies have run here in a row, and how many may where others wait for the thread.
    row: usize,
    most: usize,
    /// The last look found nothing.
    found: Option<Turn>,
    /// It waits for news, or did a moment ago.
    asleep: bool,
    /// It is a thread that commits for itself what it waits for.
    helps: bool,
}

/// What to do next.
#[expect(clippy::large_enum_variant, reason = "it is taken apart where it is made")]
pub(super) enum Step {
    /// Run the body of this one.
    Begin(Claimed),
    /// Claim, and tell what came of it.
    Look(Claim, Look),
    /// Wait until the stock's news are no longer this.
    Wait(u64),
    Leave(Turn),
}

/// A claim on its way.
pub(super) struct Look {
    wanted: Wanted,
    signal: u64,
}

impl<T: TrackedTask> Drop for Visit<'_, T> {
    fn drop(&mut self) {
        self.wake_up();
        self.shift.stock.leave(self.tray);
    }
}

impl<'v, T: TrackedTask> Visit<'v, T> {
    pub(super) fn new(shift: &'v Shift<'v>, tasks: &'v Tasks<T>, tray: usize, kinds: usize, helps: bool) -> Self {
        shift.stock.enter(tray);
        let most = if kinds > 1 { ROW } else { usize::MAX };
        Self { shift, tasks, tray, row: 0, most, found: None, asleep: false, helps }
    }

    fn wake_up(&mut self) {
        if std::mem::take(&mut self.asleep) {
            self.stock().wake_up();
        }
    }

    fn stock(&self) -> &'v Arc<Stock> {
        &self.shift.stock
    }

    /// Counts what is durable by now, and says what comes next.
    pub(super) fn step(&mut self) -> Result<Step> {
        self.wake_up();
        let mut sleeps = !self.helps;
        loop {
            let seen = self.stock().news.seen();
            let stops = self.shift.stops();
            let full = self.row >= self.most;
            let goes_on = !stops && self.shift.gate.may_go_on();
            if full && goes_on && self.stock().can_spare(self.tray) {
                return Ok(Step::Leave(Turn::Worked));
            }
            let may = May { begin: !stops, claim: goes_on && !full && self.found.is_none() };
            return Ok(match self.stock().next(self.tray, may, sleeps) {
                Next::Settle(answers, suspect) => {
                    if suspect {
                        self.shift.gate.drain();
                    }
                    self.settle(answers)?;
                    continue;
                }
                Next::GiveBack(ready) => {
                    for claimed in ready {
                        self.hand_in(FinishTask::release(claimed), None)?;
                    }
                    continue;
                }
                Next::Begin(claimed) => {
                    self.row += 1;
                    self.found = None;
                    Step::Begin(claimed)
                }
                Next::Claim(wanted) => {
                    let look = Look { wanted, signal: self.tasks.shared.engine.signal.seen() };
                    let Wanted { most, bytes: ahead_bytes } = wanted;
                    Step::Look(Claim { most, ahead_bytes, ..claim_of(self.tasks, false)? }, look)
                }
                Next::Wait if !sleeps => {
                    sleeps = !self.tasks.shared.engine.help();
                    continue;
                }
                Next::Wait => {
                    self.asleep = true;
                    Step::Wait(seen)
                }
                Next::Nothing => Step::Leave(match self.found.take() {
                    Some(idle) if self.row == 0 && goes_on => idle,
                    _ => Turn::Worked,
                }),
            });
        }
    }

    /// What came of a look.
    pub(super) fn looked(&mut self, look: &Look, claims: Result<Claims>) {
        if let Ok(Claims { tasks, due, expiry, held_back, suspect_waits, .. }) = &claims
            && tasks.is_empty()
        {
            let (due, expiry, held_back) = (*due, *expiry, *held_back);
            self.found = Some(if *suspect_waits { Turn::Worked } else { Turn::Idle { due, expiry, held_back } });
        }
        self.stock().claimed(&self.tasks.shared, self.tray, look.wanted, look.signal, claims);
    }

    /// The body begins. More is claimed by then if little is left.
    pub(super) fn begins(&self, execution: &Execution<T>, begun: bool, limit: Option<Duration>) -> Result<()> {
        self.shift.running.begin(execution, begun, limit);
        if let Some((claim, look)) = self.ask()? {
            let (stock, shared, tray) = (self.stock().clone(), self.tasks.shared.clone(), self.tray);
            let answer = move |out: Result<Claims>| stock.claimed(&shared, tray, look.wanted, look.signal, out);
            let engine = &self.tasks.shared.engine;
            if self.stock().is_brisk() { engine.post_then(claim, answer) } else { engine.call_then(claim, answer) }?;
        }
        Ok(())
    }

    fn ask(&self) -> Result<Option<(Claim, Look)>> {
        if self.shift.stops() || !self.shift.gate.may_go_on() {
            return Ok(None);
        }
        let signal = self.tasks.shared.engine.signal.seen();
        let Some(wanted) = self.stock().ask(self.tray, signal) else { return Ok(None) };
        let Wanted { most, bytes: ahead_bytes } = wanted;
        Ok(Some((Claim { most, begin: 0, ahead_bytes, ..claim_of(self.tasks, false)? }, Look { wanted, signal })))
    }

    /// It cannot be decoded, and was put out of the line.
    pub(super) fn unreadable(&self, fence: u64) {
        self.stock().end(self.tray, self.helps.then_some(Duration::ZERO));
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
        self.stock().end(self.tray, self.helps.then_some(took));
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
        let ended = Ended::new(&action, failure, panicked, run);
        self.hand_in(action, Some(ended))
    }

    /// Hands in the end of an attempt without waiting.
    fn hand_in(&self, action: FinishTask, ended: Option<Ended>) -> Result<()> {
        let brisk = self.stock().hand_in(self.tray);
        let (fence, tray) = (action.finish.owner.fence, self.tray);
        let (stock, shared) = (self.stock().clone(), self.tasks.shared.clone());
        let answer = move |out: Result<_>| {
            let answer = ended.map(|ended| Answer { ended: Some(ended), result: out.map(drop) });
            stock.answered(&shared, tray, fence, answer);
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
