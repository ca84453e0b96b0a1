use std::{
    convert::Infallible,
    error::Error as StdError,
    fmt,
    future::pending,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tracing::Instrument as _;

use super::{
    heartbeats::{Heartbeats, overtime},
    isolation::IsolationEntry,
    kind_runner::{PassResult, claim_of},
    pass::{AfterPass, Pass},
    pool::PoolState,
    prefetch_buffer::FinishedAttempt,
    prefetch_visit::{PrefetchVisit, Step},
};
use crate::{
    api::{
        asynchronous::{AsyncExecution, Delivery, attempt, calls},
        execution::Execution,
        handler::{EndedAttempt, IntoOutcome, end_attempt},
        shared::Shared,
        tasks::Tasks,
    },
    engine::{Claim, Claimed, Claims},
    model::{
        error::{ErrorKind, Result},
        task::TrackedTask,
        transition::Outcome,
    },
};

/// One of the places in which an async worker runs bodies, one after the other.
pub(super) struct AsyncKindRunner<'w, T: TrackedTask, F> {
    pub tasks: Tasks<T>,
    pub body: &'w F,
    pub shift: &'w PoolState<'w>,
}

/// A lease that is renewed until this is dropped.
struct Renewed<'s> {
    running: &'s Heartbeats,
    shared: Arc<Shared>,
    fence: u64,
}

impl Drop for Renewed<'_> {
    fn drop(&mut self) {
        self.running.remove(&self.shared, self.fence);
    }
}

