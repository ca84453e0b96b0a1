//! Queues the actions of callers, and waits for their commit or leaves it to another thread; a caller that waits, or asks to, may lead. Called by `api`,
//! `worker` and other files of `engine`; refuses calls that would wait for their own thread, and changes of a file that is open for reading.

use super::{
    Action, Claimed, Engine, FinishTask, leading,
    queued_action::{AnswerSlot, PendingAction, QueuedAction, Waiter},
    user_transaction,
};
use crate::model::{
    error::{Error, Result},
    panics,
};

impl Engine {
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
            panics::log_catching_panics(
                || tracing::warn!(%id, %error, "a claimed task that has not begun could not be given back"),
            );
        }
    }

    /// Waits for room in the queue, without blocking the thread.
    #[cfg(feature = "tokio")]
    pub(crate) async fn room(&self) {
        while let Some(seen) = self.queue.seen_if_full() {
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

    /// Has the background thread commit the queued actions at once, unless a thread leads.
    pub(crate) fn commit_in_background(&self) {
        self.queue.commit_in_background();
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

    pub(super) fn enqueue_for_background(&self, pending: Vec<Box<dyn QueuedAction>>) -> Result<()> {
        self.refuse_open()?;
        self.refuse_read_only()?;
        self.queue.push_for_background(pending)
    }

    pub(super) fn enqueue(&self, pending: Vec<Box<dyn QueuedAction>>) -> Result<()> {
        self.refuse_queueing()?;
        self.queue.push(pending)
    }

    /// Refuses a call that cannot be queued from this thread.
    pub(super) fn refuse_queueing(&self) -> Result<()> {
        self.refuse_inside_transaction()?;
        self.refuse_read_only()
    }

    /// Refuses what [`Self::call`] would refuse, without a call.
    pub(crate) fn refuse_calls(&self) -> Result<()> {
        self.refuse_queueing()?;
        self.queue.refuse_closed()
    }

    /// Refuses a change of a file that was opened for reading.
    pub(super) fn refuse_read_only(&self) -> Result<()> {
        if self.database.is_read_only() { Err(Error::read_only()) } else { Ok(()) }
    }

    /// Refuses a call that would wait for the commit or the transaction of its own thread.
    pub(crate) fn refuse_inside_transaction(&self) -> Result<()> {
        self.refuse_open()?;
        if leading::leads(self.instance) { Err(Error::inside_commit()) } else { Ok(()) }
    }

    /// Refuses a call while a user transaction is open on this thread.
    pub(super) fn refuse_open(&self) -> Result<()> {
        if user_transaction::is_open(self.instance) { Err(Error::inside_transaction()) } else { Ok(()) }
    }

    /// Waits for the answers, and leads when this thread is made the leader.
    pub(super) fn wait_at(&self, waiter: &Waiter) {
        while waiter.must_lead() {
            self.lead();
        }
    }
}
