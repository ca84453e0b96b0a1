//! `FileDatabase` runs transactions on the open redb file. After an error it opens the file again, and reads there whether a failed commit is
//! stored. Also refuses a file of another format, one that was replaced, and calls from a callback that runs while it is in use. Called by
//! `Database`, and by `maintenance/recover`, `maintenance/time_repair` and `engine/repair_time` for a file without an engine; reads and writes the
//! file.

#[cfg(test)]
mod tests;

use std::{
    cell::RefCell,
    mem,
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    thread,
    time::{Duration, Instant},
};

use redb::{ReadableDatabase, TransactionError, WriteTransaction};
use uuid::Uuid;

use crate::{
    model::{
        error::{Error, ErrorKind, Result},
        panics,
    },
    storage::{
        file::{
            self, FileId, FileOptions, Identity, Location, OpenedFile, Sharing, Snapshot, WritableFile,
            catch_redb_panic,
        },
        format::FormatProblem,
        tables::{Reading, Tables, Writing},
    },
};

/// The open file. After an error that leaves redb unusable it is opened again, and the outcome of a failed commit is read from
/// the file.
pub(crate) struct FileDatabase {
    location: Location,
    options: FileOptions,
    patience: Duration,
    read_only: bool,
    handle: RwLock<Result<Handle, Closed>>,
    identity: Option<Identity>,
}

enum Handle {
    Write(WritableFile),
    Read(redb::ReadOnlyDatabase),
}

/// Why the file is not open.
enum Closed {
    ByCall,
    /// An error left redb unusable, and the file could not be opened again. With the message for further calls.
    ByError(String),
}

impl Closed {
    fn error(&self) -> Error {
        match self {
            Self::ByCall => Error::closed(),
            Self::ByError(message) => Error::new(ErrorKind::Closed, message.clone()),
        }
    }
}

/// Identifies a commit: the instance that makes it, and its number.
pub(crate) type CommitId = (Uuid, u64);

impl FileDatabase {
    pub(crate) fn open(location: Location, options: FileOptions, read_only: bool, patience: Duration) -> Result<Self> {
        file::refuse_network_file_system(&location, &options)?;
        let database = Self::open_any_format(location, options, read_only, patience)?;
        database.check_format()?;
        Ok(database)
    }

    /// Opens a file that may be of another program or of another format.
    pub(crate) fn open_any_format(
        location: Location,
        options: FileOptions,
        read_only: bool,
        patience: Duration,
    ) -> Result<Self> {
        let handle = if read_only {
            Handle::Read(file::inspect(&location, &options)?)
        } else {
            let OpenedFile { file, created } = file::open_or_create(&location, &options, &|db| {
                let txn = db.begin_write()?;
                crate::storage::tables::init(&txn)?;
                Ok(txn.commit()?)
            })?;
            panics::log_catching_panics(|| tracing::debug!(created, "opened the file"));
            Handle::Write(file)
        };
        let identity = Identity::of(&location)?;
        Ok(Self { location, options, patience, read_only, handle: RwLock::new(Ok(handle)), identity })
    }

    /// Whether an older or newer version of the tracker wrote the file.
    pub(crate) fn is_of_another_format(&self) -> bool {
        let problem = self.read(|txn| Tables::new(txn).format_problem());
        matches!(problem, Ok(Some(FormatProblem::Older { .. } | FormatProblem::Newer { .. })))
    }

    /// Refuses a file of another program or of another format.
    pub(crate) fn check_format(&self) -> Result<()> {
        match self.read(|txn| Tables::new(txn).format_problem())? {
            None => Ok(()),
            Some(problem) if self.read_only && problem.allows_reading() => Ok(()),
            Some(problem) => Err(problem.error(self.location.name().display())),
        }
    }

    pub(crate) fn is_read_only(&self) -> bool {
        self.read_only
    }

    pub(crate) fn sharing(&self) -> Sharing {
        self.options.sharing
    }

    pub(crate) fn in_memory(&self) -> bool {
        matches!(self.location, Location::Memory)
    }

    fn handle(&self) -> Result<(Held, RwLockReadGuard<'_, Result<Handle, Closed>>)> {
        let held = Held::new(self)?;
        Ok((held, self.handle.read().unwrap_or_else(PoisonError::into_inner)))
    }

