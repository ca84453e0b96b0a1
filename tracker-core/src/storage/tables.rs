use std::collections::HashMap;

use redb::{
    AccessGuard, Key, ReadOnlyTable, ReadTransaction, ReadableTable, Table, TableDefinition, Value, WriteTransaction,
};

use super::read::rows::Rows;
use crate::{
    model::{
        error::{Error, ErrorKind, Result},
        file_state::FileState,
        kind::Kind,
        kinds::Kinds,
        task::{TaskKey, TaskRef},
        task_row::{Progress, TaskRow},
        time::Micros,
        transition::{Header, StoredAttempt},
    },
    storage::{
        definitions::{self, Bytes, DependencyEndRow},
        encoding::{self, Encodable},
        keys::{self, AttemptKey, CountKey, DependencyKey, MemberKey, StartKey},
    },
};

/// A transaction whose tables can be opened.
pub(crate) trait Source: Copy {
    type Table<K: Key + 'static, V: Value + 'static>: ReadableTable<K, V>;

    fn open<K: Key + 'static, V: Value + 'static>(self, table: TableDefinition<K, V>) -> Result<Self::Table<K, V>>;
}

impl<'t> Source for &'t WriteTransaction {
    type Table<K: Key + 'static, V: Value + 'static> = Table<'t, K, V>;

    fn open<K: Key + 'static, V: Value + 'static>(self, table: TableDefinition<K, V>) -> Result<Table<'t, K, V>> {
        Ok(self.open_table(table)?)
    }
}

impl Source for &ReadTransaction {
    type Table<K: Key + 'static, V: Value + 'static> = ReadOnlyTable<K, V>;

    fn open<K: Key + 'static, V: Value + 'static>(self, table: TableDefinition<K, V>) -> Result<ReadOnlyTable<K, V>> {
        Ok(self.open_table(table)?)
    }
}

type Fixed<const N: usize> = &'static [u8; N];

/// The tables of one transaction, opened when first needed: a commit pays for each table that was opened.
pub(crate) struct Tables<S: Source> {
    source: S,
    meta: Option<S::Table<&'static str, Bytes>>,
    kinds: Option<S::Table<u32, Bytes>>,
    headers: Option<S::Table<Fixed<{ TaskRef::LEN }>, Bytes>>,
    bodies: Option<S::Table<Fixed<{ TaskRef::LEN }>, Bytes>>,
    successors: Option<S::Table<Fixed<{ TaskRef::LEN }>, Bytes>>,
    live: Option<S::Table<Fixed<{ TaskRef::LEN }>, Bytes>>,
    history: Option<S::Table<Fixed<{ AttemptKey::LEN }>, Bytes>>,
    ids: Option<S::Table<Bytes, u64>>,
    uniques: Option<S::Table<Bytes, u64>>,
    indexes: Option<S::Table<Bytes, ()>>,
    line: Option<S::Table<Fixed<{ keys::ClaimKey::LEN }>, ()>>,
    updated: Option<S::Table<Fixed<{ keys::UpdatedKey::LEN }>, ()>>,
    counts: Option<S::Table<Fixed<{ CountKey::LEN }>, u64>>,
    needs: Option<S::Table<Fixed<{ DependencyKey::LEN }>, u8>>,
    dependents: Option<S::Table<Fixed<{ DependencyKey::LEN }>, u8>>,
    news: Option<S::Table<Fixed<{ TaskRef::LEN }>, DependencyEndRow>>,
    batches: Option<S::Table<u64, Bytes>>,
    labels: Option<S::Table<&'static str, u64>>,
    members: Option<S::Table<Fixed<{ MemberKey::LEN }>, ()>>,
    follow_ups: Option<S::Table<u64, Bytes>>,
    lanes: Option<S::Table<Bytes, ()>>,
    fronts: Option<S::Table<Fixed<{ keys::ClaimKey::LEN }>, Bytes>>,
    slots: Option<S::Table<Bytes, u64>>,
    starts: Option<S::Table<Fixed<{ StartKey::LEN }>, i64>>,
}

fn opened<T>(slot: &mut Option<T>, open: impl FnOnce() -> Result<T>) -> Result<&mut T> {
    match slot {
        Some(table) => Ok(table),
        None => Ok(slot.insert(open()?)),
    }
}

macro_rules! accessors {
    ($($name:ident: $key:ty => $value:ty = $table:ident;)*) => {
        $(pub(crate) fn $name(&mut self) -> Result<&mut S::Table<$key, $value>> {
            let source = self.source;
            opened(&mut self.$name, || source.open(definitions::$table))
        })*
    };
}

/// Decodes a row; bytes that are no such row are reported with their table and key, and never trusted.
pub(crate) fn row<T: Encodable>(table: &str, key: impl std::fmt::Display, bytes: &[u8]) -> Result<T> {
    encoding::decode(bytes).map_err(|what| Error::corrupted(table, key, what))
}

