//! `Found`: the rows that a load returned, as rows of the interface of stores. Made by `unit` and `caller/unit` from the answers to a
//! `load::Plan`; pure.

use std::{
    collections::{BTreeSet, HashMap},
    mem,
};

use tracker_core::{
    Error,
    store::{Loaded, RowKey, RowValue, StoreTable, Want},
};

use crate::{
    claim_starts::RangeAnswer,
    edits::{Known, KnownTask, Missing},
    keys::{self, Column, Place, Task, TaskMap},
    load::{ClaimRead, Plan, Source},
    sql::TaskKey,
    wire::{
        connection::Answer,
        error::{Result as WireResult, WireError},
        row::Row,
    },
};

/// A task as it was loaded.
#[derive(Clone, Debug, Default)]
struct TaskRow {
    task: Task,
    id_key: Option<RowKey>,
    claim_key: Option<RowKey>,
    updated_key: Option<RowKey>,
    columns: [Option<Vec<u8>>; 4],
    /// Whether an answer has the columns.
    is_related: bool,
}

/// Key and value.
type KeyValue = (Vec<u8>, Vec<u8>);

/// Key, value and task of a row of a range.
type RangeRow = (Vec<u8>, Vec<u8>, Option<Task>);

/// The rows that a load has found.
#[derive(Default)]
pub(crate) struct Found {
    tasks: TaskMap<TaskRow>,
    /// Tasks by each of their keys, if the load names keys.
    by_key: HashMap<(u8, RowKey), Task>,
    names_keys: bool,
    plain: HashMap<(StoreTable, Vec<u8>), Vec<u8>>,
    ranges: HashMap<usize, Vec<RangeRow>>,
    /// Number of rows of a range, locked ones too.
    range_sizes: HashMap<usize, i64>,
    /// The first key that a claim has found in a range, locked ones too.
    first_keys: HashMap<usize, RowKey>,
}

impl Found {
    /// Reads the answers to the statements of a plan, which are the first ones of a pipeline.
    pub(crate) fn read(plan: &Plan, wants: &[Want], answers: Vec<Answer>) -> WireResult<Self> {
        let mut found = Self { names_keys: plan.names_keys, ..Self::default() };
        found.add(plan, wants, answers)?;
        Ok(found)
    }

    /// Reads the answers to the statements of another plan of the same wants. They replace the earlier answers to its claims.
    pub(crate) fn read_again(&mut self, plan: &Plan, wants: &[Want], answers: Vec<Answer>) -> WireResult<()> {
        for ClaimRead { index, .. } in &plan.claims {
            self.ranges.remove(index);
            self.range_sizes.remove(index);
            self.first_keys.remove(index);
        }
        self.add(plan, wants, answers)
    }

