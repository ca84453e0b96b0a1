//! Opens and closes the database file, and has `create` make a new one. Called by `engine/database` and `inspect`; takes the lock of the file,
//! and may write to it (redb repairs it at open and closes it cleanly, and a redo log is applied). Commits through `WritableFile`. Runs the user's
//! backend factory, and in a repair or a check the user's callback for its progress.

use std::{fs::File, io, path::Path};

use redb::{
    Database, ReadableDatabase, WriteTransaction,
    backends::{FileBackend, InMemoryBackend},
};

use super::{
    Backend, Factory, FileId, FileOptions, Location, Sharing,
    create::create,
    fault::Fault,
    folder::{self, folder},
    leftover::sweep,
    redb_panic::catch_redb_panic,
    redo_log::{LogWriter, LoggedDisk, Logging},
    survey::{Survey, survey},
};
use crate::model::{
    error::{Error, ErrorKind, Result},
    panics,
};

/// A database that is open for writing.
#[derive(Debug)]
pub(crate) struct WritableFile {
    pub db: Database,
    /// Has to know where commits begin and end. `None` in memory.
    pub logging: Option<Logging>,
    /// Whether each commit has two phases.
    pub in_two_phases: bool,
}

impl WritableFile {
    /// Commits a transaction, and returns once the commit would survive a power loss.
    ///
    /// After an error whether it is stored is not known, and the file must be opened again.
    pub fn commit(&self, transaction: WriteTransaction) -> Result<()> {
        let Some(logging) = &self.logging else {
            return catch_redb_panic("committing", || Ok(transaction.commit()?));
        };
        if self.in_two_phases {
            logging.begin_two_phase_commit();
        }
        match catch_redb_panic("committing", || Ok(transaction.commit()?)) {
            Ok(()) => logging.end_commit().map_err(|error| Fault::from(error).into()),
            Err(error) => {
                logging.abandon_commit();
                Err(error)
            }
        }
    }
}

/// An open database.
#[derive(Debug)]
pub(crate) struct OpenedFile {
    pub file: WritableFile,
    /// Whether it is new, and was filled by this call.
    pub created: bool,
}

/// Opens the database, and creates it if there is none. `init` writes the first content, into a file under a temporary
/// name. If two processes create it at once, `init` runs in both and one of the results stays.
pub(crate) fn open_or_create(
    location: &Location,
    options: &FileOptions,
    init: &dyn Fn(&Database) -> Result<()>,
) -> Result<OpenedFile> {
    catch_redb_panic(&format!("opening {}", location.name().display()), || match location {
        Location::Path(path) => {
            let created = survey(path)? == Survey::Nothing && create(path, options, init)?;
            sweep(path);
            let file = open(location, options)?;
            if !created && let Err(error) = folder::sync(folder(path)) {
                // Its creator may have crashed before the name was durable.
                panics::log_catching_panics(
                    || tracing::warn!(path = %path.display(), %error, "the folder could not be flushed"),
                );
            }
            Ok(OpenedFile { file, created })
        }
        Location::Memory => {
            let options = FileOptions { sharing: Sharing::Exclusive, ..options.clone() };
            let db = options.builder().create_with_backend(InMemoryBackend::new())?;
            init(&db)?;
            Ok(OpenedFile { file: WritableFile { db, logging: None, in_two_phases: false }, created: true })
        }
        Location::Backend(_) => {
            let file = open(location, options)?;
            // A backend has no temporary name, so a creator that crashed before `init` left no table.
            let created = has_no_tables(&file.db)?;
            if created {
                init(&file.db)?;
            }
            Ok(OpenedFile { file, created })
        }
    })
}

/// Opens the database for writing and never creates one. The handle that was there before must be gone, with all of
/// its write transactions.
pub(crate) fn open_existing(location: &Location, options: &FileOptions) -> Result<WritableFile> {
    catch_redb_panic(&format!("opening {}", location.name().display()), || match location {
        Location::Path(path) => {
            if survey(path)? == Survey::Nothing {
                return Err(missing(location));
            }
            open(location, options)
        }
        Location::Memory => {
            Err(Error::new(ErrorKind::Closed, "a tracker in memory is gone once it is closed; create another one"))
        }
        Location::Backend(factory) => reopen_backend(factory, options)
            .map_err(|fault| fault.at(location.name()))?
            .ok_or_else(|| missing(location)),
    })
}

