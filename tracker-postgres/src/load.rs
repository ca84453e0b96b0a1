//! Loads of a unit of work: the wanted sets as statements of one pipeline, and their answers as rows of the interface. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tracker_core::{
    Error,
    store::{Loaded, RowValue, StoreTable, Want},
};

use crate::{
    edits::{Known, KnownTask, Missing},
    keys::{self, Column, Place, Task},
    sql::{Load, Lock, Plain, Range, Sql, TaskKey},
    wire::{
        connection::{Answer, Step},
        error::{Result as WireResult, WireError},
        params::Params,
        row::Row,
    },
};

/// A task as it was loaded.
#[derive(Clone, Debug, Default)]
struct TaskRow {
    task: Task,
    id_key: Option<Vec<u8>>,
    claim_key: Option<Vec<u8>>,
    updated_key: Option<Vec<u8>>,
    columns: [Option<Vec<u8>>; 4],
}

/// Where the answer to a statement belongs.
#[derive(Clone, Copy, Debug)]
enum Source {
    /// Locks keys; there is nothing to read.
    Nothing,
    Tasks,
    Plain(StoreTable),
    Counts,
    /// The want of this index.
    Range(usize),
}

/// The statements of a load.
#[derive(Default)]
pub(crate) struct Plan {
    pub steps: Vec<Step<Sql>>,
    sources: Vec<Source>,
}

/// What the wants ask for by key.
#[derive(Default)]
struct Keys {
    tasks: BTreeMap<i64, BTreeSet<i64>>,
    by_key: BTreeMap<u8, (TaskKey, BTreeSet<Vec<u8>>)>,
    plain: BTreeMap<StoreTable, BTreeSet<Vec<u8>>>,
    counts: BTreeSet<Vec<u8>>,
}

/// Whether the rows of a table are locked in a writing unit. Rows of the other tables are configuration, or follow from a task, a batch or
/// the number of tasks in progress, whose own row is locked by each unit that changes them.
fn is_locked(table: StoreTable) -> bool {
    !matches!(
        table,
        StoreTable::Meta
            | StoreTable::Kinds
            | StoreTable::Budgets
            | StoreTable::History
            | StoreTable::Indexes
            | StoreTable::Counts
            | StoreTable::Dependencies
            | StoreTable::Dependents
            | StoreTable::BatchMembers
            | StoreTable::ThrottleEnds
            | StoreTable::LimitQueues
    )
}

fn row_lock(table: StoreTable, writes: bool) -> Lock {
    if writes && is_locked(table) { Lock::Wait } else { Lock::None }
}

/// Claims take what is free: they do not wait for tasks that another unit claims.
fn range_lock(table: StoreTable, writes: bool) -> Lock {
    match table {
        StoreTable::ClaimOrder | StoreTable::LimitHeads if writes => Lock::Skip,
        _ => row_lock(table, writes),
    }
}

impl Plan {
    /// Plans the statements. Those of `missing` have no want.
    pub(crate) fn of(wants: &[Want], missing: &Missing, writes: bool) -> Result<Self, Error> {
        let mut keys = Keys::default();
        for (kind, seq) in &missing.tasks {
            keys.tasks.entry(*kind).or_default().insert(*seq);
        }
        missing.ids.iter().for_each(|id| keys.add(TaskKey::Id, id));
        let mut ranges = Vec::new();
        for (index, want) in wants.iter().enumerate() {
            match want {
                Want::Row { table, key } => match keys::place(*table)? {
                    Place::Column(_) => {
                        let (kind, seq) = keys::task(*table, key)?;
                        keys.tasks.entry(kind).or_default().insert(seq);
                    }
                    Place::Key(task_key) => keys.add(task_key, key),
                    Place::Counts => drop(keys.counts.insert(key.clone())),
                    Place::Plain(..) => drop(keys.plain.entry(*table).or_default().insert(key.clone())),
                },
                Want::Rows { table, from, to, newest_first, most } => {
                    let bounds = Bounds { from, to: to.as_deref(), newest_first: *newest_first, most: *most };
                    ranges.push((index, range(*table, &bounds, writes)?));
                }
            }
        }
        let mut plan = Self::default();
        // Tables in a fixed order and keys in their own, so that few units wait for each other in a circle.
        plan.plain(&keys, writes)?;
        for (_, (key, values)) in keys.by_key {
            let params = Params::default().list(values.iter().map(Vec::as_slice));
            plan.push(Load::TasksWith(key, row_lock(StoreTable::Headers, writes)), params, Source::Tasks);
        }
        for (kind, seqs) in keys.tasks {
            let params = Params::default().value(kind).list(seqs);
            plan.push(Load::Tasks(row_lock(StoreTable::Headers, writes)), params, Source::Tasks);
        }
        for (index, (load, params)) in ranges {
            plan.push(load, params, Source::Range(index));
        }
        if !keys.counts.is_empty() {
            let params = Params::default().list(keys.counts.iter().map(Vec::as_slice));
            plan.push(Load::Counts, params, Source::Counts);
        }
        Ok(plan)
    }

