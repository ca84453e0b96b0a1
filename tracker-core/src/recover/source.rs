//! The damaged file, opened in whatever way it can be read.

use std::{path::Path, time::Duration};

use crate::{
    disk::file::{FileOptions, Place, Sharing, readings},
    engine::Database,
    error::{Error, ErrorKind, Result},
    store::Handles,
};

/// How long another process may hold the file.
const PATIENCE: Duration = Duration::from_secs(10);

/// Opens a damaged file to read from it. Where redb refuses the file (its length does not fit, or not all of its latest
/// commit is there), the rows that are there are read without redb's checks: each row has a checksum of its own.
pub(super) fn open(path: &Path) -> Result<Database> {
    let refused = match open_at(Place::Path(path.to_owned()), Sharing::Exclusive) {
        Ok(source) => return Ok(source),
        Err(error) if is_damage(&error) => error,
        Err(error) => return Err(error),
    };
    for place in readings(path)? {
        // As one that reads beside a writer: redb then does not ask for the state of its allocator.
        if let Ok(source) = open_at(place, Sharing::Readers) {
            tracing::warn!(path = %path.display(), error = %refused, "redb refuses the file: reading it without redb's checks");
            return Ok(source);
        }
    }
    let text = refused.to_string();
    let reason = text.split("; copy what is readable").next().unwrap_or(&text);
    Err(Error::new(refused.kind(), format!("{reason}; no commit in it can be read: restore a backup")))
}

fn open_at(place: Place, sharing: Sharing) -> Result<Database> {
    let options = FileOptions { sharing, ..FileOptions::default() };
    let source = Database::open(place, options, true, PATIENCE)?;
    source.read(|txn| Handles::new(txn).all_kinds().map(drop))?;
    Ok(source)
}

fn is_damage(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Corrupted | ErrorKind::ReadOnly) || error.is_of_the_disk()
}
