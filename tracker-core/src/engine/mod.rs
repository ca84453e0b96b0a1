//! `Engine` gathers the actions of many callers into one transaction and one fsync, and answers each when it is durable. Called by `api`,
//! `worker`, `portable` and `maintenance`; reads and writes the file through `storage`, and starts the background thread.

mod action;
mod background;
mod calls;
mod clock;
mod commit_queue;
pub(crate) mod conflict_retry;
mod cross_process;
mod database;
mod deferred;
mod ends;
mod event;
mod free_leases;
mod group_commit;
mod held_leases;
mod job_thread;
mod leading;
mod listening;
mod options;
#[cfg(feature = "metrics")]
mod process_metrics;
mod queued_action;
mod repair_time;
mod retention;
pub(crate) mod run_log;
mod signal;
mod subscription;
mod sync;
#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests;
mod user_transaction;
mod writer;

pub(crate) use action::{
    Action, ApplyRetention, Claim, Claimed, Claims, Destination, FinishTask, Flush, MoveTask, OpenBatch, Pause,
    Prepared, Propagate, Prune, PruneBatches, PrunedBatches, Register, RemoveBatch, Rescue, Rescued, Scope, Seal,
    SetBudget, StartById, SubmitAndStart, SubmitGroup, SubmitMany, Submitted, Target, TaskCommand,
};
#[cfg(feature = "schedules")]
pub(crate) use action::{
    Advance, Advanced, BuiltOccurrence, ChangeSchedule, RegisterSchedule, ScheduleCommand, SubmitOccurrences,
    unknown_schedule,
};
pub use event::{Event, EventKind, Notification};
pub(crate) use held_leases::HeldLeases;
pub(crate) use options::EngineOptions;
pub(crate) use repair_time::{Retimed, repair_time};
pub(crate) use signal::Signal;
pub(crate) use subscription::SubscriptionOptions;
#[cfg(feature = "tokio")]
pub use subscription::SubscriptionStream;
pub use subscription::{Subscription, SubscriptionHandle};
pub(crate) use writer::{CommitEffects, Writer};

use std::{
    sync::{Arc, Mutex, PoisonError, RwLock},
    thread::JoinHandle,
};

use uuid::Uuid;

use crate::{
    model::{
        codec::PayloadCodecs, durability::Durability, error::Result, kinds::Kinds, time::TimeKeeper, transition::Lease,
    },
    storage::tables::{Reading, Tables},
};
use commit_queue::CommitQueue;
pub(crate) use database::{Database, FileDatabase, Place};
pub(crate) use free_leases::free_leases;
use subscription::Subscribers;

/// One open file. Callers of any thread queue actions; one of them at a time leads and commits for all.
pub(crate) struct Engine {
    database: Database,
    queue: CommitQueue,
    instance: Uuid,
    time: Arc<TimeKeeper>,
    kinds: RwLock<Arc<Kinds>>,
    held: Arc<HeldLeases>,
    /// Rises when a task may have become startable.
    pub(crate) signal: Arc<Signal>,
    /// Rises when the clock is set, and when the thread of the schedules has something to do.
    #[cfg_attr(not(feature = "schedules"), expect(dead_code, reason = "there is no such thread"))]
    pub(crate) schedule_signal: Arc<Signal>,
    subscribers: Subscribers,
    end_waits: ends::EndWaits,
    given_up: ends::GivenUpCallbacks,
    /// Runs the user's callbacks.
    pub(crate) callbacks: Arc<job_thread::JobThread>,
    deferred: deferred::DeferredCalls,
    background: Mutex<Option<JoinHandle<()>>>,
    commits: group_commit::Commits,
    #[cfg(feature = "metrics")]
    metrics: process_metrics::ProcessMetrics,
    retention: retention::Retention,
    durability: Durability,
    /// Encode the payloads of tasks.
    codecs: PayloadCodecs,
    cross_process: cross_process::CrossProcess,
}