/// The same for a row of a task's, whose checksum covers its key.
pub(crate) fn row_of<T: Encodable>(table: &str, task: TaskRef, bytes: &[u8]) -> Result<T> {
    encoding::decode_at(&task.pack(), bytes).map_err(|what| Error::corrupted(table, task, what))
}

/// Creates every table and writes what a new file begins with.
pub(crate) fn init(txn: &WriteTransaction) -> Result<()> {
    let mut tables = Tables::new(txn);
    tables.kinds()?;
    tables.headers()?;
    tables.bodies()?;
    tables.successors()?;
    tables.live()?;
    tables.history()?;
    tables.ids()?;
    tables.uniques()?;
    tables.indexes()?;
    tables.line()?;
    tables.updated()?;
    tables.counts()?;
    tables.needs()?;
    tables.dependents()?;
    tables.news()?;
    tables.batches()?;
    tables.labels()?;
    tables.members()?;
    tables.follow_ups()?;
    tables.lanes()?;
    tables.fronts()?;
    tables.slots()?;
    tables.starts()?;
    let file_state = encoding::encode(&FileState::new())?;
    let meta = tables.meta()?;
    meta.insert(FORMAT_KEY, FORMAT)?;
    meta.insert(FILE_STATE_KEY, file_state.as_slice())?;
    Ok(())
}

const FORMAT_KEY: &str = "format";
const FILE_STATE_KEY: &str = "pulse";
/// What the file says of itself: a name, and the version of the format as the last byte.
const FORMAT: &[u8] = b"tracker\x01";

impl<S: Source> Tables<S> {
    pub(crate) fn new(source: S) -> Self {
        Self {
            source,
            meta: None,
            kinds: None,
            headers: None,
            bodies: None,
            successors: None,
            live: None,
            history: None,
            ids: None,
            uniques: None,
            indexes: None,
            line: None,
            updated: None,
            counts: None,
            needs: None,
            dependents: None,
            news: None,
            batches: None,
            labels: None,
            members: None,
            follow_ups: None,
            lanes: None,
            fronts: None,
            slots: None,
            starts: None,
        }
    }

    /// The transaction.
    pub(crate) fn source(&self) -> S {
        self.source
    }

    accessors! {
        meta: &'static str => Bytes = META;
        kinds: u32 => Bytes = KINDS;
        headers: Fixed<{ TaskRef::LEN }> => Bytes = HEADERS;
        bodies: Fixed<{ TaskRef::LEN }> => Bytes = BODIES;
        successors: Fixed<{ TaskRef::LEN }> => Bytes = SUCCESSORS;
        live: Fixed<{ TaskRef::LEN }> => Bytes = LIVE;
        history: Fixed<{ AttemptKey::LEN }> => Bytes = HISTORY;
        ids: Bytes => u64 = IDS;
        uniques: Bytes => u64 = UNIQUES;
        indexes: Bytes => () = INDEXES;
        line: Fixed<{ keys::ClaimKey::LEN }> => () = LINE;
        updated: Fixed<{ keys::UpdatedKey::LEN }> => () = UPDATED;
        counts: Fixed<{ CountKey::LEN }> => u64 = COUNTS;
        needs: Fixed<{ DependencyKey::LEN }> => u8 = NEEDS;
        dependents: Fixed<{ DependencyKey::LEN }> => u8 = DEPENDENTS;
        news: Fixed<{ TaskRef::LEN }> => DependencyEndRow = NEWS;
        batches: u64 => Bytes = BATCHES;
        labels: &'static str => u64 = LABELS;
        members: Fixed<{ MemberKey::LEN }> => () = MEMBERS;
        follow_ups: u64 => Bytes = FOLLOW_UPS;
        lanes: Bytes => () = LANES;
        fronts: Fixed<{ keys::ClaimKey::LEN }> => Bytes = FRONTS;
        slots: Bytes => u64 = SLOTS;
        starts: Fixed<{ StartKey::LEN }> => i64 = STARTS;
    }

    /// Refuses a file that another program or a newer version wrote.
    pub(crate) fn check_format(&mut self) -> Result<(), FormatProblem> {
        let meta = self.meta().map_err(|error| match error.kind() {
            ErrorKind::Foreign => FormatProblem::Foreign,
            _ => FormatProblem::Damaged(error),
        })?;
        let format = meta.get(FORMAT_KEY).map_err(|error| FormatProblem::Damaged(error.into()))?;
        let (name, version) = FORMAT.split_at(FORMAT.len() - 1);
        match format.as_ref().map(AccessGuard::value).and_then(|format| format.strip_prefix(name)) {
            Some(found) if found == version => Ok(()),
            Some([found]) if *found > version[0] => Err(FormatProblem::Newer { found: *found, known: version[0] }),
            _ => Err(FormatProblem::Foreign),
        }
    }

    pub(crate) fn file_state(&mut self) -> Result<FileState> {
        let meta = self.meta()?;
        let bytes = meta
            .get(FILE_STATE_KEY)?
            .ok_or_else(|| Error::corrupted("tracker.meta", FILE_STATE_KEY, "it is missing"))?;
        row("tracker.meta", FILE_STATE_KEY, bytes.value())
    }

