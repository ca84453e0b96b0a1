//! Moves of all tasks between files and stores: what they keep, what they refuse, and the marks at both ends.

use std::path::Path;

use tracker_core::{
    ErrorKind, Options, Tracker,
    file::Sharing,
    maintenance::{MovePlace, Moved},
    redb_store::{
        MovePlaceExt,
        redb::{Database, TableDefinition},
    },
    store::{Access, MemoryStore, OptionsExt as _, Store, StoreUnit},
    time::ManualClock,
};

use super::json_lines_move::{end_all, export, import, nights};
use crate::support::{
    kinds::{Job, Mail, SECOND, Status, job, jobs, mail, one_of_each, refused, sound, status},
    place::TestStore,
    script::{SCRIPT, Script, open},
    test_disk::Disk,
};

pub(super) fn at(clock: &ManualClock) -> Options {
    Tracker::options().clock(clock.clone()).prune_every(None)
}

pub(super) fn on(disk: &Disk) -> MovePlace {
    let disk = disk.clone();
    MovePlace::backend(move || disk.open())
}

pub(super) fn open_disk(disk: &Disk, clock: &ManualClock) -> Tracker {
    open(disk, Sharing::default(), clock).unwrap()
}

pub(super) fn moved(clock: &ManualClock, from: MovePlace, to: MovePlace) -> Moved {
    at(clock).move_tasks(from, to, |_| ()).unwrap()
}

/// The tasks of a tracker as JSON lines, after it was verified.
pub(super) fn lines(tracker: Tracker) -> String {
    sound(&tracker);
    let lines = export(&tracker);
    tracker.close().unwrap();
    lines
}

/// Moves to a store, to a disk, to another store and to another disk, and checks that nothing changes. Returns the last disk.
fn around(clock: &ManualClock, first: &Disk) -> Disk {
    let expected = lines(open_disk(first, clock));
    let mut reports = Vec::new();
    let mut disk = first.clone();
    for _ in 0..2 {
        let (store, next) = (TestStore::new(), Disk::default());
        reports.push(moved(clock, on(&disk), store.place()));
        assert_eq!(lines(store.open(at(clock)).unwrap()), expected);
        reports.push(moved(clock, store.place(), on(&next)));
        assert_eq!(lines(open_disk(&next, clock)), expected);
        disk = next;
    }
    for pair in reports.windows(2) {
        assert_eq!(pair[1].kinds, pair[0].kinds);
        assert_eq!((pair[1].other_rows, pair[1].other_checksum), (pair[0].other_rows, pair[0].other_checksum));
        assert!(pair[1].next_fence >= pair[0].next_fence);
    }
    disk
}

#[test]
fn every_feature_moves_unchanged_between_files_and_stores() {
    for steps in (5..=SCRIPT.len()).rev().step_by(11) {
        let (disk, clock) = (Disk::default(), ManualClock::new());
        let mut script = Script::open(&disk, Sharing::default(), &clock).unwrap();
        for step in &SCRIPT[..steps] {
            (step.act)(&mut script).unwrap();
        }
        drop(script);
        around(&clock, &disk);
    }
}

#[test]
fn batches_and_dependencies_go_on_after_a_move() {
    let (clock, tracker) = nights();
    let lines = export(&tracker);
    let copy = || {
        let disk = Disk::default();
        import(&open_disk(&disk, &clock), &lines);
        disk
    };
    let (stayed, moved) = (copy(), around(&clock, &copy()));
    let ends = [stayed, moved].map(|disk| {
        let tracker = open_disk(&disk, &clock);
        end_all(&clock, &tracker);
        sound(&tracker);
        let counts = tracker.tasks::<Job>().unwrap().counts().unwrap();
        (counts, super::json_lines_move::stand(&tracker))
    });
    assert_eq!(ends[0], ends[1]);
}

#[test]
fn fences_and_numbers_follow_those_of_the_source() {
    let (disk, clock, store) = (Disk::default(), ManualClock::new(), TestStore::new());
    let tracker = open_disk(&disk, &clock);
    let tasks = jobs(&tracker, &["a", "b"]);
    let mut last = 0;
    for _ in 0..3 {
        let mut held = tasks.claim().unwrap().unwrap();
        last = held.fence();
        held.release().unwrap();
    }
    tracker.close().unwrap();
    let moved_there = moved(&clock, on(&disk), store.place());
    assert!(moved_there.next_fence > last);
    assert_eq!((moved_there.kinds[0].name.as_str(), moved_there.kinds[0].tasks), ("job", 2));
    assert_eq!(moved_there.kinds[0].statuses, [("Pending".to_owned(), 2)]);
    // At least header, payload, id and place in the claim order of each task.
    assert!(moved_there.kinds[0].rows >= 8, "{moved_there:?}");

    let tracker = store.open(at(&clock)).unwrap();
    let tasks = jobs(&tracker, &["c"]);
    let mut held = tasks.claim().unwrap().unwrap();
    assert!(held.fence() >= moved_there.next_fence);
    held.succeed().unwrap();
    sound(&tracker);
    tracker.close().unwrap();
    let back = Disk::default();
    assert!(moved(&clock, store.place(), on(&back)).next_fence > moved_there.next_fence);
    let tracker = open_disk(&back, &clock);
    jobs(&tracker, &["d"]).worker().run(|_| crate::support::kinds::fine()).unwrap();
    assert_eq!(tracker.tasks::<Job>().unwrap().counts().unwrap().get(Status::Succeeded), 4);
    sound(&tracker);
}

