//! Copies the pages of a snapshot into a new file, and has redb verify the copy. Called by `maintenance/backup` and, to begin the snapshot, by
//! `engine/database`; reads the open file, or the storage backend that the user's factory returns, and writes only the new file.

use std::{
    fs::{self, File},
    io::{self, Seek, SeekFrom, Write},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use redb::{Database, ReadTransaction, StorageBackend, backends::FileBackend};

use super::{
    FileOptions, Identity, Location, Sharing,
    create::{Draft, publish},
    fault::Fault,
    folder::{self, folder},
    layout::{HEADER, Layout},
    redb_panic::catch_redb_panic,
    redo_log::hide_descriptor,
};
use crate::model::error::{Error, ErrorKind, Result};

/// How long to retry while another process keeps committing.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// How many bytes are copied at a time.
const PIECE: usize = 1 << 20;

/// The pages of one commit, which stay as they are as long as this is held.
pub(crate) struct Snapshot {
    source: Box<dyn StorageBackend>,
    layout: Layout,
    transaction: ReadTransaction,
}

/// Takes a snapshot of the database at a location. `begin` starts the read transaction that keeps its pages.
pub(crate) fn snapshot(
    location: &Location,
    identity: Option<&Identity>,
    begin: impl Fn() -> Result<ReadTransaction>,
) -> Result<Snapshot> {
    let source = source(location, identity)?;
    let header = || header_of(&*source).map_err(|error| Fault::from(error).at(location.name()));
    let until = Instant::now() + BUSY_TIMEOUT;
    loop {
        let before = header()?;
        let transaction = begin()?;
        let layout = header()?;
        // Each commit changes the header. If it is unchanged, the transaction reads the commit in the header.
        if layout == before && !layout.is_unflushed() {
            return Ok(Snapshot { source, layout, transaction });
        }
        drop(transaction);
        if Instant::now() >= until {
            return Err(
                Fault::new(ErrorKind::Busy, "another process commits without a pause; try again").at(location.name())
            );
        }
        thread::yield_now();
    }
}

fn source(location: &Location, identity: Option<&Identity>) -> Result<Box<dyn StorageBackend>> {
    match (location, identity) {
        (Location::Path(path), Some(identity)) => {
            let at_path = |error: io::Error| Fault::from(error).at(path);
            let file = File::open(identity.path()).map_err(at_path)?;
            if !identity.is(&file.metadata().map_err(at_path)?) {
                identity.check()?;
            }
            Ok(Box::new(FileBackend::new(file)?))
        }
        (Location::Backend(factory), _) => {
            Ok(factory().map_err(|error| Fault::from(error).at(location.name()))?.storage)
        }
        _ => Err(Error::invalid("a tracker in memory has no file to copy: export its tasks instead")),
    }
}

fn header_of(source: &dyn StorageBackend) -> io::Result<Layout> {
    let mut header = [0; HEADER];
    source.read(0, &mut header)?;
    Layout::parse(&header)
}

/// Writes a snapshot to a new file. Verifies every page, and calls `adapt` on the copy before it is published under its name.
/// Returns the length of the new file, in bytes.
pub(crate) fn write(snapshot: Snapshot, into: &Path, adapt: impl FnOnce(&Database) -> Result<()>) -> Result<u64> {
    catch_redb_panic(&format!("copying to {}", into.display()), || {
        let at_path = |error: io::Error| Fault::from(error).at(into);
        if fs::symlink_metadata(into).is_ok() {
            return Err(exists(into));
        }
        let mut draft = Draft::begin(into)?;
        copy(snapshot, &mut draft.file).map_err(at_path)?;
        let options = FileOptions { sharing: Sharing::Exclusive, check_on_open: true, ..FileOptions::default() };
        let db = options.builder().open(&draft.path).map_err(|error| Fault::from(error).at(into))?;
        adapt(&db)?;
        db.close().map_err(|error| Fault::from(error).at(into))?;
        draft.file.sync_all().map_err(at_path)?;
        let bytes = draft.file.metadata().map_err(at_path)?.len();
        if !publish(&draft.path, into, |from, to| fs::hard_link(from, to)).map_err(at_path)? {
            return Err(exists(into));
        }
        drop(draft);
        folder::sync(folder(into)).map_err(at_path)?;
        Ok(bytes)
    })
}

fn exists(into: &Path) -> Error {
    Fault::new(ErrorKind::Invalid, "there is a file already; give a new path").at(into)
}

/// Copies the pages, and ends the snapshot.
fn copy(Snapshot { source, mut layout, transaction }: Snapshot, target: &mut File) -> io::Result<()> {
    let length = layout.length();
    let mut piece = vec![0; PIECE];
    let mut at = 0;
    while at < length {
        // If the file has shrunk since, its end held no page of the snapshot.
        let bytes_left = source.len()?.saturating_sub(at).min(length - at);
        let Some(part) =
            piece.get_mut(..usize::try_from(bytes_left).unwrap_or(PIECE).min(PIECE)).filter(|part| !part.is_empty())
        else {
            break;
        };
        source.read(at, part)?;
        hide_descriptor(at, part);
        target.write_all(part)?;
        at += part.len() as u64;
    }
    // Fails if the database was closed meanwhile, since nothing kept the pages then.
    transaction.list_tables().map(drop).map_err(io::Error::other)?;
    drop(transaction);
    source.close()?;
    target.set_len(length)?;
    layout.forget_allocator_state();
    target.seek(SeekFrom::Start(0))?;
    target.write_all(layout.bytes())
}
