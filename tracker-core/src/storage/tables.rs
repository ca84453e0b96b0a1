//! `Tables` opens the tables of a transaction when they are first needed, and reads and writes single rows; `init` creates those of a new file.
//! `Source` is the transaction itself: `Reading` or `Writing`, of a file or of a store. Used by `storage`, `engine`, `api`, `worker/heartbeats`,
//! `portable` and `maintenance`.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

use std::collections::HashMap;

use redb::{Key, ReadOnlyTable, ReadTransaction, ReadableTable, Table, Value, WriteTransaction};

use super::read::rows::Rows;
use crate::{
    model::{
        error::{Error, Result},
        file_state::FileState,
        kind::Kind,
        kinds::Kinds,
        task::{TaskKey, TaskRef},
        task_row::{Progress, TaskRow},
        time::Micros,
        transition::{Header, StoredAttempt},
    },
    storage::{
        definitions::{self, Bytes, Definition, DependencyEndRow},
        encoding::{self, Encodable},
        format::{FORMAT, FORMAT_KEY},
        keys::{self, AttemptKey, CountKey, DependencyKey, MemberKey, StartKey},
        store::{NumberSeries, StoreKey, StoreRows, StoreState, StoredTable, WorkingSet},
    },
};

/// A transaction whose tables can be opened: of the file, or the working set of a store.
pub(crate) trait Source: Copy {
    type Table<K: Key + 'static, V: Value + 'static>: ReadableTable<K, V>;

    fn open<K: StoreKey, V: Value + 'static>(self, table: Definition<K, V>) -> Result<TableOf<Self, K, V>>;

    /// The working set, if this is a store.
    fn working_set(&self) -> Option<&WorkingSet>;
}

/// A table that a source has opened.
pub(crate) type TableOf<S, K, V> = StoredTable<<S as Source>::Table<K, V>, K, V>;

/// A transaction that writes.
#[derive(Clone, Copy)]
pub(crate) enum Writing<'t> {
    File(&'t WriteTransaction),
    Store(&'t WorkingSet),
}

/// A transaction that reads.
#[derive(Clone, Copy)]
pub(crate) enum Reading<'t> {
    File(&'t ReadTransaction),
    Store(&'t WorkingSet),
}

impl<'t> Source for Writing<'t> {
    type Table<K: Key + 'static, V: Value + 'static> = Table<'t, K, V>;

    fn open<K: StoreKey, V: Value + 'static>(self, table: Definition<K, V>) -> Result<TableOf<Self, K, V>> {
        match self {
            Self::File(txn) => Ok(StoredTable::File(txn.open_table(table.file)?)),
            Self::Store(set) => Ok(StoredTable::Store(StoreRows::new(set.clone(), table.store))),
        }
    }

    fn working_set(&self) -> Option<&WorkingSet> {
        if let Self::Store(set) = self { Some(set) } else { None }
    }
}

impl Source for Reading<'_> {
    type Table<K: Key + 'static, V: Value + 'static> = ReadOnlyTable<K, V>;

    fn open<K: StoreKey, V: Value + 'static>(self, table: Definition<K, V>) -> Result<TableOf<Self, K, V>> {
        match self {
            Self::File(txn) => Ok(StoredTable::File(txn.open_table(table.file)?)),
            Self::Store(set) => Ok(StoredTable::Store(StoreRows::new(set.clone(), table.store))),
        }
    }

    fn working_set(&self) -> Option<&WorkingSet> {
        if let Self::Store(set) = self { Some(set) } else { None }
    }
}

type Fixed<const N: usize> = &'static [u8; N];

fn opened<T>(slot: &mut Option<T>, open: impl FnOnce() -> Result<T>) -> Result<&mut T> {
    match slot {
        Some(table) => Ok(table),
        None => Ok(slot.insert(open()?)),
    }
}

