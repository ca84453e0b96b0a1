//! Opens a tracker on a store in place of a file, and runs the user's function in a unit of work of the store, which the caller commits;
//! `Uncommitted` publishes its events after that. Called by users and by crates of stores such as `tracker-postgres`; reads and writes the store
//! through `Engine`.

use std::{fmt, sync::Arc};

use crate::{
    api::{
        options::Options,
        shared::Shared,
        tracker::Tracker,
        transaction::{EndedExecution, Transaction},
    },
    engine::{CommitEffects, Place},
    model::error::{Error, Result},
    storage::store::{Store, StoreUnit},
};

/// Adds stores to [`Options`].
pub trait OptionsExt {
    /// Opens a tracker on a store. The options of files have no effect.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the store cannot be reached.
    fn open_store(self, store: impl Store) -> Result<Tracker>;

    /// Opens a tracker on a store only to look at it.
    ///
    /// # Errors
    /// As [`OptionsExt::open_store`].
    fn inspect_store(self, store: impl Store) -> Result<Tracker>;
}

impl OptionsExt for Options {
    fn open_store(self, store: impl Store) -> Result<Tracker> {
        self.start(Place::Store(Arc::new(store)), false)
    }

    fn inspect_store(self, store: impl Store) -> Result<Tracker> {
        self.start(Place::Store(Arc::new(store)), true)
    }
}

/// Gives crates of stores access to the store of a [`Tracker`].
pub trait TrackerExt {
    /// The store; `None` of a tracker in a file or in memory.
    ///
    /// # Errors
    /// - [`ErrorKind::Closed`](crate::ErrorKind::Closed) if the tracker is closed.
    fn store(&self) -> Result<Option<Arc<dyn Store>>>;

    /// [`Tracker::transaction`] in a unit of work of the store that has begun, and whose [`StoreUnit::commit`] commits nothing yet: its
    /// owner commits after this call. It does not wait for other commits of this tracker. After an error or a panic of `work`,
    /// the unit was dropped.
    ///
    /// # Errors
    /// As [`Tracker::transaction`].
    fn transaction_in<R, E: From<Error>>(
        &self,
        unit: Box<dyn StoreUnit>,
        work: impl FnOnce(&mut Transaction<'_, '_>) -> Result<R, E>,
    ) -> Result<Uncommitted<R>, E>;
}

impl TrackerExt for Tracker {
    fn store(&self) -> Result<Option<Arc<dyn Store>>> {
        self.shared.engine.file().store()
    }

    fn transaction_in<R, E: From<Error>>(
        &self,
        unit: Box<dyn StoreUnit>,
        work: impl FnOnce(&mut Transaction<'_, '_>) -> Result<R, E>,
    ) -> Result<Uncommitted<R>, E> {
        let mut ended = EndedExecution::default();
        let run = self
            .shared
            .engine
            .transaction_in(unit, |writer| work(&mut Transaction::new(&self.shared, writer, &mut ended)));
        let (value, effects) = run?;
        Ok(Uncommitted { shared: Arc::clone(&self.shared), value, effects, ended })
    }
}

/// The changes of a transaction that its owner has not committed yet. Call [`committed`](Self::committed) after the commit. After a rollback,
/// drop this value: the process then ignores the transaction.
#[must_use = "call `committed` after the commit, so that this process learns of it"]
pub struct Uncommitted<R> {
    shared: Arc<Shared>,
    value: R,
    effects: CommitEffects,
    ended: EndedExecution,
}

impl<R> Uncommitted<R> {
    /// Returns the result of the transaction.
    pub fn value(&self) -> &R {
        &self.value
    }

    /// Tells this process that the transaction is committed, and returns its result: executions that succeeded in it have ended, waiting workers
    /// wake up, and subscribers get its events. If it is not called, an execution still counts as running here and its next call returns
    /// `LeaseLost`. Workers find new tasks all the same, as those of another process.
    pub fn committed(self) -> R {
        self.ended.mark_all();
        self.shared.engine.publish_committed(&self.effects);
        self.value
    }
}

impl<R: fmt::Debug> fmt::Debug for Uncommitted<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Uncommitted").field("value", &self.value).finish_non_exhaustive()
    }
}
