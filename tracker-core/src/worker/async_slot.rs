//! Runs one slot of an async worker: performs the actions of the dispatcher, as `pool` and `kind_runner` do for a thread, and drops the handler at
//! its timeout and, by default, when its task is cancelled. Polled by `async_worker`; runs user code (handlers, start conditions, the encoding of
//! payloads), and acts through `Engine`.

use std::{
    convert::Infallible, error::Error as StdError, fmt, future::pending, sync::atomic::Ordering, time::Duration,
};

use tracing::Instrument as _;

use super::{
    finished_attempt::FinishedAttempt,
    heartbeats::timeout_text,
    pool_state::{PoolState, SlotGuard, claim_of},
    start_condition::StartGrant,
};
use crate::{
    api::{
        asynchronous::{AsyncExecution, Delivery, attempt, calls},
        handler::{EndedAttempt, IntoOutcome, end_attempt},
        tasks::Tasks,
    },
    dispatch::{Action, ClaimRequest, Storing},
    engine::{Claimed, FinishTask},
    model::{
        error::{ErrorKind, Result},
        task::TrackedTask,
        transition::Outcome,
    },
};

pub(super) struct AsyncSlot<'w, T: TrackedTask, F> {
    pub slot: usize,
    /// Named after the slot; the name goes into the leases that the slot claims.
    pub tasks: Tasks<T>,
    pub handler: &'w F,
    pub pool: &'w PoolState<'w>,
}

