//! `Inspected` wraps a storage backend for opens that only read. Used by `inspect`; passes each call on to the backend, which is a file, the
//! user's, or that of `salvage`.

use std::{io, ops::Bound};

use redb::{BackendError, StorageBackend};

use super::{layout, redo_log};

/// A storage that is only read. While the file has a redo log, its header says that it was not closed cleanly, so that redb reads it only
/// beside a live writer: without one, the log must be applied first.
///
/// Passes on every other method: a lock method that is missing here would silently use redb's default, which does not lock.
#[derive(Debug)]
pub(crate) struct Inspected(pub Box<dyn StorageBackend>);

impl StorageBackend for Inspected {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)?;
        if offset == 0 && redo_log::find(self.0.len()?, &|at, out| self.0.read(at, out))?.is_some() {
            layout::mark_unclean(out);
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.0.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.query_lock_range(start, end)
    }
}