impl<T, F, R, E> AsyncKindRunner<'_, T, F>
where
    T: TrackedTask,
    F: AsyncFn(&mut AsyncExecution<T>) -> Result<R, E>,
    R: IntoOutcome,
    E: Into<Box<dyn StdError + Send + Sync>> + fmt::Debug,
{
    /// Works until nothing is left, or it is stopped.
    pub(super) async fn run(self) -> Result<()> {
        let engine = &self.tasks.shared.engine;
        while !self.shift.stops() {
            let seen = engine.signal.seen();
            if self.shift.is_over() {
                return Ok(());
            }
            self.shift.settings.count_round();
            let mut round = Pass::begin(self.shift);
            round.add(self.turn().await.inspect_err(|_| self.shift.halt(&engine.signal))?);
            match round.rest(self.shift, engine, seen) {
                AfterPass::Over => return Ok(()),
                AfterPass::Wait(wait) if !self.shift.stops() => engine.wait_async(seen, wait).await,
                AfterPass::None | AfterPass::Wait(_) => {}
            }
        }
        if self.shift.prefetches(&self.tasks)? { self.run_prefetching().await.map(drop) } else { Ok(()) }
    }

    async fn turn(&self) -> Result<PassResult> {
        let ahead = self.shift.prefetches(&self.tasks)?;
        let entry = self.shift.isolation.enter();
        if entry == IsolationEntry::Closed {
            return Ok(PassResult::Blocked);
        }
        let turn =
            if entry == IsolationEntry::Open && ahead { self.run_prefetching().await } else { self.work(entry).await };
        self.shift.leave(entry, turn.as_ref().ok(), &self.tasks.shared.engine.signal);
        turn.and_then(|turn| self.shift.log_pause(&self.tasks, 0, turn).map(|()| turn))
    }

    async fn work(&self, entry: IsolationEntry) -> Result<PassResult> {
        let (tasks, shift) = (&self.tasks, self.shift);
        let mut claims = calls::claim(&tasks.shared, claim_of(tasks, entry == IsolationEntry::Alone)?).await?;
        let mut worked = false;
        loop {
            if claims.isolated_waits {
                shift.isolation.drain();
            }
            let Some(claimed) = claims.tasks.pop() else {
                let Claims { due, expiry, held_back, isolated_waits, .. } = claims;
                return Ok(if worked || isolated_waits {
                    PassResult::Worked
                } else {
                    PassResult::Idle { due, expiry, held_back }
                });
            };
            worked = true;
            let kind = tasks.kind()?;
            let fence = claimed.owner.fence;
            let mut execution: AsyncExecution<T> = match calls::execution(&tasks.shared, &kind, claimed).await {
                Ok(execution) => execution,
                Err(error) => {
                    tasks.shared.engine.held().give_back(fence);
                    if error.kind() != ErrorKind::Unreadable {
                        return Err(error);
                    }
                    shift.summary().unreadable += 1;
                    claims = calls::claim(&tasks.shared, claim_of(tasks, false)?).await?;
                    continue;
                }
            };
            if shift.stops() {
                // Claimed with the end of the one before, which has halted the worker: none begins any more.
                tasks.shared.engine.held().remove(fence);
                execution.release().await?;
                return Ok(PassResult::Worked);
            }
            let renewed = self.renewed(&execution);
            let (finished, run) = self.attempt(&mut execution, shift.settings.timeout.or(kind.policy.timeout)).await;
            let goes_on = entry == IsolationEntry::Open && !shift.stops() && shift.isolation.may_go_on();
            let next = if goes_on { Some(claim_of(tasks, false)?) } else { None };
            let after = self.store(&mut execution, finished, run, next).await;
            drop(renewed);
            match after? {
                Some(next) => claims = next,
                None => return Ok(PassResult::Worked),
            }
        }
    }

    /// Runs bodies ahead of the commits that store their outcomes.
    async fn run_prefetching(&self) -> Result<PassResult> {
        let (tasks, shift) = (&self.tasks, self.shift);
        let mut visit = PrefetchVisit::new(shift, tasks, 0, 1, false);
        loop {
            match visit.step()? {
                Step::Begin(claimed) => self.run_one(&mut visit, claimed).await?,
                Step::PrefetchRequest(claim, look) => {
                    let claims = calls::claim(&tasks.shared, claim).await;
                    visit.looked(&look, claims);
                }
                Step::Wait(seen) => shift.buffer.news.changed(seen, None).await,
                Step::Leave(turn) => return Ok(turn),
            }
        }
    }

    async fn run_one(&self, visit: &mut PrefetchVisit<'_, T>, claimed: Claimed) -> Result<()> {
        let kind = self.tasks.kind()?;
        let (fence, begun) = (claimed.owner.fence, claimed.is_begun());
        let mut execution: AsyncExecution<T> = match calls::execution(&self.tasks.shared, &kind, claimed).await {
            Ok(execution) => execution,
            Err(error) if error.kind() == ErrorKind::Unreadable => {
                visit.unreadable(fence);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        // The time limit is this lane's business: it drops the body.
        visit.begins(&execution, begun, None)?;
        let (finished, run) = self.attempt(&mut execution, self.shift.settings.timeout.or(kind.policy.timeout)).await;
        visit.ended(&mut execution, finished, run, run)
    }

    fn renewed(&self, execution: &Execution<T>) -> Renewed<'_> {
        let shared = &self.tasks.shared;
        // The time limit is this lane's business: it drops the body.
        self.shift.running.add(shared, execution, None);
        Renewed { running: &self.shift.running, shared: shared.clone(), fence: execution.fence() }
    }

    /// Runs the body, as long as it may.
    async fn attempt(&self, execution: &mut AsyncExecution<T>, limit: Option<Duration>) -> (EndedAttempt, Duration) {
        let (shared, shift) = (self.tasks.shared.clone(), self.shift);
        let began = shared.engine.time().monotonic();
        let elapsed = || shared.engine.time().monotonic().saturating_sub(began);
        let (flag, asked_only) = (execution.cancelled_flag(), shift.settings.cancels_cooperatively);
        let cancelled = async {
            if asked_only {
                pending::<()>().await;
            }
            let cancels = shared.engine.held().cancels();
            loop {
                let seen = cancels.seen();
                if flag.load(Ordering::Relaxed) {
                    return;
                }
                cancels.changed(seen, None).await;
            }
        };
        let body = async {
            let span = execution.span();
            (self.body)(execution).instrument(span).await
        };
        let result = attempt::limited(body, limit, elapsed, cancelled).await;
        let finished = match (result, limit) {
            (Some(result), _) => end_attempt(execution, result),
            (None, Some(limit)) if elapsed() >= limit => end_attempt(execution, Ok(late(limit))),
            // The rules end the attempt of a cancelled task as cancelled.
            (None, _) => end_attempt(execution, Ok(Ok::<_, Infallible>(Outcome::Release))),
        };
        (finished, elapsed())
    }

    /// Stores the outcome and claims the next task, in one commit.
    async fn store(
        &self,
        execution: &mut Execution<T>,
        finished: EndedAttempt,
        run: Duration,
        next: Option<Claim>,
    ) -> Result<Option<Claims>> {
        let (shared, shift) = (&self.tasks.shared, self.shift);
        let EndedAttempt { action, failure, panicked } = finished;
        let Some(action) = action.transpose()? else {
            // The body has stored an outcome itself.
            let (outcome, failure) = execution.take_ended().unwrap_or((Outcome::Release, None));
            shift.count(&outcome, failure.as_ref(), panicked, run);
            return match next {
                Some(next) => calls::claim(shared, next).await.map(Some),
                None => Ok(None),
            };
        };
        let ended = FinishedAttempt::new(&action, failure, panicked, run);
        let (stored, claims) = match next {
            Some(next) => {
                let (stored, claims) = calls::finish_and_claim(shared, action, next).await;
                (stored, Some(claims?))
            }
            None => (calls::queue(shared, action).await, None),
        };
        if let Some(failure) = shift.stored(stored.map(drop), &ended)? {
            execution.end_async(Outcome::Fail { retry_in: None }, Some(failure), false).await?;
        }
        Ok(claims.map(Delivery::take))
    }
}

fn late(limit: Duration) -> Result<(), Box<dyn StdError + Send + Sync>> {
    Err(overtime(limit).into())
}