    fn handle_alone(&self) -> Result<(Held, RwLockWriteGuard<'_, Result<Handle, Closed>>)> {
        let held = Held::new(self)?;
        Ok((held, self.handle.write().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Reads from a snapshot. After an error that stops redb for all threads, the thread that met it opens the file again; a read of
    /// another thread that was stopped meanwhile is tried once more.
    pub(crate) fn read<R>(&self, work: impl Fn(Reading<'_>) -> Result<R>) -> Result<R> {
        match self.read_once(&work) {
            Err(error) if error.is_of_an_earlier_failure() => self.read_once(&work),
            read => read,
        }
    }

    /// Reads from a snapshot, and never a second time.
    pub(crate) fn read_once<R>(&self, work: impl FnOnce(Reading<'_>) -> Result<R>) -> Result<R> {
        let (held, handle) = self.handle()?;
        let read = catch_redb_panic("reading", || {
            let txn = match &*handle {
                Ok(Handle::Write(file)) => file.db.begin_read()?,
                Ok(Handle::Read(db)) => db.begin_read()?,
                Err(closed) => return Err(closed.error()),
            };
            work(Reading::File(&txn))
        });
        drop((handle, held));
        // After a failure of the disk, or a page beyond the end of the file, redb refuses every call until it is reopened. Other
        // damage does not need that.
        read.map_err(|error| if error.is_of_the_disk() { self.recover(error) } else { error })
    }

    /// Runs `work` in a write transaction and commits it if `work` returns true. `quick_repair` makes the next open of a file after a crash fast.
    pub(crate) fn write<R, E: From<Error>>(
        &self,
        quick_repair: bool,
        commit: CommitId,
        work: impl FnOnce(Writing<'_>) -> Result<(bool, R), E>,
    ) -> Result<R, E> {
        let (held, handle) = self.handle()?;
        let file = match &*handle {
            Ok(Handle::Write(file)) => file,
            Ok(Handle::Read(_)) => return Err(Error::read_only().into()),
            Err(closed) => return Err(closed.error().into()),
        };
        if let Some(identity) = &self.identity {
            identity.check_now_and_then()?;
        }
        let mut txn = match catch_redb_panic("beginning a transaction", || self.begin(&file.db)) {
            Ok(txn) => txn,
            Err(error) => {
                drop((handle, held));
                return Err(self.recover(error).into());
            }
        };
        txn.set_quick_repair(quick_repair);
        match work(Writing::File(&txn)) {
            Ok((true, result)) => match file.commit(txn) {
                Ok(()) => Ok(result),
                Err(error) => {
                    drop((handle, held));
                    self.resolve(commit, error)?;
                    Ok(result)
                }
            },
            Ok((false, result)) => {
                catch_redb_panic("ending a transaction", || Ok(txn.abort()?))?;
                Ok(result)
            }
            Err(error) => {
                let aborted = catch_redb_panic("ending a transaction", || Ok(txn.abort()?));
                drop((handle, held));
                if let Err(fault) = aborted {
                    drop(self.recover(fault));
                }
                Err(error)
            }
        }
    }

    /// Begins a write transaction. Waits at most `patience` for that of another process.
    fn begin(&self, db: &redb::Database) -> Result<WriteTransaction> {
        let mut until = None;
        loop {
            match db.try_begin_write() {
                Ok(txn) => return Ok(txn),
                Err(TransactionError::WouldBlock) => {
                    let until = *until.get_or_insert_with(|| Instant::now() + self.patience);
                    if Instant::now() >= until {
                        return Err(Error::new(
                            ErrorKind::Busy,
                            format!("another process has been writing to the file for {:?}; try again", self.patience),
                        ));
                    }
                    thread::sleep(Duration::from_micros(200));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// A commit failed and may be on disk: reads the outcome from the file.
    fn resolve(&self, commit: CommitId, error: Error) -> Result<()> {
        let error = error.about_file(self.location.name());
        panics::log_catching_panics(
            || tracing::error!(%error, "a commit failed: reopening the file to read its outcome"),
        );
        self.reopen(&error).map_err(|_| Error::outcome_unknown(&error.to_string()))?;
        let file_state = self.read(|txn| Tables::new(txn).file_state())?;
        if (file_state.instance, file_state.batch) == commit {
            return Ok(());
        }
        let alone = self.options.sharing != Sharing::Writers || file_state.instance == commit.0;
        Err(if alone { error } else { Error::outcome_unknown(&error.to_string()) })
    }

    /// Opens the file again after an error that leaves redb unusable.
    pub(crate) fn recover(&self, error: Error) -> Error {
        if matches!(error.kind(), ErrorKind::Io | ErrorKind::NoSpace | ErrorKind::Corrupted) && !self.in_memory() {
            match self.reopen(&error) {
                Ok(()) => {
                    panics::log_catching_panics(|| tracing::warn!(%error, "the file was reopened after an error"));
                }
                Err(again) => {
                    panics::log_catching_panics(
                        || tracing::error!(%again, "the file could not be reopened after an error"),
                    );
                }
            }
        }
        error.about_file(self.location.name())
    }

    fn reopen(&self, cause: &Error) -> Result<()> {
        // A file that replaced it must not be opened instead.
        self.check_identity()?;
        let (_held, mut handle) = self.handle_alone()?;
        // A call has closed it while this thread met the error.
        if matches!(*handle, Err(Closed::ByCall)) {
            return Err(Error::closed());
        }
        if self.read_only {
            // If that fails, the next read tries again.
            *handle = Ok(Handle::Read(file::inspect_again(&self.location, &self.options)?));
            return Ok(());
        }
        if let Ok(Handle::Write(opened)) = mem::replace(&mut *handle, Err(Closed::ByCall))
            && let Err(error) = file::close(&self.location, opened.db)
        {
            panics::log_catching_panics(|| tracing::debug!(%error, "closing before reopening"));
        }
        let opened = file::open_existing(&self.location, &self.options);
        if let Err(error) = &opened {
            let name = self.location.name().display();
            *handle = Err(Closed::ByError(format!(
                "{name}: closed after an error ({cause}), and it could not be opened again ({error}): open the tracker again"
            )));
        }
        *handle = Ok(Handle::Write(opened?));
        Ok(())
    }

    /// Identifies the file; `None` in memory.
    pub(crate) fn file_id(&self) -> Option<FileId> {
        self.identity.as_ref().map(Identity::file)
    }

    /// Returns an error if the path leads to another file than the one that is open.
    pub(crate) fn check_identity(&self) -> Result<()> {
        self.identity.as_ref().map_or(Ok(()), Identity::check)
    }

    /// Begins a snapshot whose pages can be copied.
    pub(crate) fn snapshot(&self) -> Result<Snapshot> {
        // Alone, so that no commit of this process separates the header from the state of redb.
        let (_held, handle) = self.handle_alone()?;
        let begin = || match &*handle {
            Ok(Handle::Write(file)) => Ok(file.db.begin_read()?),
            Ok(Handle::Read(db)) => Ok(db.begin_read()?),
            Err(closed) => Err(closed.error()),
        };
        file::snapshot(&self.location, self.identity.as_ref(), || catch_redb_panic("beginning a snapshot", begin))
    }

    /// Runs a call that needs the database for itself, without readers or writers.
    pub(crate) fn exclusively<R>(&self, work: impl FnOnce(&mut redb::Database) -> Result<R>) -> Result<R> {
        let (held, mut handle) = self.handle_alone()?;
        let done = match &mut *handle {
            Ok(Handle::Write(file)) => catch_redb_panic("maintaining the file", || work(&mut file.db)),
            Ok(Handle::Read(_)) => Err(Error::read_only()),
            Err(closed) => Err(closed.error()),
        };
        drop((handle, held));
        done.map_err(|error| self.recover(error))
    }

    pub(crate) fn close(&self) -> Result<()> {
        let (held, mut handle) = self.handle_alone()?;
        let closed = mem::replace(&mut *handle, Err(Closed::ByCall));
        drop((handle, held));
        match closed {
            Ok(Handle::Write(opened)) => {
                file::close(&self.location, opened.db)?;
                self.check_identity()
            }
            Ok(Handle::Read(db)) => catch_redb_panic("closing", || Ok(db.close()?)),
            Err(_) => Ok(()),
        }
    }
}

thread_local! {
    /// The databases whose handle this thread holds, by address.
    static HELD: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// Marks this thread as a holder of the handle. A callback that runs meanwhile (a log subscriber, `on_repair`) and calls the
/// tracker is refused, because it would wait for its own thread.
struct Held;

impl Held {
    fn new(database: &FileDatabase) -> Result<Self> {
        let address = std::ptr::from_ref(database).addr();
        HELD.with_borrow_mut(|held| {
            if held.contains(&address) {
                return Err(Error::inside_commit());
            }
            held.push(address);
            Ok(Self)
        })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        HELD.with_borrow_mut(Vec::pop);
    }
}
