//! The engine: gathers the actions of many callers into one transaction and one fsync, and answers each when it is durable.
//! Called by `api`, `worker`, `portable` and `maintenance`; uses `storage` and the rules.

mod action;
mod background;
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
        codec::PayloadCodecs,
        durability::Durability,
        error::{Error, Result},
        kinds::Kinds,
        panics,
        time::TimeKeeper,
        transition::Lease,
    },
    storage::tables::{Reading, Tables},
};
use commit_queue::CommitQueue;
pub(crate) use database::{Database, FileDatabase, Place};
pub(crate) use free_leases::free_leases;
use queued_action::{AnswerSlot, PendingAction, QueuedAction, Waiter};
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

    /// Runs an action, and returns when it is durable.
    pub(crate) fn call<A: Action>(&self, action: A) -> Result<A::Out> {
        self.call_then_notify(action, || ())
    }

    /// [`Self::call`], and calls `notify` once the action is in the queue. Actions that `notify` queues come after this one.
    pub(crate) fn call_then_notify<A: Action>(&self, action: A, notify: impl FnOnce()) -> Result<A::Out> {
        let waiter = Waiter::new(1);
        let (pending, slot) = PendingAction::waiting(action, &waiter);
        let queued = self.enqueue(vec![pending]);
        notify();
        queued?;
        self.wait_at(&waiter);
        slot.take()
    }

    /// Runs several independent actions, if possible in one commit.
    pub(crate) fn call_all<A: Action>(&self, actions: Vec<A>) -> Result<Vec<Result<A::Out>>> {
        if actions.is_empty() {
            return Ok(Vec::new());
        }
        let waiter = Waiter::new(actions.len());
        let (pending, slots): (Vec<_>, Vec<_>) =
            actions.into_iter().map(|action| PendingAction::waiting(action, &waiter)).unzip();
        self.enqueue(pending)?;
        self.wait_at(&waiter);
        Ok(slots.iter().map(AnswerSlot::take).collect())
    }

    /// Runs two independent actions in one commit.
    #[expect(clippy::type_complexity, reason = "one result per action, inside the result of queueing both")]
    pub(crate) fn call_both<A: Action, B: Action>(&self, one: A, other: B) -> Result<(Result<A::Out>, Result<B::Out>)> {
        let waiter = Waiter::new(2);
        let (one, first) = PendingAction::waiting(one, &waiter);
        let (other, second) = PendingAction::waiting(other, &waiter);
        self.enqueue(vec![one, other])?;
        self.wait_at(&waiter);
        Ok((first.take(), second.take()))
    }

    /// Queues an action without waiting for it: it is durable within 100 ms. Never blocks.
    pub(crate) fn post<A: Action>(&self, action: A) -> Result<()> {
        self.refuse_read_only()?;
        self.queue.push_relaxed(PendingAction::discarding(action))
    }

    /// [`Self::post`] for callers that may add many actions: waits for room in the queue.
    pub(crate) fn post_in_turn<A: Action>(&self, action: A) -> Result<()> {
        self.refuse_queueing()?;
        self.queue.wait_for_room()?;
        self.queue.push_relaxed(PendingAction::discarding(action))
    }

    /// Releases a claimed task that has not begun, without waiting.
    pub(crate) fn give_back(&self, claimed: Claimed) {
        self.held.give_back(claimed.owner.fence);
        let id = claimed.row.id.clone();
        if let Err(error) = self.post(FinishTask::release(claimed)) {
            panics::log_guarded(
                || tracing::warn!(%id, %error, "a claimed task that has not begun could not be given back"),
            );
        }
    }

    /// Waits for room in the queue, without blocking the thread.
    #[cfg(feature = "tokio")]
    pub(crate) async fn room(&self) {
        while let Some(seen) = self.queue.is_full() {
            self.queue.freed.changed(seen, None).await;
        }
    }

    /// Queues an action and calls `answer` with the outcome, on the thread that commits. `answer` must not block.
    pub(crate) fn call_then<A: Action>(
        &self,
        action: A,
        answer: impl FnOnce(Result<A::Out>) + Send + 'static,
    ) -> Result<()> {
        self.enqueue_for_background(vec![PendingAction::answering(action, answer)])
    }

    /// [`Self::call_then`] for a thread that soon calls [`lead_if_free`](Self::lead_if_free). If it does not, the action is committed
    /// within 100 ms, as by [`Self::post`].
    pub(crate) fn post_then<A: Action>(
        &self,
        action: A,
        answer: impl FnOnce(Result<A::Out>) + Send + 'static,
    ) -> Result<()> {
        self.refuse_open()?;
        self.refuse_read_only()?;
        self.queue.push_relaxed(PendingAction::answering(action, answer))
    }

    /// Commits one group if no other thread leads. For a thread that needs the answers of its posted actions. Returns false if another thread leads.
    pub(crate) fn lead_if_free(&self) -> bool {
        let leads = self.queue.try_lead();
        if leads {
            self.lead();
        }
        leads
    }

    /// [`Self::call_then`] for two actions in one commit.
    #[cfg(feature = "tokio")]
    pub(crate) fn call_both_then<A: Action, B: Action>(
        &self,
        (one, first): (A, impl FnOnce(Result<A::Out>) + Send + 'static),
        (other, second): (B, impl FnOnce(Result<B::Out>) + Send + 'static),
    ) -> Result<()> {
        self.enqueue_for_background(vec![PendingAction::answering(one, first), PendingAction::answering(other, second)])
    }

    fn enqueue_for_background(&self, pending: Vec<Box<dyn QueuedAction>>) -> Result<()> {
        self.refuse_open()?;
        self.refuse_read_only()?;
        self.queue.push_for_background(pending)
    }

    fn enqueue(&self, pending: Vec<Box<dyn QueuedAction>>) -> Result<()> {
        self.refuse_queueing()?;
        self.queue.push(pending)
    }

    /// Refuses a call that cannot be queued from this thread.
    fn refuse_queueing(&self) -> Result<()> {
        self.refuse_inside_transaction()?;
        self.refuse_read_only()
    }

    /// Refuses a change of a file that was opened for reading.
    fn refuse_read_only(&self) -> Result<()> {
        if self.database.is_read_only() { Err(Error::read_only()) } else { Ok(()) }
    }

    /// Refuses a call that would wait for the commit or the transaction of its own thread.
    pub(crate) fn refuse_inside_transaction(&self) -> Result<()> {
        self.refuse_open()?;
        if leading::leads(self.instance) { Err(Error::inside_commit()) } else { Ok(()) }
    }

    /// Refuses a call while a user transaction is open on this thread.
    fn refuse_open(&self) -> Result<()> {
        if user_transaction::is_open(self.instance) { Err(Error::inside_transaction()) } else { Ok(()) }
    }

    /// Waits for the answers, and leads when this thread is made the leader.
    fn wait_at(&self, waiter: &Waiter) {
        while waiter.must_lead() {
            self.lead();
        }
    }

    /// Reads from a snapshot. Keep it short: while a snapshot is open, the file cannot reuse pages.
    pub(crate) fn read<R>(&self, look: impl Fn(&mut Tables<Reading<'_>>) -> Result<R>) -> Result<R> {
        self.refuse_inside_transaction()?;
        self.database.read(|txn| look(&mut Tables::new(txn)))
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
                // The last handle was dropped by a callback on this thread: the remaining actions are committed here.
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
