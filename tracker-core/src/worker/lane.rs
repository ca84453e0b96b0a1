use std::{error::Error as StdError, fmt};

use super::{crew::Shift, gate::Entry, stock::Ended};
use crate::{
    body::{EndedAttempt, IntoOutcome, end_attempt, run_handler},
    engine::{Claim, Claims, FinishTask},
    error::{ErrorKind, Result},
    execution::Execution,
    rules::Outcome,
    task::TrackedTask,
    tasks::{StartOptions, Tasks},
    time::Micros,
};

/// How many tasks of one kind a thread does in a row before it looks at the next kind.
pub(super) const ROW: usize = 64;

/// One kind with its body.
pub(super) trait Lane: Sync {
    /// Claims and does what is there. `Idle` if nothing was.
    fn turn(&self, shift: &Shift<'_>, thread: usize, kinds: usize) -> Result<Turn>;

    /// Begins nothing more, and waits until all that was handed in is durable.
    fn close(&self, shift: &Shift<'_>) -> Result<()>;
}

/// What came of a look at a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Worked,
    /// Nothing is due. When something will be, and when a lease of another's ends.
    Idle {
        due: Option<Micros>,
        expiry: Option<Micros>,
        held_back: bool,
    },
    /// A suspect is at work or waits for the others to end.
    Blocked,
}

pub(super) struct LaneOf<T: TrackedTask, F> {
    pub tasks: Tasks<T>,
    pub body: F,
    /// Its number among the kinds of the crew.
    pub tray: usize,
}

impl<T, F, R, E> Lane for LaneOf<T, F>
where
    T: TrackedTask,
    F: Fn(&mut Execution<T>) -> Result<R, E> + Sync,
    R: IntoOutcome,
    E: Into<Box<dyn StdError + Send + Sync>> + fmt::Debug,
{
    fn turn(&self, shift: &Shift<'_>, thread: usize, kinds: usize) -> Result<Turn> {
        let ahead = shift.goes_ahead(&self.tasks)?;
        let entry = shift.gate.enter();
        if entry == Entry::Closed {
            return Ok(Turn::Blocked);
        }
        let tasks = self.tasks.named(&format!("pid {} thread {thread}", std::process::id()));
        let turn = if entry == Entry::Open && ahead {
            self.work_ahead(shift, &tasks, kinds)
        } else {
            self.work(shift, &tasks, entry, kinds)
        };
        shift.leave(entry, turn.as_ref().ok(), &self.tasks.shared.engine.signal);
        turn.and_then(|turn| shift.log_pause(&self.tasks, self.tray, turn).map(|()| turn))
    }

    fn close(&self, shift: &Shift<'_>) -> Result<()> {
        if shift.goes_ahead(&self.tasks)? { self.work_ahead(shift, &self.tasks, 1).map(drop) } else { Ok(()) }
    }
}

impl<T, F, R, E> LaneOf<T, F>
where
    T: TrackedTask,
    F: Fn(&mut Execution<T>) -> Result<R, E> + Sync,
    R: IntoOutcome,
    E: Into<Box<dyn StdError + Send + Sync>> + fmt::Debug,
{
    fn work(&self, shift: &Shift<'_>, tasks: &Tasks<T>, entry: Entry, kinds: usize) -> Result<Turn> {
        let engine = &tasks.shared.engine;
        let mut claims = engine.call(claim_of(tasks, entry == Entry::Alone)?)?;
        let mut row = 0;
        loop {
            if claims.suspect_waits {
                shift.gate.drain();
            }
            let Some(claimed) = claims.tasks.pop() else {
                let Claims { due, expiry, held_back, suspect_waits, .. } = claims;
                let worked = row > 0 || suspect_waits;
                return Ok(if worked { Turn::Worked } else { Turn::Idle { due, expiry, held_back } });
            };
            row += 1;
            let kind = tasks.kind()?;
            let fence = claimed.owner.fence;
            let mut execution: Execution<T> = match Execution::new(&tasks.shared, &kind, claimed) {
                Ok(execution) => execution,
                Err(error) => {
                    engine.held().remove(fence);
                    if error.kind() != ErrorKind::Unreadable {
                        return Err(error);
                    }
                    shift.summary().unreadable += 1;
                    claims = engine.call(claim_of(tasks, false)?)?;
                    continue;
                }
            };
            if shift.stops() {
                // Claimed with the end of the one before, which has halted the worker: none begins any more.
                engine.held().remove(fence);
                execution.release()?;
                return Ok(Turn::Worked);
            }
            shift.running.add(&tasks.shared, &execution, shift.settings.time_limit.or(kind.policy.time_limit));
            let result = run_handler(&mut execution, &self.body);
            let run = execution.run_time();
            let finished = end_attempt(&mut execution, result);
            let goes_on = entry == Entry::Open && !shift.stops() && shift.gate.may_go_on() && (kinds == 1 || row < ROW);
            let next = if goes_on { Some(claim_of(tasks, false)?) } else { None };
            let after = Self::store(shift, tasks, &mut execution, finished, run, next);
            shift.running.remove(&tasks.shared, fence);
            match after? {
                Some(next) => claims = next,
                None => return Ok(Turn::Worked),
            }
        }
    }

    /// Stores the outcome and claims the next task, in one commit.
    fn store(
        shift: &Shift<'_>,
        tasks: &Tasks<T>,
        execution: &mut Execution<T>,
        finished: EndedAttempt,
        run: std::time::Duration,
        next: Option<Claim>,
    ) -> Result<Option<Claims>> {
        let engine = &tasks.shared.engine;
        let EndedAttempt { action, failure, panicked } = finished;
        let action: FinishTask = match action {
            // The body has stored an outcome itself.
            None => {
                let (outcome, failure) = execution.take_ended().unwrap_or((Outcome::Release, None));
                shift.count(&outcome, failure.as_ref(), panicked, run);
                return next.map(|next| engine.call(next)).transpose();
            }
            Some(action) => action?,
        };
        let ended = Ended::new(&action, failure, panicked, run);
        let (stored, claims) = match next {
            Some(next) => {
                let (stored, claims) = engine.call_both(action, next)?;
                (stored, Some(claims?))
            }
            None => (engine.call(action), None),
        };
        let settled = shift.stored(stored.map(drop), &ended).and_then(|failure| match failure {
            Some(failure) => execution.end(Outcome::Fail { retry_in: None }, Some(failure), false),
            None => Ok(()),
        });
        if let Err(error) = settled {
            // The worker halts: what was claimed along with the end does not begin.
            claims.into_iter().flat_map(|claims| claims.tasks).for_each(|claimed| engine.give_back(claimed));
            return Err(error);
        }
        Ok(claims)
    }
}

/// A claim of the next task.
pub(super) fn claim_of<T: TrackedTask>(tasks: &Tasks<T>, suspects: bool) -> Result<Claim> {
    let start = tasks.start_command(&*tasks.kind()?, &StartOptions::default(), true)?;
    Ok(Claim { kind: tasks.kind_id(), start, most: 1, begin: 1, ahead_bytes: 0, suspects, held: true })
}
