//! Queues deferred calls without waiting, in the order of the calls. Single actions go to the commit queue at once. Work that needs several
//! commits, which can be user code, runs on a thread of its own, and later calls are held in memory, behind a lock, until it has ended. Called by
//! `api/deferred`.

use std::{
    any::Any,
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
};

use super::{
    Engine,
    action::{Action, Flush},
    commit_queue::CAPACITY,
    job_thread::JobThread,
    queued_action::{PendingAction, QueuedAction},
};
use crate::model::error::{Error, Result};

/// Work that makes blocking calls, or that learns why it cannot run. It returns what must live until later calls are queued.
pub(crate) type Work = Box<dyn FnOnce(Result<()>) -> Box<dyn Any + Send> + Send>;

/// The calls of a tracker that were deferred.
pub(crate) struct DeferredCalls {
    state: Mutex<State>,
    changed: Condvar,
    pub(super) thread: Arc<JobThread>,
}

#[derive(Default)]
struct State {
    /// Calls that came while work was running.
    held: VecDeque<DeferredCall>,
    working: bool,
    closed: bool,
}

enum DeferredCall {
    Action(Box<dyn QueuedAction>),
    Work(Work),
}

impl DeferredCall {
    /// Answers a call that cannot be made.
    fn refuse(self, error: Error) {
        match self {
            Self::Action(mut action) => {
                action.fail(&error);
                action.answer();
            }
            Self::Work(work) => drop(work(Err(error))),
        }
    }
}

impl DeferredCalls {
    pub(super) fn new() -> Self {
        let thread = JobThread::new("tracker-deferred");
        Self { state: Mutex::default(), changed: Condvar::new(), thread }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes no more calls, and waits for the work that runs or is held, unless the caller is that work.
    pub(super) fn settle(&self) {
        let mut state = self.lock();
        state.closed = true;
        while state.working {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Engine {
    /// Starts the threads that deferred calls and their callbacks need.
    pub(crate) fn start_deferring(&self) -> Result<()> {
        self.refuse_read_only()?;
        self.callbacks.start()?;
        self.deferred.thread.start()
    }

    /// Refuses to wait for a deferred call on a thread that would make it.
    pub(crate) fn refuse_waiting(&self) -> Result<()> {
        self.refuse_inside_transaction()?;
        if self.deferred.thread.is_own_thread() {
            return Err(Error::invalid("work of a deferred call cannot wait for another one: wait on another thread"));
        }
        Ok(())
    }

    /// Queues an action after the deferred calls before it, and calls `answer` with the outcome, on the thread that commits.
    /// Returns at once. `answer` must not block.
    pub(crate) fn defer<A: Action>(self: &Arc<Self>, action: A, answer: impl FnOnce(Result<A::Out>) + Send + 'static) {
        self.defer_call(DeferredCall::Action(PendingAction::answering(action, answer)));
    }

    /// Runs work on the thread for deferred calls, after the deferred calls before it are committed. Later ones are held until then.
    pub(crate) fn defer_work(self: &Arc<Self>, work: Work) {
        self.defer_call(DeferredCall::Work(work));
    }

    fn defer_call(self: &Arc<Self>, call: DeferredCall) {
        if let Err(error) = self.refuse_open() {
            return call.refuse(error);
        }
        let mut state = self.deferred.lock();
        let refused = if state.closed {
            Err((call, Error::closed()))
        } else if !state.working {
            self.begin(&mut state, call)
        } else if state.held.len() < CAPACITY {
            state.held.push_back(call);
            Ok(())
        } else {
            Err((call, Error::queue_full(CAPACITY)))
        };
        drop(state);
        if let Err((call, error)) = refused {
            call.refuse(error);
        }
    }

    /// Queues a call while no work runs.
    fn begin(self: &Arc<Self>, state: &mut State, call: DeferredCall) -> Result<(), (DeferredCall, Error)> {
        let work = match call {
            DeferredCall::Action(action) => {
                return self
                    .queue
                    .push_unless_full(action)
                    .map_err(|(action, error)| (DeferredCall::Action(action), error));
            }
            DeferredCall::Work(work) => work,
        };
        // The work is in a separate slot, so that it comes back if the queue refuses the action before it.
        let slot = Arc::new(Mutex::new(Some(work)));
        let take = |slot: &Mutex<Option<Work>>| slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (engine, queued) = (self.clone(), slot.clone());
        let before = PendingAction::answering(Flush, move |_| {
            if let Some(work) = take(&queued) {
                let thread = engine.deferred.thread.clone();
                thread.push(move || engine.work(work));
            }
        });
        match self.queue.push_unless_full(before) {
            Ok(()) => {
                state.working = true;
                Ok(())
            }
            Err((_, error)) => take(&slot).map_or(Ok(()), |work| Err((DeferredCall::Work(work), error))),
        }
    }

    /// Runs work, then queues the calls that were held meanwhile, up to the next work.
    fn work(self: &Arc<Self>, work: Work) {
        let resume = ResumeOnDrop(self);
        let kept = work(Ok(()));
        drop(resume);
        drop(kept);
    }
}

/// Queues the held calls when the work has ended, even by a panic.
struct ResumeOnDrop<'e>(&'e Arc<Engine>);

impl Drop for ResumeOnDrop<'_> {
    fn drop(&mut self) {
        let mut refused = Vec::new();
        let mut state = self.0.deferred.lock();
        state.working = false;
        while !state.working
            && let Some(call) = state.held.pop_front()
        {
            refused.extend(self.0.begin(&mut state, call).err());
        }
        self.0.deferred.changed.notify_all();
        drop(state);
        for (call, error) in refused {
            call.refuse(error);
        }
    }
}