/// Defines `Tables` with an accessor for each table, and `create_all`.
macro_rules! tables {
    ($($name:ident: $key:ty => $value:ty = $table:ident;)*) => {
        /// The tables of one transaction, opened when first needed, because each opened table makes the commit slower.
        pub(crate) struct Tables<S: Source> {
            source: S,
            $($name: Option<TableOf<S, $key, $value>>,)*
        }

        impl<S: Source> Tables<S> {
            pub(crate) fn new(source: S) -> Self {
                Self { source, $($name: None,)* }
            }

            $(pub(crate) fn $name(&mut self) -> Result<&mut TableOf<S, $key, $value>> {
                let source = self.source;
                opened(&mut self.$name, || source.open(definitions::$table))
            })*
        }

        /// Creates the tables of a new file.
        fn create_all(tables: &mut Tables<Writing<'_>>) -> Result<()> {
            $(tables.$name()?;)*
            Ok(())
        }
    };
}

tables! {
    meta: &'static str => Bytes = META;
    kinds: u32 => Bytes = KINDS;
    headers: Fixed<{ TaskRef::LEN }> => Bytes = HEADERS;
    payloads: Fixed<{ TaskRef::LEN }> => Bytes = PAYLOADS;
    successors: Fixed<{ TaskRef::LEN }> => Bytes = SUCCESSORS;
    progress_rows: Fixed<{ TaskRef::LEN }> => Bytes = PROGRESS;
    history: Fixed<{ AttemptKey::LEN }> => Bytes = HISTORY;
    ids: Bytes => u64 = IDS;
    unique_keys: Bytes => u64 = UNIQUE_KEYS;
    indexes: Bytes => () = INDEXES;
    claim_order: Fixed<{ keys::ClaimKey::LEN }> => () = CLAIM_ORDER;
    updated: Fixed<{ keys::UpdatedKey::LEN }> => () = UPDATED;
    counts: Fixed<{ CountKey::LEN }> => u64 = COUNTS;
    dependency_rows: Fixed<{ DependencyKey::LEN }> => u8 = DEPENDENCIES;
    dependents: Fixed<{ DependencyKey::LEN }> => u8 = DEPENDENTS;
    propagations: Fixed<{ TaskRef::LEN }> => DependencyEndRow = PROPAGATIONS;
    batches: u64 => Bytes = BATCHES;
    batch_labels: &'static str => u64 = BATCH_LABELS;
    batch_members: Fixed<{ MemberKey::LEN }> => () = BATCH_MEMBERS;
    follow_ups: u64 => Bytes = FOLLOW_UPS;
    schedules: &'static str => Bytes = SCHEDULES;
    throttles: Bytes => Bytes = THROTTLES;
    throttle_ends: Bytes => () = THROTTLE_ENDS;
    limit_queues: Bytes => () = LIMIT_QUEUES;
    limit_heads: Fixed<{ keys::ClaimKey::LEN }> => Bytes = LIMIT_HEADS;
    limit_in_use: Bytes => u64 = LIMIT_IN_USE;
    head_lists: Bytes => u32 = HEAD_LISTS;
    budgets: &'static str => u64 = BUDGETS;
    overtaken_rows: (u32, u16) => (u64, u32) = OVERTAKEN;
    rate_starts: Fixed<{ StartKey::LEN }> => i64 = RATE_STARTS;
}

/// Decodes a row. Other bytes give `Corrupted` with table and key.
pub(crate) fn row<T: Encodable>(table: &str, key: impl std::fmt::Display, bytes: &[u8]) -> Result<T> {
    encoding::decode(bytes).map_err(|what| Error::corrupted(table, key, what))
}

/// Decodes a row of a task like [`row`]. The checksum includes the key.
pub(crate) fn row_of<T: Encodable>(table: &str, task: TaskRef, bytes: &[u8]) -> Result<T> {
    encoding::decode_at(&task.pack(), bytes).map_err(|what| Error::corrupted(table, task, what))
}

/// Creates every table and writes the initial rows of a new file.
pub(crate) fn init(txn: &WriteTransaction) -> Result<()> {
    let mut tables = Tables::new(Writing::File(txn));
    create_all(&mut tables)?;
    let file_state = encoding::encode(&FileState::new())?;
    let meta = tables.meta()?;
    meta.insert(FORMAT_KEY, FORMAT.as_slice())?;
    meta.insert(FILE_STATE_KEY, file_state.as_slice())?;
    Ok(())
}

