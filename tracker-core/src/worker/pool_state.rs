//! `PoolState` holds the parts that the slots of a pool share: settings, the dispatcher, start conditions, and the summary. Used by `pool`,
//! `threads`, `kind_runner`, `async_worker` and `async_slot`. Counts attempts behind a lock, and halts the pool after too many failures; through
//! `shared_dispatcher` it queues releases and the failures that replace refused outcomes.

use std::{
    iter::once,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::{
    Settings, Summary,
    cause::first_cause,
    finished_attempt::FinishedAttempt,
    heartbeats::timeout_text,
    shared_dispatcher::{Answer, SharedDispatcher},
    start_condition::StartChecker,
};
use crate::{
    api::{
        shared::Shared,
        shutdown::RunningPool,
        tasks::{StartOptions, Tasks},
    },
    dispatch::ClaimRequest,
    engine::{Claim, Claimed, Claims, FinishTask},
    model::{
        error::{Error, ErrorKind, Result},
        failure::failure_of,
        needs::LackingResource,
        panics,
        task::{TaskRef, TrackedTask},
        transition::{Failure, Outcome},
    },
};

pub(super) struct PoolState<'s> {
    pub settings: &'s Settings,
    pub dispatcher: Arc<SharedDispatcher>,
    pub start_checker: StartChecker,
    summary: Mutex<Summary>,
    /// Whether the log has a line that a kind is paused; one flag per kind.
    paused: Vec<AtomicBool>,
    /// Whether the log has a line that a task exceeds a budget.
    exceeding: AtomicBool,
}

impl<'s> PoolState<'s> {
    /// Makes the state for one kind per element of `limited`.
    pub(super) fn new(settings: &'s Settings, shared: &Shared, limited: Vec<bool>) -> Self {
        let paused = limited.iter().map(|_| AtomicBool::new(false)).collect();
        let create = |slots| SharedDispatcher::new(settings, slots, &shared.engine.signal, limited);
        let dispatcher = settings.size.start(create);
        // A stop that comes from here on is seen by the first step of each slot.
        settings.stop.add(&dispatcher);
        let pool: Arc<dyn RunningPool> = dispatcher.clone();
        shared.pools.add(&pool);
        let start_checker = StartChecker::new(settings.start_conditions.clone(), settings.start_status.clone());
        Self {
            settings,
            summary: Mutex::default(),
            paused,
            exceeding: AtomicBool::default(),
            dispatcher,
            start_checker,
        }
    }

