//! `Database` runs transactions where a tracker keeps its rows: in a redb file, or in a store beside it. Called by `engine` and
//! `maintenance/move_tasks`, and through `Engine` by `api` and `maintenance/backup`; `api/options`, `api/store` and `api/redb_store` choose its
//! `Place`. Reads and writes the file or the store.

mod file_database;
mod store_database;

pub(crate) use file_database::{CommitId, FileDatabase};

use std::{sync::Arc, time::Duration};

use store_database::StoreDatabase;

use crate::{
    model::error::{Error, Result},
    storage::{
        file::{FileId, FileOptions, Location, Sharing, Snapshot, refuse_network_file_system},
        store::{Store, StoreUnit, Want},
        tables::{Reading, Source, Tables, Writing},
    },
};

/// Where a tracker is opened.
#[derive(Clone)]
pub(crate) enum Place {
    File(Location),
    Store(Arc<dyn Store>),
}

/// An open file or store.
pub(crate) struct Database(Kind);

enum Kind {
    File(FileDatabase),
    Store(StoreDatabase),
}

/// The result of a write, and the change number that a store has given its commit.
pub(crate) struct WriteOutcome<R> {
    pub result: R,
    pub change: Option<u64>,
}

impl Database {
    pub(crate) fn open(place: Place, options: FileOptions, read_only: bool, patience: Duration) -> Result<Self> {
        Ok(Self(match place {
            Place::File(location) => Kind::File(FileDatabase::open(location, options, read_only, patience)?),
            Place::Store(store) => Kind::Store(StoreDatabase::open(store, read_only)?),
        }))
    }

    /// Opens a file or a store for writing that may have no tracker, or one of another format.
    pub(crate) fn open_any_format(place: Place, options: FileOptions, patience: Duration) -> Result<Self> {
        Ok(Self(match place {
            Place::File(location) => {
                refuse_network_file_system(&location, &options)?;
                Kind::File(FileDatabase::open_any_format(location, options, false, patience)?)
            }
            Place::Store(store) => Kind::Store(StoreDatabase::open_any_format(store, false)?),
        }))
    }

    /// Number of other trackers that have the store open. A file that is opened exclusively has none.
    pub(crate) fn other_trackers(&self) -> Result<u64> {
        match &self.0 {
            Kind::File(_) => Ok(0),
            Kind::Store(store) => store.other_trackers(),
        }
    }

    pub(crate) fn is_read_only(&self) -> bool {
        match &self.0 {
            Kind::File(file) => file.is_read_only(),
            Kind::Store(store) => store.is_read_only(),
        }
    }

    /// How processes share the file. Any number of processes write to a store.
    pub(crate) fn sharing(&self) -> Sharing {
        match &self.0 {
            Kind::File(file) => file.sharing(),
            Kind::Store(_) => Sharing::Writers,
        }
    }

    /// Whether idle commits can make the next open quick.
    pub(crate) fn is_repaired_at_open(&self) -> bool {
        matches!(&self.0, Kind::File(file) if !file.in_memory())
    }

    pub(crate) fn read<R>(&self, work: impl Fn(Reading<'_>) -> Result<R>) -> Result<R> {
        match &self.0 {
            Kind::File(file) => file.read(work),
            Kind::Store(store) => store.read(work),
        }
    }

    /// A number that differs after a commit of any process.
    pub(crate) fn change(&self) -> Result<u64> {
        match &self.0 {
            Kind::File(file) => file.read(|txn| Ok(Tables::new(txn).file_state()?.change)),
            Kind::Store(store) => store.change(),
        }
    }

    /// Runs `work` in a write transaction and commits it if `work` returns true. `quick_repair` makes the next open of a file after a crash fast. A store loads the wanted rows first.
    pub(crate) fn write<R, E: From<Error>>(
        &self,
        quick_repair: bool,
        commit: CommitId,
        wants: &[Want],
        work: impl FnOnce(Writing<'_>) -> Result<(bool, R), E>,
    ) -> Result<WriteOutcome<R>, E> {
        match &self.0 {
            Kind::File(file) => Ok(WriteOutcome { result: file.write(quick_repair, commit, work)?, change: None }),
            Kind::Store(store) => {
                store.write(commit, wants, work).map(|(result, change)| WriteOutcome { result, change })
            }
        }
    }

    /// The store; `None` of a file.
    pub(crate) fn store(&self) -> Result<Option<Arc<dyn Store>>> {
        match &self.0 {
            Kind::File(_) => Ok(None),
            Kind::Store(store) => store.store().map(Some),
        }
    }

    /// [`Self::write`] in a unit of work of the store, which its owner commits after this call.
    pub(super) fn write_in<R, E: From<Error>>(
        &self,
        unit: Box<dyn StoreUnit>,
        commit: CommitId,
        work: impl FnOnce(Writing<'_>) -> Result<(bool, R), E>,
    ) -> Result<R, E> {
        if self.store()?.is_none() {
            return Err(Error::invalid("a unit of work of a store cannot change a tracker in a file").into());
        }
        StoreDatabase::write_in(unit, commit, work).map(|(result, _)| result)
    }

    /// Opens the file again after an error that leaves redb unusable.
    pub(super) fn recover(&self, error: Error) -> Error {
        match &self.0 {
            Kind::File(file) => file.recover(error),
            Kind::Store(_) => error,
        }
    }

    /// Identifies the file; `None` in memory and of a store.
    pub(crate) fn file_id(&self) -> Option<FileId> {
        match &self.0 {
            Kind::File(file) => file.file_id(),
            Kind::Store(_) => None,
        }
    }

    /// Returns an error if the path leads to another file than the one that is open.
    pub(crate) fn check_identity(&self) -> Result<()> {
        match &self.0 {
            Kind::File(file) => file.check_identity(),
            Kind::Store(_) => Ok(()),
        }
    }

    /// Begins a snapshot whose pages can be copied.
    pub(crate) fn snapshot(&self) -> Result<Snapshot> {
        match &self.0 {
            Kind::File(file) => file.snapshot(),
            Kind::Store(store) => Err(store.refuse("a backup")),
        }
    }

    /// Runs a call that needs the database for itself, without readers or writers.
    pub(crate) fn exclusively<R>(&self, work: impl FnOnce(&mut redb::Database) -> Result<R>) -> Result<R> {
        match &self.0 {
            Kind::File(file) => file.exclusively(work),
            Kind::Store(store) => Err(store.refuse("compaction")),
        }
    }

    pub(crate) fn close(&self) -> Result<()> {
        match &self.0 {
            Kind::File(file) => file.close(),
            Kind::Store(store) => store.close(),
        }
    }
}

/// The time of a store; `None` if the clock of this process counts.
pub(super) fn store_time(source: impl Source) -> Option<crate::model::time::Micros> {
    source.working_set().and_then(|set| set.state().now)
}