impl Engine {
    pub(crate) fn open(options: EngineOptions) -> Result<Arc<Self>> {
        let database = Database::open(options.place, options.file, options.read_only, options.patience)?;
        let time = Arc::new(options.time);
        let signal = Arc::new(Signal::default());
        let schedule_signal = Arc::new(Signal::default());
        signal::raise_when_set(&**time.clock(), [signal.clone(), schedule_signal.clone()]);
        let engine = Arc::new(Self {
            database,
            queue: CommitQueue::default(),
            instance: Uuid::new_v4(),
            time,
            kinds: RwLock::default(),
            held: Arc::default(),
            signal,
            schedule_signal,
            subscribers: Subscribers::default(),
            end_waits: ends::EndWaits::default(),
            given_up: ends::GivenUpCallbacks::default(),
            callbacks: job_thread::JobThread::new("tracker-callbacks"),
            deferred: deferred::DeferredCalls::new(),
            background: Mutex::default(),
            commits: group_commit::Commits::default(),
            #[cfg(feature = "metrics")]
            metrics: process_metrics::ProcessMetrics::new(),
            retention: retention::Retention::new(options.prune_every, options.keep_batches),
            durability: options.durability,
            codecs: options.codecs,
            cross_process: cross_process::CrossProcess::default(),
        });
        let kinds = engine.stored_kinds()?;
        engine.set_kinds(Arc::new(kinds));
        // The clock must not be behind the file. A read-only tracker makes no commits, so it learns the file's time only here.
        engine.read(|rows| engine.see_open(rows))?;
        if !options.read_only {
            *engine.background.lock().unwrap_or_else(PoisonError::into_inner) = Some(background::start(&engine)?);
        }
        Ok(engine)
    }

    pub(crate) fn codecs(&self) -> &PayloadCodecs {
        &self.codecs
    }

    /// Durability of submits that do not choose one.
    pub(crate) fn durability(&self) -> Durability {
        self.durability
    }

    pub(crate) fn instance(&self) -> Uuid {
        self.instance
    }

    pub(crate) fn held(&self) -> &Arc<HeldLeases> {
        &self.held
    }

    /// Whether a worker of this process holds this lease, even if the lease has expired by the clock.
    pub(crate) fn holds(&self, lease: &Lease) -> bool {
        lease.instance == self.instance && self.held.has(lease.fence)
    }

    pub(crate) fn time(&self) -> &TimeKeeper {
        &self.time
    }

    pub(crate) fn file(&self) -> &Database {
        &self.database
    }

    /// Reads from a snapshot. Keep it short, because the file cannot reuse pages while a snapshot is open.
    pub(crate) fn read<R>(&self, work: impl Fn(&mut Tables<Reading<'_>>) -> Result<R>) -> Result<R> {
        self.refuse_inside_transaction()?;
        self.database.read(|txn| work(&mut Tables::new(txn)))
    }

    /// The kinds as stored in the file.
    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "the method's path is not general enough over lifetimes"
    )]
    pub(crate) fn stored_kinds(&self) -> Result<Kinds> {
        self.read(|rows| rows.all_kinds())
    }

    /// The kinds as last loaded from the file. Later changes do not show in the returned value.
    pub(crate) fn kinds(&self) -> Arc<Kinds> {
        self.kinds.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_kinds(&self, kinds: Arc<Kinds>) {
        *self.kinds.write().unwrap_or_else(PoisonError::into_inner) = kinds;
    }

    pub(crate) fn subscribe(&self, options: SubscriptionOptions) -> Subscription {
        self.subscribers.subscribe(options)
    }

    /// Refuses to close the file on a thread that is committing or has a user transaction open. The background thread may close it while it commits.
    pub(crate) fn check_close(&self) -> Result<()> {
        self.refuse_open()?;
        let background = self.background.lock().unwrap_or_else(PoisonError::into_inner);
        let is_current = background.as_ref().is_some_and(|thread| thread.thread().id() == std::thread::current().id());
        drop(background);
        if is_current { Ok(()) } else { self.refuse_inside_transaction() }
    }

    /// Commits the queued actions, answers their callers, and closes the file. Later calls are refused.
    pub(crate) fn close(&self) -> Result<()> {
        self.check_close()?;
        let background = self.background.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Deferred calls and callbacks that are due can still make calls.
        if !self.deferred.thread.is_own_thread() && !self.callbacks.is_own_thread() {
            self.deferred.settle();
            self.callbacks.settle();
        }
        self.queue.close();
        self.cross_process.close();
        self.signal.raise();
        if let Some(background) = background {
            if background.thread().id() == std::thread::current().id() {
                // The last handle was dropped by a callback on this thread, so the remaining actions are committed here.
                while !self.queue.is_empty() {
                    self.lead();
                }
            } else {
                drop(background.join());
            }
        }
        self.deferred.thread.close();
        self.callbacks.close();
        self.given_up.clear();
        self.subscribers.close();
        let closed = self.database.close();
        // Wakes the calls that wait for the end of a task: they read again, and get an error since the file is closed.
        self.end_waits.publish(&ends::Ends::Unlisted);
        closed
    }
}
