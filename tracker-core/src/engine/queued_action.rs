//! Defines the entries of the commit queue: an action, where its answer goes (a waiting thread, a callback, or nowhere), and whether its error
//! rolls the transaction back. Made by `engine/calls`, `deferred`, `user_transaction` and `group_commit`, kept by `commit_queue`, run and answered
//! by `group_commit`. Threads wait here for their answers or for the lead.

use std::sync::{Arc, PoisonError};

use super::{
    action::Action,
    sync::{Condvar, Mutex, MutexGuard},
    writer::Writer,
};
use crate::{
    model::{
        error::{Error, Result},
        kinds::Kinds,
        panics,
        time::Micros,
    },
    storage::read::expected_rows::ExpectedRows,
};

/// An action of any type in the queue.
pub(super) trait QueuedAction: Send {
    /// As [`Action::expect_rows`].
    fn expect_rows(&self, _kinds: &Kinds, _now: Micros, _rows: &mut ExpectedRows) {}
    /// Runs the action and keeps its answer. True if it succeeded.
    fn run(&mut self, writer: &mut Writer<'_>) -> bool;
    /// The error of the last run, if the transaction must be rolled back for it. `has_written`: whether that run had written rows.
    fn rollback_error(&mut self, has_written: bool) -> Option<Error>;
    fn fail(&mut self, error: &Error);
    fn answer(self: Box<Self>);
    /// The waiter of the caller, if a thread waits for the answer.
    fn waiter(&self) -> Option<&Arc<Waiter>>;
    /// Whether the entry is the place of a user transaction.
    fn is_user_transaction(&self) -> bool {
        false
    }
}

enum Answer<T> {
    Slot(Arc<AnswerSlotInner<T>>),
    Callback(Box<dyn FnOnce(Result<T>) + Send>),
    Discard,
}

pub(super) struct PendingAction<A: Action> {
    action: A,
    out: Option<Result<A::Out>>,
    answer: Answer<A::Out>,
}

/// Where a thread waits for its answers, or to become the leader.
pub(super) struct Waiter {
    state: Mutex<WaiterState>,
    condition: Condvar,
}

struct WaiterState {
    leads: bool,
    /// Number of answers that are missing.
    answers: usize,
}

struct AnswerSlotInner<T> {
    waiter: Arc<Waiter>,
    out: Mutex<Option<Result<T>>>,
}

pub(super) struct AnswerSlot<T>(Arc<AnswerSlotInner<T>>);

impl Waiter {
    /// A waiter for this many answers.
    pub(super) fn new(answers: usize) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(WaiterState { leads: false, answers }), condition: Condvar::new() })
    }

    fn lock(&self) -> MutexGuard<'_, WaiterState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn lead(&self) {
        self.lock().leads = true;
        self.condition.notify_one();
    }

    /// Counts an answer. The last one wakes the thread.
    pub(super) fn answered(&self) {
        let mut state = self.lock();
        state.answers -= 1;
        if state.answers == 0 {
            drop(state);
            self.condition.notify_one();
        }
    }

    /// Waits. True if this thread must lead now, false if all answers are there.
    pub(super) fn must_lead(&self) -> bool {
        let mut state = self.lock();
        while !state.leads && state.answers > 0 {
            state = self.condition.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::take(&mut state.leads)
    }
}

impl<T> AnswerSlot<T> {
    pub(super) fn take(&self) -> Result<T> {
        self.0.out.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_else(|| Err(Error::closed()))
    }
}

impl<A: Action> PendingAction<A> {
    /// An action whose caller waits at `waiter`.
    pub(super) fn waiting(action: A, waiter: &Arc<Waiter>) -> (Box<dyn QueuedAction>, AnswerSlot<A::Out>) {
        let slot = Arc::new(AnswerSlotInner { waiter: waiter.clone(), out: Mutex::new(None) });
        (Box::new(Self { action, out: None, answer: Answer::Slot(slot.clone()) }), AnswerSlot(slot))
    }

    pub(super) fn discarding(action: A) -> Box<dyn QueuedAction> {
        Box::new(Self { action, out: None, answer: Answer::Discard })
    }

    pub(super) fn answering(action: A, answer: impl FnOnce(Result<A::Out>) + Send + 'static) -> Box<dyn QueuedAction> {
        Box::new(Self { action, out: None, answer: Answer::Callback(Box::new(answer)) })
    }
}

impl<A: Action> QueuedAction for PendingAction<A> {
    fn expect_rows(&self, kinds: &Kinds, now: Micros, rows: &mut ExpectedRows) {
        self.action.expect_rows(kinds, now, rows);
    }

    fn run(&mut self, writer: &mut Writer<'_>) -> bool {
        let out = self.action.run(writer);
        let succeeded = out.is_ok();
        self.out = Some(out);
        succeeded
    }

    fn rollback_error(&mut self, has_written: bool) -> Option<Error> {
        match &self.out {
            Some(Err(error)) if has_written || error.stops_a_batch() => Some(error.share()),
            _ => None,
        }
    }

    fn fail(&mut self, error: &Error) {
        self.out = Some(Err(error.share()));
    }

    fn answer(self: Box<Self>) {
        let out = self.out.unwrap_or_else(|| Err(Error::closed()));
        match self.answer {
            Answer::Slot(slot) => {
                *slot.out.lock().unwrap_or_else(PoisonError::into_inner) = Some(out);
                slot.waiter.answered();
            }
            Answer::Callback(callback) => callback(out),
            Answer::Discard => {
                if let Err(error) = out {
                    panics::log_catching_panics(
                        || tracing::debug!(%error, "a change without a waiting caller was refused"),
                    );
                }
            }
        }
    }

    fn waiter(&self) -> Option<&Arc<Waiter>> {
        if let Answer::Slot(slot) = &self.answer { Some(&slot.waiter) } else { None }
    }
}
