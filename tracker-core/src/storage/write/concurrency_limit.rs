//! Concurrency limits: at most so many tasks with the same limit key (the value of an index) are in progress. Each key has a
//! queue of the tasks that a claim may start, beside the claim order. While the limit leaves room, the first task of the queue for
//! each status and priority is an eligible head. Claims read the heads, so they never walk past tasks that may not start.

use std::collections::BTreeSet;

use redb::{ReadableTable, WriteTransaction};

use crate::{
    model::{
        error::{Error, Result},
        kind::Kind,
        task::TaskRef,
    },
    storage::{
        keys::{self, ClaimKey},
        rows_of::{DerivedRows, LimitPlace},
        tables::{Source, Tables},
    },
};

/// The limit key of a task; `None` where the rows of its keys are not known.
fn limit_key<'p>(rows: Option<&DerivedRows<'p>>) -> Option<&'p [u8]> {
    rows?.keys.as_ref().map(|keys| keys.limit_key)
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
    pub(crate) fn is_full(&mut self, kind: &Kind, limit_key: &[u8]) -> Result<bool> {
        let Some((_, most)) = kind.limit().filter(|_| !limit_key.is_empty()) else { return Ok(false) };
        Ok(self.in_use(kind, limit_key)? >= u64::from(most))
    }

    /// Whether the limit of the key of this task is reached.
    pub(crate) fn is_limited(&mut self, kind: &Kind, task: TaskRef) -> Result<bool> {
        let row = self.task_row(task)?;
        self.is_full(kind, kind.limit_key(&row))
    }

    /// The first tasks of a queue for each status and priority; none while the limit is reached.
    fn heads_of(&mut self, kind: &Kind, limit_key: &[u8]) -> Result<BTreeSet<ClaimKey>> {
        let mut heads = BTreeSet::new();
        if self.is_full(kind, limit_key)? {
            return Ok(heads);
        }
        let prefix = keys::limit_prefix(kind.id, limit_key);
        let end = keys::limit_queue_key(&prefix, ClaimKey::last(kind.id, i32::MAX, u8::MAX));
        let mut from = Some(ClaimKey::first(kind.id, i32::MIN, 0));
        while let Some(first) = from {
            let start = keys::limit_queue_key(&prefix, first);
            let mut range = self.limit_queues()?.range::<&[u8]>(start.as_slice()..=end.as_slice())?;
            let Some(entry) = range.next() else { break };
            let key = keys::limit_queue_place(kind.id, entry?.0.value())
                .ok_or_else(|| Error::corrupted("tracker.limit_queues", kind.id, "a key is too short"))?;
            if (key.code, key.rank) < (first.code, first.rank) {
                return Err(Error::corrupted("tracker.limit_queues", key.task(), "its rows are out of order"));
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

impl Tables<&WriteTransaction> {
    /// Moves a task between the queue of its limit key and the tasks in progress, and updates the eligible heads.
    pub(crate) fn replace_limit_rows(
        &mut self,
        kind: &Kind,
        before: Option<&DerivedRows<'_>>,
        after: Option<&DerivedRows<'_>>,
    ) -> Result<()> {
        if kind.limit().is_none() {
            return Ok(());
        }
        let place = |rows: Option<&DerivedRows<'_>>| rows.map_or(LimitPlace::Out, |rows| rows.limit);
        let (left, entered) = (place(before), place(after));
        let old_key = limit_key(before);
        let new_key = limit_key(after);
        if left == entered && old_key == new_key {
            return Ok(());
        }
        let stored;
        let old_key = match (old_key, left) {
            (Some(key), _) => key,
            (None, LimitPlace::Queued(place)) => {
                stored = self.limit_key_of_head(place)?;
                &stored
            }
            (None, _) => &[],
        };
        let new_key = new_key.unwrap_or(old_key);
        let mut before = Vec::new();
        for key in BTreeSet::from([old_key, new_key]) {
            before.push((key, self.heads_of(kind, key)?));
        }
        self.leave(kind, old_key, left)?;
        self.enter(kind, new_key, entered)?;
        let mut entered = Vec::new();
        for (key, old) in before {
            let new = self.heads_of(kind, key)?;
            for place in old.difference(&new) {
                self.limit_heads()?.remove(&place.pack())?;
            }
            entered.extend(new.difference(&old).map(|place| (*place, key)));
        }
        // Last, since a task whose limit key changes keeps its place.
        for (place, key) in entered {
            self.limit_heads()?.insert(&place.pack(), key)?;
        }
        Ok(())
    }

    fn leave(&mut self, kind: &Kind, limit_key: &[u8], place: LimitPlace) -> Result<()> {
        let prefix = keys::limit_prefix(kind.id, limit_key);
        match place {
            LimitPlace::Out => {}
            LimitPlace::Queued(place) => {
                drop(self.limit_queues()?.remove(keys::limit_queue_key(&prefix, place).as_slice())?);
            }
            LimitPlace::InUse => match self.in_use(kind, limit_key)?.saturating_sub(1) {
                0 => drop(self.limit_in_use()?.remove(prefix.as_slice())?),
                in_use => drop(self.limit_in_use()?.insert(prefix.as_slice(), in_use)?),
            },
        }
        Ok(())
    }

    fn enter(&mut self, kind: &Kind, limit_key: &[u8], place: LimitPlace) -> Result<()> {
        let prefix = keys::limit_prefix(kind.id, limit_key);
        match place {
            LimitPlace::Out => {}
            LimitPlace::Queued(place) => {
                drop(self.limit_queues()?.insert(keys::limit_queue_key(&prefix, place).as_slice(), ())?);
            }
            LimitPlace::InUse => {
                let in_use = self.in_use(kind, limit_key)?.saturating_add(1);
                self.limit_in_use()?.insert(prefix.as_slice(), in_use)?;
            }
        }
        Ok(())
    }

    /// The limit key of an eligible head whose payload cannot be read.
    fn limit_key_of_head(&mut self, head: ClaimKey) -> Result<Vec<u8>> {
        let value = self.limit_heads()?.get(&head.pack())?;
        let value =
            value.ok_or_else(|| Error::corrupted("tracker.payloads", head.task(), "the task has no payload"))?;
        Ok(value.value().to_vec())
    }

    /// Removes all limit rows of a kind.
    pub(crate) fn clear_limit_rows(&mut self, kind: u32) -> Result<()> {
        let (first, end) = (kind.to_be_bytes(), kind.saturating_add(1).to_be_bytes());
        self.limit_queues()?.retain_in::<&[u8], _>(&first[..]..&end[..], |_, ()| false)?;
        self.limit_in_use()?.retain_in::<&[u8], _>(&first[..]..&end[..], |_, _| false)?;
        let (first, last) = (ClaimKey::first(kind, i32::MIN, 0).pack(), ClaimKey::last(kind, i32::MAX, u8::MAX).pack());
        self.limit_heads()?.retain_in::<&[u8; ClaimKey::LEN], _>(&first..=&last, |_, _| false)?;
        Ok(())
    }
}
