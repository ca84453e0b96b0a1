//! Locks limits in a store, where units of work run at the same time: a unit that reads how much of a limit is used locks the limit first.
//! Called by `engine/action/claim`, `engine/action/submit` and `concurrency_limit`. Loads or inserts a row that stands for the limit; takes
//! no lock in a file.

use crate::{
    model::{error::Result, kind::Kind},
    storage::{
        keys,
        tables::{Source, Tables, Writing},
    },
};

/// The rows of locks in the table of limit counters have this number in place of a kind.
const LOCKS: u32 = u32::MAX;

impl Tables<Writing<'_>> {
    /// Lets no other unit of work start tasks of the kind, or of kinds that share a limit or a budget with it, if the start depends on how
    /// many tasks are in progress.
    pub(crate) fn lock_claims(&mut self, kind: &Kind) -> Result<()> {
        if self.is_file() {
            return Ok(());
        }
        if kind.policy.max_in_progress.is_some() || kind.has_limit_lists() {
            self.lock(&[b"k", &kind.id.to_be_bytes()[..]].concat())?;
        }
        if kind.has_needs() {
            self.lock(b"budgets")?;
        }
        for limit in kind.policy.shared_limits.iter() {
            self.lock(&[b"s", limit.name.as_bytes()].concat())?;
        }
        Ok(())
    }

    /// Lets no other unit of work submit tasks of a kind that bounds how many wait.
    pub(crate) fn lock_waiting(&mut self, kind: &Kind) -> Result<()> {
        if kind.policy.max_waiting.is_some() && !self.is_file() {
            self.lock(&[b"w", &kind.id.to_be_bytes()[..]].concat())
        } else {
            Ok(())
        }
    }

    /// Lets no other unit of work change the queue of a limit key.
    pub(super) fn lock_limit_key(&mut self, kind: &Kind, limit_key: &[u8]) -> Result<()> {
        if self.is_file() {
            return Ok(());
        }
        if kind.has_limit_lists() {
            // The heads of several keys are in one list.
            self.lock(&[b"k", &kind.id.to_be_bytes()[..]].concat())?;
        }
        self.lock_row(&keys::limit_prefix(kind.id, limit_key))
    }

    /// Whether no other unit of work runs at the same time.
    fn is_file(&self) -> bool {
        self.source().working_set().is_none()
    }

    fn lock(&mut self, name: &[u8]) -> Result<()> {
        self.lock_row(&keys::limit_prefix(LOCKS, name))
    }

    /// A loaded row is locked, and a missing one is inserted, so that two units that insert it are in conflict.
    fn lock_row(&mut self, key: &[u8]) -> Result<()> {
        if self.limit_in_use()?.get(key)?.is_none() {
            self.limit_in_use()?.insert(key, 0)?;
        }
        Ok(())
    }
}