    pub(super) fn into_summary(self) -> Summary {
        self.summary.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn summary(&self) -> MutexGuard<'_, Summary> {
        self.summary.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes the answer of a claim, for which a slot has waited, to the dispatcher.
    pub(super) fn claimed<T: TrackedTask>(&self, tasks: &Tasks<T>, claim: ClaimRequest, claims: Claims) -> Result<()> {
        let kind = tasks.kind()?;
        self.log_pause(tasks.name(), claim.kind, claims.tasks.is_empty() && claims.held_back && kind.paused);
        if let Some((task, lacking)) = &claims.exceeding {
            self.log_exceeding(tasks.name(), *task, lacking);
        }
        self.dispatcher.claimed(&tasks.shared, claim, claims, kind.is_limited());
        Ok(())
    }

    /// Logs once that a task can never start.
    fn log_exceeding(&self, kind: &str, task: TaskRef, lacking: &LackingResource) {
        if self.exceeding.swap(true, Ordering::Relaxed) {
            return;
        }
        let LackingResource { resource, amount, budget, .. } = lacking;
        panics::log_catching_panics(|| {
            tracing::warn!(
                kind,
                %task,
                "a task needs {amount} of {resource:?}, and the budget is {budget}: it does not start, and neither do others like it"
            );
        });
    }

    /// Logs once that a kind is paused.
    fn log_pause(&self, kind: &str, number: usize, paused: bool) {
        let Some(logged) = self.paused.get(number) else { return };
        if logged.swap(paused, Ordering::Relaxed) != paused && paused {
            panics::log_catching_panics(|| {
                tracing::info!(
                    kind,
                    "the kind is paused: the worker waits until Tasks::resume or `tracker resume` ends the pause"
                );
            });
        }
    }

    /// A task that was to start cannot be decoded.
    pub(super) fn unreadable(&self, shared: &Shared, fence: u64, took: Option<Duration>) {
        self.dispatcher.heartbeats.remove(shared, fence);
        shared.engine.held().give_back(fence);
        self.summary().unreadable += 1;
        self.dispatcher.unreadable(took);
    }

    /// Gives back, without waiting, tasks that have not started.
    pub(super) fn release(&self, shared: &Arc<Shared>, kind: usize, tasks: Vec<Claimed>) -> Result<()> {
        let mut released = Ok(());
        for task in tasks {
            released =
                released.and(self.dispatcher.queue_outcome(shared, (kind, false), FinishTask::release(task), None));
        }
        released
    }

    /// Counts the answers that have come, and queues a failure in place of each outcome that was refused.
    pub(super) fn report(&self, shared: &Arc<Shared>) -> Result<()> {
        let answers = self.dispatcher.take_answers().into_iter();
        first_cause(answers.map(|answer| self.report_one(shared, answer)).collect::<Vec<_>>())
    }

    fn report_one(&self, shared: &Arc<Shared>, Answer { kind, ended, result }: Answer) -> Result<()> {
        let Some(ended) = ended else { return result };
        if let Some(failure) = self.stored(result, &ended)? {
            let outcome = Outcome::Fail { retry_in: None };
            let action = FinishTask::plain(ended.task, ended.id, ended.owner, outcome, Some(failure));
            self.dispatcher.queue_instead(shared, kind, action)?;
        }
        Ok(())
    }

    /// Replaces the error of the slots by its cause, if an answer that no slot has counted has the cause: a closed file follows from another error.
    pub(super) fn with_cause(&self, result: Result<()>) -> Result<()> {
        let Err(error) = result else { return Ok(()) };
        let unreported = self.dispatcher.take_answers().into_iter().map(|answer| answer.result);
        first_cause(once(Err(error)).chain(unreported.filter(|result| !is_refusal(result))))
    }

    /// Counts the stored outcome of an attempt. If the outcome was refused, returns the failure to store in its place.
    pub(super) fn stored(&self, stored: Result<()>, ended: &FinishedAttempt) -> Result<Option<Failure>> {
        let FinishedAttempt { owner, outcome, failure, panicked, run, .. } = ended;
        let run = *run;
        match stored {
            Ok(()) => self.count(outcome, failure.as_ref(), *panicked, run),
            Err(error) if error.kind() == ErrorKind::LeaseLost => {
                if let Some(timeout) = self.dispatcher.heartbeats.take_expired(owner.fence) {
                    // The pool has stored the failure itself when the timeout was over.
                    let failure = Failure::new(timeout_text(timeout));
                    self.count(&Outcome::Fail { retry_in: None }, Some(&failure), false, run);
                } else {
                    panics::log_catching_panics(|| tracing::warn!(%error, "an attempt ended after its lease was lost"));
                    self.summary().lost += 1;
                }
            }
            // The task cannot have this outcome, so the attempt fails.
            Err(error) if error.is_refusal() => {
                let failure = failure_of(&error);
                self.count(&Outcome::Fail { retry_in: None }, Some(&failure), false, run);
                return Ok(Some(failure));
            }
            Err(error) => return Err(error),
        }
        Ok(None)
    }

    pub(super) fn count(&self, outcome: &Outcome, failure: Option<&Failure>, panicked: bool, run: Duration) {
        let mut summary = self.summary();
        match outcome {
            Outcome::Succeed => summary.succeeded += 1,
            Outcome::Fail { .. } | Outcome::GiveUp => summary.failed += 1,
            _ => summary.other += 1,
        }
        summary.panicked += u64::from(panicked);
        summary.record_time(run);
        if let Some(failure) = failure {
            summary.record_error(&failure.error);
        }
        let (failed, all) = (summary.failed, summary.attempts());
        #[expect(clippy::cast_precision_loss, reason = "a share of a count needs no more than 52 bits")]
        let share = self.settings.failure_rate.is_some_and(|share| all >= 20 && failed as f64 >= share * all as f64);
        if share || self.settings.stop_after_failures.is_some_and(|most| failed >= most) {
            summary.halted = true;
            self.dispatcher.note_halt();
        }
    }
}

fn is_refusal(result: &Result<()>) -> bool {
    result.as_ref().is_err_and(Error::is_refusal)
}

/// The claim that a request asks for.
pub(super) fn claim_of<T: TrackedTask>(
    pool: &PoolState<'_>,
    tasks: &Tasks<T>,
    request: &ClaimRequest,
) -> Result<Claim> {
    let start = tasks.start_command(&*tasks.kind()?, &StartOptions::default(), true)?;
    let ClaimRequest { most, begin, bytes, isolated, .. } = *request;
    let budgets = pool.settings.budgets.clone();
    Ok(Claim { kind: tasks.kind_id(), start, most, begin, prefetch_bytes: bytes, isolated, budgets, held: true })
}

/// Closes a pool when its driver ends, also when the future of an async worker is dropped.
pub(super) struct Closing(pub Arc<SharedDispatcher>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Ends the slot of a driver that does not come to [`Action::Exit`](crate::dispatch::Action::Exit): the others halt.
pub(super) struct SlotGuard<'p> {
    pub dispatcher: &'p SharedDispatcher,
    pub slot: usize,
    pub exited: bool,
}

impl Drop for SlotGuard<'_> {
    fn drop(&mut self) {
        if !self.exited {
            self.dispatcher.note_halt();
            self.dispatcher.abandon(self.slot);
        }
    }
}