impl<T, F, R, E> AsyncSlot<'_, T, F>
where
    T: TrackedTask,
    F: AsyncFn(&mut AsyncExecution<T>) -> Result<R, E>,
    R: IntoOutcome,
    E: Into<Box<dyn StdError + Send + Sync>> + fmt::Debug,
{
    /// Works until the dispatcher lets the slot exit.
    pub(super) async fn run(self) -> Result<()> {
        let (pool, shared) = (self.pool, &self.tasks.shared);
        let engine = &shared.engine;
        let mut guard = SlotGuard { dispatcher: &pool.dispatcher, slot: self.slot, exited: false };
        let mut grant = StartGrant::new(&pool.start_checker);
        loop {
            pool.settings.count_step();
            // A future commits nothing itself, so it may wait at once.
            let (action, wake_ups) = pool.dispatcher.free(self.slot, true);
            grant.use_or_withdraw(&action, || engine.now());
            match action {
                Action::Continue | Action::Lead | Action::Store(_) => {}
                Action::Report => pool.report(shared)?,
                Action::Wait => pool.dispatcher.wake_up.changed(wake_ups, None).await,
                Action::Sleep(rest) => engine.wait_async(rest.seen, rest.duration(engine.now())).await,
                Action::Check => pool.dispatcher.checked(self.slot, grant.check(engine.now())),
                Action::Claim(request) => self.claim(request).await?,
                Action::Start { task, claim, .. } => self.start(task, claim).await?,
                Action::Release { kind, tasks } => pool.release(shared, kind, tasks)?,
                Action::Exit => break,
            }
        }
        guard.exited = true;
        Ok(())
    }

    async fn claim(&self, request: ClaimRequest) -> Result<()> {
        let claims = calls::claim(&self.tasks.shared, claim_of(self.pool, &self.tasks, &request)?).await?;
        self.pool.claimed(&self.tasks, request, claims)
    }

    /// Sends a claim without waiting, runs the handler, and stores its outcome.
    async fn start(&self, task: Claimed, claim: Option<ClaimRequest>) -> Result<()> {
        let (tasks, pool) = (&self.tasks, self.pool);
        let (shared, dispatcher) = (&tasks.shared, &pool.dispatcher);
        let kind = tasks.kind()?;
        if let Some(request) = claim {
            let claim = claim_of(pool, tasks, &request)?;
            dispatcher.queue_claim(shared, request, claim, kind.is_limited());
        }
        let (fence, begun) = (task.owner.fence, task.is_begun());
        let mut execution: AsyncExecution<T> = match calls::execution(shared, &kind, task).await {
            Ok(execution) => execution,
            Err(error) if error.kind() == ErrorKind::Unreadable => {
                pool.unreadable(shared, fence, None);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        // The slot enforces the timeout itself, and drops the handler.
        execution.set_pool(dispatcher.clone());
        dispatcher.heartbeats.begin(self.slot, &execution, begun, None);
        let timeout = pool.settings.timeout.or(kind.policy.timeout);
        let (ended, run) = self.attempt(&mut execution, timeout).await;
        let EndedAttempt { action, failure, panicked } = ended;
        let action = action.transpose()?;
        let ended = action.as_ref().map(|action| FinishedAttempt::new(action, failure, panicked, run));
        match (dispatcher.finished(self.slot, None, action.is_some()), action, ended) {
            (Storing::Queued { kind, gathers }, Some(action), ended) => {
                dispatcher.queue_outcome(shared, (kind, gathers), action, ended)
            }
            (Storing::Synchronous { claim }, Some(action), Some(ended)) => {
                self.store_synchronously(&mut execution, claim, action, &ended).await
            }
            (storing, ..) => {
                // The handler has stored an outcome itself.
                let (outcome, failure) = execution.take_ended().unwrap_or((Outcome::Release, None));
                dispatcher.heartbeats.remove(shared, fence);
                pool.count(&outcome, failure.as_ref(), panicked, run);
                match storing {
                    Storing::Synchronous { claim: Some(request) } => self.claim(request).await,
                    Storing::Synchronous { claim: None } => {
                        dispatcher.stored_synchronously(self.slot);
                        Ok(())
                    }
                    Storing::Queued { .. } => Ok(()),
                }
            }
        }
    }

    /// Runs the handler until it returns, its time is over, or its task is cancelled.
    async fn attempt(&self, execution: &mut AsyncExecution<T>, limit: Option<Duration>) -> (EndedAttempt, Duration) {
        let shared = self.tasks.shared.clone();
        let began = shared.engine.time().monotonic();
        let elapsed = || shared.engine.time().monotonic().saturating_sub(began);
        let (flag, asked_only) = (execution.cancelled_flag(), self.pool.settings.cancels_cooperatively);
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
        let handler = async {
            let span = execution.open_span();
            (self.handler)(execution).instrument(span).await
        };
        let result = attempt::with_timeout(handler, limit, elapsed, cancelled).await;
        let finished = match (result, limit) {
            (Some(result), _) => end_attempt(execution, result),
            (None, Some(limit)) if elapsed() >= limit => end_attempt(execution, Ok(late(limit))),
            // The rules end the attempt of a cancelled task as cancelled.
            (None, _) => end_attempt(execution, Ok(Ok::<_, Infallible>(Outcome::Release))),
        };
        (finished, elapsed())
    }

    /// Stores the outcome and claims the next task, in one commit.
    async fn store_synchronously(
        &self,
        execution: &mut AsyncExecution<T>,
        request: Option<ClaimRequest>,
        action: FinishTask,
        ended: &FinishedAttempt,
    ) -> Result<()> {
        let (shared, pool) = (&self.tasks.shared, self.pool);
        let (stored, claims) = match &request {
            Some(request) => {
                let claim = claim_of(pool, &self.tasks, request)?;
                let (stored, claims) = calls::finish_and_claim(shared, action, claim).await;
                (stored, Some(claims?))
            }
            None => (calls::queue(shared, action).await, None),
        };
        pool.dispatcher.heartbeats.remove(shared, ended.owner.fence);
        // An error halts the pool, and tasks that were claimed with the outcome are given back with its delivery.
        if let Some(failure) = pool.stored(stored.map(drop), ended)? {
            execution.end_async(Outcome::Fail { retry_in: None }, Some(failure), false).await?;
        }
        if let (Some(request), Some(claims)) = (request, claims.map(Delivery::take)) {
            return pool.claimed(&self.tasks, request, claims);
        }
        pool.dispatcher.stored_synchronously(self.slot);
        Ok(())
    }
}

fn late(limit: Duration) -> Result<(), Box<dyn StdError + Send + Sync>> {
    Err(timeout_text(limit).into())
}
