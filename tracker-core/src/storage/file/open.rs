//! Opens and closes the database file, and has `create` make a new one. Called by `engine/database` and `inspect`; takes the lock of the file,
//! and may write to it (redb repairs it at open and closes it cleanly). Runs the user's backend factory, and in a repair or a check the user's
//! callback for its progress.

use redb::{Database, ReadableDatabase, StorageBackend, backends::InMemoryBackend};

use super::{
    Factory, FileOptions, Location, Sharing,
    backend::Boxed,
    create::create,
    fault::Fault,
    folder::{self, folder},
    leftover::sweep,
    redb_panic::catch_redb_panic,
    survey::{Survey, survey},
};
use crate::model::{
    error::{Error, ErrorKind, Result},
    panics,
};

/// An open database.
#[derive(Debug)]
pub(crate) struct OpenedFile {
    pub db: Database,
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
            let db = open(location, options)?;
            if !created && let Err(error) = folder::sync(folder(path)) {
                // Its creator may have crashed before the name was durable.
                panics::log_catching_panics(
                    || tracing::warn!(path = %path.display(), %error, "the folder could not be flushed"),
                );
            }
            Ok(OpenedFile { db, created })
        }
        Location::Memory => {
            let options = FileOptions { sharing: Sharing::Exclusive, ..options.clone() };
            let db = options.builder().create_with_backend(InMemoryBackend::new())?;
            init(&db)?;
            Ok(OpenedFile { db, created: true })
        }
        Location::Backend(_) => {
            let db = open(location, options)?;
            // A backend has no temporary name, so a creator that crashed before `init` left no table.
            let created = has_no_tables(&db)?;
            if created {
                init(&db)?;
            }
            Ok(OpenedFile { db, created })
        }
    })
}

/// Opens the database for writing and never creates one. The handle that was there before must be gone, with all of
/// its write transactions.
pub(crate) fn open_existing(location: &Location, options: &FileOptions) -> Result<Database> {
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

fn open(location: &Location, options: &FileOptions) -> Result<Database> {
    open_there(location, options).map_err(|fault| fault.at(location.name()))
}

/// Opens what is there. An empty backend becomes a database; an empty file does not.
pub(crate) fn open_there(location: &Location, options: &FileOptions) -> Result<Database, Fault> {
    let builder = options.builder();
    Ok(match location {
        Location::Path(path) => builder.open(path),
        Location::Memory => builder.create_with_backend(InMemoryBackend::new()),
        Location::Backend(factory) => builder.create_with_backend(Boxed(factory()?)),
    }?)
}

/// `None` if the storage is empty.
fn reopen_backend(factory: &Factory, options: &FileOptions) -> Result<Option<Database>, Fault> {
    let backend = Boxed(factory()?);
    if backend.len()? == 0 {
        return Ok(None);
    }
    Ok(Some(options.builder().create_with_backend(backend)?))
}

/// Whether a file has no table, so that it is a new one.
fn has_no_tables(db: &Database) -> Result<bool> {
    let snapshot = db.begin_read()?;
    Ok(snapshot.list_tables()?.next().is_none() && snapshot.list_multimap_tables()?.next().is_none())
}
