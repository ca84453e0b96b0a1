//! `StoreDatabase`: a store beside the file: units of work on it. Called by `Database`.

use std::sync::{Arc, PoisonError, RwLock};

use super::CommitId;
use crate::{
    model::error::{Error, ErrorKind, Result},
    storage::{
        store::{Access, Committed, Store, WorkingSet},
        tables::{Reading, Writing},
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
    pub(super) fn new(store: Arc<dyn Store>, read_only: bool) -> Self {
        let name = store.name();
        Self { store: RwLock::new(Some(store)), name, read_only }
    }

    pub(super) fn is_read_only(&self) -> bool {
        self.read_only
    }

    fn store(&self) -> Result<Arc<dyn Store>> {
        self.store.read().unwrap_or_else(PoisonError::into_inner).clone().ok_or_else(Error::closed)
    }

    pub(super) fn read<R>(&self, look: impl FnOnce(Reading<'_>) -> Result<R>) -> Result<R> {
        let set = WorkingSet::new(self.store()?.begin(Access::Read)?, Access::Read);
        let found = look(Reading::Store(&set));
        set.end();
        found
    }

    /// Runs `work` in a unit of work and commits it if `work` returns true. Returns the change number of the commit too.
    pub(super) fn write<R, E: From<Error>>(
        &self,
        commit: CommitId,
        work: impl FnOnce(Writing<'_>) -> Result<(bool, R), E>,
    ) -> Result<(R, Option<u64>), E> {
        if self.read_only {
            return Err(Error::read_only().into());
        }
        let set = WorkingSet::new(self.store()?.begin(Access::Write)?, Access::Write);
        // An error ends the unit too, also one that unwinds.
        let (changes, result) = work(Writing::Store(&set)).inspect_err(|_| set.end())?;
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
