use std::{error::Error as StdError, fmt};

use super::{isolation::IsolationEntry, pool::PoolState, prefetch_buffer::FinishedAttempt};
use crate::{
    api::{
        execution::Execution,
        handler::{EndedAttempt, IntoOutcome, end_attempt, run_handler},
        tasks::{StartOptions, Tasks},
    },
    engine::{Claim, Claims, FinishTask},
    model::{
        error::{ErrorKind, Result},
        task::TrackedTask,
        time::Micros,
        transition::Outcome,
    },
};

/// How many tasks of one kind a thread does in a row before it looks at the next kind.
pub(super) const TASKS_PER_PASS: usize = 64;

/// One kind with its body.
pub(super) trait KindRunner: Sync {
    /// Claims and does what is there. `Idle` if nothing was.
    fn turn(&self, shift: &PoolState<'_>, thread: usize, kinds: usize) -> Result<PassResult>;

    /// Begins nothing more, and waits until all that was handed in is durable.
    fn close(&self, shift: &PoolState<'_>) -> Result<()>;
}

/// What came of a look at a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PassResult {
    Worked,
    /// Nothing is due. When something will be, and when a lease of another's ends.
    Idle {
        due: Option<Micros>,
        expiry: Option<Micros>,
        held_back: bool,
    },
    /// A isolated is at work or waits for the others to end.
    Blocked,
}

pub(super) struct ThreadKindRunner<T: TrackedTask, F> {
    pub tasks: Tasks<T>,
    pub body: F,
    /// Its number among the kinds of the crew.
    pub buffer_index: usize,
}

impl<T, F, R, E> KindRunner for ThreadKindRunner<T, F>
where
    T: TrackedTask,
    F: Fn(&mut Execution<T>) -> Result<R, E> + Sync,
    R: IntoOutcome,
    E: Into<Box<dyn StdError + Send + Sync>> + fmt::Debug,
{
    fn turn(&self, shift: &PoolState<'_>, thread: usize, kinds: usize) -> Result<PassResult> {
        let ahead = shift.prefetches(&self.tasks)?;
        let entry = shift.isolation.enter();
        if entry == IsolationEntry::Closed {
            return Ok(PassResult::Blocked);
        }
        let tasks = self.tasks.worker_name(&format!("pid {} thread {thread}", std::process::id()));
        let turn = if entry == IsolationEntry::Open && ahead {
            self.run_prefetching(shift, &tasks, kinds)
        } else {
            self.work(shift, &tasks, entry, kinds)
        };
        shift.leave(entry, turn.as_ref().ok(), &self.tasks.shared.engine.signal);
        turn.and_then(|turn| shift.log_pause(&self.tasks, self.buffer_index, turn).map(|()| turn))
    }

    fn close(&self, shift: &PoolState<'_>) -> Result<()> {
        if shift.prefetches(&self.tasks)? { self.run_prefetching(shift, &self.tasks, 1).map(drop) } else { Ok(()) }
    }
}

impl<T, F, R, E> ThreadKindRunner<T, F>
where
    T: TrackedTask,
    F: Fn(&mut Execution<T>) -> Result<R, E> + Sync,
    R: IntoOutcome,
    E: Into<Box<dyn StdError + Send + Sync>> + fmt::Debug,
{
    fn work(&self, shift: &PoolState<'_>, tasks: &Tasks<T>, entry: IsolationEntry, kinds: usize) -> Result<PassResult> {
        let engine = &tasks.shared.engine;
        let mut claims = engine.call(claim_of(tasks, entry == IsolationEntry::Alone)?)?;
        let mut row = 0;
        loop {
            if claims.isolated_waits {
                shift.isolation.drain();
            }
            let Some(claimed) = claims.tasks.pop() else {
                let Claims { due, expiry, held_back, isolated_waits, .. } = claims;
                let worked = row > 0 || isolated_waits;
                return Ok(if worked { PassResult::Worked } else { PassResult::Idle { due, expiry, held_back } });
            };
            row += 1;
            let kind = tasks.kind()?;
            let fence = claimed.owner.fence;
            let mut execution: Execution<T> = match Execution::new(&tasks.shared, &kind, claimed) {
                Ok(execution) => execution,
                Err(error) => {
                    engine.held().give_back(fence);
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
                return Ok(PassResult::Worked);
            }
            shift.running.add(&tasks.shared, &execution, shift.settings.timeout.or(kind.policy.timeout));
            let result = run_handler(&mut execution, &self.body);
            let run = execution.run_time();
            let finished = end_attempt(&mut execution, result);
            let goes_on = entry == IsolationEntry::Open
                && !shift.stops()
                && shift.isolation.may_go_on()
                && (kinds == 1 || row < TASKS_PER_PASS);
            let next = if goes_on { Some(claim_of(tasks, false)?) } else { None };
            let after = Self::store(shift, tasks, &mut execution, finished, run, next);
            shift.running.remove(&tasks.shared, fence);
            match after? {
                Some(next) => claims = next,
                None => return Ok(PassResult::Worked),
            }
        }
    }

    /// Stores the outcome and claims the next task, in one commit.
    fn store(
        shift: &PoolState<'_>,
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
        let ended = FinishedAttempt::new(&action, failure, panicked, run);
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
pub(super) fn claim_of<T: TrackedTask>(tasks: &Tasks<T>, isolated: bool) -> Result<Claim> {
    let start = tasks.start_command(&*tasks.kind()?, &StartOptions::default(), true)?;
    Ok(Claim { kind: tasks.kind_id(), start, most: 1, begin: 1, ahead_bytes: 0, isolated, held: true })
}