    fn plain(&mut self, keys: &Keys, writes: bool) -> Result<(), Error> {
        // Units that start tasks of one limit key follow each other, also when no task is in progress and there is no row to lock.
        if let Some(keys) = keys.plain.get(&StoreTable::LimitInUse).filter(|_| writes) {
            let params = Params::default().list(keys.iter().map(Vec::as_slice));
            self.steps.push(Step::Run(Sql::LockKeys, params));
            self.sources.push(Source::Nothing);
        }
        for (table, keys) in &keys.plain {
            let Place::Plain(plain, number) = keys::place(*table)? else { continue };
            let params = || Params::default().list(keys.iter().map(Vec::as_slice));
            let of_table = if plain == Plain::Rows { params().value(number) } else { params() };
            self.push(Load::Rows(plain, row_lock(*table, writes)), of_table, Source::Plain(*table));
            if plain == Plain::UniqueKeys {
                let load = Load::TasksOfUniqueKeys(row_lock(StoreTable::Headers, writes));
                self.push(load, params(), Source::Tasks);
            }
        }
        Ok(())
    }

    fn push(&mut self, load: Load, params: Params, source: Source) {
        self.steps.push(Step::Run(Sql::Load(load), params));
        self.sources.push(source);
    }
}

impl Keys {
    fn add(&mut self, key: TaskKey, value: &[u8]) {
        self.by_key.entry(key as u8).or_insert_with(|| (key, BTreeSet::new())).1.insert(value.to_vec());
    }
}

struct Bounds<'w> {
    from: &'w [u8],
    to: Option<&'w [u8]>,
    newest_first: bool,
    most: usize,
}

impl Bounds<'_> {
    fn limit(&self) -> i64 {
        i64::try_from(self.most).unwrap_or(i64::MAX)
    }

    fn range(&self) -> Range {
        Range { ends: self.to.is_some(), newest_first: self.newest_first }
    }
}

fn range(table: StoreTable, bounds: &Bounds<'_>, writes: bool) -> Result<(Load, Params), Error> {
    let lock = range_lock(table, writes);
    let from_and_limit = || Params::default().value(bounds.from).value(bounds.limit());
    let with_end = |params: Params| match bounds.to {
        Some(to) => params.value(to),
        None => params,
    };
    Ok(match keys::place(table)? {
        Place::Column(column) => {
            let (from, to) = (keys::bound(bounds.from), bounds.to.map_or(keys::END, keys::bound));
            let params = Params::default().value(from.0).value(from.1).value(to.0).value(to.1).value(bounds.limit());
            (Load::TaskRange { column: column.name(), newest_first: bounds.newest_first, lock }, params)
        }
        Place::Key(key) => (Load::TaskKeyRange(key, bounds.range(), lock), with_end(from_and_limit())),
        Place::Counts => (Load::CountRange(bounds.range()), with_end(from_and_limit())),
        Place::Plain(plain, number) => {
            let params = with_end(from_and_limit());
            let params = if plain == Plain::Rows { params.value(number) } else { params };
            (Load::RowRange(plain, bounds.range(), lock), params)
        }
    })
}

