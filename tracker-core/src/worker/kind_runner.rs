//! `KindRunner` claims, runs the handler and stores its outcome for one kind of a pool of threads, as the dispatcher decides. Called by the
//! threads of `pool`; runs user code, and acts through `Engine`.

use std::{
    error::Error as StdError,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    finished_attempt::FinishedAttempt,
    pool_state::{PoolState, claim_of},
};
use crate::{
    api::{
        execution::Execution,
        handler::{EndedAttempt, IntoOutcome, end_attempt, run_handler},
        shutdown,
        tasks::Tasks,
    },
    dispatch::{ClaimRequest, Storing},
    engine::{Claimed, FinishTask},
    model::{
        error::{ErrorKind, Result},
        kind::Kind,
        task::TrackedTask,
        transition::Outcome,
    },
};

/// One kind of a pool.
pub(super) trait KindRunner: Sync {
    /// The definition of the kind.
    fn kind(&self) -> Result<Arc<Kind>>;

    /// The kind as one slot works on it. The name of the slot goes into the leases that it claims.
    fn for_slot(&self, slot: usize) -> Box<dyn SlotRunner + '_>;
}

/// One kind in one slot.
pub(super) trait SlotRunner {
    /// Claims, and waits for the answer.
    fn claim(&self, pool: &PoolState<'_>, request: ClaimRequest) -> Result<()>;

    /// Sends a claim without waiting, runs the handler, and stores its outcome.
    fn run(&self, pool: &PoolState<'_>, task: Claimed, claim: Option<ClaimRequest>) -> Result<()>;
}

pub(super) struct ThreadKindRunner<T: TrackedTask, F> {
    tasks: Tasks<T>,
    handler: F,
}

struct ThreadSlotRunner<'k, T: TrackedTask, F> {
    slot: usize,
    /// Under the name of the slot.
    tasks: Tasks<T>,
    handler: &'k F,
}

impl<T: TrackedTask, F> ThreadKindRunner<T, F> {
    pub(super) fn new(tasks: Tasks<T>, handler: F) -> Self {
        Self { tasks, handler }
    }
}

impl<T, F, R, E> KindRunner for ThreadKindRunner<T, F>
where
    T: TrackedTask,
    F: Fn(&mut Execution<T>) -> Result<R, E> + Sync,
    R: IntoOutcome,
    E: Into<Box<dyn StdError + Send + Sync>> + fmt::Debug,
{
    fn kind(&self) -> Result<Arc<Kind>> {
        self.tasks.kind()
    }

    fn for_slot(&self, slot: usize) -> Box<dyn SlotRunner + '_> {
        let tasks = self.tasks.worker_name(&format!("pid {} thread {slot}", std::process::id()));
        Box::new(ThreadSlotRunner { slot, tasks, handler: &self.handler })
    }
}

impl<T, F, R, E> SlotRunner for ThreadSlotRunner<'_, T, F>
where
    T: TrackedTask,
    F: Fn(&mut Execution<T>) -> Result<R, E> + Sync,
    R: IntoOutcome,
    E: Into<Box<dyn StdError + Send + Sync>> + fmt::Debug,
{
    fn claim(&self, pool: &PoolState<'_>, request: ClaimRequest) -> Result<()> {
        let tasks = &self.tasks;
        let claims = tasks.shared.engine.call(claim_of(pool, tasks, &request)?)?;
        pool.claimed(tasks, request, claims)
    }

    fn run(&self, pool: &PoolState<'_>, task: Claimed, claim: Option<ClaimRequest>) -> Result<()> {
        let (slot, tasks) = (self.slot, &self.tasks);
        let kind = tasks.kind()?;
        if let Some(request) = claim {
            let claim = claim_of(pool, tasks, &request)?;
            pool.dispatcher.queue_claim(&tasks.shared, request, claim, kind.is_limited());
        }
        let (fence, begun) = (task.owner.fence, task.is_begun());
        let mut execution: Execution<T> = match Execution::new(&tasks.shared, &kind, task) {
            Ok(execution) => execution,
            Err(error) if error.kind() == ErrorKind::Unreadable => {
                pool.unreadable(&tasks.shared, fence, Some(Duration::ZERO));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        // Until the handler starts, the attempt costs the task nothing.
        execution.release_on_drop = true;
        let timeout = pool.settings.timeout.or(kind.policy.timeout);
        execution.set_pool(pool.dispatcher.clone());
        pool.dispatcher.heartbeats.begin(slot, &execution, begun, timeout);
        // By the machine's clock, independent of the tracker's.
        let start = Instant::now();
        let result = shutdown::inside(&pool.dispatcher, || run_handler(&mut execution, self.handler));
        let (took, run) = (start.elapsed(), execution.run_time());
        let EndedAttempt { action, failure, panicked } = end_attempt(&mut execution, result);
        let action = action.transpose()?;
        let ended = action.as_ref().map(|action| FinishedAttempt::new(action, failure, panicked, run));
        let storing = pool.dispatcher.finished(slot, Some(took), action.is_some());
        match (storing, action, ended) {
            (Storing::Queued { kind, gathers }, Some(action), ended) => {
                pool.dispatcher.queue_outcome(&tasks.shared, (kind, gathers), action, ended)
            }
            (Storing::Synchronous { claim }, Some(action), Some(ended)) => {
                store_synchronously(pool, slot, tasks, &mut execution, claim, (action, ended))
            }
            (storing, ..) => {
                // The handler has stored an outcome itself.
                let (outcome, failure) = execution.take_ended().unwrap_or((Outcome::Release, None));
                pool.dispatcher.heartbeats.remove(&tasks.shared, fence);
                pool.count(&outcome, failure.as_ref(), panicked, run);
                match storing {
                    Storing::Synchronous { claim: Some(request) } => self.claim(pool, request),
                    Storing::Synchronous { claim: None } => {
                        pool.dispatcher.stored_synchronously(slot);
                        Ok(())
                    }
                    Storing::Queued { .. } => Ok(()),
                }
            }
        }
    }
}

/// Stores the outcome and claims the next task, in one commit.
fn store_synchronously<T: TrackedTask>(
    pool: &PoolState<'_>,
    slot: usize,
    tasks: &Tasks<T>,
    execution: &mut Execution<T>,
    request: Option<ClaimRequest>,
    (action, ended): (FinishTask, FinishedAttempt),
) -> Result<()> {
    let engine = &tasks.shared.engine;
    let (stored, claims) = match &request {
        Some(request) => {
            let (stored, claims) = engine.call_both(action, claim_of(pool, tasks, request)?)?;
            (stored, Some(claims?))
        }
        None => (engine.call(action), None),
    };
    pool.dispatcher.heartbeats.remove(&tasks.shared, ended.owner.fence);
    let counted = pool.stored(stored.map(drop), &ended).and_then(|failure| match failure {
        Some(failure) => execution.end(Outcome::Fail { retry_in: None }, Some(failure), false),
        None => Ok(()),
    });
    match (counted, request, claims) {
        (Ok(()), Some(request), Some(claims)) => pool.claimed(tasks, request, claims),
        (Ok(()), ..) => {
            pool.dispatcher.stored_synchronously(slot);
            Ok(())
        }
        (Err(error), _, claims) => {
            // The pool halts, so tasks that were claimed with the outcome do not start.
            claims.into_iter().flat_map(|claims| claims.tasks).for_each(|claimed| engine.give_back(claimed));
            Err(error)
        }
    }
}