const FILE_STATE_KEY: &str = "file_state";
impl<S: Source> Tables<S> {
    /// The transaction.
    pub(crate) fn source(&self) -> S {
        self.source
    }

    pub(crate) fn file_state(&mut self) -> Result<FileState> {
        if let Some(set) = self.source.working_set() {
            let StoreState { now, schema, change } = set.state();
            return Ok(FileState { clock_floor: now.unwrap_or(0), schema, change, ..FileState::new() });
        }
        let meta = self.meta()?;
        let bytes = meta
            .get(FILE_STATE_KEY)?
            .ok_or_else(|| Error::corrupted("tracker.meta", FILE_STATE_KEY, "it is missing"))?;
        row("tracker.meta", FILE_STATE_KEY, bytes.value())
    }

    /// The next sequence number and the next fence.
    pub(crate) fn next_numbers(&mut self) -> Result<(u64, u64)> {
        if let Some(set) = self.source.working_set() {
            return Ok((set.next_number(NumberSeries::Sequence)?, set.next_number(NumberSeries::Fence)?));
        }
        let state = self.file_state()?;
        Ok((state.next_seq, state.next_fence))
    }

    pub(crate) fn all_kinds(&mut self) -> Result<Kinds> {
        let schema = self.file_state()?.schema;
        let mut kinds = Vec::new();
        for entry in self.kinds()?.rows()? {
            let (key, value) = entry?;
            let id = key.value();
            kinds.push(Kind { id, ..row("tracker.kinds", id, value.value())? });
        }
        Ok(Kinds::new(schema, kinds))
    }

    pub(crate) fn header(&mut self, task: TaskRef) -> Result<Option<Header>> {
        let bytes = self.headers()?.get(&task.pack())?;
        bytes.map(|bytes| row_of("tracker.headers", task, bytes.value())).transpose()
    }

    /// Loads headers that are read soon, all at once.
    pub(crate) fn prefetch_headers(&mut self, tasks: impl IntoIterator<Item = TaskRef>) -> Result<()> {
        let keys: Vec<_> = tasks.into_iter().map(TaskRef::pack).collect();
        self.headers()?.prefetch(&keys)
    }

    pub(crate) fn find_task_row(&mut self, task: TaskRef) -> Result<Option<TaskRow>> {
        let bytes = self.payloads()?.get(&task.pack())?;
        bytes.map(|bytes| row_of("tracker.payloads", task, bytes.value())).transpose()
    }

    /// The payload row of a task that has a header.
    pub(crate) fn task_row(&mut self, task: TaskRef) -> Result<TaskRow> {
        self.find_task_row(task)?.ok_or_else(|| Error::corrupted("tracker.payloads", task, "the task has no payload"))
    }

    pub(crate) fn successor(&mut self, task: TaskRef) -> Result<Option<TaskRow>> {
        let bytes = self.successors()?.get(&task.pack())?;
        bytes.map(|bytes| row_of("tracker.successors", task, bytes.value())).transpose()
    }

    /// Returns the payload to update, and its revision. If the lease has expired, the update ends the attempt, and a pending payload
    /// replaces the stored one; then this is the pending payload.
    pub(crate) fn changeable(&mut self, task: TaskRef, header: &Header, now: Micros) -> Result<(TaskRow, u32)> {
        let freed = header.successor && header.lease.as_ref().is_some_and(|lease| lease.has_expired(now));
        let successor = if freed { self.successor(task)? } else { None };
        match successor {
            Some(row) => Ok((row, header.revision.wrapping_add(1))),
            None => Ok((self.task_row(task)?, header.revision)),
        }
    }

    pub(crate) fn progress(&mut self, task: TaskRef) -> Result<Option<Progress>> {
        let bytes = self.progress_rows()?.get(&task.pack())?;
        bytes.map(|bytes| row_of("tracker.progress", task, bytes.value())).transpose()
    }

