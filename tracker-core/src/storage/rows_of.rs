//! `rows_of` is the only function that derives rows. All rows of the order, listing, key, batch and limit tables that belong to a task, but
//! those of `tracker.limit_heads` and `tracker.head_lists`, follow from its kind, its header and the keys of its payload. Called by `storage`,
//! `engine/writer/rebuild` and `maintenance/verify`; pure.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use super::{
    keys::{self, ClaimKey, CountKey, MemberKey, UpdatedKey},
    limit_class::{LimitClass, NONE},
    order::order_keys,
};
use crate::model::{
    kind::Kind,
    task::{TaskKey, TaskRef},
    task_row::TaskRow,
    transition::{Header, LATEST},
};

/// The keys of a payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PayloadKeys<'p> {
    pub id: &'p TaskKey,
    /// The encoded value of each index.
    pub indexes: &'p [Vec<u8>],
    /// The encoded value of each unique key.
    pub uniques: &'p [Vec<u8>],
}

impl TaskRow {
    pub(crate) fn keys(&self) -> PayloadKeys<'_> {
        PayloadKeys { id: &self.id, indexes: &self.indexes, uniques: &self.uniques }
    }
}

/// All rows that are derived from one task. Borrows from its payload, so that a write allocates only for rows that differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DerivedRows<'p> {
    pub claim_order: ClaimKey,
    pub updated: Option<UpdatedKey>,
    /// The counter in which the task counts.
    pub count: CountKey,
    pub member: Option<MemberKey>,
    pub limit: LimitState,
    /// `None` if the keys of the payload were not given.
    pub keys: Option<KeyRows<'p>>,
}

/// The rows that follow from the keys of a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyRows<'p> {
    pub id: &'p TaskKey,
    /// One row for each index, by its number.
    pub indexes: &'p [Vec<u8>],
    pub uniques: Vec<UniqueRow<'p>>,
    /// The queue in which the task waits: the value that the concurrency limit counts, the amounts of resources that it needs, or its
    /// [`LimitClass`]; empty if the task is not limited.
    pub limit_key: Cow<'p, [u8]>,
}

/// A unique key that the task holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UniqueRow<'p> {
    pub number: u16,
    pub value: &'p [u8],
}

/// Where a task of a kind with a concurrency limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LimitState {
    /// The task can neither be claimed nor is it in progress, or the kind has no limit.
    NotCounted,
    /// In the queue of its limit key.
    Queued(ClaimKey),
    /// In progress: it counts towards the limit of its limit key.
    InProgress,
}

/// Derives the rows of a task.
pub(crate) fn rows_of<'p>(
    kind: &Kind,
    task: TaskRef,
    header: &Header,
    payload: Option<PayloadKeys<'p>>,
) -> DerivedRows<'p> {
    let order = order_keys(&kind.graph, task, header);
    DerivedRows {
        claim_order: order.claim_order,
        updated: order.updated,
        count: CountKey { kind: kind.id, code: header.code },
        member: header.batch.map(|batch| MemberKey { batch, task }),
        limit: limit_place(kind, header, order.claim_order),
        keys: payload.map(|payload| key_rows(kind, header, payload)),
    }
}

fn limit_place(kind: &Kind, header: &Header, claim_order: ClaimKey) -> LimitState {
    if !kind.has_queues() {
        LimitState::NotCounted
    } else if header.lease.is_some() {
        LimitState::InProgress
    } else if claim_order.at > LATEST || !kind.is_claimable(header.code) {
        LimitState::NotCounted
    } else {
        LimitState::Queued(claim_order)
    }
}

fn key_rows<'p>(kind: &Kind, header: &Header, payload: PayloadKeys<'p>) -> KeyRows<'p> {
    let indexes = payload.indexes.get(..kind.indexes.len()).unwrap_or(payload.indexes);
    KeyRows {
        id: payload.id,
        indexes,
        uniques: unique_rows(kind, header, payload),
        limit_key: limit_key(kind, indexes),
    }
}