/// Closes the database. Returns whether that succeeded. After a panic inside redb, a drop of the handle panics again, on a
/// poisoned lock. Here that panic is caught; during an unwinding it would abort the process.
pub(crate) fn close(location: &Location, db: Database) -> Result<()> {
    catch_redb_panic(&format!("closing {}", location.name().display()), || {
        db.close().map_err(|error| Fault::from(error).at(location.name()))
    })
}

pub(crate) fn missing(location: &Location) -> Error {
    Fault::new(ErrorKind::Io, "there is no file here; check the path, or open a tracker there to create it")
        .at(location.name())
}

fn open(location: &Location, options: &FileOptions) -> Result<WritableFile> {
    open_there(location, options).map_err(|fault| fault.at(location.name()))
}

/// Opens what is there. An empty backend becomes a database; an empty file does not.
pub(crate) fn open_there(location: &Location, options: &FileOptions) -> Result<WritableFile, Fault> {
    match location {
        Location::Path(path) => open_backend(file_backend(path, options)?, options),
        Location::Memory => {
            let db = options.builder().create_with_backend(InMemoryBackend::new())?;
            Ok(WritableFile { db, logging: None, in_two_phases: false })
        }
        Location::Backend(factory) => open_backend(factory()?, options),
    }
}

/// `None` if the storage is empty.
fn reopen_backend(factory: &Factory, options: &FileOptions) -> Result<Option<WritableFile>, Fault> {
    let backend = factory()?;
    if backend.storage.len()? == 0 {
        return Ok(None);
    }
    open_backend(backend, options).map(Some)
}

/// Opens a storage for writing. Where several processes write, no log is begun, since each would need to know the end of the other's.
fn open_backend(backend: Backend, options: &FileOptions) -> Result<WritableFile, Fault> {
    let log = backend.log.filter(|_| options.sharing != Sharing::Writers);
    let disk = LoggedDisk::new(backend.storage, log);
    let logging = disk.logging();
    let db = options.builder().create_with_backend(disk)?;
    let applied = logging.applied();
    if applied > 0 {
        panics::log_catching_panics(|| {
            tracing::info!(blocks = applied, "applied the redo log of a process that did not close the file");
        });
    }
    Ok(WritableFile { db, logging: Some(logging), in_two_phases: options.sharing == Sharing::Readers })
}

/// The length of the redo log of a file, in bytes: a hundred commits of one row or so, after which the file itself is flushed.
///
/// It is no multiple of a page. So a program that does not know the log, such as an older version of the tracker, gets an error from redb, which
/// checks the length of the file before it writes to it.
const LOG_LENGTH: u64 = (4 << 20) + 512;

fn file_backend(path: &Path, options: &FileOptions) -> Result<Backend, Fault> {
    let file = File::options().read(true).write(true).open(path)?;
    if file.metadata()?.len() == 0 {
        return Err(Fault::empty());
    }
    let log = if options.redo_log { through(path, &file)? } else { None };
    Ok(Backend { storage: Box::new(FileBackend::new(file)?), log })
}

/// Opens the same file a second time, for writes that return once they are on the disk. `None` where the system has no such writes, or the path
/// leads to another file by now.
#[cfg(target_os = "linux")]
fn through(path: &Path, file: &File) -> io::Result<Option<LogWriter>> {
    use std::os::unix::fs::{FileExt, OpenOptionsExt};

    let through = File::options().write(true).custom_flags(nix::fcntl::OFlag::O_DSYNC.bits()).open(path)?;
    if FileId::of(&through.metadata()?) != FileId::of(&file.metadata()?) {
        return Ok(None);
    }
    let write_through = Box::new(move |offset, data: &[u8]| through.write_all_at(data, offset));
    Ok(Some(LogWriter { write_through, length: LOG_LENGTH }))
}

#[cfg(not(target_os = "linux"))]
fn through(_: &Path, _: &File) -> io::Result<Option<LogWriter>> {
    Ok(None)
}

/// Whether a file has no table, so that it is a new one.
fn has_no_tables(db: &Database) -> Result<bool> {
    let snapshot = db.begin_read()?;
    Ok(snapshot.list_tables()?.next().is_none() && snapshot.list_multimap_tables()?.next().is_none())
}
