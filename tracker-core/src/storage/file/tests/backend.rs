//! Tests of files on a storage backend of the user: created, reopened, locked, and backends that fail.

use std::{
    io,
    ops::Bound,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use redb::{BackendError, StorageBackend, backends::InMemoryBackend};

use super::*;

/// Bytes that outlive their handles, without locks.
#[derive(Clone, Debug, Default)]
pub(super) struct Shared(Arc<InMemoryBackend>);

impl StorageBackend for Shared {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
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
}

fn of(bytes: &Shared) -> Location {
    let bytes = bytes.clone();
    Location::backend(move || Ok(Box::new(bytes.clone())))
}

#[test]
fn a_backend_is_created_reopened_and_inspected() {
    let (bytes, options) = (Shared::default(), shared(Sharing::Exclusive));
    let location = of(&bytes);
    assert_eq!(open_existing(&location, &options).unwrap_err().kind(), ErrorKind::Io);
    assert_eq!(inspect(&location, &options).map(drop).unwrap_err().kind(), ErrorKind::Foreign);

    let opened = open_or_create(&location, &options, &squares).unwrap();
    assert!(opened.created);
    add(&opened.file.db, 500);
    drop(opened);
    assert!(!open_or_create(&location, &options, &squares).unwrap().created);
    assert_eq!(all_squares(&open_existing(&location, &options).unwrap().db).unwrap(), 501);
    assert_eq!(all_squares(&inspect(&location, &options).unwrap()).unwrap(), 501);
}

#[test]
fn a_backend_that_was_never_filled_is_filled_at_the_next_open() {
    let (bytes, options) = (Shared::default(), shared(Sharing::Exclusive));
    open_or_create(&of(&bytes), &options, &|_| Err(Error::invalid("crash"))).unwrap_err();
    let opened = open_or_create(&of(&bytes), &options, &squares).unwrap();
    assert!(opened.created);
    assert_eq!(all_squares(&opened.file.db).unwrap(), 500);
}

#[test]
fn a_backend_without_locks_cannot_be_shared() {
    for sharing in [Sharing::Readers, Sharing::Writers] {
        let error = open_or_create(&of(&Shared::default()), &shared(sharing), &squares).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.to_string().contains("Sharing::Exclusive"), "{error}");
    }
}

#[test]
fn failing_backend_factory_is_reported() {
    let location = Location::backend(|| Err(io::Error::from(io::ErrorKind::StorageFull)));
    for error in [
        open_or_create(&location, &FileOptions::default(), &squares).unwrap_err(),
        open_existing(&location, &FileOptions::default()).unwrap_err(),
        inspect(&location, &FileOptions::default()).map(drop).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::NoSpace);
    }
}

/// A file whose handle passes the locks on: were one method of the wrapper forgotten, sharing would fail.
#[test]
fn locks_reach_the_backend() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bytes");
    let location = Location::backend(move || {
        let file = std::fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
        let backend = redb::backends::FileBackend::new(file).map_err(io::Error::other)?;
        Ok(Box::new(backend))
    });
    for sharing in ALL {
        let first = open_or_create(&location, &shared(sharing), &squares).unwrap();
        match (sharing, open_existing(&location, &shared(sharing))) {
            (Sharing::Writers, Ok(second)) => {
                add(&second.db, 500);
                assert_eq!(all_squares(&first.file.db).unwrap(), 501);
            }
            (Sharing::Writers, Err(error)) => panic!("{error}"),
            (_, second) => assert_eq!(second.unwrap_err().kind(), ErrorKind::Busy),
        }
        assert_eq!(inspect(&location, &shared(sharing)).is_ok(), sharing != Sharing::Exclusive);
    }
}

#[test]
fn the_wrapper_answers_as_the_storage_does() {
    let boxed = super::super::backend::Inspected(Box::new(Shared::default()));
    let range = (Bound::Included(0), Bound::Unbounded);
    assert!(matches!(boxed.try_lock_range(range.0, range.1), Err(BackendError::Unsupported)));
    boxed.set_len(8).unwrap();
    boxed.write(2, &[7]).unwrap();
    let mut out = [0; 3];
    boxed.read(1, &mut out).unwrap();
    assert_eq!((boxed.len().unwrap(), out), (8, [0, 7, 0]));
    boxed.close().unwrap();
}

/// Records the calls that reach it, or fails at all of them.
#[derive(Clone, Debug, Default)]
struct CountingBackend {
    bytes: Shared,
    calls: Arc<Mutex<Vec<&'static str>>>,
    fails: Arc<AtomicBool>,
}

impl CountingBackend {
    fn hear(&self, call: &'static str) -> io::Result<()> {
        self.calls.lock().unwrap().push(call);
        if self.fails.load(SeqCst) { Err(io::Error::other("it fails")) } else { Ok(()) }
    }
}

impl StorageBackend for CountingBackend {
    fn len(&self) -> io::Result<u64> {
        self.hear("len")?;
        self.bytes.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.hear("read")?;
        self.bytes.read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.hear("set_len")?;
        self.bytes.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.hear("sync_data")
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.hear("write")?;
        self.bytes.write(offset, data)
    }
    fn close(&self) -> io::Result<()> {
        self.hear("close")
    }
    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(self.hear("try_lock_range").is_ok())
    }
    fn try_lock_shared_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(self.hear("try_lock_shared_range").is_ok())
    }
    fn lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(self.hear("lock_range")?)
    }
    fn lock_shared_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(self.hear("lock_shared_range")?)
    }
    fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(self.hear("unlock_range")?)
    }
    fn query_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(self.hear("query_lock_range").is_err())
    }
}

#[test]
fn every_call_reaches_the_storage_and_every_failure_comes_back() {
    let storage = CountingBackend::default();
    storage.fails.store(true, SeqCst);
    let boxed = super::super::backend::Inspected(Box::new(storage.clone()));
    let (start, end) = (Bound::Included(0), Bound::Unbounded);
    assert!(boxed.len().is_err() && boxed.read(0, &mut [0]).is_err() && boxed.write(0, &[0]).is_err());
    assert!(boxed.set_len(1).is_err() && boxed.sync_data().is_err() && boxed.close().is_err());
    assert!(!boxed.try_lock_range(start, end).unwrap() && !boxed.try_lock_shared_range(start, end).unwrap());
    assert!(boxed.lock_range(start, end).is_err() && boxed.lock_shared_range(start, end).is_err());
    assert!(boxed.unlock_range(start, end).is_err() && boxed.query_lock_range(start, end).unwrap());
    assert_eq!(storage.calls.lock().unwrap().len(), 12, "{:?}", storage.calls);
}

#[test]
fn failure_to_close_the_storage_is_reported() {
    let storage = CountingBackend::default();
    let given = storage.clone();
    let location = Location::backend(move || Ok(Box::new(given.clone())));
    let opened = open_or_create(&location, &shared(Sharing::Exclusive), &squares).unwrap();
    add(&opened.file.db, 500);
    storage.fails.store(true, SeqCst);
    assert_eq!(close(&location, opened.file.db).unwrap_err().kind(), ErrorKind::Io);
}
