//! Defines the interface `Store` that a back end beside the redb file implements, such as `tracker-postgres`, and the rows that it loads
//! and changes. Used by `storage`, `engine`, `api/store` and `maintenance/move_tasks`; touches no file.

mod coverage;
mod key;
mod memory;
mod row_guard;
mod row_key;
mod row_range;
mod stored_kind;
mod stored_table;
mod table;
mod table_rows;
mod task_times;
mod working_set;

pub(crate) use key::StoreKey;
pub use memory::MemoryStore;
pub(crate) use row_guard::RowGuard;
pub use row_key::RowKey;
pub(crate) use row_range::RowRange;
pub use stored_kind::{StoredKind, StoredStatus};
pub(crate) use stored_table::{StoreRows, StoredTable};
pub use table::StoreTable;
pub use task_times::TaskTimes;
pub(crate) use working_set::WorkingSet;

use std::{any::Any, fmt, time::Duration};

use uuid::Uuid;

use crate::{
    model::{
        error::{Error, ErrorKind, Result},
        task::TaskRef,
    },
    storage::keys::ClaimKey,
};

/// A place where a tracker keeps its tasks, shared by any number of processes.
///
/// The engine runs its rules in the client: a unit of work loads sets of rows, and commits the rows that it has changed.
pub trait Store: Any + fmt::Debug + Send + Sync {
    /// The name of the store for messages, without credentials.
    fn name(&self) -> String;

    /// Called once when a tracker opens the store, before all other calls. [`Store::close`] ends what it begins.
    ///
    /// # Errors
    /// - [`ErrorKind::Io`] if the store cannot be reached.
    fn open(&self) -> Result<()> {
        Ok(())
    }

    /// Number of other trackers that have the store open, in any process, as far as the store knows.
    ///
    /// # Errors
    /// - [`ErrorKind::Io`] if the store cannot be reached.
    fn other_trackers(&self) -> Result<u64>;

    /// Begins a unit of work.
    ///
    /// # Errors
    /// - [`ErrorKind::Io`] if the store cannot be reached.
    fn begin(&self, access: Access) -> Result<Box<dyn StoreUnit>>;

    /// [`Self::begin`], and the first load of the unit. A server can do both in one round trip.
    ///
    /// # Errors
    /// As [`Self::begin`] and [`StoreUnit::load`].
    fn begin_and_load(&self, access: Access, wants: &[Want]) -> Result<(Box<dyn StoreUnit>, Vec<Loaded>)> {
        let mut unit = self.begin(access)?;
        let loaded = if wants.is_empty() { Vec::new() } else { unit.load(wants)? };
        Ok((unit, loaded))
    }

    /// A number that differs after a commit of any process.
    ///
    /// # Errors
    /// - [`ErrorKind::Io`] if the store cannot be reached.
    fn change(&self) -> Result<u64>;

    /// Begins to listen for commits with [`Changes::wakes_workers`]. `None` if the store has no notifications: waiting workers then read
    /// [`change`](Self::change) up to ten times per second.
    ///
    /// # Errors
    /// - [`ErrorKind::Io`] if the store cannot be reached.
    fn listen(&self) -> Result<Option<Box<dyn StoreListener>>> {
        Ok(None)
    }

    /// How long a waiting worker relies on a listener before it asks for [`change`](Self::change) itself. Default: 1 s.
    fn poll_interval(&self) -> Duration {
        Duration::from_secs(1)
    }

    /// Ends the connections.
    ///
    /// # Errors
    /// - [`ErrorKind::Io`] if a connection cannot be ended in order.
    fn close(&self) -> Result<()>;
}

/// Waits for commits of other processes. Dropping it ends the listening.
pub trait StoreListener: Send {
    /// Waits up to `timeout` for a commit with [`Changes::wakes_workers`] since the last call. Returns whether there may have been one.
    ///
    /// # Errors
    /// - [`ErrorKind::Io`] if the store can no longer notify this listener.
    fn wait(&mut self, timeout: Duration) -> Result<bool>;
}

