//! `Comparison` lists the groups of rows that `verify` compares with those that follow from the tasks. `RowSink` is the interface of
//! `fingerprints` and `exact_rows`, which receive the rows of both sides. Used by most of `verify`; pure.

use std::fmt::Debug;

use crate::{
    model::task::TaskRef,
    storage::keys::{ClaimKey, CountKey, DependencyKey, MemberKey, UpdatedKey},
};

/// Rows that are compared, in the order in which `verify` reports them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Comparison {
    ClaimOrder,
    Updated,
    Indexes,
    LimitQueues,
    Successors,
    /// The headers, with the payloads.
    Payloads,
    /// The headers, with the tasks of the kinds.
    Headers,
    /// The rows of progress, with the tasks in progress.
    Progress,
    /// The tasks of the attempts in the history, with the tasks that have had attempts.
    History,
    Ids,
    UniqueKeys,
    LimitInUse,
    Counts,
    LimitHeads,
    BatchMembers,
    /// The members by role that batches say to have.
    BatchCounts,
    BatchLabels,
    /// The follow-up tasks, with the unfinished batches.
    FollowUps,
    /// The tasks and batches that dependencies name, with those that exist.
    Targets,
    /// The rows of dependents, with those of dependencies.
    Dependents,
    /// The numbers of dependencies in headers, with the rows of dependencies.
    Waits,
}

/// The content of a row on one side, besides its key.
#[derive(Clone, Copy, Debug)]
pub(super) enum RowContent<'v> {
    /// The row has no value.
    Key,
    Number(u64),
    Bytes(&'v [u8]),
    /// One of several parts of a number: the expected parts of a key are added up.
    Part(u64),
    /// The number of rows or parts of the other side that belong to this row, and the value of this row.
    Rows(u64, u64),
}

/// Receives the rows that should be there, and those that are stored.
pub(super) trait RowSink {
    /// Whether the sink needs the rows of a comparison.
    fn takes(&self, comparison: Comparison) -> bool;

    /// Receives a row that follows from tasks.
    fn expect(&mut self, comparison: Comparison, key: &[u8], row: RowContent<'_>);

    /// Receives a stored row.
    fn store(&mut self, comparison: Comparison, key: &[u8], row: RowContent<'_>);
}

impl Comparison {
    pub(super) const ALL: [Self; 21] = [
        Self::ClaimOrder,
        Self::Updated,
        Self::Indexes,
        Self::LimitQueues,
        Self::Successors,
        Self::Payloads,
        Self::Headers,
        Self::Progress,
        Self::History,
        Self::Ids,
        Self::UniqueKeys,
        Self::LimitInUse,
        Self::Counts,
        Self::LimitHeads,
        Self::BatchMembers,
        Self::BatchCounts,
        Self::BatchLabels,
        Self::FollowUps,
        Self::Targets,
        Self::Dependents,
        Self::Waits,
    ];

    /// The table that is reported.
    pub(super) fn table(self) -> &'static str {
        match self {
            Self::ClaimOrder => "tracker.claim_order",
            Self::Updated => "tracker.updated",
            Self::Indexes => "tracker.indexes",
            Self::LimitQueues => "tracker.limit_queues",
            Self::Successors => "tracker.successors",
            Self::Payloads | Self::Headers | Self::Waits => "tracker.headers",
            Self::Progress => "tracker.progress",
            Self::History => "tracker.history",
            Self::Ids => "tracker.ids",
            Self::UniqueKeys => "tracker.unique_keys",
            Self::LimitInUse => "tracker.limit_in_use",
            Self::Counts => "tracker.counts",
            Self::LimitHeads => "tracker.limit_heads",
            Self::BatchMembers => "tracker.batch_members",
            Self::BatchCounts => "tracker.batches",
            Self::BatchLabels => "tracker.batch_labels",
            Self::FollowUps => "tracker.follow_ups",
            Self::Targets => "tracker.dependencies",
            Self::Dependents => "tracker.dependents",
        }
    }

    /// The part of a key that both sides have. Rows with the same part are compared in the same pass.
    pub(super) fn subject(self, key: &[u8]) -> &[u8] {
        let length = match self {
            Self::History | Self::Targets => TaskRef::LEN,
            Self::BatchCounts => size_of::<u64>(),
            _ => key.len(),
        };
        key.get(..length).unwrap_or(key)
    }

    /// The part of a key whose rows are counted together.
    pub(super) fn counted(self, key: &[u8]) -> &[u8] {
        if self == Self::BatchCounts { key } else { self.subject(key) }
    }

    /// A key as it is reported.
    pub(super) fn key_text(self, key: &[u8]) -> String {
        match self {
            Self::ClaimOrder | Self::LimitHeads => text(key, ClaimKey::unpack),
            Self::Updated => text(key, UpdatedKey::unpack),
            Self::Counts => text(key, CountKey::unpack),
            Self::BatchMembers => text(key, MemberKey::unpack),
            Self::Dependents => text(key, DependencyKey::unpack),
            Self::Successors | Self::Payloads | Self::Headers | Self::Waits => text(key, TaskRef::unpack),
            Self::BatchLabels => format!("{:?}", String::from_utf8_lossy(key)),
            _ => format!("{key:?}"),
        }
    }
}

fn text<const N: usize, K: Debug>(key: &[u8], unpack: fn(&[u8; N]) -> K) -> String {
    key.try_into().map_or_else(|_| format!("{key:?}"), |key| format!("{:?}", unpack(key)))
}
