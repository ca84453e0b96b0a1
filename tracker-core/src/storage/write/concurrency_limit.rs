//! Keeps concurrency limits: at most N tasks with the same limit key (the value of an index) may be in progress at once. Called by
//! `derived_rows` for each changed task, by `storage/read/head_lists`, `engine/action/claim`, `engine/writer/rebuild` and
//! `engine/writer/schedules`; writes the limit tables, overtaken tasks and budgets.
//!
//! Each limit key has a queue of the tasks that a claim may start, beside the claim order. Until the limit is reached, the first task of
//! the queue for each status and priority is an eligible head, and claims read only the heads. In a kind with needs, the limit key holds
//! the amounts that a task needs, and claims decide whether it fits. In a kind with several limits, the limit key is the class of a task,
//! and `head_lists` decides which heads may start.

use std::collections::BTreeSet;

use crate::{
    model::{
        error::{Error, Result},
        kind::Kind,
        needs::Overtaken,
    },
    storage::{
        keys::{self, ClaimKey},
        limit_class::LimitClass,
        rows_of::{DerivedRows, LimitState},
        tables::{Source, Tables, Writing},
    },
};

/// The limit key of a task. `None` if its keys could not be computed, because its payload cannot be read.
fn limit_key<'r>(rows: Option<&'r DerivedRows<'_>>) -> Option<&'r [u8]> {
    rows?.keys.as_ref().map(|keys| &*keys.limit_key)
}

impl<S: Source> Tables<S> {
    /// Number of tasks with this limit key that are in progress.
    pub(crate) fn in_use(&mut self, kind: &Kind, limit_key: &[u8]) -> Result<u64> {
        Ok(self
            .limit_in_use()?
            .get(keys::limit_prefix(kind.id, limit_key).as_slice())?
            .map_or(0, |in_use| in_use.value()))
    }

    /// Whether the limit of this key is reached.
    pub(crate) fn is_limit_reached(&mut self, kind: &Kind, limit_key: &[u8]) -> Result<bool> {
        let Some((_, most)) = kind.limit().filter(|_| !limit_key.is_empty()) else { return Ok(false) };
        Ok(self.in_use(kind, limit_key)? >= u64::from(most))
    }

    /// The first task of the queue for each status and priority. Empty while the limit is reached.
    fn eligible_heads(&mut self, kind: &Kind, limit_key: &[u8]) -> Result<BTreeSet<ClaimKey>> {
        let mut heads = BTreeSet::new();
        if self.is_limit_reached(kind, limit_key)? {
            return Ok(heads);
        }
        let prefix = keys::limit_prefix(kind.id, limit_key);
        let end = keys::limit_queue_key(&prefix, ClaimKey::last(kind.id, i32::MAX, u8::MAX));
        let mut from = Some(ClaimKey::first(kind.id, i32::MIN, 0));
        while let Some(first) = from {
            let start = keys::limit_queue_key(&prefix, first);
            let mut range = self.limit_queues()?.range::<&[u8]>(start.as_slice()..=end.as_slice())?;
            let Some(entry) = range.next() else { break };
            let key = keys::limit_queue_claim_key(kind.id, entry?.0.value())
                .ok_or_else(|| Error::corrupted("tracker.limit_queues", kind.id, "a key is too short"))?;
            if (key.code, key.rank) < (first.code, first.rank) {
                return Err(Error::corrupted("tracker.limit_queues", key.task(), "the queue is out of order"));
            }
            heads.insert(key);
            from = match (key.rank.checked_add(1), key.code.checked_add(1)) {
                (Some(rank), _) => Some(ClaimKey::first(kind.id, key.code, rank)),
                (None, Some(code)) => Some(ClaimKey::first(kind.id, code, 0)),
                (None, None) => None,
            };
        }
        Ok(heads)
    }
}