/// The access of a unit of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reads one state of the store. Takes no locks.
    Read,
    /// Reads the latest rows, locks each row that it loads until it ends, and may commit.
    Write,
}

/// One unit of work: a transaction on a store. Dropping it without a commit rolls it back.
pub trait StoreUnit: Send {
    /// The state of the store when the unit began.
    fn state(&self) -> StoreState;

    /// Assigns `count` numbers that follow each other, and returns the first one. No number is assigned twice, and each is
    /// greater than all that other units have assigned to the rows that this unit has loaded.
    ///
    /// # Errors
    /// - [`ErrorKind::Io`] if the store cannot be reached.
    fn take_numbers(&mut self, series: NumberSeries, count: u64) -> Result<u64>;

    /// A number that exceeds all that were assigned before the call.
    ///
    /// # Errors
    /// - [`ErrorKind::Io`] if the store cannot be reached.
    fn next_number(&mut self, series: NumberSeries) -> Result<u64>;

    /// Assigns no number below `next` from now on.
    ///
    /// # Errors
    /// - [`ErrorKind::Io`] if the store cannot be reached.
    fn raise_numbers(&mut self, series: NumberSeries, next: u64) -> Result<()>;

    /// Loads sets of rows, one answer for each want.
    ///
    /// # Errors
    /// - [`ErrorKind::Io`] if the store cannot be reached.
    fn load(&mut self, wants: &[Want]) -> Result<Vec<Loaded>>;

    /// Commits the changes, all or none.
    ///
    /// # Errors
    /// - [`ErrorKind::OutcomeUnknown`] if the store cannot be reached after the changes were sent.
    fn commit(self: Box<Self>, changes: Changes) -> Result<Committed>;
}

/// The state of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreState {
    /// The time of the store, in microseconds since 1970; `None` if the client's clock is used.
    pub now: Option<i64>,
    /// Rises with each change of the kinds.
    pub schema: u64,
    /// The change number: see [`Store::change`].
    pub change: u64,
}

/// A series of numbers that only rise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberSeries {
    /// Numbers of tasks and batches.
    Sequence,
    /// Fences (fencing tokens) of leases.
    Fence,
}

/// A set of rows to load.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Want {
    /// The row with a key.
    Row {
        /// The table.
        table: StoreTable,
        /// The key.
        key: Vec<u8>,
    },
    /// The first rows of a range of keys.
    Rows {
        /// The table.
        table: StoreTable,
        /// The first key of the range.
        from: Vec<u8>,
        /// The first key after the range; `None` for the end of the table.
        to: Option<Vec<u8>>,
        /// Whether the range is read from its end.
        newest_first: bool,
        /// The most rows to load; at least 1.
        most: usize,
        /// Whether a writing unit skips rows that another unit has locked, and does not wait for them. Claims do.
        skips_locked: bool,
    },
}

/// The answer to one [`Want`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The rows, in the order in which they were asked for.
    pub rows: Vec<(Vec<u8>, Vec<u8>)>,
    /// Whether the range has no further rows that are not locked.
    pub is_complete: bool,
    /// Whether rows were skipped, since another unit has locked them.
    pub has_skipped: bool,
    /// Rows that belong to the tasks of `rows` and were loaded with them; `None` for a row that does not exist. If several wants of a load find a task,
    /// only the first answer has them.
    pub related: Vec<RowValue>,
}

/// A row, or that there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowValue {
    /// The table.
    pub table: StoreTable,
    /// The key.
    pub key: RowKey,
    /// The value; `None` if there is no row.
    pub value: Option<Vec<u8>>,
}

/// A row that a unit of work changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowChange {
    /// The table.
    pub table: StoreTable,
    /// The key.
    pub key: RowKey,
    /// The new value; `None` removes the row.
    pub value: Option<Vec<u8>>,
    /// The unit has found no row with this key. If another unit has inserted one since, the commit is a conflict.
    pub is_new: bool,
}

