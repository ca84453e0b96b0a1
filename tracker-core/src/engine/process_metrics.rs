//! Gives counters and histograms of this process to the recorder of the crate `metrics` (feature `metrics`). Filled by
//! `engine/writer/effects`, added up by `engine/group_commit` once the transaction is durable, registered by `Tracker::tasks`. Calls the
//! user's recorder, and touches no row.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use metrics::{Counter, Histogram, Unit, counter, histogram};

use super::Engine;
use crate::model::{
    kind::Kind,
    kinds::Kinds,
    metric_family::{MetricFamily, process},
    panics,
    time::Micros,
    transition::{AttemptStatus, Command, Decision, Header},
};

/// One count that a transaction makes for a kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Counted {
    kind: u32,
    what: CountedEvent,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum CountedEvent {
    Submitted,
    /// An attempt started on a task that had been due for this time, in microseconds.
    Started {
        waited: Micros,
    },
    /// An attempt ended that ran for this time, in microseconds.
    Ended {
        status: AttemptStatus,
        ran: Micros,
    },
}

impl Counted {
    #[cfg(feature = "json")]
    pub(super) fn submitted(kind: u32) -> Self {
        Self { kind, what: CountedEvent::Submitted }
    }

    /// Returns the counts of a decision: the end of an attempt, and a new task or a start.
    pub(super) fn of(
        kind: u32,
        old: Option<&Header>,
        decision: &Decision,
        command: &Command,
        now: Micros,
    ) -> impl Iterator<Item = Self> + use<> {
        let ended = decision.ended_attempt(old).map(|ended| {
            let ran = ended.run.and_then(|run| Micros::try_from(run).ok());
            let ran = ran.unwrap_or(ended.ended.saturating_sub(ended.started));
            CountedEvent::Ended { status: ended.status, ran }
        });
        let begun = match (command, old) {
            (Command::Submit(_), None) => Some(CountedEvent::Submitted),
            // A start by the holder of the lease continues its attempt.
            (Command::Start(_), Some(old))
                if decision.header.as_ref().is_some_and(|new| new.attempts != old.attempts) =>
            {
                Some(CountedEvent::Started { waited: now.saturating_sub(old.due).max(0) })
            }
            _ => None,
        };
        ended.into_iter().chain(begun).map(move |what| Self { kind, what })
    }
}

/// The handles of the recorder that was installed when the file and its kinds were opened.
pub(crate) struct ProcessMetrics {
    commits: Counter,
    kinds: Mutex<HashMap<u32, Arc<KindHandles>>>,
}

struct KindHandles {
    submitted: Counter,
    started: Counter,
    ended: [Counter; AttemptStatus::ALL.len()],
    duration: Histogram,
    wait: Histogram,
}

impl ProcessMetrics {
    pub(super) fn new() -> Self {
        let registered = panics::catch_panic(|| {
            describe();
            counter!(process::COMMITS.name)
        });
        Self { commits: registered.unwrap_or_else(|_| Counter::noop()), kinds: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u32, Arc<KindHandles>>> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The handles of a kind. The recorder, which may call the tracker, is not called behind the lock.
    fn handles(&self, kind: u32, name: impl FnOnce() -> String) -> Arc<KindHandles> {
        if let Some(handles) = self.lock().get(&kind) {
            return handles.clone();
        }
        let registered = Arc::new(KindHandles::new(name()));
        self.lock().entry(kind).or_insert(registered).clone()
    }

    /// Registers the metrics of a kind that the program opens, so that they begin with 0. Other kinds follow when they are first counted.
    fn register(&self, kind: &Kind) {
        panics::log_catching_panics(|| drop(self.handles(kind.id, || kind.name.clone())));
    }

    /// Adds up the counts of durable transactions. The recorder is foreign code.
    pub(super) fn add(&self, counted: &[Counted], kinds: &Kinds) {
        panics::log_catching_panics(|| {
            for counts in counted.chunk_by(|one, next| one.kind == next.kind) {
                let Some(Counted { kind, .. }) = counts.first().copied() else { continue };
                let handles = self.handles(kind, || kinds.get(kind).map_or_else(String::new, |kind| kind.name.clone()));
                for counted in counts {
                    handles.add(counted.what);
                }
            }
        });
    }

    pub(super) fn count_commit(&self) {
        panics::log_catching_panics(|| self.commits.increment(1));
    }
}

impl Engine {
    /// Registers the metrics of a kind with the recorder of this thread.
    pub(crate) fn register_metrics(&self, kind: &Kind) {
        self.metrics.register(kind);
    }
}

impl KindHandles {
    fn new(kind: String) -> Self {
        let ended = AttemptStatus::ALL
            .map(|status| counter!(process::ENDED.name, "kind" => kind.clone(), "outcome" => status.name()));
        Self {
            submitted: counter!(process::SUBMITTED.name, "kind" => kind.clone()),
            started: counter!(process::STARTED.name, "kind" => kind.clone()),
            ended,
            duration: histogram!(process::DURATION.name, "kind" => kind.clone()),
            wait: histogram!(process::WAIT.name, "kind" => kind),
        }
    }

    fn add(&self, what: CountedEvent) {
        match what {
            CountedEvent::Submitted => self.submitted.increment(1),
            CountedEvent::Started { waited } => {
                self.started.increment(1);
                self.wait.record(seconds(waited));
            }
            CountedEvent::Ended { status, ran } => {
                for (_, counter) in AttemptStatus::ALL.iter().zip(&self.ended).filter(|(of, _)| **of == status) {
                    counter.increment(1);
                }
                if status == AttemptStatus::Succeeded {
                    self.duration.record(seconds(ran));
                }
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 285 years")]
fn seconds(time: Micros) -> f64 {
    time as f64 / 1e6
}

fn describe() {
    for MetricFamily { name, help, .. } in [process::SUBMITTED, process::STARTED, process::ENDED, process::COMMITS] {
        metrics::describe_counter!(name, help);
    }
    for MetricFamily { name, help, .. } in [process::DURATION, process::WAIT] {
        metrics::describe_histogram!(name, Unit::Seconds, help);
    }
}
