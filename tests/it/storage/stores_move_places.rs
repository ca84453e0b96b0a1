//! Places of a move that are missing, in use or moved already: what is refused, and that nothing is created then.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering},
};

use tracker_core::{
    ErrorKind,
    maintenance::MovePlace,
    store::{MemoryStore, OptionsExt as _, store_error},
    time::ManualClock,
};

use super::stores_move::{at, moved, on, open_disk};
use crate::support::{
    kinds::{SECOND, jobs, refused},
    place::TestStore,
    test_disk::Disk,
};

#[test]
fn refused_source_connects_to_no_target() {
    let (clock, folder, store) = (ManualClock::new(), tempfile::tempdir().unwrap(), MemoryStore::new());
    let path = folder.path().join("jobs.redb");
    let connects = Arc::new(AtomicU32::new(0));
    let target = || {
        let (connects, store) = (connects.clone(), store.clone());
        MovePlace::connect(move |_| {
            connects.fetch_add(1, Ordering::Relaxed);
            Ok(store)
        })
    };
    let attempt = |from| at(&clock).busy_timeout(SECOND / 100).move_tasks(from, target(), |_| ());
    refused(attempt(MovePlace::file(&path)), ErrorKind::Io);
    let writer = at(&clock).open(&path).unwrap();
    jobs(&writer, &["a"]);
    refused(attempt(MovePlace::file(&path)), ErrorKind::Busy);
    writer.close().unwrap();
    let used = MemoryStore::new();
    let writer = at(&clock).open_store(used.clone()).unwrap();
    refused(attempt(MovePlace::store(used)), ErrorKind::Busy);
    writer.close().unwrap();
    assert_eq!(connects.load(Ordering::Relaxed), 0);

    let failing = MovePlace::connect(|_| -> tracker_core::Result<MemoryStore> {
        Err(store_error(ErrorKind::Io, "no server there", "a test"))
    });
    let error = refused(at(&clock).move_tasks(MovePlace::file(&path), failing, |_| ()), ErrorKind::Io);
    assert!(error.to_string().contains("no server there"), "{error}");
    assert_eq!(attempt(MovePlace::file(&path)).unwrap().kinds[0].tasks, 1);
    let back = MovePlace::connect(move |_| Ok(store));
    assert_eq!(moved(&clock, back, MovePlace::file(folder.path().join("back.redb"))).kinds[0].tasks, 1);
    assert_eq!(connects.load(Ordering::Relaxed), 1);
}

/// A place without tables, which notes whether it may create them.
fn missing(asked: &Arc<Mutex<Vec<bool>>>) -> MovePlace {
    let asked = asked.clone();
    MovePlace::connect(move |creates| {
        asked.lock().unwrap().push(creates);
        if creates {
            return Ok(MemoryStore::new());
        }
        Err(store_error(ErrorKind::NotFound, "no tables there", "a test"))
    })
}

#[test]
fn moved_or_missing_source_creates_no_target() {
    let (clock, first, second, asked) = (ManualClock::new(), Disk::default(), Disk::default(), Arc::default());
    let tracker = open_disk(&first, &clock);
    jobs(&tracker, &["a"]);
    tracker.close().unwrap();
    refused(at(&clock).move_tasks(missing(&asked), on(&second), |_| ()), ErrorKind::NotFound);
    refused(at(&clock).undo_move(missing(&asked)), ErrorKind::NotFound);
    assert_eq!(*asked.lock().unwrap(), [false, false], "a source is not created");

    moved(&clock, on(&first), missing(&asked));
    let error = refused(at(&clock).move_tasks(on(&first), missing(&asked), |_| ()), ErrorKind::Moved);
    assert!(error.to_string().contains("were moved to"), "{error}");
    assert_eq!(asked.lock().unwrap()[2..], [true, false], "a second run creates no target");

    let failing = MovePlace::connect(|_| -> tracker_core::Result<MemoryStore> {
        Err(store_error(ErrorKind::Io, "no server there", "a test"))
    });
    refused(at(&clock).move_tasks(on(&first), failing, |_| ()), ErrorKind::Io);
}

#[test]
fn missing_source_is_not_created() {
    let (clock, folder) = (ManualClock::new(), tempfile::tempdir().unwrap());
    let (missing, target) = (folder.path().join("missing.redb"), folder.path().join("target.redb"));
    let attempt = |from, to| at(&clock).move_tasks(from, to, |_| ());
    refused(attempt(MovePlace::file(&missing), MovePlace::file(&target)), ErrorKind::Io);
    assert!(!missing.exists() && !target.exists());
    let store = TestStore::new();
    refused(attempt(store.place(), on(&Disk::default())), ErrorKind::Foreign);
    at(&clock).open(&target).unwrap().close().unwrap();
    let error = refused(attempt(MovePlace::file(&target), MovePlace::file(&target)), ErrorKind::Invalid);
    assert!(error.to_string().contains("same file"), "{error}");
}