    fn add(&mut self, plan: &Plan, wants: &[Want], answers: Vec<Answer>) -> WireResult<()> {
        let found = self;
        for (source, answer) in plan.sources.iter().zip(answers) {
            found.tasks.reserve(answer.rows.len());
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
                    Source::ClaimRanges => {
                        let mut row = row;
                        let (size, number) = (row.maybe_int8()?, row.int8()?);
                        let claim = usize::try_from(number).ok().and_then(|number| plan.claims.get(number));
                        let index = claim.ok_or(WireError::Protocol("a row belongs to no range"))?.index;
                        if let Some(size) = size {
                            found.range_sizes.insert(index, size);
                            // The kind, the number and the id are NULL.
                            row.maybe_int8()?;
                            row.maybe_int8()?;
                            row.key()?;
                            found.first_keys.extend(row.key()?.map(|key| (index, key)));
                            continue;
                        }
                        let row = found.range_row(StoreTable::ClaimOrder, row)?;
                        found.ranges.entry(index).or_default().push(row);
                    }
                    Source::Range(index) | Source::SkippingRange(index) => {
                        let mut row = row;
                        if let Source::SkippingRange(_) = source
                            && let Some(size) = row.maybe_int8()?
                        {
                            found.range_sizes.insert(*index, size);
                            continue;
                        }
                        let Some(Want::Rows { table, .. }) = wants.get(*index) else { continue };
                        let row = found.range_row(*table, row)?;
                        found.ranges.entry(*index).or_default().push(row);
                    }
                }
            }
        }
        Ok(())
    }

    /// Returns the answer to a read of a range by a claim.
    pub(crate) fn claimed(&self, ClaimRead { index, .. }: &ClaimRead, wants: &[Want]) -> RangeAnswer<'_> {
        let rows = self.ranges.get(index);
        let most = if let Some(Want::Rows { most, .. }) = wants.get(*index) { *most } else { 0 };
        RangeAnswer {
            first: self.first_keys.get(index).map(|key| &**key),
            last: rows.and_then(|rows| rows.iter().map(|(key, ..)| key.as_slice()).max()),
            is_complete: rows.map_or(0, Vec::len) < most,
        }
    }

    fn task(&mut self, mut row: Row) -> WireResult<Task> {
        let task = (row.int8()?, row.int8()?);
        let (id_key, claim_key, updated_key) = (row.key()?, row.key()?, row.key()?);
        let (header, successor, progress, payload) = (row.bytes()?, row.bytes()?, row.bytes()?, row.bytes()?);
        let columns = [header, payload, successor, progress];
        for (number, key) in [(TaskKey::Id, &id_key), (TaskKey::Claim, &claim_key), (TaskKey::Updated, &updated_key)] {
            if let Some(key) = key.as_ref().filter(|_| self.names_keys) {
                self.by_key.insert((number as u8, key.clone()), task);
            }
        }
        self.tasks.insert(task, TaskRow { task, id_key, claim_key, updated_key, columns, is_related: false });
        Ok(task)
    }

    fn range_row(&mut self, table: StoreTable, row: Row) -> WireResult<RangeRow> {
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
        self.by_key.get(&(key as u8, value.into())).and_then(|task| self.tasks.get(task))
    }

    /// The answers, one for each want.
    pub(crate) fn answers(&mut self, wants: &[Want]) -> Result<Vec<Loaded>, Error> {
        // The rows first, since each task gives its columns away once.
        let rows = wants.iter().map(|want| self.row(want)).collect::<Result<Vec<_>, _>>()?;
        wants.iter().zip(rows).enumerate().map(|(index, (want, row))| self.answer(index, want, row)).collect()
    }

    /// The row with a key, if one is wanted and exists.
    fn row(&self, want: &Want) -> Result<Option<KeyValue>, Error> {
        let Want::Row { table, key } = want else { return Ok(None) };
        Ok(match keys::place(*table)? {
            Place::Column(_) => self.tasks.get(&keys::task(*table, key)?).and_then(|row| row.of_table(*table)),
            Place::Key(task_key) => self.owner(task_key, key).and_then(|row| row.of_table(*table)),
            _ => self.plain.get(&(*table, key.clone())).map(|value| (key.clone(), value.clone())),
        })
    }

    fn answer(&mut self, index: usize, want: &Want, row: Option<KeyValue>) -> Result<Loaded, Error> {
        let mut related = Vec::new();
        match want {
            Want::Row { table, key } => {
                let task = match (keys::place(*table)?, &row) {
                    (Place::Column(_), _) => Some(keys::task(*table, key)?),
                    (Place::Key(task_key), _) => self.owner(task_key, key).map(|row| row.task),
                    (_, Some((_, value))) if *table == StoreTable::UniqueKeys => {
                        Some((keys::kind_of(*table, key)?, keys::number_of(*table, key, value)?))
                    }
                    _ => None,
                };
                if let Some(task) = task {
                    self.relate(task, &mut related);
                }
                Ok(Loaded { rows: row.into_iter().collect(), is_complete: true, has_skipped: false, related })
            }
            Want::Rows { newest_first, most, .. } => {
                let mut rows = self.ranges.remove(&index).unwrap_or_default();
                let is_complete = rows.len() < *most;
                let size = self.range_sizes.get(&index).and_then(|size| usize::try_from(*size).ok());
                let has_skipped = size.is_some_and(|size| size > rows.len());
                // A row that a rival has changed since the statement began has its new key, and may be out of order.
                rows.sort_by(|a, b| if *newest_first { b.0.cmp(&a.0) } else { a.0.cmp(&b.0) });
                for task in rows.iter().filter_map(|(_, _, task)| *task) {
                    self.relate(task, &mut related);
                }
                let rows = rows.into_iter().map(|(key, value, _)| (key, value)).collect();
                Ok(Loaded { rows, is_complete, has_skipped, related })
            }
        }
    }

    /// Adds the rows of a task, or that it has none, unless another answer has them.
    fn relate(&mut self, task: Task, related: &mut Vec<RowValue>) {
        let row = self.tasks.get_mut(&task);
        if row.as_ref().is_some_and(|row| row.is_related) {
            return;
        }
        let (mut columns, id_key) = match row {
            Some(row) => {
                row.is_related = true;
                (mem::take(&mut row.columns), row.id_key.clone())
            }
            None => Default::default(),
        };
        let key = RowKey::from(&keys::task_key(task)[..]);
        related.extend(Column::ALL.map(|column| {
            let value = columns[column as usize].take();
            RowValue { table: column.table(), key: key.clone(), value }
        }));
        if let Some(key) = id_key {
            related.push(RowValue { table: StoreTable::Ids, key, value: Some(keys::number_value(task.1)) });
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
            let id = RowKey::from(id);
            let owner = self.by_key.get(&(TaskKey::Id as u8, id.clone())).copied();
            known.ids.insert(id, owner);
        }
        known.tasks.reserve(self.tasks.len());
        for row in self.tasks.values() {
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

impl TaskRow {
    /// The row of a table that this task has.
    fn of_table(&self, table: StoreTable) -> Option<(Vec<u8>, Vec<u8>)> {
        match keys::place(table).ok()? {
            Place::Column(column) => Some((keys::task_key(self.task).to_vec(), self.columns[column as usize].clone()?)),
            Place::Key(TaskKey::Id) => Some((self.id_key.as_ref()?.to_vec(), keys::number_value(self.task.1))),
            Place::Key(TaskKey::Claim) => Some((self.claim_key.as_ref()?.to_vec(), Vec::new())),
            Place::Key(TaskKey::Updated) => Some((self.updated_key.as_ref()?.to_vec(), Vec::new())),
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
