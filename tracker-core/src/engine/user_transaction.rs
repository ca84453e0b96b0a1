//! Runs the caller's code in a transaction, on the caller's thread: `user_transaction` waits for its place in the commit queue and commits;
//! `transaction_in` uses a unit of work of a store, which the caller commits. Called by `Tracker::transaction`, `Execution::succeed_with`,
//! `api/store`, import and recovery; reads and writes the database.

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
};

use uuid::Uuid;

use super::{
    Engine,
    leading::Leading,
    queued_action::{QueuedAction, Waiter},
    writer::{CommitEffects, Writer},
};
use crate::{
    model::error::{Error, Result},
    storage::store::StoreUnit,
};

thread_local! {
    /// The instances that have a transaction open on this thread.
    static OPEN: RefCell<Vec<Uuid>> = const { RefCell::new(Vec::new()) };
}

/// Whether a transaction of this instance is open on this thread. A further call on this thread would then wait for itself for ever.
pub(super) fn is_open(instance: Uuid) -> bool {
    OPEN.with_borrow(|open| open.contains(&instance))
}

struct OpenGuard;

impl OpenGuard {
    fn new(instance: Uuid) -> Self {
        OPEN.with_borrow_mut(|open| open.push(instance));
        Self
    }
}

impl Drop for OpenGuard {
    fn drop(&mut self) {
        OPEN.with_borrow_mut(Vec::pop);
    }
}

/// The place of a user transaction in the commit queue. Its thread runs the transaction itself, so there is nothing to run or answer here.
struct UserTransactionEntry(Arc<Waiter>);

impl QueuedAction for UserTransactionEntry {
    fn run(&mut self, _: &mut Writer<'_>) -> bool {
        true
    }

    fn rollback_error(&mut self, _: bool) -> Option<Error> {
        None
    }

    fn fail(&mut self, _: &Error) {}

    fn answer(self: Box<Self>) {}

    fn waiter(&self) -> Option<&Arc<Waiter>> {
        Some(&self.0)
    }

    fn is_user_transaction(&self) -> bool {
        true
    }
}

impl Engine {
    /// Waits for its place in the queue, then runs `work` in a transaction on this thread. An error or a panic rolls it back; the
    /// panic is resumed.
    pub(crate) fn user_transaction<R, E: From<Error>>(
        &self,
        work: impl FnOnce(&mut Writer<'_>) -> Result<R, E>,
    ) -> Result<R, E> {
        let waiter = Waiter::new(1);
        self.enqueue(vec![Box::new(UserTransactionEntry(waiter.clone()))])?;
        loop {
            if !waiter.must_lead() {
                return Err(Error::closed().into());
            }
            if self.queue.take_user_transaction() {
                break;
            }
            self.lead();
        }
        let lead = Leading::new(self);
        let mut panic = None;
        let written = self.write_user_transaction(|writer| {
            let open = OpenGuard::new(self.instance);
            let result = catch_unwind(AssertUnwindSafe(|| work(writer)));
            drop(open);
            result.unwrap_or_else(|payload| {
                panic = Some(payload);
                Err(Error::closed().into())
            })
        });
        // Before another thread leads, so that events come in the order of the commits.
        if let Ok((_, effects)) = &written {
            self.publish(effects);
        }
        drop(lead);
        if let Some(payload) = panic {
            resume_unwind(payload);
        }
        let (result, effects) = written?;
        // The log comes last: a subscriber may block.
        Self::log_runs(&effects);
        Ok(result)
    }

    /// Runs `work` in a unit of work. An error or a panic rolls the unit back; otherwise the caller commits it, and then passes the effects
    /// to [`Self::publish_committed`].
    pub(crate) fn transaction_in<R, E: From<Error>>(
        &self,
        unit: Box<dyn StoreUnit>,
        work: impl FnOnce(&mut Writer<'_>) -> Result<R, E>,
    ) -> Result<(R, CommitEffects), E> {
        self.refuse_queueing()?;
        self.write_in_unit(unit, |writer| {
            let _open = OpenGuard::new(self.instance);
            work(writer)
        })
    }
}
