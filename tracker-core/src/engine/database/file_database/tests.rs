//! Reads on a disk that fails once.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use redb::{StorageBackend, backends::InMemoryBackend};

use super::*;

/// Bytes that outlive their handles. The next read fails if `fails` is set.
#[derive(Clone, Debug, Default)]
struct Disk {
    bytes: Arc<InMemoryBackend>,
    fails: Arc<AtomicBool>,
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        self.bytes.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if self.fails.swap(false, SeqCst) { Err(io::Error::other("a fault")) } else { self.bytes.read(offset, out) }
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.bytes.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.bytes.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.bytes.write(offset, data)
    }
}

/// A database without a cache, so that each read goes to the disk.
fn database(disk: &Disk) -> FileDatabase {
    let disk = disk.clone();
    let location = Location::backend(move || Ok(Box::new(disk.clone())));
    let options = FileOptions { sharing: Sharing::Exclusive, cache_bytes: 0, ..FileOptions::default() };
    let database = FileDatabase::open(location, options, false, Duration::ZERO).unwrap();
    // Drops the pages that the creation of the file has written.
    database.reopen(&Error::closed()).unwrap();
    database
}

fn state(source: Reading<'_>) -> Result<crate::model::file_state::FileState> {
    Tables::new(source).file_state()
}

/// Meets a fault as another thread that has not opened the file again yet.
fn fail(database: &FileDatabase, disk: &Disk) {
    let (_held, handle) = database.handle().unwrap();
    let Ok(Handle::Write(file)) = &*handle else { panic!("it is open for writing") };
    let txn = file.db.begin_read().unwrap();
    disk.fails.store(true, SeqCst);
    let fault = state(Reading::File(&txn)).err().unwrap();
    assert!(fault.to_string().contains("a fault") && !fault.is_of_an_earlier_failure(), "{fault}");
}

#[test]
fn read_after_a_fault_of_another_thread_is_tried_again() {
    let disk = Disk::default();
    let database = database(&disk);
    for _ in 0..2 {
        fail(&database, &disk);
        let stopped = database.read_once(state).err().unwrap();
        assert!(stopped.is_of_an_earlier_failure(), "{stopped}");
        assert!(database.read_once(state).is_ok(), "the stopped read has opened the file again");
        fail(&database, &disk);
        assert!(database.read(state).is_ok());
    }
    disk.fails.store(true, SeqCst);
    let fault = database.read(state).err().unwrap();
    assert!(fault.to_string().contains("a fault"), "the read that meets the fault reports it: {fault}");
    assert!(database.read(state).is_ok());
}

#[test]
fn closed_file_is_not_opened_again_after_an_error() {
    let disk = Disk::default();
    let database = database(&disk);
    // Another thread has met an error, and opens the file again after this call.
    database.close().unwrap();
    let error = database.recover(Error::new(ErrorKind::Io, "a fault"));
    assert_eq!(error.kind(), ErrorKind::Io);
    assert_eq!(database.read(state).unwrap_err().kind(), ErrorKind::Closed);
}