    pub(crate) fn all_kinds(&mut self) -> Result<Kinds> {
        let schema = self.file_state()?.schema;
        let mut kinds = Vec::new();
        for entry in self.kinds()?.iter()? {
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

    pub(crate) fn body(&mut self, task: TaskRef) -> Result<Option<TaskRow>> {
        let bytes = self.bodies()?.get(&task.pack())?;
        bytes.map(|bytes| row_of("tracker.bodies", task, bytes.value())).transpose()
    }

    /// The body of a task that has a header.
    pub(crate) fn body_of(&mut self, task: TaskRef) -> Result<TaskRow> {
        self.body(task)?.ok_or_else(|| Error::corrupted("tracker.bodies", task, "the task has no body"))
    }

    pub(crate) fn successor(&mut self, task: TaskRef) -> Result<Option<TaskRow>> {
        let bytes = self.successors()?.get(&task.pack())?;
        bytes.map(|bytes| row_of("tracker.successors", task, bytes.value())).transpose()
    }

    /// The payload that a change by hand starts from, and its revision. The change frees a task whose lease is over: a
    /// payload that waits for that has taken the place of the other by then.
    pub(crate) fn changeable(&mut self, task: TaskRef, header: &Header, now: Micros) -> Result<(TaskRow, u32)> {
        let freed = header.successor && header.lease.as_ref().is_some_and(|lease| lease.is_over(now));
        let successor = if freed { self.successor(task)? } else { None };
        match successor {
            Some(body) => Ok((body, header.revision.wrapping_add(1))),
            None => Ok((self.body_of(task)?, header.revision)),
        }
    }

    pub(crate) fn progress(&mut self, task: TaskRef) -> Result<Option<Progress>> {
        let bytes = self.live()?.get(&task.pack())?;
        bytes.map(|bytes| row_of("tracker.live", task, bytes.value())).transpose()
    }

    pub(crate) fn with_id(&mut self, kind: u32, id: &TaskKey) -> Result<Option<TaskRef>> {
        let seq = self.ids()?.get(keys::id_key(kind, id).as_slice())?.map(|seq| seq.value());
        let Some(task) = seq.map(|seq| TaskRef { kind, seq }) else { return Ok(None) };
        // The row has no checksum of its own: damaged, it could name another task, or none.
        let body = self.bodies()?.get(&task.pack())?;
        let is_its_own = body.map(|body| encoding::is_body_of(body.value(), id));
        match is_its_own {
            Some(true) => Ok(Some(task)),
            Some(false) => Err(Error::corrupted("tracker.ids", id, format!("{task} has another id"))),
            // Only the payload is missing: the caller finds out.
            None if self.headers()?.get(&task.pack())?.is_some() => Ok(Some(task)),
            None => Err(Error::corrupted("tracker.ids", id, format!("there is no task {task}"))),
        }
    }

    pub(crate) fn with_unique(&mut self, kind: u32, number: u16, value: &[u8]) -> Result<Option<TaskRef>> {
        let seq = self.uniques()?.get(keys::unique_key(kind, number, value).as_slice())?;
        Ok(seq.map(|seq| TaskRef { kind, seq: seq.value() }))
    }

    /// The attempts that the history holds, oldest first; the latest one may stand in the header instead.
    pub(crate) fn past(&mut self, task: TaskRef) -> Result<Vec<StoredAttempt>> {
        let mut past = Vec::new();
        for row in Rows::of("tracker.history", self.history()?, AttemptKey::all(task))? {
            let (key, value) = row?;
            let ended = encoding::decode_at(key.value(), value.value());
            past.push(ended.map_err(|what| Error::corrupted("tracker.history", task, what))?);
        }
        Ok(past)
    }

    pub(crate) fn count(&mut self, kind: u32, code: i32) -> Result<u64> {
        Ok(self.counts()?.get(&CountKey { kind, code }.pack())?.map_or(0, |count| count.value()))
    }
}

/// Why a file is not one that this version reads.
pub(crate) enum FormatProblem {
    Foreign,
    Newer { found: u8, known: u8 },
    Damaged(Error),
}

impl Tables<&WriteTransaction> {
    pub(crate) fn put_file_state(&mut self, file_state: &FileState) -> Result<()> {
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
        self.live()?.insert(&key, bytes.as_slice())?;
        Ok(())
    }

    /// Adds the differences that a transaction gathered to the kept counters.
    pub(crate) fn add_counts(&mut self, differences: &HashMap<CountKey, i64>) -> Result<()> {
        let counts = self.counts()?;
        for (key, difference) in differences {
            let key = key.pack();
            let old = counts.get(&key)?.map_or(0, |count| count.value());
            match old.saturating_add_signed(*difference) {
                0 => drop(counts.remove(&key)?),
                new => drop(counts.insert(&key, new)?),
            }
        }
        Ok(())
    }
}
