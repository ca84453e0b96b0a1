//! `Leading` marks this thread as the leader, which commits for all callers, and hands the lead over when it is dropped, also by a panic. Made by
//! `group_commit`, `background` and `user_transaction`; `engine/calls` refuses a blocking call on a thread that leads. The mark is thread-local.

use std::cell::RefCell;

use uuid::Uuid;

use super::Engine;

thread_local! {
    /// The instances for which this thread leads.
    static LEADS: RefCell<Vec<Uuid>> = const { RefCell::new(Vec::new()) };
}

/// Whether this thread leads. A call on it that waits for a commit would wait for itself.
pub(super) fn leads(instance: Uuid) -> bool {
    LEADS.with_borrow(|leads| leads.contains(&instance))
}

/// Hands the lead over when dropped, even by a panic.
pub(super) struct Leading<'e>(&'e Engine);

impl<'e> Leading<'e> {
    pub(super) fn new(engine: &'e Engine) -> Self {
        LEADS.with_borrow_mut(|leads| leads.push(engine.instance));
        Self(engine)
    }
}

impl Drop for Leading<'_> {
    fn drop(&mut self) {
        LEADS.with_borrow_mut(Vec::pop);
        self.0.queue.hand_over();
    }
}
