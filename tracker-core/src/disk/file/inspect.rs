use std::{
    thread,
    time::{Duration, Instant},
};

use redb::{DatabaseError, ReadOnlyDatabase};

use super::{
    FileOptions, Place,
    fault::Fault,
    guard::guard,
    open::{close, made, missing, open},
    survey::{Survey, survey},
};
use crate::error::{Error, ErrorKind, Result};

/// For how long another process may hold the file that is to be repaired first.
const PATIENCE: Duration = Duration::from_secs(5);

/// Opens the database for reading only.
///
/// redb refuses that after an unclean end. Then the file is opened for writing once, so that redb repairs it, and closed
/// again; no record is touched. `check_on_open` has no meaning here.
pub(crate) fn inspect(place: &Place, options: &FileOptions) -> Result<ReadOnlyDatabase> {
    guard(&format!("opening {} to look at it", place.name().display()), || {
        match place {
            Place::Path(path) => {
                if survey(path)? == Survey::Nothing {
                    return Err(missing(place));
                }
            }
            Place::Memory => {
                return Err(Error::invalid("a tracker in memory cannot be opened a second time to look at it"));
            }
            Place::Backend(_) => {}
        }
        let until = Instant::now() + PATIENCE;
        loop {
            match open_read_only(place, options)? {
                Some(db) => return Ok(db),
                None if Instant::now() >= until => return Err(busy(place)),
                None => repair(place, options)?,
            }
        }
    })
}

/// `None` if it must be repaired first.
fn open_read_only(place: &Place, options: &FileOptions) -> Result<Option<ReadOnlyDatabase>> {
    let builder = options.builder();
    let opened = match place {
        Place::Path(path) => builder.open_read_only(path),
        Place::Memory => return Err(missing(place)),
        Place::Backend(factory) => builder.open_read_only_with_backend(made(place, factory)?),
    };
    match opened {
        Ok(db) => Ok(Some(db)),
        Err(DatabaseError::RepairAborted) => Ok(None),
        Err(error) => Err(Fault::from(error).at(place.name())),
    }
}

/// Has redb repair the file, or lets the process that is at it already go on for a moment.
fn repair(place: &Place, options: &FileOptions) -> Result<()> {
    let path = place.name().display();
    let options = FileOptions { check_on_open: false, ..options.clone() };
    match open(place, &options) {
        Ok(db) => {
            close(place, db)?;
            tracing::info!(%path, "the file had not been closed cleanly: it was opened for writing once to repair it");
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::AlreadyOpen => {
            thread::sleep(Duration::from_millis(20));
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::Io || error.kind() == ErrorKind::NoSpace => {
            let text =
                format!("the file was not closed cleanly; to look at it, it must be opened for writing once: {error}");
            Err(Error::caused(error.kind(), text, error))
        }
        Err(error) => Err(error),
    }
}

fn busy(place: &Place) -> Error {
    Fault::new(
        ErrorKind::Busy,
        "the file was not closed cleanly, and another process holds it, perhaps to repair it; try again in a moment",
    )
    .at(place.name())
}
