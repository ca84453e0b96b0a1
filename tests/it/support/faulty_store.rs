//! `FaultyStore`: a store in memory whose commits fail, whose loads conflict, whose loads and changes differ, or that another tracker opens. Used by
//! tests of moves and of workers.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use tracker_core::{
    ErrorKind, Result,
    store::{
        Access, Changes, Committed, Loaded, MemoryStore, NumberSeries, Store, StoreState, StoreUnit, Want,
        store_conflict, store_error,
    },
};

/// How a commit ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Done,
    /// It fails, and nothing is stored.
    Fails,
    /// It is stored, and fails nevertheless.
    IsStoredAndFails,
}

type OnCommit = dyn Fn(u32, &mut Changes) -> Fate + Send + Sync;
type OnLoad = dyn Fn(&Want, &mut Loaded) + Send + Sync;

/// A store in memory whose commits, loads and open trackers a test decides on.
#[derive(Clone)]
pub(crate) struct FaultyStore {
    store: MemoryStore,
    commits: Arc<AtomicU32>,
    /// Called with the number of each commit, from 1 on.
    on_commit: Arc<OnCommit>,
    /// Called with each answer to a want.
    on_load: Arc<OnLoad>,
    loads: Arc<AtomicU32>,
    /// See [`Self::conflicting_at`]; 0 for never.
    conflicting_at: u32,
    asked: Arc<AtomicU32>,
    /// See [`Self::opened_at`]; 0 for never.
    opened_at: u32,
}

impl FaultyStore {
    pub(crate) fn new(
        store: &MemoryStore,
        on_commit: impl Fn(u32, &mut Changes) -> Fate + Send + Sync + 'static,
    ) -> Self {
        let (commits, loads, asked) = (Arc::default(), Arc::default(), Arc::default());
        let (on_commit, on_load): (_, Arc<OnLoad>) = (Arc::new(on_commit), Arc::new(|_, _| ()));
        let store = store.clone();
        Self { store, commits, on_commit, on_load, loads, conflicting_at: 0, asked, opened_at: 0 }
    }

    /// This load ends in a conflict, counted from 1.
    pub(crate) fn conflicting_at(self, conflicting_at: u32) -> Self {
        Self { conflicting_at, ..self }
    }

    /// Number of loads so far.
    pub(crate) fn loads(&self) -> u32 {
        self.loads.load(Ordering::Relaxed)
    }

    /// Changes what the store loads.
    pub(crate) fn on_load(self, on_load: impl Fn(&Want, &mut Loaded) + Send + Sync + 'static) -> Self {
        Self { on_load: Arc::new(on_load), ..self }
    }

    /// Another tracker has the store open from this question for other trackers on, counted from 1.
    pub(crate) fn opened_at(self, opened_at: u32) -> Self {
        Self { opened_at, ..self }
    }
}

impl fmt::Debug for FaultyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyStore").finish_non_exhaustive()
    }
}

impl Store for FaultyStore {
    fn name(&self) -> String {
        "faulty".to_owned()
    }

    fn other_trackers(&self) -> Result<u64> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(u64::from(self.opened_at > 0 && asked >= self.opened_at))
    }

    fn begin(&self, access: Access) -> Result<Box<dyn StoreUnit>> {
        Ok(Box::new(Unit { unit: self.store.begin(access)?, store: self.clone() }))
    }

    fn change(&self) -> Result<u64> {
        self.store.change()
    }

    fn close(&self) -> Result<()> {
        Ok(())
    }
}

struct Unit {
    unit: Box<dyn StoreUnit>,
    store: FaultyStore,
}

impl StoreUnit for Unit {
    fn state(&self) -> StoreState {
        self.unit.state()
    }

    fn take_numbers(&mut self, series: NumberSeries, count: u64) -> Result<u64> {
        self.unit.take_numbers(series, count)
    }

    fn next_number(&mut self, series: NumberSeries) -> Result<u64> {
        self.unit.next_number(series)
    }

    fn raise_numbers(&mut self, series: NumberSeries, next: u64) -> Result<()> {
        self.unit.raise_numbers(series, next)
    }

    fn load(&mut self, wants: &[Want]) -> Result<Vec<Loaded>> {
        if self.store.loads.fetch_add(1, Ordering::Relaxed) + 1 == self.store.conflicting_at {
            return Err(store_conflict("a test"));
        }
        let mut loaded = self.unit.load(wants)?;
        wants.iter().zip(&mut loaded).for_each(|(want, loaded)| (self.store.on_load)(want, loaded));
        Ok(loaded)
    }

    fn commit(self: Box<Self>, mut changes: Changes) -> Result<Committed> {
        let number = self.store.commits.fetch_add(1, Ordering::Relaxed) + 1;
        let fate = (self.store.on_commit)(number, &mut changes);
        if fate == Fate::Fails {
            return Err(store_error(ErrorKind::Io, "the commit failed", "a test"));
        }
        let committed = self.unit.commit(changes)?;
        if fate == Fate::IsStoredAndFails {
            return Err(store_error(ErrorKind::Io, "the commit failed", "a test"));
        }
        Ok(committed)
    }
}