#[test]
fn task_of_a_dead_process_is_freed_and_a_ticket_stays() {
    let (disk, clock, store) = (Disk::default(), ManualClock::new(), TestStore::new());
    let tracker = open_disk(&disk, &clock);
    let tasks = jobs(&tracker, &["dead", "ticket"]);
    let dead = tasks.start("dead").unwrap();
    let ticket = tasks.start("ticket").unwrap().detach().unwrap();
    // As a crash: the lease is not given back.
    std::mem::forget(dead);
    tracker.close().unwrap();

    moved(&clock, on(&disk), store.place());
    let tracker = store.open(at(&clock)).unwrap();
    let tasks = tracker.tasks::<Job>().unwrap();
    let record = tasks.get("dead").unwrap().unwrap();
    assert_eq!((record.status, record.crashes), (Status::Failed, 1));
    assert_eq!(status(&tasks, "ticket"), Status::InProgress);
    tasks.resume_ticket(&ticket).unwrap().succeed().unwrap();
    assert_eq!(status(&tasks, "ticket"), Status::Succeeded);
    sound(&tracker);
}

#[test]
fn move_is_refused_while_a_tracker_is_open() {
    let (disk, clock, store) = (Disk::default(), ManualClock::new(), TestStore::new());
    let writer = open_disk(&disk, &clock);
    jobs(&writer, &["a"]);
    let attempt = |from, to| at(&clock).busy_timeout(SECOND / 100).move_tasks(from, to, |_| ());
    refused(attempt(on(&disk), store.place()), ErrorKind::Busy);
    writer.close().unwrap();

    let writer = store.open(at(&clock)).unwrap();
    let error = refused(attempt(on(&disk), store.place()), ErrorKind::Busy);
    assert!(error.to_string().contains("1 other tracker"), "{error}");
    writer.close().unwrap();
    assert_eq!(lines(open_disk(&disk, &clock)).lines().count(), 2, "the source is not marked");

    moved(&clock, on(&disk), store.place());
    let writers = [store.open(at(&clock)).unwrap(), store.inspect(at(&clock)).unwrap()];
    let error = refused(attempt(store.place(), on(&Disk::default())), ErrorKind::Busy);
    assert!(error.to_string().contains("2 other trackers"), "{error}");
    for writer in writers {
        writer.close().unwrap();
    }
    moved(&clock, store.place(), on(&Disk::default()));
}

#[test]
fn target_with_tasks_is_refused_and_the_source_stays() {
    let (disk, clock) = (Disk::default(), ManualClock::new());
    let tracker = open_disk(&disk, &clock);
    one_of_each(&tracker);
    tracker.close().unwrap();
    for kind_only in [true, false] {
        let (file, store) = (Disk::default(), TestStore::new());
        for tracker in [open_disk(&file, &clock), store.open(at(&clock)).unwrap()] {
            let mails = tracker.tasks::<Mail>().unwrap();
            if !kind_only {
                mails.submit(&mail(1)).unwrap();
            }
            tracker.close().unwrap();
        }
        refused(at(&clock).move_tasks(on(&disk), on(&file), |_| ()), ErrorKind::Invalid);
        let error = refused(at(&clock).move_tasks(on(&disk), store.place(), |_| ()), ErrorKind::Invalid);
        assert!(error.to_string().contains("empty schema"), "{error}");
    }
    sound(&open_disk(&disk, &clock));
}