/// What a load has found.
#[derive(Default)]
pub(crate) struct Found {
    tasks: HashMap<Task, TaskRow>,
    /// Tasks by each of their keys.
    by_key: HashMap<(u8, Vec<u8>), Task>,
    plain: HashMap<(StoreTable, Vec<u8>), Vec<u8>>,
    ranges: HashMap<usize, Vec<(Vec<u8>, Vec<u8>, Option<Task>)>>,
}

impl Found {
    /// Reads the answers to the statements of a plan, which are the first ones of a pipeline.
    pub(crate) fn read(plan: &Plan, wants: &[Want], answers: Vec<Answer>) -> WireResult<Self> {
        let mut found = Self::default();
        for (source, answer) in plan.sources.iter().zip(answers) {
            for row in answer.rows {
                match source {
                    Source::Nothing => {}
                    Source::Tasks => drop(found.task(row)?),
                    Source::Plain(table) => {
                        let (key, value) = key_and_value(*table, row)?;
                        found.plain.insert((*table, key), value);
                    }
                    Source::Counts => {
                        let (key, value) = count(row)?;
                        found.plain.insert((StoreTable::Counts, key), value);
                    }
                    Source::Range(index) => {
                        let Some(Want::Rows { table, .. }) = wants.get(*index) else { continue };
                        let row = found.range_row(*table, row)?;
                        found.ranges.entry(*index).or_default().push(row);
                    }
                }
            }
        }
        Ok(found)
    }

    fn task(&mut self, mut row: Row) -> WireResult<Task> {
        let task = (row.int8()?, row.int8()?);
        let (id_key, claim_key, updated_key) = (row.bytes()?, row.bytes()?, row.bytes()?);
        let (header, successor, progress, payload) = (row.bytes()?, row.bytes()?, row.bytes()?, row.bytes()?);
        let columns = [header, payload, successor, progress];
        for (number, key) in [(TaskKey::Id, &id_key), (TaskKey::Claim, &claim_key), (TaskKey::Updated, &updated_key)] {
            if let Some(key) = key {
                self.by_key.insert((number as u8, key.clone()), task);
            }
        }
        self.tasks.insert(task, TaskRow { task, id_key, claim_key, updated_key, columns });
        Ok(task)
    }

    fn range_row(&mut self, table: StoreTable, row: Row) -> WireResult<(Vec<u8>, Vec<u8>, Option<Task>)> {
        match keys::place(table) {
            Ok(Place::Counts) => count(row).map(|(key, value)| (key, value, None)),
            Ok(Place::Column(_) | Place::Key(_)) => {
                let task = self.task(row)?;
                let missing = WireError::Protocol("a column of a range is NULL");
                let (key, value) = self.tasks.get(&task).and_then(|row| row.of_table(table)).ok_or(missing)?;
                Ok((key, value, Some(task)))
            }
            _ => key_and_value(table, row).map(|(key, value)| (key, value, None)),
        }
    }

    /// The task of a key of [`TaskKey`] in a table.
    fn owner(&self, key: TaskKey, value: &[u8]) -> Option<&TaskRow> {
        self.by_key.get(&(key as u8, value.to_vec())).and_then(|task| self.tasks.get(task))
    }

    /// The answers, one for each want.
    pub(crate) fn answers(&mut self, wants: &[Want]) -> Result<Vec<Loaded>, Error> {
        wants.iter().enumerate().map(|(index, want)| self.answer(index, want)).collect()
    }

    fn answer(&mut self, index: usize, want: &Want) -> Result<Loaded, Error> {
        let mut related = Vec::new();
        match want {
            Want::Row { table, key } => {
                let row = match keys::place(*table)? {
                    Place::Column(_) => {
                        let task = keys::task(*table, key)?;
                        let row = self.tasks.get(&task);
                        relate(task, row, &mut related);
                        row.and_then(|row| row.of_table(*table))
                    }
                    Place::Key(task_key) => {
                        let row = self.owner(task_key, key);
                        row.into_iter().for_each(|row| relate(row.task, Some(row), &mut related));
                        row.and_then(|row| row.of_table(*table))
                    }
                    _ => {
                        let value = self.plain.get(&(*table, key.clone()));
                        if let (StoreTable::UniqueKeys, Some(value)) = (table, value) {
                            let task = (keys::kind_of(*table, key)?, keys::number_of(*table, key, value)?);
                            relate(task, self.tasks.get(&task), &mut related);
                        }
                        value.map(|value| (key.clone(), value.clone()))
                    }
                };
                Ok(Loaded { rows: row.into_iter().collect(), is_complete: true, related })
            }
            Want::Rows { newest_first, most, .. } => {
                let mut rows = self.ranges.remove(&index).unwrap_or_default();
                let is_complete = rows.len() < *most;
                // A row that a rival has changed since the statement began has its new key, and may be out of order.
                rows.sort_by(|a, b| if *newest_first { b.0.cmp(&a.0) } else { a.0.cmp(&b.0) });
                for (_, _, task) in &rows {
                    task.iter().for_each(|task| relate(*task, self.tasks.get(task), &mut related));
                }
                let rows = rows.into_iter().map(|(key, value, _)| (key, value)).collect();
                Ok(Loaded { rows, is_complete, related })
            }
        }
    }

