//! `Heartbeats` renews the leases that a pool holds, stores the start of longer handlers, passes on cancellations, and in pools of threads ends
//! attempts at their timeout. Called at intervals by `threads` or `async_worker`; `shared_dispatcher`, `pool_state`, `kind_runner` and `async_slot`
//! register and remove attempts. Keeps these behind locks, reads the user's clock and rows for cancellations of other processes,
//! and writes through `Engine`.

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

#[cfg(feature = "tokio")]
use crate::api::asynchronous::calls;
use crate::{
    api::{execution::Execution, shared::Shared, shutdown::RunningHandler},
    engine::{Claimed, FinishTask, Target, TaskCommand},
    model::{
        error::{Error, ErrorKind, Result},
        panics,
        task::{TaskKey, TaskRef, TrackedTask},
        time::between,
        transition::{Command, Failure, Header, Outcome, Owner},
    },
};

/// The claimed tasks of a pool, by fence.
#[derive(Default)]
pub(super) struct Heartbeats {
    runs: Mutex<HashMap<u64, RunningAttempt>>,
    /// The timeouts of attempts that were ended there, and whose handlers have not returned, by fence.
    expired: Mutex<HashMap<u64, Duration>>,
    /// When the file was last read for cancellations by other processes.
    checked: Mutex<Option<Instant>>,
}

/// Time between two reads of the file for cancellations by other processes.
const CANCEL_CHECK: Duration = Duration::from_millis(300);

#[derive(Clone)]
struct RunningAttempt {
    shared: Arc<Shared>,
    task: TaskRef,
    id: TaskKey,
    owner: Owner,
    lease: Duration,
    timeout: Option<Duration>,
    began: Duration,
    renewed: Duration,
    cancelled: Arc<AtomicBool>,
    /// Its handler has started, and the start is not stored yet.
    start_unstored: bool,
    /// The slot that runs its handler.
    slot: Option<usize>,
    /// The lease has ended, and the handler may still run.
    lease_ended: bool,
}

impl Heartbeats {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, RunningAttempt>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Registers a task that was claimed at `now` of the monotonic clock. Its lease is renewed from then on.
    pub(super) fn add_claimed(&self, shared: &Arc<Shared>, claimed: &Claimed, now: Duration) {
        let length = claimed.header.lease.as_ref().map_or(0, |lease| lease.length);
        let run = RunningAttempt {
            shared: shared.clone(),
            task: claimed.task,
            id: claimed.row.id.clone(),
            owner: claimed.owner,
            lease: between(0, length),
            timeout: None,
            began: now,
            renewed: now,
            cancelled: Arc::new(AtomicBool::new(claimed.header.cancel)),
            start_unstored: false,
            slot: None,
            lease_ended: false,
        };
        shared.engine.held().add(run.owner.fence);
        self.lock().insert(run.owner.fence, run);
    }

    /// Registers that the handler of a task starts, so that its time counts from now on. If the handler still runs at the next renewal, its
    /// start is stored. A shorter handler costs no write besides its outcome.
    pub(super) fn begin<T: TrackedTask>(
        &self,
        slot: usize,
        execution: &Execution<T>,
        start_stored: bool,
        timeout: Option<Duration>,
    ) {
        if let Some(run) = self.lock().get_mut(&execution.fence()) {
            (run.slot, run.began, run.timeout, run.start_unstored) =
                (Some(slot), execution.begun(), timeout, !start_stored);
            let flag = execution.cancelled_flag();
            flag.fetch_or(run.cancelled.load(Ordering::Relaxed), Ordering::Relaxed);
            run.cancelled = flag;
        }
    }

    /// Releases a task that was claimed and has not started, without waiting.
    pub(super) fn give_back(&self, claimed: Claimed) {
        let Some(run) = self.lock().remove(&claimed.owner.fence) else { return };
        run.shared.engine.give_back(claimed);
    }

    /// Removes every task, when no handler runs any more.
    pub(super) fn clear(&self) {
        for (fence, run) in self.lock().drain() {
            run.shared.engine.held().remove(fence);
        }
    }

    pub(super) fn remove(&self, shared: &Shared, fence: u64) {
        self.lock().remove(&fence);
        shared.engine.held().remove(fence);
    }

