//! Copies rows of any table: values as bytes, which are the same in a file and in a store, and keys in the form of a store. Also derives the rows
//! of ids and order of copied tasks. Called by `maintenance/move_tasks`, which copies and compares all rows; reads and writes the tables of its
//! transactions.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

use std::ops::Bound;

use redb::{MultimapTableHandle as _, TableHandle as _, Value};

use super::{
    definitions::{self, Definition},
    keys::id_key,
    rows_of::rows_of,
    store::{StoreKey, StoreTable},
    tables::{Reading, Source, Writing, row_of},
};
use crate::model::{
    error::{Error, Result},
    kinds::Kinds,
    task::TaskRef,
    task_row::TaskRow,
    transition::Header,
};

/// A key, as a store has it, and a value.
pub(crate) type RawRow = (Vec<u8>, Vec<u8>);

/// The rows of [`StoreTable::OF_TASKS`] of one task.
#[derive(Clone, Debug)]
pub(crate) struct RawTask {
    pub key: Vec<u8>,
    pub header: Vec<u8>,
    pub payload: Vec<u8>,
    pub successor: Option<Vec<u8>>,
    pub progress: Option<Vec<u8>>,
}

/// The size of one read, which ends with the row that reaches one of the two limits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Portion {
    pub rows: usize,
    pub bytes: usize,
}

/// Tables whose rows [`put_tasks`] writes.
pub(crate) const WITH_TASKS: [StoreTable; 7] = [
    StoreTable::Headers,
    StoreTable::Payloads,
    StoreTable::Successors,
    StoreTable::Progress,
    StoreTable::Ids,
    StoreTable::ClaimOrder,
    StoreTable::Updated,
];

/// Calls a function that is generic over the types of a table.
macro_rules! with_definition {
    (@$table:expr, $definition:ident => $work:expr; $($name:ident $constant:ident),*) => {
        match $table {
            $(StoreTable::$name => {
                let $definition = definitions::$constant;
                $work
            })*
        }
    };
    ($table:expr, $definition:ident => $work:expr) => {
        with_definition! {
            @$table, $definition => $work;
            Meta META, Kinds KINDS, Headers HEADERS, Payloads PAYLOADS, Successors SUCCESSORS, Progress PROGRESS, History HISTORY, Ids IDS,
            UniqueKeys UNIQUE_KEYS, Indexes INDEXES, ClaimOrder CLAIM_ORDER, Updated UPDATED, Counts COUNTS, Dependencies DEPENDENCIES,
            Dependents DEPENDENTS, Propagations PROPAGATIONS, Batches BATCHES, BatchLabels BATCH_LABELS, BatchMembers BATCH_MEMBERS,
            FollowUps FOLLOW_UPS, Schedules SCHEDULES, Throttles THROTTLES, ThrottleEnds THROTTLE_ENDS, LimitQueues LIMIT_QUEUES,
            LimitHeads LIMIT_HEADS, LimitInUse LIMIT_IN_USE, HeadLists HEAD_LISTS, Budgets BUDGETS, Overtaken OVERTAKEN,
            RateStarts RATE_STARTS
        }
    };
}

/// The rows of a table after a key, in order of their keys. Empty at the end of the table.
pub(crate) fn rows_after(
    source: Reading<'_>,
    table: StoreTable,
    after: Option<&[u8]>,
    portion: Portion,
) -> Result<Vec<RawRow>> {
    with_definition!(table, definition => read(source, definition, after, portion))
}

fn read<K: StoreKey, V: Value + 'static>(
    source: Reading<'_>,
    definition: Definition<K, V>,
    after: Option<&[u8]>,
    portion: Portion,
) -> Result<Vec<RawRow>> {
    let table = source.open(definition)?;
    let after = after.map(|key| K::to_redb(key).ok_or_else(|| malformed(definition.store, key))).transpose()?;
    let start = after.as_ref().map_or(Bound::Unbounded, |key| Bound::Excluded(K::from_bytes(key)));
    let mut rows: Vec<RawRow> = Vec::new();
    let mut bytes = 0;
    for row in table.range::<K::SelfType<'_>>((start, Bound::Unbounded))? {
        let (key, value) = row?;
        let key = K::to_store(&key.value()).to_vec();
        let value = V::as_bytes(&value.value()).as_ref().to_vec();
        check_order(definition.store, rows.last().map(|(last, _)| last.as_slice()), &key)?;
        bytes += key.len() + value.len();
        rows.push((key, value));
        if rows.len() >= portion.rows || bytes >= portion.bytes {
            break;
        }
    }
    Ok(rows)
}

/// A damaged key would make a copy skip rows, or read the same ones again and again.
fn check_order(table: StoreTable, last: Option<&[u8]>, key: &[u8]) -> Result<()> {
    if last.is_none_or(|last| last < key) {
        return Ok(());
    }
    Err(Error::corrupted(table.name(), format_args!("key {key:02x?}"), "its rows are out of order"))
}

fn malformed(table: StoreTable, key: &[u8]) -> Error {
    Error::corrupted(table.name(), format_args!("key {key:02x?}"), "it has another length")
}

/// Stores rows of a table in place of those with the same keys.
pub(crate) fn put_rows<'r>(
    target: Writing<'_>,
    table: StoreTable,
    rows: impl IntoIterator<Item = (&'r [u8], &'r [u8])>,
) -> Result<()> {
    with_definition!(table, definition => put(target, definition, rows))
}