impl Tables<Writing<'_>> {
    /// Updates the queues, the numbers of tasks in progress and the eligible heads after the limit key or the status of a task changed.
    pub(crate) fn replace_limit_rows(
        &mut self,
        kind: &Kind,
        before: Option<&DerivedRows<'_>>,
        after: Option<&DerivedRows<'_>>,
    ) -> Result<()> {
        if !kind.has_queues() {
            return Ok(());
        }
        let state = |rows: Option<&DerivedRows<'_>>| rows.map_or(LimitState::NotCounted, |rows| rows.limit);
        let (old_state, new_state) = (state(before), state(after));
        let old_key = limit_key(before);
        let new_key = limit_key(after);
        if old_state == new_state && old_key == new_key {
            return Ok(());
        }
        let stored;
        let old_key = match (old_key, old_state) {
            (Some(key), _) => key,
            (None, LimitState::Queued(head)) => {
                stored = self.limit_key_of_head(head)?;
                &stored
            }
            (None, _) => &[],
        };
        let new_key = new_key.unwrap_or(old_key);
        let mut old_heads = Vec::new();
        for key in BTreeSet::from([old_key, new_key]) {
            self.lock_limit_key(kind, key)?;
            old_heads.push((key, self.eligible_heads(kind, key)?));
        }
        let freed = self.remove_state(kind, old_key, old_state)?;
        self.add_state(kind, new_key, new_state)?;
        let mut new_heads = Vec::new();
        for (key, old) in old_heads {
            let new = self.eligible_heads(kind, key)?;
            for head in old.difference(&new) {
                self.limit_heads()?.remove(&head.pack())?;
                if kind.has_limit_lists() {
                    self.unlist_head(kind, *head, &LimitClass::unpack(kind, key))?;
                }
            }
            new_heads.extend(new.difference(&old).map(|head| (*head, key)));
        }
        // Inserted after all removals, because both heads have the same claim key if only the limit key of a task changes.
        for (head, key) in new_heads {
            self.limit_heads()?.insert(&head.pack(), key)?;
            if kind.has_limit_lists() {
                self.list_head(kind, head, &LimitClass::unpack(kind, key))?;
            }
        }
        if kind.has_limit_lists() && !freed.is_empty() {
            let class = LimitClass::unpack(kind, old_key);
            for limited in class.limited().filter(|limited| freed.contains(&limited.in_use_key())) {
                // A value that had room before has a ready head.
                if self.in_use(kind, &limited.in_use_key())?.saturating_add(1) == limited.most(kind) {
                    self.release_heads(kind, limited)?;
                }
            }
        }
        Ok(())
    }

    /// Returns the keys of the counters that have fallen.
    fn remove_state(&mut self, kind: &Kind, limit_key: &[u8], state: LimitState) -> Result<Vec<Vec<u8>>> {
        let mut fallen = Vec::new();
        match state {
            LimitState::NotCounted => {}
            LimitState::Queued(key) => {
                let prefix = keys::limit_prefix(kind.id, limit_key);
                self.limit_queues()?.remove(keys::limit_queue_key(&prefix, key).as_slice())?;
            }
            LimitState::InProgress => {
                for key in kind.in_use_keys(limit_key) {
                    let prefix = keys::limit_prefix(kind.id, &key);
                    match self.in_use(kind, &key)?.saturating_sub(1) {
                        // In a store, the counter is also the lock of the queue.
                        0 if self.source().working_set().is_none() => self.limit_in_use()?.remove(prefix.as_slice())?,
                        in_use => self.limit_in_use()?.insert(prefix.as_slice(), in_use)?,
                    }
                    fallen.push(key.into_owned());
                }
            }
        }
        Ok(fallen)
    }

    fn add_state(&mut self, kind: &Kind, limit_key: &[u8], state: LimitState) -> Result<()> {
        match state {
            LimitState::NotCounted => {}
            LimitState::Queued(key) => {
                let prefix = keys::limit_prefix(kind.id, limit_key);
                self.limit_queues()?.insert(keys::limit_queue_key(&prefix, key).as_slice(), ())?;
            }
            LimitState::InProgress => {
                for key in kind.in_use_keys(limit_key) {
                    let in_use = self.in_use(kind, &key)?.saturating_add(1);
                    self.limit_in_use()?.insert(keys::limit_prefix(kind.id, &key).as_slice(), in_use)?;
                }
            }
        }
        Ok(())
    }

    /// Reads the limit key from the row of an eligible head. Used if the payload, from which it is computed otherwise, cannot be read.
    fn limit_key_of_head(&mut self, head: ClaimKey) -> Result<Vec<u8>> {
        let value = self.limit_heads()?.get(&head.pack())?;
        let value = value
            .ok_or_else(|| Error::corrupted("tracker.limit_heads", head.task(), "the head of a queue has no row"))?;
        Ok(value.value().to_vec())
    }

    /// Stores the task of a step that did not fit.
    pub(crate) fn put_overtaken(&mut self, kind: &Kind, step: u16, overtaken: Option<Overtaken>) -> Result<()> {
        match overtaken {
            Some(Overtaken { task, times }) => self.overtaken_rows()?.insert((kind.id, step), (task.seq, times))?,
            None => self.overtaken_rows()?.remove((kind.id, step))?,
        }
        Ok(())
    }

    /// Stores the budget of a resource, or removes it. Returns whether there was one.
    pub(crate) fn put_budget(&mut self, resource: &str, amount: Option<u64>) -> Result<bool> {
        let former = match amount {
            Some(amount) => self.budgets()?.replace(resource, amount)?,
            None => self.budgets()?.take(resource)?,
        };
        Ok(former.is_some())
    }

    /// Removes all limit rows of a kind.
    pub(crate) fn clear_limit_rows(&mut self, kind: u32) -> Result<()> {
        let (first, end) = (kind.to_be_bytes(), kind.saturating_add(1).to_be_bytes());
        self.limit_queues()?.remove_range::<&[u8]>(&first[..]..&end[..])?;
        self.limit_in_use()?.remove_range::<&[u8]>(&first[..]..&end[..])?;
        let (first, last) = (ClaimKey::first(kind, i32::MIN, 0).pack(), ClaimKey::last(kind, i32::MAX, u8::MAX).pack());
        self.limit_heads()?.remove_range::<&[u8; ClaimKey::LEN]>(&first..=&last)?;
        self.clear_head_lists(kind)
    }
}