    /// Stops the renewal of a lease that has ended. A handler that runs stays registered until it returns.
    fn end_lease(&self, run: &RunningAttempt) {
        run.shared.engine.held().remove(run.owner.fence);
        let mut runs = self.lock();
        match runs.get_mut(&run.owner.fence) {
            Some(run) if run.slot.is_some() => run.lease_ended = true,
            _ => drop(runs.remove(&run.owner.fence)),
        }
    }

    /// The handlers of these slots, which have not returned.
    pub(super) fn running(&self, slots: &[usize]) -> Vec<RunningHandler> {
        let runs = self.lock();
        // Of the attempts of a slot, the latest one runs. The outcomes of the others are being stored.
        let latest = |slot: &usize| {
            runs.values().filter(|run| run.slot == Some(*slot)).max_by_key(|run| (run.began, run.owner.fence)).cloned()
        };
        let latest: Vec<_> = slots.iter().filter_map(latest).collect();
        drop(runs);
        latest.iter().map(RunningAttempt::handler).collect()
    }

    /// The timeout of an attempt that was ended there. Its handler has returned, so that this is asked once: it forgets the attempt.
    pub(super) fn take_expired(&self, fence: u64) -> Option<Duration> {
        self.expired.lock().unwrap_or_else(PoisonError::into_inner).remove(&fence)
    }

    /// How long the next renewal may wait: a third of the shortest lease, so that one renewal may fail, or a quarter of the shortest timeout, so that it
    /// ends an attempt soon after it. From 2 ms, for few wake-ups, to 100 ms, for tasks that are claimed meanwhile.
    pub(super) fn pause(&self) -> Duration {
        let shortest = self
            .lock()
            .values()
            .filter(|run| !run.lease_ended)
            .map(|run| run.timeout.map_or(run.lease / 3, |timeout| timeout.min(run.lease) / 4))
            .min();
        shortest.unwrap_or(Duration::MAX).clamp(Duration::from_millis(2), Duration::from_millis(100))
    }

    /// Sets the flags of attempts that another process has cancelled. Other processes write with `Sharing::Writers` only.
    fn see_cancels(&self) {
        let Some(shared) = self.lock().values().next().map(|run| run.shared.clone()) else { return };
        if !shared.engine.is_shared_by_writers() {
            return;
        }
        {
            let mut checked = self.checked.lock().unwrap_or_else(PoisonError::into_inner);
            if checked.is_some_and(|at| at.elapsed() < CANCEL_CHECK) {
                return;
            }
            *checked = Some(Instant::now());
        }
        let runs = self.runs();
        let read = shared.engine.read(|rows| {
            let mut cancelled = Vec::new();
            rows.prefetch_headers(runs.iter().map(|run| run.task))?;
            for run in &runs {
                let header = rows.header(run.task)?.filter(|header| header.cancel);
                if header.and_then(|header| header.lease).is_some_and(|lease| lease.fence == run.owner.fence) {
                    cancelled.push(run.owner.fence);
                }
            }
            Ok(cancelled)
        });
        // A file that cannot be read is reported by the next renewal.
        let cancelled = read.unwrap_or_default();
        if cancelled.is_empty() {
            return;
        }
        for run in runs.iter().filter(|run| cancelled.contains(&run.owner.fence)) {
            run.cancelled.store(true, Ordering::Relaxed);
        }
        shared.engine.held().cancels().raise();
    }

    /// Renews the leases that are due, and ends the attempts that have taken too long.
    pub(super) fn renew_due(&self) {
        self.see_cancels();
        let mut due = Vec::new();
        for run in self.runs() {
            let now = run.now();
            if let Some(timeout) = run.timeout.filter(|timeout| now.saturating_sub(run.began) > *timeout) {
                // Registered before the handler is notified, and so before it can store an outcome.
                self.expired.lock().unwrap_or_else(PoisonError::into_inner).insert(run.owner.fence, timeout);
                if !run.expire(now, timeout) {
                    self.take_expired(run.owner.fence);
                }
                self.end_lease(&run);
            } else if run.is_due(now) {
                due.push((run, now));
            }
        }
        let Some((first, _)) = due.first() else { return };
        let shared = first.shared.clone();
        match shared.engine.call_all(due.iter().map(|(run, _)| run.renewal()).collect()) {
            Ok(answers) => due.iter().zip(answers).for_each(|((run, now), answer)| self.renewed(run, *now, answer)),
            Err(error) => panics::log_catching_panics(|| tracing::warn!(%error, "leases could not be renewed")),
        }
    }

