//! The tables of a tracker file. Their names start with `tracker.`, a prefix that user tables cannot have.

use redb::TableDefinition;

use super::keys::{AttemptKey, ClaimKey, CountKey, DependencyKey, MemberKey, StartKey, UpdatedKey};
use crate::model::task::TaskRef;

/// The prefix of the names of the tracker's own tables.
pub(crate) const RESERVED: &str = "tracker.";

pub(crate) type Bytes = &'static [u8];
type Fixed<const N: usize> = &'static [u8; N];
/// The end of a dependency, a sequence number, and a task as kind and sequence number.
pub(crate) type DependencyEndRow = (u8, u64, u32, u64);

/// `format` and `file_state`.
pub(crate) const META: TableDefinition<&str, Bytes> = TableDefinition::new("tracker.meta");
/// Kind number -> what the file says of the kind.
pub(crate) const KINDS: TableDefinition<u32, Bytes> = TableDefinition::new("tracker.kinds");
/// Task -> header.
pub(crate) const HEADERS: TableDefinition<Fixed<{ TaskRef::LEN }>, Bytes> = TableDefinition::new("tracker.headers");
/// Task -> id, keys and payload.
pub(crate) const PAYLOADS: TableDefinition<Fixed<{ TaskRef::LEN }>, Bytes> = TableDefinition::new("tracker.payloads");
/// Task -> the payload that replaces its payload when the running attempt ends.
pub(crate) const SUCCESSORS: TableDefinition<Fixed<{ TaskRef::LEN }>, Bytes> =
    TableDefinition::new("tracker.successors");
/// Task -> progress of the running attempt.
pub(crate) const PROGRESS: TableDefinition<Fixed<{ TaskRef::LEN }>, Bytes> = TableDefinition::new("tracker.progress");
/// Task and fence -> an attempt that ended.
pub(crate) const HISTORY: TableDefinition<Fixed<{ AttemptKey::LEN }>, Bytes> = TableDefinition::new("tracker.history");
/// Kind and id -> sequence number.
pub(crate) const IDS: TableDefinition<Bytes, u64> = TableDefinition::new("tracker.ids");
/// Kind, key number and value -> sequence number.
pub(crate) const UNIQUE_KEYS: TableDefinition<Bytes, u64> = TableDefinition::new("tracker.unique_keys");
/// Kind, field number, value and sequence number.
pub(crate) const INDEXES: TableDefinition<Bytes, ()> = TableDefinition::new("tracker.indexes");
/// Kind, status, priority, time and sequence number: the order in which tasks are due, or expire, or ended.
pub(crate) const CLAIM_ORDER: TableDefinition<Fixed<{ ClaimKey::LEN }>, ()> =
    TableDefinition::new("tracker.claim_order");
/// Kind, status, time of the last change and sequence number, for statuses that the claim order sorts by another time.
pub(crate) const UPDATED: TableDefinition<Fixed<{ UpdatedKey::LEN }>, ()> = TableDefinition::new("tracker.updated");
/// Kind and status -> number of tasks.
pub(crate) const COUNTS: TableDefinition<Fixed<{ CountKey::LEN }>, u64> = TableDefinition::new("tracker.counts");
/// Waiting task, and the task or batch that it waits for -> the effect of a target that ends without success.
pub(crate) const DEPENDENCIES: TableDefinition<Fixed<{ DependencyKey::LEN }>, u8> =
    TableDefinition::new("tracker.dependencies");
/// Target, then waiting task -> as in the table of dependencies.
pub(crate) const DEPENDENTS: TableDefinition<Fixed<{ DependencyKey::LEN }>, u8> =
    TableDefinition::new("tracker.dependents");
/// Task or batch -> its end, while it has not reached all dependents; the sequence number before which they were submitted; and
/// the last dependent that it has reached: kind (0 for none) and sequence number.
pub(crate) const PROPAGATIONS: TableDefinition<Fixed<{ TaskRef::LEN }>, DependencyEndRow> =
    TableDefinition::new("tracker.propagations");
/// Batch number -> batch.
pub(crate) const BATCHES: TableDefinition<u64, Bytes> = TableDefinition::new("tracker.batches");
/// Label -> batch number.
pub(crate) const BATCH_LABELS: TableDefinition<&str, u64> = TableDefinition::new("tracker.batch_labels");
/// Batch and task.
pub(crate) const BATCH_MEMBERS: TableDefinition<Fixed<{ MemberKey::LEN }>, ()> =
    TableDefinition::new("tracker.batch_members");
/// Batch number -> the task that is submitted when the batch is over.
pub(crate) const FOLLOW_UPS: TableDefinition<u64, Bytes> = TableDefinition::new("tracker.follow_ups");
/// Name -> schedule.
pub(crate) const SCHEDULES: TableDefinition<&str, Bytes> = TableDefinition::new("tracker.schedules");
/// Kind and throttle key -> the submit that was accepted last.
pub(crate) const THROTTLES: TableDefinition<Bytes, Bytes> = TableDefinition::new("tracker.throttles");
/// The end of the period of an accepted submit, its kind and its throttle key.
pub(crate) const THROTTLE_ENDS: TableDefinition<Bytes, ()> = TableDefinition::new("tracker.throttle_ends");
/// In kinds with a limit or needs: kind, limit key, then the place in the claim order, of each task that claims may start.
pub(crate) const LIMIT_QUEUES: TableDefinition<Bytes, ()> = TableDefinition::new("tracker.limit_queues");
/// In kinds with a limit or needs: the places of the eligible heads -> the limit key.
pub(crate) const LIMIT_HEADS: TableDefinition<Fixed<{ ClaimKey::LEN }>, Bytes> =
    TableDefinition::new("tracker.limit_heads");
/// In kinds with a limit or needs: kind and limit key -> number of tasks in progress.
pub(crate) const LIMIT_IN_USE: TableDefinition<Bytes, u64> = TableDefinition::new("tracker.limit_in_use");
/// In kinds with several limits: the lists of class heads ([`HeadList`](super::keys::HeadList)) -> how often later tasks of the value have overtaken
/// the head; 0 except in the list of all heads with a value.
pub(crate) const HEAD_LISTS: TableDefinition<Bytes, u32> = TableDefinition::new("tracker.head_lists");
/// Name of a resource -> its budget.
pub(crate) const BUDGETS: TableDefinition<&str, u64> = TableDefinition::new("tracker.budgets");
/// In kinds with needs: kind and step -> sequence number of a task that did not fit into the budgets, and how many later tasks have started since.
pub(crate) const OVERTAKEN: TableDefinition<(u32, u16), (u64, u32)> = TableDefinition::new("tracker.overtaken");
/// In kinds with a rate: kind and number -> when a task started; a ring of as many as may start in a period.
pub(crate) const RATE_STARTS: TableDefinition<Fixed<{ StartKey::LEN }>, i64> =
    TableDefinition::new("tracker.rate_starts");
