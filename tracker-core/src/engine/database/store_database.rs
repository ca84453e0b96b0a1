//! `StoreDatabase` runs units of work on a store, which takes the place of the file. Its `open` marks a new store with the format of its rows, and
//! refuses one of another format. Called by `Database`; reads and writes the store.

use std::sync::{Arc, PoisonError, RwLock};

use super::{super::conflict_retry::ConflictRetry, CommitId};
use uuid::Uuid;

use crate::{
    model::error::{Error, ErrorKind, Result},
    storage::{
        format::FormatProblem,
        store::{Access, Committed, Store, StoreUnit, Want, WorkingSet},
        tables::{Reading, Tables, Writing},
    },
};

/// An open store.
pub(super) struct StoreDatabase {
    /// `None` once it is closed.
    store: RwLock<Option<Arc<dyn Store>>>,
    name: String,
    read_only: bool,
}

impl StoreDatabase {
    /// Opens a store, and marks a new one with the format of its rows. A store of another format is refused.
    pub(super) fn open(store: Arc<dyn Store>, read_only: bool) -> Result<Self> {
        let opened = Self::open_any_format(store, read_only)?;
        let checked = opened.mark_format().and_then(|()| opened.check_format());
        if checked.is_err() {
            drop(opened.close());
        }
        checked.map(|()| opened)
    }

    /// Opens a store that may have no tracker, or one of another format.
    pub(super) fn open_any_format(store: Arc<dyn Store>, read_only: bool) -> Result<Self> {
        store.open()?;
        Ok(Self { name: store.name(), store: RwLock::new(Some(store)), read_only })
    }

    fn mark_format(&self) -> Result<()> {
        if self.read_only {
            return Ok(());
        }
        let mark = |source: Writing<'_>| Ok::<_, Error>((Tables::new(source).mark_format()?, ()));
        let mut retry = ConflictRetry::default();
        loop {
            match self.write((Uuid::new_v4(), 1), &[], mark) {
                Err(error) if retry.should_retry(&error) => {}
                marked => return marked.map(drop),
            }
        }
    }

    fn check_format(&self) -> Result<()> {
        match self.read(|source| Tables::new(source).format_problem())? {
            None => Ok(()),
            Some(problem) if self.read_only && problem.allows_reading() => Ok(()),
            Some(FormatProblem::Foreign) => Err(Error::new(
                ErrorKind::Foreign,
                format!("{}: there is no tracker here yet; open it for writing first", self.name),
            )),
            Some(problem) => Err(problem.error(&self.name)),
        }
    }

    /// Number of other trackers that have the store open.
    pub(super) fn other_trackers(&self) -> Result<u64> {
        self.store()?.other_trackers()
    }

    pub(super) fn is_read_only(&self) -> bool {
        self.read_only
    }

    /// The store, unless it is closed.
    pub(super) fn store(&self) -> Result<Arc<dyn Store>> {
        self.store.read().unwrap_or_else(PoisonError::into_inner).clone().ok_or_else(Error::closed)
    }

    /// Runs `work` on one state of the store, and again if the connection to the store breaks meanwhile.
    pub(super) fn read<R>(&self, work: impl Fn(Reading<'_>) -> Result<R>) -> Result<R> {
        let mut retry = ConflictRetry::default();
        loop {
            match self.read_once(&work) {
                Err(error) if retry.should_retry(&error) => {}
                found => return found,
            }
        }
    }

    fn read_once<R>(&self, work: impl Fn(Reading<'_>) -> Result<R>) -> Result<R> {
        let set = WorkingSet::begin(&*self.store()?, Access::Read, &[])?;
        let found = work(Reading::Store(&set));
        set.end();
        found
    }

    /// Runs `work` in a unit of work and commits it if `work` returns true. The unit begins with the wanted rows. Returns the change number of the
    /// commit too.
    pub(super) fn write<R, E: From<Error>>(
        &self,
        commit: CommitId,
        wants: &[Want],
        work: impl FnOnce(Writing<'_>) -> Result<(bool, R), E>,
    ) -> Result<(R, Option<u64>), E> {
        if self.read_only {
            return Err(Error::read_only().into());
        }
        Self::write_set(&WorkingSet::begin(&*self.store()?, Access::Write, wants)?, commit, work)
    }

    /// [`Self::write`] in a unit of work that has begun.
    pub(super) fn write_in<R, E: From<Error>>(
        unit: Box<dyn StoreUnit>,
        commit: CommitId,
        work: impl FnOnce(Writing<'_>) -> Result<(bool, R), E>,
    ) -> Result<(R, Option<u64>), E> {
        Self::write_set(&WorkingSet::new(unit, Access::Write), commit, work)
    }

    fn write_set<R, E: From<Error>>(
        set: &WorkingSet,
        commit: CommitId,
        work: impl FnOnce(Writing<'_>) -> Result<(bool, R), E>,
    ) -> Result<(R, Option<u64>), E> {
        // An error ends the unit too, also one that unwinds.
        let (changes, result) = work(Writing::Store(set)).inspect_err(|_| set.end())?;
        if !changes {
            set.end();
            return Ok((result, None));
        }
        match set.commit(commit)? {
            Committed::Done { change } => Ok((result, Some(change))),
            Committed::Conflict => Err(Error::conflict("the commit").into()),
        }
    }

    /// The number of the last commit of any process.
    pub(super) fn change(&self) -> Result<u64> {
        self.store()?.change()
    }

    pub(super) fn close(&self) -> Result<()> {
        let store = self.store.write().unwrap_or_else(PoisonError::into_inner).take();
        store.map_or(Ok(()), |store| store.close())
    }

    /// The error of a call that only a file can answer.
    pub(super) fn refuse(&self, what: &str) -> Error {
        Error::new(
            ErrorKind::Unsupported,
            format!("{}: {what} is for a tracker file; use the tools of the server that holds this tracker", self.name),
        )
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::storage::store::MemoryStore;

    #[test]
    fn store_of_another_format_is_refused_by_name() {
        let store = MemoryStore::new();
        StoreDatabase::open(Arc::new(store.clone()), false).unwrap();
        StoreDatabase::open(Arc::new(store.clone()), true).unwrap();
        for (version, way_out) in [(1, "tracker export"), (255, "newer version")] {
            store.set_format(version);
            for read_only in [false, true] {
                let error = StoreDatabase::open(Arc::new(store.clone()), read_only).err().unwrap();
                assert_eq!(error.kind(), ErrorKind::Unsupported);
                assert!(error.to_string().contains(way_out), "{error}");
            }
        }
        let empty = StoreDatabase::open(Arc::new(MemoryStore::new()), true).err().unwrap();
        assert_eq!(empty.kind(), ErrorKind::Foreign, "nothing to look at");
    }
}