    /// Remembers what the locks of a writing unit keep as it is.
    pub(crate) fn remember(&self, wants: &[Want], missing: &Missing, known: &mut Known) -> Result<(), Error> {
        let mut tasks: BTreeSet<Task> = missing.tasks.clone();
        let mut ids: BTreeSet<&[u8]> = missing.ids.iter().map(Vec::as_slice).collect();
        for want in wants {
            let Want::Row { table, key } = want else { continue };
            match keys::place(*table)? {
                Place::Column(_) => drop(tasks.insert(keys::task(*table, key)?)),
                Place::Key(TaskKey::Id) => drop(ids.insert(key)),
                _ => {}
            }
        }
        for task in tasks.iter().filter(|task| !self.tasks.contains_key(task)) {
            known.tasks.insert(*task, None);
        }
        for id in ids {
            known.ids.insert(id.to_vec(), self.by_key.get(&(TaskKey::Id as u8, id.to_vec())).copied());
        }
        for row in self.tasks.values() {
            if let Some(id) = &row.id_key {
                known.ids.insert(id.clone(), Some(row.task));
            }
            known.tasks.insert(row.task, Some(row.known()));
        }
        Ok(())
    }
}

fn key_and_value(table: StoreTable, mut row: Row) -> WireResult<(Vec<u8>, Vec<u8>)> {
    let (key, mut value) = (row.some_bytes()?, row.some_bytes()?);
    if table == StoreTable::UniqueKeys {
        // The server writes the number with its first byte first.
        value.reverse();
    }
    Ok((key, value))
}

fn count(mut row: Row) -> WireResult<(Vec<u8>, Vec<u8>)> {
    Ok((row.some_bytes()?, keys::number_value(row.int8()?)))
}

/// Adds the rows of a task, or that it has none.
fn relate(task: Task, row: Option<&TaskRow>, related: &mut Vec<RowValue>) {
    let key = keys::task_key(task);
    for column in Column::ALL {
        let value = row.and_then(|row| row.columns[column as usize].clone());
        related.push(RowValue { table: column.table(), key: key.clone(), value });
    }
    if let Some(id_key) = row.and_then(|row| row.id_key.as_ref()) {
        let value = Some(keys::number_value(task.1));
        related.push(RowValue { table: StoreTable::Ids, key: id_key.clone(), value });
    }
}

impl TaskRow {
    /// The row of a table that this task has.
    fn of_table(&self, table: StoreTable) -> Option<(Vec<u8>, Vec<u8>)> {
        match keys::place(table).ok()? {
            Place::Column(column) => Some((keys::task_key(self.task), self.columns[column as usize].clone()?)),
            Place::Key(TaskKey::Id) => Some((self.id_key.clone()?, keys::number_value(self.task.1))),
            Place::Key(TaskKey::Claim) => Some((self.claim_key.clone()?, Vec::new())),
            Place::Key(TaskKey::Updated) => Some((self.updated_key.clone()?, Vec::new())),
            Place::Counts | Place::Plain(..) => None,
        }
    }

    fn known(&self) -> KnownTask {
        KnownTask {
            id_key: self.id_key.clone(),
            claim_key: self.claim_key.clone(),
            updated_key: self.updated_key.clone(),
            columns: self.columns.each_ref().map(Option::is_some),
        }
    }
}
