//! `WorkerPool` runs a pool of threads for tasks of several kinds: its options, and the loop of each thread. Called by users, `Worker::run`
//! and `worker/background`; runs handlers and the user's start conditions, and acts through `Engine`.

use std::{error::Error as StdError, fmt, sync::Arc};

use super::{
    Settings, Summary,
    kind_runner::{KindRunner, ThreadKindRunner},
    pool_state::{Closing, PoolState, SlotGuard},
    start_condition::StartGrant,
    threads,
};
use crate::{
    api::{execution::Execution, handler::IntoOutcome, shared::Shared, tasks::Tasks},
    dispatch::Action,
    model::{error::Result, task::TrackedTask},
};

/// Threads that serve several kinds at once, each in turn.
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use tracker_core::{Execution, Tracker, worker::WorkerPool};
/// let tracker = Tracker::in_memory()?;
/// let (mails, images) = (tracker.tasks_as::<Job>("mail")?, tracker.tasks_as::<Job>("image")?);
/// mails.submit(&job("a"))?;
/// images.submit(&job("b"))?;
/// let summary = WorkerPool::new()
///     .threads(2)
///     .serve(&mails, |_: &mut Execution<Job>| Ok::<_, std::io::Error>(()))
///     .serve(&images, |_: &mut Execution<Job>| Ok::<_, std::io::Error>(()))
///     .run()?;
/// assert_eq!(summary.succeeded, 2);
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct WorkerPool<'a> {
    pub(super) settings: Settings,
    kinds: Vec<Box<dyn KindRunner + Send + 'a>>,
    shared: Option<Arc<Shared>>,
}

impl<'a> WorkerPool<'a> {
    /// Returns a pool of one thread and no kinds.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn with(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
    }

    super::settings!();

    /// Serves a kind with `handler`. All kinds must be of the same tracker.
    #[must_use]
    pub fn serve<T, F, R, E>(mut self, tasks: &Tasks<T>, handler: F) -> Self
    where
        T: TrackedTask,
        F: Fn(&mut Execution<T>) -> Result<R, E> + Send + Sync + 'a,
        R: IntoOutcome + 'a,
        E: Into<Box<dyn StdError + Send + Sync>> + fmt::Debug + 'a,
    {
        self.shared = Some(tasks.shared.clone());
        self.kinds.push(Box::new(ThreadKindRunner::new(tasks.clone(), handler)));
        self
    }

    /// Runs handlers until nothing is left, or the pool is stopped. Returns when all outcomes are durable.
    ///
    /// # Errors
    /// As [`Worker::run`](super::Worker::run).
    pub fn run(self) -> Result<Summary> {
        self.settings.check()?;
        let Some(shared) = self.shared else { return Ok(Summary::default()) };
        // The threads would wait for the transaction, which waits for them.
        shared.engine.refuse_inside_transaction()?;
        let kinds = self.kinds.iter().map(|kind| kind.kind()).collect::<Result<Vec<_>>>()?;
        self.settings.check_budgets(&kinds)?;
        let limited = kinds.iter().map(|kind| kind.is_limited()).collect();
        let pool = PoolState::new(&self.settings, &shared, limited);
        let closing = Closing(pool.dispatcher.clone());
        let result = threads::run(&pool, &shared, &|slot| run_slot(&self.kinds, &shared, &pool, slot));
        let result = pool.with_cause(result);
        drop(closing);
        result?;
        Ok(pool.into_summary())
    }
}

/// Runs one thread, which performs the actions that the dispatcher gives to its slot.
fn run_slot(
    kinds: &[Box<dyn KindRunner + Send + '_>],
    shared: &Arc<Shared>,
    pool: &PoolState<'_>,
    slot: usize,
) -> Result<()> {
    let engine = &shared.engine;
    let mut guard = SlotGuard { dispatcher: &pool.dispatcher, slot, exited: false };
    let kinds: Vec<_> = kinds.iter().map(|kind| kind.for_slot(slot)).collect();
    let mut grant = StartGrant::new(&pool.start_checker);
    let mut may_wait = false;
    loop {
        pool.settings.count_step();
        let (action, wake_ups) = pool.dispatcher.free(slot, may_wait);
        may_wait = false;
        grant.use_or_withdraw(&action, || engine.now());
        match action {
            Action::Continue | Action::Store(_) => {}
            Action::Report => pool.report(shared)?,
            Action::Lead => may_wait = !engine.lead_if_free(),
            Action::Wait => pool.dispatcher.wake_up.wait(wake_ups, None),
            Action::Sleep(rest) => engine.wait(rest.seen, rest.duration(engine.now())),
            Action::Check => pool.dispatcher.checked(slot, grant.check(engine.now())),
            Action::Claim(request) => kinds[request.kind].claim(pool, request)?,
            Action::Start { kind, task, claim } => kinds[kind].run(pool, task, claim)?,
            Action::Release { kind, tasks } => pool.release(shared, kind, tasks)?,
            Action::Exit => break,
        }
    }
    guard.exited = true;
    Ok(())
}

impl fmt::Debug for WorkerPool<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerPool")
            .field("settings", &self.settings)
            .field("kinds", &self.kinds.len())
            .finish_non_exhaustive()
    }
}
