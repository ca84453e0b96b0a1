//! Opens the damaged file: through redb, or else without redb's checks at the one of its two commits with more readable tasks. Called by
//! `recover/mod.rs`. Reads that file; redb repairs it first if it was not closed cleanly, which changes it.

use std::{path::Path, time::Duration};

use super::count_tasks;
use crate::{
    engine::FileDatabase,
    model::{
        error::{Error, ErrorKind, Result},
        panics,
    },
    storage::{
        file::{FileOptions, Location, Sharing, readable_commits},
        tables::Tables,
    },
};

/// How long another process may hold the file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Opens a damaged file to read from it. Where redb refuses the file (its length does not fit, or not all of its latest
/// commit is there), the rows that are there are read without redb's checks, since each row has a checksum of its own. The flag is
/// true if the data come from the commit before the latest one.
pub(super) fn open(path: &Path) -> Result<(FileDatabase, bool)> {
    let refused = match open_at(Location::Path(path.to_owned()), Sharing::Exclusive) {
        Ok(source) => return Ok((source, false)),
        Err(error) if is_damage(&error) => error,
        Err(error) => return Err(error),
    };
    // Pages of the latest commit may be missing, so the commit with more readable tasks is taken. It is opened as by a reader
    // beside a writer, because redb then does not read the state of its allocator.
    let mut best: Option<(usize, FileDatabase, bool)> = None;
    for (location, earlier) in readable_commits(path)?.into_iter().zip([false, true]) {
        let Ok(source) = open_any_format(location, Sharing::Readers) else { continue };
        if source.is_of_another_format() {
            source.check_format()?;
        }
        if check(&source).is_err() {
            continue;
        }
        let tasks = source.read(count_tasks).unwrap_or_default();
        if best.as_ref().is_none_or(|(most, ..)| tasks > *most) {
            best = Some((tasks, source, earlier));
        }
    }
    if let Some((_, source, earlier)) = best {
        panics::log_catching_panics(|| {
            tracing::warn!(path = %path.display(), error = %refused, "redb refuses the file: reading it without redb's checks");
        });
        return Ok((source, earlier));
    }
    let text = refused.to_string();
    let reason = text.split("; copy what is readable").next().unwrap_or(&text);
    Err(Error::new(refused.kind(), format!("{reason}; no commit in it can be read: restore a backup")))
}

fn open_at(location: Location, sharing: Sharing) -> Result<FileDatabase> {
    let source = open_any_format(location, sharing)?;
    check(&source)?;
    Ok(source)
}

fn open_any_format(location: Location, sharing: Sharing) -> Result<FileDatabase> {
    let options = FileOptions { sharing, ..FileOptions::default() };
    FileDatabase::open_any_format(location, options, true, BUSY_TIMEOUT)
}

/// Refuses a file of another format, and one whose kinds cannot be read.
fn check(source: &FileDatabase) -> Result<()> {
    source.check_format()?;
    source.read(|txn| Tables::new(txn).all_kinds().map(drop))
}

fn is_damage(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Corrupted | ErrorKind::ReadOnly) || error.is_of_the_disk()
}
