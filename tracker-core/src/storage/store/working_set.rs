//! `WorkingSet` keeps the rows that a unit of work has loaded from a store, with its own changes over them, behind a lock. Made by
//! `engine/database` for each read and write transaction on a store; used by `storage`, `engine/writer`, `engine/action/claim` and
//! `maintenance/move_tasks`. Loads missing rows from the store, and commits the changes. A large read forgets rows that it has passed.

use std::{
    collections::{BTreeMap, HashMap},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use uuid::Uuid;

use super::{
    Access, Changes, ClaimPosition, Committed, Loaded, NumberSeries, RowChange, RowKey, RowValue, Store, StoreState,
    StoreTable, StoreUnit, Want,
    table_rows::{KnownRow, Row, RowState, Search, TableRows},
};
use crate::{
    model::{
        error::{Error, Result},
        time::Micros,
    },
    storage::keys::CountKey,
};

/// Number of rows that the first load of a range asks for.
pub(crate) const FIRST_ROWS: usize = 8;

/// A read forgets its rows once they have more bytes than this, because it may go through a whole table.
const KEPT_BYTES: usize = 32 << 20;

/// Target size of one load of a range. A load asks for fewer rows if those of the load before were large.
const LOADED_BYTES: usize = 4 << 20;

/// Approximate memory of a row besides its key and its value, in bytes.
const ROW_OVERHEAD: usize = 64;

/// The rows of one unit of work.
#[derive(Clone)]
pub(crate) struct WorkingSet {
    state: StoreState,
    access: Access,
    rows: Arc<Mutex<Rows>>,
}

#[expect(clippy::struct_excessive_bools, reason = "independent flags of the unit")]
struct Rows {
    /// `None` once the unit has ended.
    unit: Option<Box<dyn StoreUnit>>,
    tables: BTreeMap<StoreTable, TableRows>,
    kept_bytes: usize,
    row_bytes: BTreeMap<StoreTable, usize>,
    counts: BTreeMap<Vec<u8>, i64>,
    changes_kinds: bool,
    wakes_workers: bool,
    skips_locked: bool,
    has_skipped: bool,
    /// The time of the unit, in microseconds since 1970. Before it is known, every time counts as past.
    now: Micros,
}

impl WorkingSet {
    /// Begins a unit of work, which knows the wanted rows.
    pub(crate) fn begin(store: &dyn Store, access: Access, wants: &[Want]) -> Result<Self> {
        let (unit, loaded) = store.begin_and_load(access, wants)?;
        let set = Self::new(unit, access);
        set.lock().learn_all(wants, loaded)?;
        Ok(set)
    }

    /// A unit of work that has begun, of which nothing is known.
    pub(crate) fn new(unit: Box<dyn StoreUnit>, access: Access) -> Self {
        let state = unit.state();
        let rows = Rows {
            unit: Some(unit),
            tables: BTreeMap::new(),
            kept_bytes: 0,
            row_bytes: BTreeMap::new(),
            counts: BTreeMap::new(),
            changes_kinds: false,
            wakes_workers: false,
            skips_locked: false,
            has_skipped: false,
            now: Micros::MAX,
        };
        Self { state, access, rows: Arc::new(Mutex::new(rows)) }
    }

    /// The state of the store when the unit began.
    pub(crate) fn state(&self) -> StoreState {
        self.state
    }

    fn lock(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, table: StoreTable, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let mut rows = self.lock();
        let value = rows.get(table, key)?;
        Ok(if table == StoreTable::Counts { rows.counted(key, value) } else { value })
    }

    /// Loads the rows of a table that are not known yet, all at once.
    pub(super) fn prefetch(&self, table: StoreTable, keys: impl Iterator<Item = RowKey>) -> Result<()> {
        let mut rows = self.lock();
        let known = rows.tables.entry(table).or_default();
        let wants: Vec<_> =
            keys.filter(|key| !known.knows(key)).map(|key| Want::Row { table, key: key.to_vec() }).collect();
        rows.load_all(&wants)
    }

    /// Loads the first rows of several ranges that are not known yet, all at once: first key, first key after the range, number of rows.
    pub(super) fn prefetch_ranges(
        &self,
        table: StoreTable,
        ranges: impl Iterator<Item = (RowKey, Option<RowKey>, usize)>,
    ) -> Result<()> {
        let mut rows = self.lock();
        let skips_locked = rows.skips_locked;
        let known = rows.tables.entry(table).or_default();
        let ranges = ranges.filter(|(from, ..)| known.covered.end_from(from).is_none());
        let want = |(from, to, most): (RowKey, Option<RowKey>, usize)| {
            let (from, to, most) = (from.to_vec(), to.map(|to| to.to_vec()), most.max(1));
            Want::Rows { skips_locked, table, from, to, newest_first: false, most }
        };
        let wants: Vec<_> = ranges.map(want).collect();
        rows.load_all(&wants)
    }

    /// Whether loads of ranges skip rows that another unit has locked, from now on.
    pub(crate) fn skip_locked(&self, skips_locked: bool) {
        self.lock().skips_locked = skips_locked;
    }

    /// Whether a load has skipped rows.
    pub(crate) fn has_skipped(&self) -> bool {
        self.lock().has_skipped
    }

    /// Whether a row is known to exist. Loads nothing.
    pub(super) fn has(&self, table: StoreTable, key: &[u8]) -> bool {
        let rows = self.lock();
        let row = rows.tables.get(&table).and_then(|known| known.rows.get(key));
        row.is_some_and(|row| row.value.is_some())
    }

    /// The first row of a range, or the last one. Loads up to `most` rows if the rows are not known.
    pub(super) fn next(
        &self,
        table: StoreTable,
        from: &RowKey,
        to: Option<&RowKey>,
        newest_first: bool,
        most: usize,
    ) -> Result<Option<Row>> {
        let mut rows = self.lock();
        let (mut from, mut to) = (from.clone(), to.cloned());
        let most = most.min((LOADED_BYTES / rows.row_bytes(table).max(1)).max(1));
        loop {
            let known = rows.tables.entry(table).or_default();
            match known.search(&mut from, &mut to, newest_first) {
                Search::Found(row) => return Ok(Some(row)),
                Search::Nothing => return Ok(None),
                Search::Unknown => {}
            }
            if self.access == Access::Read && rows.kept_bytes > KEPT_BYTES {
                rows.tables.clear();
                rows.kept_bytes = 0;
            }
            let skips_locked = rows.skips_locked;
            let (first, end) = (from.to_vec(), to.as_ref().map(|to| to.to_vec()));
            let want = Want::Rows { table, from: first, to: end, newest_first, most, skips_locked };
            let loaded = rows.load(want)?;
            rows.learn_range(table, &from, to.as_deref(), newest_first, loaded)?;
        }
    }

    /// Changes a row; `None` removes it.
    pub(super) fn put(&self, table: StoreTable, key: RowKey, value: Option<Vec<u8>>) {
        let mut rows = self.lock();
        rows.changes_kinds |= table == StoreTable::Kinds;
        let known = rows.tables.entry(table).or_default();
        let was_absent = match known.rows.get(&key) {
            Some(row) => row.change == RowState::Inserted || row.change == RowState::Loaded && row.value.is_none(),
            None => known.knows(&key),
        };
        let change = if was_absent { RowState::Inserted } else { RowState::Changed };
        known.rows.insert(key, KnownRow { value, change });
    }

    /// Lets other trackers read the kinds again before their next change, and check whether they may still write.
    pub(crate) fn change_schema(&self) {
        self.lock().changes_kinds = true;
    }

    /// Adds to the counters when the unit commits.
    pub(crate) fn add_counts(&self, differences: &HashMap<CountKey, i64>) {
        let mut rows = self.lock();
        for (key, difference) in differences {
            *rows.counts.entry(key.pack().to_vec()).or_default() += difference;
        }
    }

    /// The commit makes tasks startable, so that workers of other processes must look.
    pub(crate) fn wake_workers(&self) {
        self.lock().wakes_workers = true;
    }

    /// The time of the unit, in microseconds since 1970.
    pub(crate) fn set_now(&self, now: Micros) {
        self.lock().now = now;
    }

    /// Assigns numbers that follow each other, and returns the first one.
    pub(crate) fn take_numbers(&self, series: NumberSeries, count: u64) -> Result<u64> {
        self.lock().unit()?.take_numbers(series, count)
    }

    /// A number that exceeds all that were assigned.
    pub(crate) fn next_number(&self, series: NumberSeries) -> Result<u64> {
        self.lock().unit()?.next_number(series)
    }

    /// Lets the numbers begin at `next`, if they would begin before it.
    pub(crate) fn raise_numbers(&self, series: NumberSeries, next: u64) -> Result<()> {
        self.lock().unit()?.raise_numbers(series, next)
    }

    /// Commits the changes. The unit has ended then.
    pub(crate) fn commit(&self, commit: (Uuid, u64)) -> Result<Committed> {
        let mut rows = self.lock();
        let unit = rows.unit.take().ok_or_else(ended)?;
        let schema = rows.changes_kinds.then_some(self.state.schema);
        let counts = mem::take(&mut rows.counts).into_iter().filter(|(_, difference)| *difference != 0).collect();
        let enters_past = rows.enters_past();
        let edited = mem::take(&mut rows.tables).into_iter().flat_map(|(table, known)| {
            let changed = known.rows.into_iter().filter(|(_, row)| row.change != RowState::Loaded);
            changed.map(move |(key, KnownRow { value, change })| {
                let is_new = change == RowState::Inserted && value.is_some();
                RowChange { table, key, value, is_new }
            })
        });
        let wakes_workers = rows.wakes_workers;
        let changes = Changes { rows: edited.collect(), counts, schema, commit, wakes_workers, enters_past };
        drop(rows);
        unit.commit(changes)
    }

    /// Ends the unit and takes its changes back.
    pub(crate) fn end(&self) {
        let unit = self.lock().unit.take();
        drop(unit);
    }
}

fn ended() -> Error {
    Error::invalid("this unit of work has ended: begin another one to read its rows")
}

impl Rows {
    fn get(&mut self, table: StoreTable, key: &[u8]) -> Result<Option<Vec<u8>>> {
        let known = self.tables.entry(table).or_default();
        if let Some(row) = known.rows.get(key) {
            return Ok(row.value.clone());
        }
        if known.knows(key) {
            return Ok(None);
        }
        let loaded = self.load(Want::Row { table, key: key.to_vec() })?;
        self.learn_row(table, key, loaded);
        let row = self.tables.get(&table).and_then(|known| known.rows.get(key));
        Ok(row.and_then(|row| row.value.clone()))
    }

    /// A counter with what the unit adds to it.
    fn counted(&self, key: &[u8], stored: Option<Vec<u8>>) -> Option<Vec<u8>> {
        let Some(difference) = self.counts.get(key) else { return stored };
        let stored = stored.and_then(|value| value.as_slice().try_into().ok()).map_or(0, u64::from_le_bytes);
        Some(stored.saturating_add_signed(*difference).to_le_bytes().to_vec())
    }

    /// The bytes of a row of the table, with the rows that come with it, in the latest load of a range.
    fn row_bytes(&self, table: StoreTable) -> usize {
        self.row_bytes.get(&table).copied().unwrap_or_default()
    }

    /// Whether a task enters the claim order before the time of the unit.
    fn enters_past(&self) -> bool {
        let Some(known) = self.tables.get(&StoreTable::ClaimOrder) else { return false };
        let entered = known.rows.iter().filter(|(_, row)| row.change != RowState::Loaded && row.value.is_some());
        entered.into_iter().any(|(key, _)| ClaimPosition::from_key(key).is_none_or(|entered| entered.at < self.now))
    }

    fn unit(&mut self) -> Result<&mut Box<dyn StoreUnit>> {
        self.unit.as_mut().ok_or_else(ended)
    }

    fn load(&mut self, want: Want) -> Result<Loaded> {
        let mut loaded = self.unit()?.load(&[want])?;
        Ok(loaded.pop().unwrap_or_default())
    }

    fn load_all(&mut self, wants: &[Want]) -> Result<()> {
        let loaded = if wants.is_empty() { Vec::new() } else { self.unit()?.load(wants)? };
        self.learn_all(wants, loaded)
    }

    /// Remembers the answers to wants.
    fn learn_all(&mut self, wants: &[Want], loaded: Vec<Loaded>) -> Result<()> {
        for (want, loaded) in wants.iter().zip(loaded) {
            match want {
                Want::Row { table, key } => self.learn_row(*table, key, loaded),
                Want::Rows { table, from, to, newest_first, .. } => {
                    self.learn_range(*table, from, to.as_deref(), *newest_first, loaded)?;
                }
            }
        }
        Ok(())
    }

    /// Remembers a row, unless it is known, because the unit may have changed it.
    fn learn(&mut self, table: StoreTable, key: RowKey, value: Option<Vec<u8>>) {
        self.kept_bytes += key.len() + value.as_ref().map_or(0, Vec::len) + ROW_OVERHEAD;
        self.tables.entry(table).or_default().rows.entry(key).or_insert(KnownRow { value, change: RowState::Loaded });
    }

    /// Remembers the answer to the want of one row.
    fn learn_row(&mut self, table: StoreTable, key: &[u8], loaded: Loaded) {
        let value = loaded.rows.into_iter().find(|(found, _)| found == key).map(|(_, value)| value);
        self.learn(table, key.into(), value);
        self.learn_related(loaded.related);
    }

    fn learn_related(&mut self, related: Vec<RowValue>) {
        for RowValue { table, key, value } in related {
            self.learn(table, key, value);
        }
    }

    fn learn_range(
        &mut self,
        table: StoreTable,
        from: &[u8],
        to: Option<&[u8]>,
        newest_first: bool,
        loaded: Loaded,
    ) -> Result<()> {
        self.has_skipped |= loaded.has_skipped;
        let last = loaded.rows.last().map(|(key, _)| key.clone());
        let is_inside = |key: &[u8]| key >= from && to.is_none_or(|to| key < to);
        if last.as_ref().is_some_and(|last| !is_inside(last)) || last.is_none() && !loaded.is_complete {
            return Err(Error::corrupted(table.name(), "a range", "the store answered with rows of another range"));
        }
        let (count, kept) = (loaded.rows.len(), self.kept_bytes);
        for (key, value) in loaded.rows {
            self.learn(table, key.into(), Some(value));
        }
        self.learn_related(loaded.related);
        if let Some(bytes) = (self.kept_bytes - kept).checked_div(count) {
            self.row_bytes.insert(table, bytes);
        }
        let (start, end) = match last {
            Some(last) if !loaded.is_complete && newest_first => (last, to.map(<[u8]>::to_vec)),
            Some(last) if !loaded.is_complete => (from.to_vec(), Some([last.as_slice(), &[0]].concat())),
            _ => (from.to_vec(), to.map(<[u8]>::to_vec)),
        };
        self.tables.entry(table).or_default().covered.add(start, end);
        Ok(())
    }
}

#[cfg(test)]
#[path = "working_set_tests.rs"]
mod tests;
