//! Defines the tables of a tracker file. Their names start with `tracker.`, a prefix that user tables cannot have. Used by `storage/tables`,
//! `storage/read`, `storage/raw_rows`, `maintenance/verify`, `maintenance/recover` and `api/redb_store`. Constants.

use redb::{Key, TableDefinition, Value};

use super::{
    keys::{AttemptKey, ClaimKey, CountKey, DependencyKey, MemberKey, StartKey, UpdatedKey},
    store::StoreTable,
};
use crate::model::task::TaskRef;

/// The prefix of the names of the tracker's own tables.
pub(crate) const RESERVED: &str = "tracker.";

pub(crate) type Bytes = &'static [u8];
type Fixed<const N: usize> = &'static [u8; N];
/// The end of a dependency, a sequence number, and a task as kind and sequence number.
pub(crate) type DependencyEndRow = (u8, u64, u32, u64);

/// A table in a file and in a store.
pub(crate) struct Definition<K: Key + 'static, V: Value + 'static> {
    pub file: TableDefinition<'static, K, V>,
    pub store: StoreTable,
}

impl<K: Key + 'static, V: Value + 'static> Clone for Definition<K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K: Key + 'static, V: Value + 'static> Copy for Definition<K, V> {}

impl<K: Key + 'static, V: Value + 'static> Definition<K, V> {
    const fn new(name: &'static str, store: StoreTable) -> Self {
        Self { file: TableDefinition::new(name), store }
    }
}

/// `format` and `file_state`.
pub(crate) const META: Definition<&str, Bytes> = Definition::new("tracker.meta", StoreTable::Meta);
/// Kind number -> the definition of the kind.
pub(crate) const KINDS: Definition<u32, Bytes> = Definition::new("tracker.kinds", StoreTable::Kinds);
/// Task -> header.
pub(crate) const HEADERS: Definition<Fixed<{ TaskRef::LEN }>, Bytes> =
    Definition::new("tracker.headers", StoreTable::Headers);
/// Task -> id, keys and payload.
pub(crate) const PAYLOADS: Definition<Fixed<{ TaskRef::LEN }>, Bytes> =
    Definition::new("tracker.payloads", StoreTable::Payloads);
/// Task -> the payload that replaces its payload when the running attempt ends.
pub(crate) const SUCCESSORS: Definition<Fixed<{ TaskRef::LEN }>, Bytes> =
    Definition::new("tracker.successors", StoreTable::Successors);
/// Task -> progress of the running attempt.
pub(crate) const PROGRESS: Definition<Fixed<{ TaskRef::LEN }>, Bytes> =
    Definition::new("tracker.progress", StoreTable::Progress);
/// Task and fence -> an attempt that ended.
pub(crate) const HISTORY: Definition<Fixed<{ AttemptKey::LEN }>, Bytes> =
    Definition::new("tracker.history", StoreTable::History);
/// Kind and id -> sequence number.
pub(crate) const IDS: Definition<Bytes, u64> = Definition::new("tracker.ids", StoreTable::Ids);
/// Kind, key number and value -> sequence number.
pub(crate) const UNIQUE_KEYS: Definition<Bytes, u64> = Definition::new("tracker.unique_keys", StoreTable::UniqueKeys);
/// Kind, field number, value and sequence number.
pub(crate) const INDEXES: Definition<Bytes, ()> = Definition::new("tracker.indexes", StoreTable::Indexes);
/// Kind, status, priority, time and sequence number: the order in which tasks are due, or expire, or ended.
pub(crate) const CLAIM_ORDER: Definition<Fixed<{ ClaimKey::LEN }>, ()> =
    Definition::new("tracker.claim_order", StoreTable::ClaimOrder);
/// Kind, status, time of the last change and sequence number, for statuses that the claim order sorts by another time.
pub(crate) const UPDATED: Definition<Fixed<{ UpdatedKey::LEN }>, ()> =
    Definition::new("tracker.updated", StoreTable::Updated);
/// Kind and status -> number of tasks.
pub(crate) const COUNTS: Definition<Fixed<{ CountKey::LEN }>, u64> =
    Definition::new("tracker.counts", StoreTable::Counts);
