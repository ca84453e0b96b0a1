//! `MemoryStore` is a store in the memory of one process. Used by users whose trackers share tasks without a file, and by tests of everything that
//! works on a store. Keeps its rows in memory, behind locks; one unit of work writes at a time.

use std::{
    cell::Cell,
    collections::BTreeMap,
    fmt, mem,
    ops::Bound,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{
    Access, Changes, Committed, Loaded, NumberSeries, RowKey, RowValue, Store, StoreListener, StoreState, StoreTable,
    StoreUnit, Want,
};
use crate::model::error::Result;

/// A store in memory. Clones share the tasks; all is lost when the last clone and its trackers are gone.
///
/// One unit of work writes at a time; the others wait for it.
///
/// # Examples
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/job.rs"));
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use tracker_core::{Tracker, store::{MemoryStore, OptionsExt}};
///
/// let store = MemoryStore::new();
/// let first = Tracker::options().open_store(store.clone())?;
/// let second = Tracker::options().open_store(store)?;
/// first.tasks::<Job>()?.submit(&job("one"))?;
/// assert!(second.tasks::<Job>()?.get("one")?.is_some());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct MemoryStore(Arc<Shared>);

thread_local! {
    /// Number of loads by this thread.
    static THREAD_LOADS: Cell<u64> = const { Cell::new(0) };
}

#[derive(Default)]
struct Shared {
    data: Mutex<Arc<Data>>,
    is_writing: Mutex<bool>,
    freed: Condvar,
    sequence: AtomicU64,
    fence: AtomicU64,
    commits: AtomicU64,
    loads: AtomicU64,
    /// Number of trackers that have the store open.
    open: AtomicU64,
    /// Number of commits that wake workers, for listeners.
    wakes: Mutex<u64>,
    woken: Condvar,
    /// Every so many commits, one reports a conflict; 0 for none.
    conflict_every: AtomicU64,
}

impl Shared {
    /// The last number of a series.
    fn numbers(&self, series: NumberSeries) -> &AtomicU64 {
        match series {
            NumberSeries::Sequence => &self.sequence,
            NumberSeries::Fence => &self.fence,
        }
    }
}

#[derive(Clone, Default)]
struct Data {
    tables: BTreeMap<StoreTable, BTreeMap<RowKey, Vec<u8>>>,
    schema: u64,
    change: u64,
}

impl MemoryStore {
    /// Creates an empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets every `n`th commit report a conflict, as a server does if units of work compete. 0 for none.
    pub fn conflict_every(&self, n: u64) {
        self.0.conflict_every.store(n, Ordering::Relaxed);
    }

    /// Replaces the mark of the format, as another version of the tracker would write it.
    #[cfg(test)]
    pub(crate) fn set_format(&self, version: u8) {
        let mut data = lock(&self.0.data);
        let mark = [b"tracker", &[version][..]].concat();
        Arc::make_mut(&mut data).tables.entry(StoreTable::Meta).or_default().insert(RowKey::from(&b"format"[..]), mark);
    }

    /// Returns the number of loads so far.
    #[must_use]
    pub fn loads(&self) -> u64 {
        self.0.loads.load(Ordering::Relaxed)
    }

    /// Returns the number of loads so far by the calling thread, from all stores in memory. Those of the threads of a tracker do not count.
    #[must_use]
    pub fn loads_of_this_thread() -> u64 {
        THREAD_LOADS.get()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store for MemoryStore {
    fn name(&self) -> String {
        "memory".to_owned()
    }

    fn open(&self) -> Result<()> {
        self.0.open.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn other_trackers(&self) -> Result<u64> {
        Ok(self.0.open.load(Ordering::Relaxed).saturating_sub(1))
    }

    fn begin(&self, access: Access) -> Result<Box<dyn StoreUnit>> {
        let token = (access == Access::Write).then(|| WriteToken::take(&self.0));
        let data = lock(&self.0.data).clone();
        Ok(Box::new(MemoryUnit { shared: self.0.clone(), data, token }))
    }

    fn change(&self) -> Result<u64> {
        Ok(lock(&self.0.data).change)
    }

    fn listen(&self) -> Result<Option<Box<dyn StoreListener>>> {
        let seen = *lock(&self.0.wakes);
        Ok(Some(Box::new(MemoryListener { shared: self.0.clone(), seen })))
    }

    fn close(&self) -> Result<()> {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
        Ok(())
    }
}

struct MemoryListener {
    shared: Arc<Shared>,
    /// The number of commits that it has heard of.
    seen: u64,
}

impl StoreListener for MemoryListener {
    fn wait(&mut self, timeout: Duration) -> Result<bool> {
        let wakes = lock(&self.shared.wakes);
        let woken = self.shared.woken.wait_timeout_while(wakes, timeout, |wakes| *wakes == self.seen);
        let wakes = *woken.unwrap_or_else(PoisonError::into_inner).0;
        Ok(mem::replace(&mut self.seen, wakes) != wakes)
    }
}

/// The right to write, for one unit at a time.
struct WriteToken(Arc<Shared>);

impl WriteToken {
    fn take(shared: &Arc<Shared>) -> Self {
        let mut is_writing = lock(&shared.is_writing);
        while *is_writing {
            is_writing = shared.freed.wait(is_writing).unwrap_or_else(PoisonError::into_inner);
        }
        *is_writing = true;
        Self(shared.clone())
    }
}

impl Drop for WriteToken {
    fn drop(&mut self) {
        *lock(&self.0.is_writing) = false;
        self.0.freed.notify_one();
    }
}

struct MemoryUnit {
    shared: Arc<Shared>,
    data: Arc<Data>,
    token: Option<WriteToken>,
}

impl StoreUnit for MemoryUnit {
    fn state(&self) -> StoreState {
        StoreState { now: None, schema: self.data.schema, change: self.data.change }
    }

    fn take_numbers(&mut self, series: NumberSeries, count: u64) -> Result<u64> {
        Ok(self.shared.numbers(series).fetch_add(count, Ordering::Relaxed) + 1)
    }

    fn next_number(&mut self, series: NumberSeries) -> Result<u64> {
        Ok(self.shared.numbers(series).load(Ordering::Relaxed) + 1)
    }

    fn raise_numbers(&mut self, series: NumberSeries, next: u64) -> Result<()> {
        self.shared.numbers(series).fetch_max(next.saturating_sub(1), Ordering::Relaxed);
        Ok(())
    }

    fn load(&mut self, wants: &[Want]) -> Result<Vec<Loaded>> {
        self.shared.loads.fetch_add(1, Ordering::Relaxed);
        THREAD_LOADS.set(THREAD_LOADS.get() + 1);
        Ok(wants.iter().map(|want| self.data.answer(want)).collect())
    }

    fn commit(mut self: Box<Self>, changes: Changes) -> Result<Committed> {
        let number = self.shared.commits.fetch_add(1, Ordering::Relaxed) + 1;
        let every = self.shared.conflict_every.load(Ordering::Relaxed);
        let shared = Arc::clone(&self.shared);
        let mut data = lock(&shared.data);
        let schema_moved = changes.schema.is_some_and(|schema| schema != data.schema);
        let is_taken = changes.rows.iter().any(|row| row.is_new && data.value(row.table, &row.key).is_some());
        if self.token.is_none() || schema_moved || is_taken || every > 0 && number.is_multiple_of(every) {
            return Ok(Committed::Conflict);
        }
        // The snapshot of this unit is given up, so that the data need not be copied for it.
        drop(mem::take(&mut self.data));
        let wakes_workers = changes.wakes_workers;
        let change = Arc::make_mut(&mut data).apply(changes);
        drop(data);
        if wakes_workers {
            *lock(&self.shared.wakes) += 1;
            self.shared.woken.notify_all();
        }
        Ok(Committed::Done { change })
    }
}

impl Data {
    fn value(&self, table: StoreTable, key: &[u8]) -> Option<&Vec<u8>> {
        self.tables.get(&table)?.get(key)
    }

    fn answer(&self, want: &Want) -> Loaded {
        let empty = BTreeMap::new();
        match want {
            Want::Row { table, key } => {
                let rows = self.value(*table, key).map(|value| (key.clone(), value.clone())).into_iter().collect();
                self.with_related(*table, Loaded { rows, is_complete: true, ..Loaded::default() })
            }
            Want::Rows { table, from, to, newest_first, most, skips_locked: _ } => {
                let rows = self.tables.get(table).unwrap_or(&empty);
                if to.as_ref().is_some_and(|to| to <= from) {
                    return Loaded { is_complete: true, ..Loaded::default() };
                }
                let end = to.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
                let range = rows.range::<[u8], _>((Bound::Included(from.as_slice()), end));
                let range: &mut dyn Iterator<Item = _> = if *newest_first { &mut range.rev() } else { &mut { range } };
                let rows: Vec<_> = range.take(*most).map(|(key, value)| (key.to_vec(), value.clone())).collect();
                let is_complete = rows.len() < *most;
                self.with_related(*table, Loaded { rows, is_complete, ..Loaded::default() })
            }
        }
    }

    /// Adds the rows of the tasks that the loaded rows belong to.
    fn with_related(&self, table: StoreTable, mut loaded: Loaded) -> Loaded {
        for (key, value) in &loaded.rows {
            let Some(task) = table.task_of_row(key, value) else { continue };
            for table in StoreTable::OF_TASKS {
                let value = self.value(*table, &task).cloned();
                loaded.related.push(RowValue { table: *table, key: task.as_slice().into(), value });
            }
        }
        loaded
    }

    /// Applies the changes, and returns the number of the change.
    fn apply(&mut self, changes: Changes) -> u64 {
        for row in changes.rows {
            let rows = self.tables.entry(row.table).or_default();
            match row.value {
                Some(value) => drop(rows.insert(row.key, value)),
                None => drop(rows.remove(&row.key)),
            }
        }
        let counts = self.tables.entry(StoreTable::Counts).or_default();
        for (key, difference) in changes.counts {
            let old = counts
                .get(key.as_slice())
                .and_then(|value| value.as_slice().try_into().ok())
                .map_or(0, u64::from_le_bytes);
            match old.saturating_add_signed(difference) {
                0 => drop(counts.remove(key.as_slice())),
                new => drop(counts.insert(key.into(), new.to_le_bytes().to_vec())),
            }
        }
        self.schema += u64::from(changes.schema.is_some());
        self.change += 1;
        self.change
    }
}