#[test]
fn moved_source_is_read_only_until_the_move_is_undone() {
    let (clock, folder, store) = (ManualClock::new(), tempfile::tempdir().unwrap(), TestStore::new());
    let (path, second) = (folder.path().join("jobs.redb"), folder.path().join("second.redb"));
    let tracker = at(&clock).open(&path).unwrap();
    one_of_each(&tracker);
    let expected = lines(tracker);
    moved(&clock, MovePlace::file(&path), MovePlace::file(&second));
    moved(&clock, MovePlace::file(&second), store.place());

    let error = refused(at(&clock).open(&path), ErrorKind::Moved);
    assert!(error.to_string().contains("second.redb") && error.to_string().contains("--undo"), "{error}");
    refused(at(&clock).sharing(Sharing::Writers).open(&path), ErrorKind::Moved);
    assert_eq!(lines(at(&clock).inspect(&path).unwrap()), expected);
    let again = at(&clock).move_tasks(MovePlace::file(&path), MovePlace::file(folder.path().join("third")), |_| ());
    refused(again, ErrorKind::Moved);
    refused(at(&clock).undo_move(store.place()), ErrorKind::Invalid);
    at(&clock).undo_move(MovePlace::file(&path)).unwrap();
    assert_eq!(lines(at(&clock).open(&path).unwrap()), expected);
    refused(at(&clock).undo_move(MovePlace::file(&path)), ErrorKind::Invalid);

    moved(&clock, store.place(), on(&Disk::default()));
    refused(store.open(at(&clock)), ErrorKind::Moved);
    let looking = store.inspect(at(&clock)).unwrap();
    assert_eq!(export(&looking), expected);
    looking.close().unwrap();
    at(&clock).undo_move(store.place()).unwrap();
    assert_eq!(lines(store.open(at(&clock)).unwrap()), expected);
}

/// A store whose trackers others do not see, as behind a pool of connections.
#[derive(Debug)]
struct Hidden(MemoryStore);

impl Store for Hidden {
    fn name(&self) -> String {
        self.0.name()
    }

    fn other_trackers(&self) -> tracker_core::Result<u64> {
        self.0.other_trackers()
    }

    fn begin(&self, access: Access) -> tracker_core::Result<Box<dyn StoreUnit>> {
        self.0.begin(access)
    }

    fn change(&self) -> tracker_core::Result<u64> {
        self.0.change()
    }

    fn close(&self) -> tracker_core::Result<()> {
        Ok(())
    }
}

#[test]
fn open_tracker_that_a_move_overlooks_cannot_write() {
    let (store, clock, disk) = (MemoryStore::new(), ManualClock::new(), Disk::default());
    let hidden = at(&clock).open_store(Hidden(store.clone())).unwrap();
    let tasks = jobs(&hidden, &["a", "b"]);
    let mut held = tasks.start("a").unwrap();
    moved(&clock, MovePlace::store(store.clone()), on(&disk));
    refused(held.succeed(), ErrorKind::Moved);
    refused(tasks.submit(&job("c")), ErrorKind::Moved);
    refused(tasks.claim(), ErrorKind::Moved);
    assert!(tasks.get("b").unwrap().is_some(), "reads go on");
    std::mem::forget(held);

    at(&clock).undo_move(MovePlace::store(store)).unwrap();
    tasks.submit(&job("c")).unwrap();
    sound(&hidden);
}

/// Puts a row into a table of a closed file.
fn insert_id(path: &Path, key: &[u8], seq: u64) {
    let file = Database::open(path).unwrap();
    let txn = file.begin_write().unwrap();
    txn.open_table(TableDefinition::<&[u8], u64>::new("tracker.ids")).unwrap().insert(key, seq).unwrap();
    txn.commit().unwrap();
}

#[test]
fn difference_between_both_ends_is_found_and_nothing_is_lost() {
    let (clock, folder, store) = (ManualClock::new(), tempfile::tempdir().unwrap(), TestStore::new());
    let path = folder.path().join("jobs.redb");
    let tracker = at(&clock).open(&path).unwrap();
    one_of_each(&tracker);
    tracker.close().unwrap();
    // A row that does not follow from any task is not copied.
    insert_id(&path, b"\0\0\0\x01sghost", 77);
    let error = refused(at(&clock).move_tasks(MovePlace::file(&path), store.place(), |_| ()), ErrorKind::Corrupted);
    assert!(error.to_string().contains("kind \"job\": 8 tasks"), "{error}");
    refused(store.open(at(&clock)), ErrorKind::Moved);
    refused(at(&clock).open(&path), ErrorKind::Moved);
    at(&clock).undo_move(MovePlace::file(&path)).unwrap();
    let tracker = at(&clock).open(&path).unwrap();
    assert_eq!(tracker.tasks::<Job>().unwrap().counts().unwrap().total(), 8);
}

#[test]
fn tables_of_the_users_own_are_named() {
    let (clock, folder, store) = (ManualClock::new(), tempfile::tempdir().unwrap(), TestStore::new());
    let path = folder.path().join("jobs.redb");
    let tracker = at(&clock).open(&path).unwrap();
    jobs(&tracker, &["a"]);
    tracker.close().unwrap();
    let file = Database::open(&path).unwrap();
    let txn = file.begin_write().unwrap();
    txn.open_table(TableDefinition::<&str, u64>::new("totals")).unwrap().insert("done", 1).unwrap();
    txn.commit().unwrap();
    drop(file);
    assert_eq!(moved(&clock, MovePlace::file(&path), store.place()).own_tables, ["totals"]);
}