/// Waiting task, and the task or batch that it waits for -> the effect of a dependency that ends without success.
pub(crate) const DEPENDENCIES: Definition<Fixed<{ DependencyKey::LEN }>, u8> =
    Definition::new("tracker.dependencies", StoreTable::Dependencies);
/// Target, then waiting task -> as in the table of dependencies.
pub(crate) const DEPENDENTS: Definition<Fixed<{ DependencyKey::LEN }>, u8> =
    Definition::new("tracker.dependents", StoreTable::Dependents);
/// Task or batch -> its end, while it has not reached all dependents; the sequence number before which they were submitted; and
/// the last dependent that it has reached: kind (0 for none) and sequence number.
pub(crate) const PROPAGATIONS: Definition<Fixed<{ TaskRef::LEN }>, DependencyEndRow> =
    Definition::new("tracker.propagations", StoreTable::Propagations);
/// Batch number -> batch.
pub(crate) const BATCHES: Definition<u64, Bytes> = Definition::new("tracker.batches", StoreTable::Batches);
/// Label -> batch number.
pub(crate) const BATCH_LABELS: Definition<&str, u64> = Definition::new("tracker.batch_labels", StoreTable::BatchLabels);
/// Batch and task.
pub(crate) const BATCH_MEMBERS: Definition<Fixed<{ MemberKey::LEN }>, ()> =
    Definition::new("tracker.batch_members", StoreTable::BatchMembers);
/// Batch number -> the task that is submitted when the batch is over.
pub(crate) const FOLLOW_UPS: Definition<u64, Bytes> = Definition::new("tracker.follow_ups", StoreTable::FollowUps);
/// Name -> schedule.
pub(crate) const SCHEDULES: Definition<&str, Bytes> = Definition::new("tracker.schedules", StoreTable::Schedules);
/// Kind and throttle key -> the submit that was accepted last.
pub(crate) const THROTTLES: Definition<Bytes, Bytes> = Definition::new("tracker.throttles", StoreTable::Throttles);
/// The end of the period of an accepted submit, its kind and its throttle key.
pub(crate) const THROTTLE_ENDS: Definition<Bytes, ()> =
    Definition::new("tracker.throttle_ends", StoreTable::ThrottleEnds);
/// In kinds with a limit or needs: kind, limit key, then the claim key, of each task that claims may start.
pub(crate) const LIMIT_QUEUES: Definition<Bytes, ()> = Definition::new("tracker.limit_queues", StoreTable::LimitQueues);
/// In kinds with a limit or needs: the claim keys of the eligible heads -> the limit key.
pub(crate) const LIMIT_HEADS: Definition<Fixed<{ ClaimKey::LEN }>, Bytes> =
    Definition::new("tracker.limit_heads", StoreTable::LimitHeads);
/// In kinds with a limit or needs: kind and limit key -> number of tasks in progress.
pub(crate) const LIMIT_IN_USE: Definition<Bytes, u64> = Definition::new("tracker.limit_in_use", StoreTable::LimitInUse);
/// In kinds with several limits: the lists of class heads ([`HeadList`](super::keys::HeadList)) -> how often later tasks of the value have overtaken
/// the head; 0 except in the list of all heads with a value.
pub(crate) const HEAD_LISTS: Definition<Bytes, u32> = Definition::new("tracker.head_lists", StoreTable::HeadLists);
/// Name of a resource -> its budget.
pub(crate) const BUDGETS: Definition<&str, u64> = Definition::new("tracker.budgets", StoreTable::Budgets);
/// In kinds with needs: kind and step -> sequence number of a task that did not fit into the budgets, and how many later tasks have started since.
pub(crate) const OVERTAKEN: Definition<(u32, u16), (u64, u32)> =
    Definition::new("tracker.overtaken", StoreTable::Overtaken);
/// In kinds with a rate: kind and number -> when a task started; a ring of as many as may start in a period.
pub(crate) const RATE_STARTS: Definition<Fixed<{ StartKey::LEN }>, i64> =
    Definition::new("tracker.rate_starts", StoreTable::RateStarts);