    /// Renews the leases that are due, until the future is dropped.
    #[cfg(feature = "tokio")]
    pub(super) async fn renew(&self) -> std::convert::Infallible {
        loop {
            tokio::time::sleep(self.pause()).await;
            self.see_cancels();
            let runs = self.runs().into_iter().map(|run| (run.now(), run)).filter(|(now, run)| run.is_due(*now));
            // All are queued before the first answer is waited for, so that they share one commit.
            let renewals: Vec<_> =
                runs.map(|(now, run)| (calls::queue(&run.shared, run.renewal()), run, now)).collect();
            for (answer, run, now) in renewals {
                self.renewed(&run, now, answer.await);
            }
        }
    }

    /// The attempts whose leases are renewed.
    fn runs(&self) -> Vec<RunningAttempt> {
        self.lock().values().filter(|run| !run.lease_ended).cloned().collect()
    }

    fn renewed(&self, run: &RunningAttempt, now: Duration, answer: Result<Option<Header>>) {
        if run.is_renewed(answer) {
            self.lock().entry(run.owner.fence).and_modify(|kept| {
                kept.renewed = now;
                kept.start_unstored &= !run.start_unstored;
            });
        } else {
            self.end_lease(run);
        }
    }
}

/// The error text of an attempt that took too long.
pub(super) fn timeout_text(timeout: Duration) -> String {
    format!("the attempt took longer than its timeout of {timeout:?}")
}

impl RunningAttempt {
    fn handler(&self) -> RunningHandler {
        let kind = self.shared.kind(self.task.kind).map(|kind| kind.name.clone()).unwrap_or_default();
        let run_time = self.now().saturating_sub(self.began);
        RunningHandler { kind, id: self.id.clone(), fence: self.owner.fence, run_time }
    }

    fn now(&self) -> Duration {
        self.shared.engine.time().monotonic()
    }

    fn is_due(&self, now: Duration) -> bool {
        self.start_unstored || now.saturating_sub(self.renewed) >= self.lease / 3
    }

    fn renewal(&self) -> TaskCommand {
        let command = Command::Renew { owner: self.owner, lease: None, begin: self.start_unstored };
        TaskCommand::new(self.task.kind, Target::Known(self.task, self.id.clone()), command)
    }

    /// False if the lease is lost.
    fn is_renewed(&self, answer: Result<Option<Header>>) -> bool {
        match answer {
            Ok(header) => {
                if header.is_some_and(|header| header.cancel) {
                    self.cancelled.store(true, Ordering::Relaxed);
                    self.shared.engine.held().cancels().raise();
                }
                true
            }
            Err(error) => {
                let lost = matches!(error.kind(), ErrorKind::LeaseLost | ErrorKind::NotFound);
                panics::log_catching_panics(|| tracing::warn!(id = %self.id, %error, "a lease could not be renewed"));
                // A passing error does not undo a cancellation.
                self.cancelled.fetch_or(lost, Ordering::Relaxed);
                if lost {
                    self.shared.engine.held().cancels().raise();
                }
                !lost
            }
        }
    }

    /// False if its end could not be stored.
    fn expire(&self, now: Duration, timeout: Duration) -> bool {
        let failure = Failure::new(timeout_text(timeout));
        let outcome = Outcome::Fail { retry_in: None };
        let mut action = FinishTask::plain(self.task, self.id.clone(), self.owner, outcome, Some(failure));
        action.finish.run = u64::try_from(now.saturating_sub(self.began).as_micros()).ok();
        // The handler is notified when the failure is queued, so an outcome that it stores then comes too late.
        let tell = || self.cancelled.store(true, Ordering::Relaxed);
        let stored: Result<_, Error> = self.shared.engine.call_then_notify(action, tell);
        if let Err(error) = &stored {
            panics::log_catching_panics(
                || tracing::warn!(id = %self.id, %error, "the end of an attempt at its timeout could not be stored"),
            );
        }
        stored.is_ok()
    }
}
