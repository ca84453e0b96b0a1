use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

#[cfg(feature = "tokio")]
use crate::asynchronous::calls;
use crate::{
    disk::keys::TaskRef,
    engine::{FinishTask, Target, TaskCommand},
    error::{Error, ErrorKind, Result},
    execution::Execution,
    rules::{Command, Failure, Finish, Header, Outcome, Owner, Remarks},
    shared::Shared,
    task::{TaskKey, TrackedTask},
};

/// What runs in a crew: renewed as long as it runs, ended when it takes too long.
#[derive(Default)]
pub(super) struct Running {
    runs: Mutex<HashMap<u64, Run>>,
    /// The fences of attempts that were ended at their time limit, and whose bodies have not returned yet.
    expired: Mutex<HashSet<u64>>,
}

#[derive(Clone)]
struct Run {
    shared: Arc<Shared>,
    task: TaskRef,
    id: TaskKey,
    owner: Owner,
    lease: Duration,
    limit: Option<Duration>,
    began: Duration,
    renewed: Duration,
    cancelled: Arc<AtomicBool>,
}

impl Running {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Run>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add<T: TrackedTask>(&self, shared: &Arc<Shared>, execution: &Execution<T>, limit: Option<Duration>) {
        let (task, id, owner) = execution.owned();
        let now = shared.engine.time().monotonic();
        let run = Run {
            shared: shared.clone(),
            task,
            id,
            owner,
            lease: execution.lease(),
            limit,
            began: now,
            renewed: now,
            cancelled: execution.cancelled_flag(),
        };
        shared.engine.held().add(owner.fence);
        self.lock().insert(owner.fence, run);
    }

    pub(super) fn remove(&self, shared: &Shared, fence: u64) {
        self.lock().remove(&fence);
        shared.engine.held().remove(fence);
    }

    /// Whether the attempt was ended at its time limit; its body has returned now.
    pub(super) fn has_expired(&self, fence: u64) -> bool {
        self.expired.lock().unwrap_or_else(PoisonError::into_inner).remove(&fence)
    }

    /// How long the next look may wait.
    pub(super) fn pause(&self) -> Duration {
        let shortest =
            self.lock().values().map(|run| run.limit.map_or(run.lease / 3, |limit| limit.min(run.lease) / 4)).min();
        shortest.unwrap_or(Duration::MAX).clamp(Duration::from_millis(2), Duration::from_millis(100))
    }

    /// Renews what is due for it, and ends what has taken too long.
    pub(super) fn tend(&self) {
        for run in self.runs() {
            let now = run.now();
            if run.limit.is_some_and(|limit| now.saturating_sub(run.began) > limit) {
                // Known before the body can be told, and so before it can ask.
                self.expired.lock().unwrap_or_else(PoisonError::into_inner).insert(run.owner.fence);
                if !run.expire(now) {
                    self.has_expired(run.owner.fence);
                }
                self.remove(&run.shared, run.owner.fence);
            } else if run.is_due(now) {
                let answer = run.shared.engine.call(run.renewal());
                self.renewed(&run, now, answer);
            }
        }
    }

    /// Renews what is due for it, until the future is dropped.
    #[cfg(feature = "tokio")]
    pub(super) async fn renew(&self) -> std::convert::Infallible {
        loop {
            tokio::time::sleep(self.pause()).await;
            let runs = self.runs().into_iter().map(|run| (run.now(), run)).filter(|(now, run)| run.is_due(*now));
            // All are queued before the first answer is waited for: one commit.
            let renewals: Vec<_> =
                runs.map(|(now, run)| (calls::queue(&run.shared, run.renewal()), run, now)).collect();
            for (answer, run, now) in renewals {
                self.renewed(&run, now, answer.await);
            }
        }
    }

    fn runs(&self) -> Vec<Run> {
        self.lock().values().cloned().collect()
    }

    fn renewed(&self, run: &Run, now: Duration, answer: Result<Option<Header>>) {
        if run.is_renewed(answer) {
            self.lock().entry(run.owner.fence).and_modify(|kept| kept.renewed = now);
        } else {
            self.remove(&run.shared, run.owner.fence);
        }
    }
}

/// The words for an attempt that took too long.
pub(super) fn overtime(limit: Duration) -> String {
    format!("the attempt took longer than its time limit of {limit:?}")
}

impl Run {
    fn now(&self) -> Duration {
        self.shared.engine.time().monotonic()
    }

    fn is_due(&self, now: Duration) -> bool {
        now.saturating_sub(self.renewed) >= self.lease / 3
    }

    fn renewal(&self) -> TaskCommand {
        let command = Command::Renew { owner: self.owner, lease: None, begin: false };
        TaskCommand::new(self.task.kind, Target::Known(self.task, self.id.clone()), command)
    }

    /// False if the lease is lost.
    fn is_renewed(&self, answer: Result<Option<Header>>) -> bool {
        match answer {
            Ok(header) => {
                if header.is_some_and(|header| header.cancel) {
                    self.cancelled.store(true, Ordering::Relaxed);
                }
                true
            }
            Err(error) => {
                let lost = matches!(error.kind(), ErrorKind::LeaseLost | ErrorKind::NotFound);
                tracing::warn!(id = %self.id, %error, "a lease could not be renewed");
                self.cancelled.store(lost, Ordering::Relaxed);
                !lost
            }
        }
    }

    /// False if its end could not be stored.
    fn expire(&self, now: Duration) -> bool {
        self.cancelled.store(true, Ordering::Relaxed);
        let limit = self.limit.unwrap_or_default();
        let finish = Finish {
            owner: self.owner,
            outcome: Outcome::Fail { retry_in: None },
            keep: false,
            failure: Some(Failure::new(overtime(limit))),
            remarks: Remarks::default(),
            run: u64::try_from(now.saturating_sub(self.began).as_micros()).ok(),
            chance: 0.5,
        };
        let action = FinishTask { task: self.task, id: self.id.clone(), finish, body: None, next: Vec::new() };
        let stored: Result<_, Error> = self.shared.engine.call(action);
        if let Err(error) = &stored {
            tracing::warn!(id = %self.id, %error, "the end of an attempt at its time limit could not be stored");
        }
        stored.is_ok()
    }
}