/// The unique keys that a task holds: permanent ones, and those for unfinished tasks while it is unfinished. An empty
/// value is no key.
fn unique_rows<'p>(kind: &Kind, header: &Header, payload: PayloadKeys<'p>) -> Vec<UniqueRow<'p>> {
    if kind.uniques.is_empty() {
        return Vec::new();
    }
    let finished = kind.is_finished(header);
    let keys = (0..).zip(kind.uniques.iter().zip(payload.uniques));
    keys.filter(|(_, ((_, while_unfinished), value))| !(value.is_empty() || *while_unfinished && finished))
        .map(|(number, (_, value))| UniqueRow { number, value })
        .collect()
}

fn limit_key<'p>(kind: &Kind, indexes: &'p [Vec<u8>]) -> Cow<'p, [u8]> {
    if kind.has_limit_lists() {
        return Cow::Owned(LimitClass::of(kind, indexes).pack());
    }
    if kind.has_needs() {
        return Cow::Owned(kind.amounts(indexes).flat_map(u64::to_be_bytes).collect());
    }
    let value = kind.limit().and_then(|(number, _)| indexes.get(number));
    Cow::Borrowed(value.map(Vec::as_slice).filter(|value| *value != NONE).unwrap_or_default())
}

/// The amounts in the limit key of a kind with needs.
pub(crate) fn amounts_of_key(limit_key: &[u8]) -> Vec<u64> {
    limit_key.chunks_exact(8).filter_map(|amount| Some(u64::from_be_bytes(*amount.first_chunk()?))).collect()
}

impl Kind {
    /// The limit key of a task: the value of the limited index, or its needs. Empty if the task is not limited.
    pub(crate) fn limit_key<'p>(&self, row: &'p TaskRow) -> Cow<'p, [u8]> {
        limit_key(self, &row.indexes)
    }

    /// The keys of the counters of a task in progress, without the number of the kind that comes first: its limit key; or each of its limited values, and its amounts.
    pub(crate) fn in_use_keys<'k>(&self, limit_key: &'k [u8]) -> Vec<Cow<'k, [u8]>> {
        if self.has_limit_lists() {
            LimitClass::unpack(self, limit_key).in_use_keys().into_iter().map(Cow::Owned).collect()
        } else {
            vec![Cow::Borrowed(limit_key)]
        }
    }
}

/// Whether a change of a header can change rows that follow from the payload: its keys must then be read.
pub(crate) fn needs_keys(kind: &Kind, task: TaskRef, old: &Header, new: &Header) -> bool {
    let limit = |header: &Header| rows_of(kind, task, header, None).limit;
    (kind.has_passing_keys() && kind.is_finished(old) != kind.is_finished(new))
        || (kind.has_queues() && limit(old) != limit(new))
}

/// The key of a task in the queue of its limit key.
pub(crate) fn limit_queue_row(kind: &Kind, limit_key: &[u8], claim_key: ClaimKey) -> Vec<u8> {
    keys::limit_queue_key(&keys::limit_prefix(kind.id, limit_key), claim_key)
}

/// Finds the eligible heads of a limit key: the first task of its queue for each status and priority; none while the limit is reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EligibleHeads {
    is_full: bool,
    last: Option<(i32, u8)>,
}

impl EligibleHeads {
    pub(crate) fn new(kind: &Kind, limit_key: &[u8], in_use: u64) -> Self {
        let is_full = !limit_key.is_empty() && kind.limit().is_some_and(|(_, most)| in_use >= u64::from(most));
        Self { is_full, last: None }
    }

    /// Whether the next task of the queue is an eligible head. Takes the claim keys of the queue in ascending order.
    pub(crate) fn is_next_head(&mut self, next: ClaimKey) -> bool {
        let group = Some((next.code, next.rank));
        let is_first = self.last != group;
        self.last = group;
        is_first && !self.is_full
    }
}