    pub(crate) fn with_id(&mut self, kind: u32, id: &TaskKey) -> Result<Option<TaskRef>> {
        let seq = self.ids()?.get(keys::id_key(kind, id).as_slice())?.map(|seq| seq.value());
        let Some(task) = seq.map(|seq| TaskRef { kind, seq }) else { return Ok(None) };
        // The row has no checksum. Damaged, it could name another task or a missing one, so the task is checked.
        let row = self.payloads()?.get(&task.pack())?;
        let is_its_own = row.map(|row| encoding::is_row_of(row.value(), id));
        match is_its_own {
            Some(true) => Ok(Some(task)),
            Some(false) => Err(Error::corrupted("tracker.ids", id, format!("{task} has another id"))),
            // Only the payload is missing. The caller reports it when it reads the payload.
            None if self.headers()?.get(&task.pack())?.is_some() => Ok(Some(task)),
            None => Err(Error::corrupted("tracker.ids", id, format!("there is no task {task}"))),
        }
    }

    pub(crate) fn with_unique(&mut self, kind: u32, number: u16, value: &[u8]) -> Result<Option<TaskRef>> {
        let seq = self.unique_keys()?.get(keys::unique_key(kind, number, value).as_slice())?.map(|seq| seq.value());
        let Some(task) = seq.map(|seq| TaskRef { kind, seq }) else { return Ok(None) };
        // The row has no checksum. Damaged, it could name another task or a missing one, so the task is checked.
        let is_its_own = self
            .find_task_row(task)?
            .is_some_and(|row| row.uniques.get(usize::from(number)).is_some_and(|own| own == value));
        if is_its_own {
            Ok(Some(task))
        } else {
            Err(Error::corrupted(
                "tracker.unique_keys",
                task,
                format_args!("the task does not have the unique key {number}"),
            ))
        }
    }

    /// The attempts of the history, oldest first. The latest attempt may be stored in the header instead.
    pub(crate) fn past_attempts(&mut self, task: TaskRef) -> Result<Vec<StoredAttempt>> {
        let mut past_attempts = Vec::new();
        for row in Rows::of("tracker.history", self.history()?, AttemptKey::all(task))? {
            let (key, value) = row?;
            let ended = encoding::decode_at(key.value(), value.value());
            past_attempts.push(ended.map_err(|what| Error::corrupted("tracker.history", task, what))?);
        }
        Ok(past_attempts)
    }

    pub(crate) fn count(&mut self, kind: u32, code: i32) -> Result<u64> {
        Ok(self.counts()?.get(&CountKey { kind, code }.pack())?.map_or(0, |count| count.value()))
    }
}

impl Tables<Writing<'_>> {
    /// Stores the state of the file. A store has its own.
    pub(crate) fn put_file_state(&mut self, file_state: &FileState) -> Result<()> {
        if self.source.working_set().is_some() {
            return Ok(());
        }
        let bytes = encoding::encode(file_state)?;
        self.meta()?.insert(FILE_STATE_KEY, bytes.as_slice())?;
        Ok(())
    }

    pub(crate) fn put_kind(&mut self, kind: &Kind) -> Result<()> {
        let bytes = encoding::encode(kind)?;
        self.kinds()?.insert(kind.id, bytes.as_slice())?;
        Ok(())
    }

    pub(crate) fn put_progress(&mut self, task: TaskRef, progress: &Progress) -> Result<()> {
        let key = task.pack();
        let bytes = encoding::encode_at(&key, progress)?;
        self.progress_rows()?.insert(&key, bytes.as_slice())?;
        Ok(())
    }

    /// Applies the counter differences of a transaction to the stored counters.
    pub(crate) fn add_counts(&mut self, differences: &HashMap<CountKey, i64>) -> Result<()> {
        if let Some(set) = self.source.working_set() {
            set.add_counts(differences);
            return Ok(());
        }
        let counts = self.counts()?;
        for (key, difference) in differences {
            let key = key.pack();
            let old = counts.get(&key)?.map_or(0, |count| count.value());
            match old.saturating_add_signed(*difference) {
                0 => counts.remove(&key)?,
                new => counts.insert(&key, new)?,
            }
        }
        Ok(())
    }
}