/// The changes of a unit of work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The changed rows, in the order of table and key, each once.
    pub rows: Vec<RowChange>,
    /// Differences that are added to the values of [`StoreTable::Counts`], by key.
    pub counts: Vec<(Vec<u8>, i64)>,
    /// The schema that the unit began with, if it changes kinds: another unit must not have changed it since.
    pub schema: Option<u64>,
    /// The process and the number of its commit.
    pub commit: (Uuid, u64),
    /// Whether a task may have become startable, so that waiting workers of other processes must look.
    pub wakes_workers: bool,
    /// Whether a task may have got a key of [`StoreTable::ClaimOrder`] with a time before that of the unit. A store may let claims begin to read at the
    /// first task of earlier claims; after such a commit they read from the start again.
    pub enters_past: bool,
}

/// The result of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committed {
    /// The changes are stored.
    Done {
        /// As [`Store::change`], after the commit.
        change: u64,
    },
    /// Nothing is stored: another unit has changed a row, or holds a lock. The unit can run again.
    Conflict,
}

impl StoreTable {
    /// The tables whose keys are tasks: kind and sequence number.
    pub const OF_TASKS: &[Self] = &[Self::Headers, Self::Payloads, Self::Successors, Self::Progress];

    /// Returns the key in [`Self::OF_TASKS`] of the task that a row belongs to. `None` if rows of this table belong to no task, or the row has
    /// another length.
    #[must_use]
    pub fn task_of_row(self, key: &[u8], value: &[u8]) -> Option<Vec<u8>> {
        let (kind, seq) = match self {
            Self::Headers | Self::Payloads | Self::Successors | Self::Progress => return Some(key.to_vec()),
            // The sequence number ends the key.
            Self::ClaimOrder | Self::Updated | Self::Indexes | Self::LimitHeads => {
                (key.first_chunk::<4>()?, *key.last_chunk::<8>()?)
            }
            Self::BatchMembers => return key.last_chunk::<{ TaskRef::LEN }>().map(|task| task.to_vec()),
            Self::Ids | Self::UniqueKeys => {
                let seq = u64::from_le_bytes(value.try_into().ok()?);
                (key.first_chunk::<4>()?, seq.to_be_bytes())
            }
            _ => return None,
        };
        Some([&kind[..], &seq].concat())
    }
}

/// A place in [`StoreTable::ClaimOrder`], read from its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClaimPosition {
    /// The number of the kind.
    pub kind: u32,
    /// The code of the status.
    pub status: i32,
    /// 0 to 255; higher priorities start first.
    pub priority: u8,
    /// In microseconds since 1970: when a waiting task is due, a lease ends, or an ended task ended.
    pub at: i64,
    /// The sequence number of the task.
    pub seq: u64,
}

impl ClaimPosition {
    /// Reads a key of [`StoreTable::ClaimOrder`]. `None` if it has another length.
    #[must_use]
    pub fn from_key(key: &[u8]) -> Option<Self> {
        let ClaimKey { kind, code, rank, at, place: _, seq } = ClaimKey::unpack(key.try_into().ok()?);
        Some(Self { kind, status: code, priority: u8::MAX - rank, at, seq })
    }

    /// The first key of a kind, a status and a priority at a time, in microseconds since 1970.
    #[must_use]
    pub fn first_key(kind: u32, status: i32, priority: u8, at: i64) -> Vec<u8> {
        ClaimKey::first_at(kind, status, u8::MAX - priority, at).pack().to_vec()
    }
}

/// Reads the kind and the sequence number of a task from a key of [`StoreTable::Headers`], [`StoreTable::Payloads`],
/// [`StoreTable::Successors`] or [`StoreTable::Progress`]. `None` if the key has another length.
#[must_use]
pub fn task_of_key(key: &[u8]) -> Option<(u32, u64)> {
    let TaskRef { kind, seq } = TaskRef::unpack(key.try_into().ok()?);
    Some((kind, seq))
}

/// Creates an error of a store.
pub fn store_error(
    kind: ErrorKind,
    message: impl Into<String>,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    Error::caused(kind, message, source)
}

/// Creates the error of a unit of work that competes with another one, as [`Committed::Conflict`]: the unit runs again.
#[must_use]
pub fn store_conflict(what: impl fmt::Display) -> Error {
    Error::conflict(what)
}
