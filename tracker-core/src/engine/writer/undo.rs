use std::sync::Arc;

use super::Writer;
use crate::{
    disk::keys::TaskRef,
    engine::account::Account,
    error::Result,
    rules::Header,
    store::{Body, Change, Kind},
};

/// How to take a write back.
pub(super) struct Undo {
    kind: Arc<Kind>,
    task: TaskRef,
    old: Option<Header>,
    new: Option<Header>,
    old_body: Option<Body>,
    new_body: Option<Body>,
    #[expect(clippy::option_option, reason = "outside: whether it changes; inside: what it becomes")]
    successor: Option<Option<Body>>,
}

impl Writer<'_> {
    /// Runs several actions of which either all stand or none. They may submit tasks; the last one may do anything.
    pub(crate) fn all_or_nothing<R>(&mut self, work: impl FnOnce(&mut Self) -> Result<R>) -> Result<R> {
        let (woke, events, writes) = (self.effects.woke, self.effects.events.len(), self.writes);
        let accounts = self.effects.accounts.len();
        self.undo = Some(Vec::new());
        let result = work(self);
        let undo = self.undo.take().unwrap_or_default();
        if result.is_err() {
            for step in undo.into_iter().rev() {
                self.take_back(&step)?;
            }
            self.effects.woke = woke;
            self.effects.events.truncate(events);
            let undone = self.effects.accounts.split_off(accounts);
            self.effects.accounts.extend(undone.into_iter().filter(Account::is_refusal));
            self.writes = writes;
        }
        result
    }

    pub(super) fn remember(&mut self, kind: &Kind, task: TaskRef, change: &Change) -> Result<()> {
        let successor = match change.successor {
            Some(_) => Some(self.rows.successor(task)?),
            None => None,
        };
        let undo = Undo {
            kind: Arc::new(kind.clone()),
            task,
            old: change.old.cloned(),
            new: change.new.cloned(),
            old_body: change.old_body.cloned(),
            new_body: change.new_body.cloned(),
            successor,
        };
        self.undo.get_or_insert_default().push(undo);
        Ok(())
    }

    /// Writes the reverse of a submit: what was new is gone, what was changed is as before.
    pub(super) fn take_back(&mut self, step: &Undo) -> Result<()> {
        let gone = step.old.is_none();
        let change = Change {
            old: step.new.as_ref(),
            new: step.old.as_ref(),
            old_body: step.new_body.as_ref().or(step.old_body.as_ref()),
            new_body: if gone { None } else { step.old_body.as_ref() },
            history: &[],
            successor: step.successor.as_ref().map(Option::as_ref),
        };
        let counted = self.rows.apply(&step.kind, step.task, &change)?;
        self.count(counted);
        Ok(())
    }
}