fn put<'r, K: StoreKey, V: Value + 'static>(
    target: Writing<'_>,
    definition: Definition<K, V>,
    rows: impl IntoIterator<Item = (&'r [u8], &'r [u8])>,
) -> Result<()> {
    let mut table = target.open(definition)?;
    for (key, value) in rows {
        let key = K::to_redb(key).ok_or_else(|| malformed(definition.store, key))?;
        if V::fixed_width().is_some_and(|width| width != value.len()) {
            return Err(malformed(definition.store, &key));
        }
        table.insert(K::from_bytes(&key), V::from_bytes(value))?;
    }
    Ok(())
}

/// The tasks after a key, in order of kind and sequence number. Empty at the end.
pub(crate) fn tasks_after(source: Reading<'_>, after: Option<&[u8]>, portion: Portion) -> Result<Vec<RawTask>> {
    let (headers, payloads) = (source.open(definitions::HEADERS)?, source.open(definitions::PAYLOADS)?);
    let (successors, progress) = (source.open(definitions::SUCCESSORS)?, source.open(definitions::PROGRESS)?);
    let start: Bound<&[u8; TaskRef::LEN]> = match after {
        Some(key) => Bound::Excluded(key.try_into().map_err(|_| malformed(StoreTable::Headers, key))?),
        None => Bound::Unbounded,
    };
    let mut tasks: Vec<RawTask> = Vec::new();
    let mut bytes = 0;
    for row in headers.range::<&[u8; TaskRef::LEN]>((start, Bound::Unbounded))? {
        let (key, header) = row?;
        let key = key.value();
        check_order(StoreTable::Headers, tasks.last().map(|last| last.key.as_slice()), key)?;
        let missing = || Error::corrupted("tracker.payloads", TaskRef::unpack(key), "the task has no payload");
        let task = RawTask {
            key: key.to_vec(),
            header: header.value().to_vec(),
            payload: payloads.get(key)?.ok_or_else(missing)?.value().to_vec(),
            successor: successors.get(key)?.map(|row| row.value().to_vec()),
            progress: progress.get(key)?.map(|row| row.value().to_vec()),
        };
        bytes += task.rows().map(|(_, value)| value.len()).sum::<usize>();
        tasks.push(task);
        if tasks.len() >= portion.rows || bytes >= portion.bytes {
            break;
        }
    }
    Ok(tasks)
}

impl RawTask {
    /// The rows of the task by their tables.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (StoreTable, &[u8])> {
        let rows = [
            (StoreTable::Headers, Some(&self.header)),
            (StoreTable::Payloads, Some(&self.payload)),
            (StoreTable::Successors, self.successor.as_ref()),
            (StoreTable::Progress, self.progress.as_ref()),
        ];
        rows.into_iter().filter_map(|(table, value)| Some((table, value?.as_slice())))
    }

    pub(crate) fn task(&self) -> Result<TaskRef> {
        let key = self.key.as_slice().try_into();
        key.map(TaskRef::unpack).map_err(|_| malformed(StoreTable::Headers, &self.key))
    }

    pub(crate) fn header(&self) -> Result<Header> {
        row_of("tracker.headers", self.task()?, &self.header)
    }
}

/// Stores tasks together with their rows in [`WITH_TASKS`], because a server keeps them in one row, which is then written once.
pub(crate) fn put_tasks(target: Writing<'_>, kinds: &Kinds, tasks: &[RawTask]) -> Result<()> {
    for table in StoreTable::OF_TASKS {
        let rows = tasks.iter().filter_map(|task| {
            let value = task.rows().find(|(of, _)| of == table).map(|(_, value)| value)?;
            Some((task.key.as_slice(), value))
        });
        put_rows(target, *table, rows)?;
    }
    let (mut ids, mut claim_order) = (target.open(definitions::IDS)?, target.open(definitions::CLAIM_ORDER)?);
    let mut updated = target.open(definitions::UPDATED)?;
    for raw in tasks {
        let task = raw.task()?;
        let kind = kinds.get(task.kind);
        let kind = kind.ok_or_else(|| Error::corrupted("tracker.headers", task, "its kind is missing"))?;
        let row: TaskRow = row_of("tracker.payloads", task, &raw.payload)?;
        let derived = rows_of(kind, task, &raw.header()?, Some(row.keys()));
        ids.insert(id_key(task.kind, &row.id).as_slice(), task.seq)?;
        claim_order.insert(&derived.claim_order.pack(), ())?;
        if let Some(key) = derived.updated {
            updated.insert(&key.pack(), ())?;
        }
    }
    Ok(())
}

/// The names of tables in a file that are not the tracker's.
pub(crate) fn other_tables(source: Reading<'_>) -> Result<Vec<String>> {
    let Reading::File(txn) = source else { return Ok(Vec::new()) };
    let plain = txn.list_tables()?.map(|table| table.name().to_owned());
    let multimaps = txn.list_multimap_tables()?.map(|table| table.name().to_owned());
    let mut names: Vec<_> = plain.chain(multimaps).filter(|name| !name.starts_with(definitions::RESERVED)).collect();
    names.sort();
    Ok(names)
}
