//! Opens the file for reading only. If redb must repair it first, `inspect` opens it for writing, which changes pages but no record, and
//! `inspect_again` refuses it. Called by `engine/database`; runs the user's backend factory, and in a repair the user's callback for its progress.

use std::{
    fs::File,
    thread,
    time::{Duration, Instant},
};

use redb::{
    DatabaseError, ReadOnlyDatabase,
    backends::{FileBackend, InMemoryBackend},
};

use super::{
    FileOptions, Location,
    backend::Inspected,
    fault::Fault,
    open::{WritableFile, close, missing, open_there},
    redb_panic::catch_redb_panic,
    survey::{Survey, survey},
};
use crate::model::{
    error::{Error, ErrorKind, Result},
    panics,
};

/// For how long another process may hold the file that is to be repaired first.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens the database for reading only.
///
/// redb refuses that after an unclean end. Then the file is opened for writing once, so that redb repairs it, and closed
/// again; no record is touched. `check_on_open` has no meaning here.
pub(crate) fn inspect(location: &Location, options: &FileOptions) -> Result<ReadOnlyDatabase> {
    catch_redb_panic(&format!("opening {} to look at it", location.name().display()), || {
        match location {
            Location::Path(path) => {
                if survey(path)? == Survey::Nothing {
                    return Err(missing(location));
                }
            }
            Location::Memory => {
                return Err(Error::invalid("a tracker in memory cannot be opened a second time to look at it"));
            }
            Location::Backend(_) => {}
        }
        let until = Instant::now() + BUSY_TIMEOUT;
        loop {
            match open_read_only(location, options).map_err(|fault| fault.at(location.name()))? {
                Some(db) => return Ok(db),
                None if Instant::now() >= until => return Err(busy(location)),
                None => repair(location, options)?,
            }
        }
    })
}

/// [`inspect`] while this process has the file open for reading, and without a repair, which would wait for itself.
pub(crate) fn inspect_again(location: &Location, options: &FileOptions) -> Result<ReadOnlyDatabase> {
    catch_redb_panic(&format!("opening {} to look at it", location.name().display()), || {
        open_read_only(location, options).map_err(|fault| fault.at(location.name()))?.ok_or_else(|| busy(location))
    })
}

/// `None` if it must be repaired first.
fn open_read_only(location: &Location, options: &FileOptions) -> Result<Option<ReadOnlyDatabase>, Fault> {
    let builder = options.builder();
    let opened = match location {
        Location::Path(path) => {
            builder.open_read_only_with_backend(Inspected(Box::new(FileBackend::new(File::open(path)?)?)))
        }
        Location::Memory => builder.open_read_only_with_backend(InMemoryBackend::new()),
        Location::Backend(factory) => builder.open_read_only_with_backend(Inspected(factory()?.storage)),
    };
    match opened {
        Ok(db) => Ok(Some(db)),
        Err(DatabaseError::RepairAborted) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Has redb repair the file, or lets the process that is at it already continue for a moment.
fn repair(location: &Location, options: &FileOptions) -> Result<()> {
    let options = FileOptions { check_on_open: false, ..options.clone() };
    match open_there(location, &options) {
        Ok(WritableFile { db, .. }) => {
            close(location, db)?;
            panics::log_catching_panics(|| {
                tracing::info!(
                    path = %location.name().display(),
                    "the file had not been closed cleanly: it was opened for writing once to repair it"
                );
            });
            Ok(())
        }
        Err(fault) if fault.kind == ErrorKind::Busy => {
            thread::sleep(Duration::from_millis(20));
            Ok(())
        }
        Err(fault) => Err(fault.in_repair().at(location.name())),
    }
}

fn busy(location: &Location) -> Error {
    Fault::new(
        ErrorKind::Busy,
        "the file was not closed cleanly, and another process holds it, perhaps to repair it; try again in a moment",
    )
    .at(location.name())
}
