//! `Execution` is a claimed task with its lease. Made by `api/tasks/start` and `worker`; used by users, their handlers, `api/handler`,
//! `api/tasks/run`, `api/transaction` and `worker`. Writes through `Engine` while its lease holds.
//! Dropped without an outcome, it fails the attempt or releases the task. Decodes the payload and calls `Options::redact`, which is user code.

mod attempt_span;
mod outcomes;
mod reports;
mod submitted;

use std::{
    fmt,
    ops::{Deref, DerefMut},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use crate::{
    api::{
        port::{Blocking, Port, execution, run_blocking},
        shared::Shared,
        shutdown::RunningPool,
    },
    engine::{Claimed, FinishTask, Target, TaskCommand},
    model::{
        bounds::{TEXT, check_followers},
        codec,
        error::{Error, ErrorKind, Result},
        kind::Kind,
        new_task::NewTask,
        panics::{self, catch_panic},
        task::{TaskKey, TaskRef, TrackedTask},
        task_row::TaskRow,
        time::Micros,
        trace_context::TraceContext,
        transition::{Annotations, Command, Failure, Header, Outcome, Owner},
    },
};

/// A claimed task in the hands of its worker. It derefs to the task; changes are staged and stored with the success.
/// If a field of the task hides a method, call it as `Execution::method(&mut execution)`.
///
/// An execution that is dropped without an outcome, by an early return or a panic, fails with this reason as its error. A drop never waits for the disk.
pub struct Execution<T: TrackedTask> {
    shared: Arc<Shared>,
    kind: Arc<Kind>,
    task_ref: TaskRef,
    id: TaskKey,
    owner: Owner,
    attempt: u32,
    crashes: u32,
    scheduled_at: Option<Micros>,
    trace: Option<Arc<TraceContext>>,
    /// The span of the attempt while it is open; disabled if no handler of a worker or of `Tasks::run` runs.
    span: tracing::Span,
    lease: Duration,
    /// A worker that ends an attempt drops it before the execution, because the drop of a user's value may panic.
    task: Option<T>,
    /// The priority that the stored payload names.
    priority: Option<u8>,
    /// The plain payload as it is stored, so that an unchanged task is not written again. Empty if its stored form would differ now.
    stored: Vec<u8>,
    annotations: Annotations,
    next: Vec<NewTask>,
    begun: Duration,
    cancelled: Arc<AtomicBool>,
    /// An outcome was requested, or the execution was detached, so dropping it writes nothing.
    settled: bool,
    /// A transaction that ended the attempt has committed.
    committed: Arc<AtomicBool>,
    /// The end of the attempt that the handler has stored itself.
    ended: Option<(Outcome, Option<Failure>)>,
    /// Whether a drop gives the task back instead of failing the attempt. A drop by a panic fails it in any case.
    pub(crate) release_on_drop: bool,
    /// The pool that runs the handler.
    pool: Option<Arc<dyn RunningPool>>,
}

/// A claimed task that cannot be decoded.
pub(crate) struct Unreadable {
    pub error: Error,
    /// Marks the task as unreadable, so that claims skip it. The caller runs it.
    pub command: TaskCommand,
}

impl<T: TrackedTask> Execution<T> {
    /// Makes an execution of a claimed task. A task that cannot be decoded is marked as unreadable, and the error is returned.
    pub(crate) fn new(shared: &Arc<Shared>, kind: &Arc<Kind>, claimed: Claimed) -> Result<Self> {
        run_blocking(execution(Blocking, shared, kind, claimed))
    }

    /// Makes the execution give the task back if it is dropped without an outcome.
    pub(crate) fn released_on_drop(mut self, released: bool) -> Self {
        self.release_on_drop = released;
        self
    }

    /// Decodes a claimed task. On an error the caller runs the returned command, so that later claims skip the task.
    pub(crate) fn decode(shared: &Arc<Shared>, kind: &Arc<Kind>, claimed: Claimed) -> Result<Self, Box<Unreadable>> {
        let Claimed { task, owner, header, row } = claimed;
        let decoded = codec::decode_claimed(shared.engine.codecs(), &kind.name, &row.id, row.payload);
        let (decoded, stored): (T, _) = decoded.map_err(|error| {
            // The error text of serde may quote the payload.
            let redacted = catch_panic(|| shared.text(error.to_string(), TEXT));
            let text = redacted.unwrap_or_else(|_| "its text was dropped: the function given to Options::redact panicked".to_owned());
            panics::log_catching_panics(|| {
                tracing::error!(kind = kind.name, id = %row.id, error = text, "a task cannot be read: no claim takes it any more");
            });
            let target = Target::Known(task, row.id.clone());
            Unreadable { error, command: TaskCommand::new(kind.id, target, Command::Unreadable { owner }) }
        })?;
        let lease = header.lease.as_ref().map_or(0, |lease| lease.length);
        let cancelled = Arc::new(AtomicBool::new(header.cancel));
        shared.engine.held().begin(owner.fence, &cancelled);
        Ok(Self {
            shared: shared.clone(),
            kind: kind.clone(),
            task_ref: task,
            id: row.id,
            owner,
            attempt: header.attempts,
            crashes: header.crashes,
            scheduled_at: header.scheduled_at,
            trace: header.trace,
            span: tracing::Span::none(),
            lease: crate::model::time::between(0, lease),
            priority: decoded.priority(),
            task: Some(decoded),
            stored,
            annotations: Annotations::default(),
            next: Vec::new(),
            begun: shared.engine.time().monotonic(),
            cancelled,
            settled: false,
            committed: Arc::default(),
            ended: None,
            release_on_drop: false,
            pool: None,
        })
    }

    /// Returns the task's id.
    #[must_use]
    pub fn id(&self) -> &TaskKey {
        &self.id
    }

    /// Returns the task, for fields and methods that the execution hides.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "no caller sees it panic")]
    #[expect(clippy::expect_used, reason = "the task is dropped early only after the handler has returned")]
    pub fn task(&self) -> &T {
        self.task.as_ref().expect("the task is there until the attempt ends")
    }

    /// Returns the task for a change, as [`Self::task`].
    #[expect(clippy::missing_panics_doc, reason = "no caller sees it panic")]
    #[expect(clippy::expect_used, reason = "the task is dropped early only after the handler has returned")]
    pub fn task_mut(&mut self) -> &mut T {
        self.task.as_mut().expect("the task is there until the attempt ends")
    }

    /// Drops the task, which may panic. The attempt can still be ended, but the task can no longer be read or stored.
    pub(crate) fn drop_task(&mut self) {
        drop(self.task.take());
    }

    /// Returns the number of the attempt, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Returns how many leases of the task in a row ended without an outcome.
    #[must_use]
    pub fn crashes(&self) -> u32 {
        self.crashes
    }

    /// Returns the number of this claim, which rises over the whole file. Hand it to systems that can refuse late writers.
    #[must_use]
    pub fn fence(&self) -> u64 {
        self.owner.fence
    }

    /// Returns how long the lease lasts from each renewal.
    #[must_use]
    pub fn lease(&self) -> Duration {
        self.lease
    }

    /// Returns the token of the lease, with which its owner can start the task again.
    #[must_use]
    pub fn token(&self) -> uuid::Uuid {
        self.owner.token
    }

    /// Returns whether this attempt is asked to end as cancelled. Set as soon as a cancellation by this process is stored; one by
    /// another process is seen within a second by a worker, and else at the next renewal or progress.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Returns whether the worker that runs this handler is asked to end: by [`StopHandle`](crate::worker::StopHandle), by
    /// [`Tracker::shutdown`](crate::Tracker::shutdown), or by failures. A handler that returns
    /// [`Outcome::Release`] then costs its task nothing. An execution without a worker sees the shutdown of the tracker.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.pool.as_ref().map_or_else(|| self.shared.pools.is_shut_down(), |pool| pool.is_stopping())
    }

    pub(crate) fn set_pool(&mut self, pool: Arc<dyn RunningPool>) {
        self.pool = Some(pool);
    }

    fn checkpoint_command(&self) -> Command {
        Command::Checkpoint { owner: self.owner, priority: self.changed_priority() }
    }

    /// The new priority of the task, if the attempt has changed it.
    fn changed_priority(&self) -> Option<u8> {
        codec::changed_priority(&self.kind, self.priority, self.task())
    }

    /// From now on the task in memory differs from the stored one: the handler's task is written when the attempt ends.
    fn forget_stored(&mut self) {
        self.stored.clear();
    }

    pub(super) async fn command(&mut self, port: impl Port, command: Command, row: Option<TaskRow>) -> Result<()> {
        let answer = port.call(&self.shared, self.task_command(command, row)).await;
        self.commanded(answer)
    }

    fn task_command(&self, command: Command, row: Option<TaskRow>) -> TaskCommand {
        TaskCommand { row, ..TaskCommand::new(self.kind.id, self.target(), command) }
    }

    /// Applies the answer to a command about the lease.
    fn commanded(&mut self, answer: Result<Option<Header>>) -> Result<()> {
        let header = answer.map_err(|error| self.lost_if_gone(error))?;
        if header.is_some_and(|header| header.cancel) {
            self.cancelled.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    fn lost_if_gone(&self, error: Error) -> Error {
        if error.kind() == ErrorKind::NotFound {
            self.kind.refuse(self.id.clone(), crate::model::error::Reason::LeaseLost)
        } else {
            error
        }
    }

    fn target(&self) -> Target {
        Target::Known(self.task_ref, self.id.clone())
    }

    /// Has another task submitted in the commit of this one's success; at most 1,000. The success is refused (`Invalid`)
    /// if that is the same task unchanged: snooze a task to run it again, or submit a new id. The new one has this task's trace context.
    ///
    /// # Errors
    /// - [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if the new task cannot be stored, or if 1,000 tasks follow already.
    pub fn submit_next<N: TrackedTask>(&mut self, tasks: &crate::api::tasks::Tasks<N>, task: &N) -> Result<()> {
        check_followers(self.next.len())?;
        let mut next = tasks.new_task(task)?;
        next.submit.trace.clone_from(&self.trace);
        self.next.push(next);
        Ok(())
    }

    /// The time of its start, by the monotonic clock.
    pub(crate) fn begun(&self) -> Duration {
        self.begun
    }

    /// Returns how long the attempt has been running.
    #[must_use]
    pub fn run_time(&self) -> Duration {
        self.shared.engine.time().monotonic().saturating_sub(self.begun)
    }

    /// How the handler has ended the attempt, if it has. A transaction ends it as succeeded only.
    pub(crate) fn take_ended(&mut self) -> Option<(Outcome, Option<Failure>)> {
        let committed = self.committed.load(Ordering::Relaxed);
        self.ended.take().or_else(|| committed.then_some((Outcome::Succeed, None)))
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.settled || self.committed.load(Ordering::Relaxed)
    }

    pub(crate) fn committed(&self) -> Arc<AtomicBool> {
        self.committed.clone()
    }

    pub(crate) fn set_settled(&mut self) {
        self.settled = true;
    }

    pub(crate) fn cancelled_flag(&self) -> Arc<AtomicBool> {
        self.cancelled.clone()
    }

    pub(crate) fn owned(&self) -> (TaskRef, TaskKey, Owner) {
        (self.task_ref, self.id.clone(), self.owner)
    }
}

impl<T: TrackedTask> Deref for Execution<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.task()
    }
}

