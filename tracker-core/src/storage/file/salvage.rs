//! Presents the two commits of a damaged file to redb as files that were closed, without a write to the file. Called by `maintenance/recover`;
//! reads the file behind a lock, keeps the changed header and the blocks of a redo log in memory, and refuses writes.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    ops::Bound,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use redb::{BackendError, StorageBackend};

use super::{
    Location,
    fault::Fault,
    layout::{HEADER, Layout},
    redo_log::{self, Replay, hide_descriptor},
};
use crate::model::error::Result;

/// A damaged file as storage to read from: as long as its layout states, however long it is, and closed cleanly by what
/// its header says. Missing bytes read as zeros. Nothing is ever written to the file.
#[derive(Debug)]
struct Salvage {
    file: Mutex<File>,
    layout: Layout,
    log: Option<Arc<Replay>>,
}

/// The two commits of a damaged file as files to read from, the more likely one first: the latest commit, and the one before it.
pub(crate) fn readable_commits(path: &Path) -> Result<[Location; 2]> {
    let (layout, log) = parts_of(path).map_err(|error| Fault::from(error).at(path))?;
    let log = log.map(Arc::new);
    let mut earlier = layout.clone();
    earlier.select_earlier_commit();
    Ok([layout, earlier].map(|layout| {
        let (path, log) = (path.to_owned(), log.clone());
        Location::backend(move || {
            let file = Mutex::new(File::open(&path)?);
            Ok(Box::new(Salvage { file, layout: layout.clone(), log: log.clone() }))
        })
    }))
}

/// The header as the redo log leaves it, and the log.
fn parts_of(path: &Path) -> io::Result<(Layout, Option<Replay>)> {
    let file = Mutex::new(File::open(path)?);
    let length = locked(&file).metadata()?.len();
    let read = |offset, out: &mut [u8]| read(&file, offset, out);
    let mut header = [0; HEADER];
    locked(&file).read_exact(&mut header)?;
    let log = match redo_log::find(length, &read)?.filter(|descriptor| descriptor.start <= length) {
        Some(descriptor) => Some(redo_log::replay(descriptor, length, &read)?),
        None => None,
    };
    if let Some(log) = &log {
        log.cover(0, &mut header);
    }
    let mut layout = Layout::parse(&header)?;
    layout.grow(log.as_ref().map_or(length, |log| log.descriptor.start));
    layout.close();
    Ok((layout, log))
}

fn locked(file: &Mutex<File>) -> MutexGuard<'_, File> {
    file.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads from the file. Missing bytes read as zeros.
fn read(file: &Mutex<File>, offset: u64, out: &mut [u8]) -> io::Result<()> {
    out.fill(0);
    let mut file = locked(file);
    file.seek(SeekFrom::Start(offset))?;
    let mut filled = 0;
    while let Some(rest) = out.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl StorageBackend for Salvage {
    fn len(&self) -> io::Result<u64> {
        Ok(self.layout.length())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        read(&self.file, offset, out)?;
        if let Some(log) = &self.log {
            log.cover(offset, out);
            hide_descriptor(offset, out);
        }
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        for (byte, stated) in out.iter_mut().zip(self.layout.bytes().iter().skip(offset)) {
            *byte = *stated;
        }
        Ok(())
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    // The file itself was found to be free before, and is only read.

    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn try_lock_shared_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn lock_shared_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn query_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(false)
    }
}