impl<T: TrackedTask> DerefMut for Execution<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.task_mut()
    }
}

impl<T: TrackedTask> Drop for Execution<T> {
    fn drop(&mut self) {
        self.shared.engine.held().end(self.owner.fence, &self.cancelled);
        if self.is_settled() {
            return;
        }
        let panicked = thread::panicking();
        let (outcome, failure) = if self.release_on_drop && !panicked {
            (Outcome::Release, None)
        } else {
            let error = if panicked { "the handler panicked" } else { "the execution was dropped without an outcome" };
            (Outcome::Fail { retry_in: None }, Some(Failure { panicked, ..Failure::new(error) }))
        };
        let finish = self.finish(outcome, failure, false);
        let action = FinishTask { task: self.task_ref, id: self.id.clone(), finish, row: None, next: Vec::new() };
        if let Err(error) = self.shared.engine.post(action) {
            panics::log_catching_panics(
                || tracing::warn!(%error, "an execution was dropped and its end could not be queued"),
            );
        }
    }
}

impl<T: TrackedTask + fmt::Debug> fmt::Debug for Execution<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Execution")
            .field("id", &self.id)
            .field("attempt", &self.attempt)
            .field("fence", &self.owner.fence)
            .field("task", &self.task)
            .finish_non_exhaustive()
    }
}
