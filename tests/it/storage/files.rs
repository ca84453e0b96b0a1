//! Tests creating, opening, sharing, closing and refusing files.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use tempfile::TempDir;
use tracker_core::{
    ErrorKind, Options, Tracker,
    file::Sharing,
    redb_store::redb::{Database, ReadableDatabase, TableDefinition},
    time::ManualClock,
};

use crate::support::kinds::{Job, MINUTE, Mail, SECOND, Status, job, jobs, mail, one_of_each, refused, sound, status};

const META: TableDefinition<&str, &[u8]> = TableDefinition::new("tracker.meta");

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    (folder, path)
}

fn at(clock: &ManualClock) -> Options {
    Tracker::options().clock(clock.clone())
}

#[test]
fn stored_tasks_survive_reopening() {
    let (_folder, path) = place();
    let clock = ManualClock::new();
    for sharing in [Sharing::Readers, Sharing::Exclusive, Sharing::Writers] {
        let _ = fs::remove_file(&path);
        let tracker = at(&clock).sharing(sharing).open(&path).unwrap();
        let tasks = one_of_each(&tracker);
        tracker.tasks::<Mail>().unwrap().submit_all((0..300).map(mail)).unwrap();
        tasks.pause().unwrap();
        let (counts, before) = (tasks.counts().unwrap(), tasks.query().by_creation().fetch().unwrap());
        let change = tracker.change_number().unwrap();
        drop(tasks);
        tracker.close().unwrap();

        let tracker = at(&clock).sharing(sharing).check_on_open(true).open(&path).unwrap();
        assert_eq!(tracker.kinds().unwrap(), ["job", "mail"]);
        assert!(tracker.change_number().unwrap() >= change);
        let tasks = tracker.tasks::<Job>().unwrap();
        assert_eq!(tasks.counts().unwrap(), counts);
        let after = tasks.query().by_creation().fetch().unwrap();
        for (was, is) in before.iter().zip(&after) {
            assert_eq!(format!("{was:?}"), format!("{is:?}"));
        }
        assert!(tasks.claim().unwrap().is_none(), "the pause stands in the file");
        assert_eq!(tracker.tasks::<Mail>().unwrap().counts().unwrap().total(), 300);
        sound(&tracker);
    }
}

/// Whether a file that was not closed is repaired when it is opened.
fn is_repaired(path: &Path) -> bool {
    let copy = path.with_extension("copy");
    fs::copy(path, &copy).unwrap();
    let repaired = Arc::new(AtomicBool::new(false));
    let heard = repaired.clone();
    Tracker::options().on_repair(move |_| heard.store(true, Ordering::Relaxed)).open(&copy).unwrap().close().unwrap();
    repaired.load(Ordering::Relaxed)
}

/// In the middle of work a crash costs the next start a repair; once nothing has happened for a moment it does not.
#[test]
fn idle_file_opens_without_repair_after_a_crash() {
    let (_folder, path) = place();
    let tracker = Tracker::options().prune_every(None).open(&path).unwrap();
    let tasks = jobs(&tracker, &["a"]);
    let mut number = 0;
    while !is_repaired(&path) {
        tasks.submit(&job(&number.to_string())).unwrap();
        number += 1;
    }
    while is_repaired(&path) {
        thread::yield_now();
    }
}

#[test]
fn open_file_is_refused_with_advice() {
    let (_folder, path) = place();
    for sharing in [Sharing::Readers, Sharing::Exclusive] {
        let tracker = Tracker::options().sharing(sharing).open(&path).unwrap();
        let error = refused(Tracker::options().sharing(sharing).open(&path), "open");
        for words in ["jobs.redb", "close it there", "inspect"] {
            assert!(error.to_string().contains(words), "{error}");
        }
        sound(&tracker);
    }
    drop(Tracker::open(&path).unwrap());
}

#[test]
fn two_writers_share_a_file() {
    let (_folder, path) = place();
    let clock = ManualClock::new();
    let writers = || at(&clock).sharing(Sharing::Writers).open(&path).unwrap();
    let (one, other) = (writers(), writers());
    let (first, second) = (jobs(&one, &["a", "b"]), jobs(&other, &["b", "c"]));
    let claimed = first.claim().unwrap().unwrap();
    assert_eq!(claimed.name, "a");
    let mut next = second.claim().unwrap().unwrap();
    assert_eq!(next.name, "b", "the other's lease counts here too");
    assert!(next.fence() > claimed.fence());
    next.succeed().unwrap();
    assert_eq!(status(&first, "b"), Status::Succeeded);
    drop(claimed);
    sound(&one);
    sound(&other);
    assert_eq!(status(&second, "a"), Status::Failed);
}

#[test]
fn inspector_reads_beside_a_writer() {
    let (_folder, path) = place();
    let writer = Tracker::open(&path).unwrap();
    let tasks = jobs(&writer, &["a", "b"]);
    let reader = Tracker::inspect(&path).unwrap();
    let seen = reader.tasks::<Job>().unwrap();
    assert_eq!(seen.counts().unwrap().total(), 2);
    let before = reader.change_number().unwrap();
    tasks.start("a").unwrap().succeed().unwrap();
    assert_eq!(status(&seen, "a"), Status::Succeeded, "each look sees what is durable then");
    assert!(reader.change_number().unwrap() > before);
    assert_eq!(reader.verify().unwrap(), []);
    sound(&writer);
}

#[test]
fn inspector_changes_nothing() {
    let (_folder, path) = place();
    refused(Tracker::inspect(&path), ErrorKind::Io);
    assert!(!path.exists(), "looking makes no file");
    let tracker = Tracker::open(&path).unwrap();
    one_of_each(&tracker);
    tracker.close().unwrap();
    let bytes = fs::read(&path).unwrap();
    let reader = Tracker::inspect(&path).unwrap();
    let tasks = reader.tasks::<Job>().unwrap();
    refused(tasks.submit(&job("new")), ErrorKind::ReadOnly);
    refused(tasks.claim(), ErrorKind::ReadOnly);
    refused(tasks.start("pending"), ErrorKind::ReadOnly);
    refused(tasks.cancel("pending"), ErrorKind::ReadOnly);
    refused(tasks.requeue("failed"), ErrorKind::ReadOnly);
    refused(tasks.update("pending", |job| job.result = Some(1)), ErrorKind::ReadOnly);
    refused(tasks.query().remove(), ErrorKind::ReadOnly);
    refused(tasks.prune(), ErrorKind::ReadOnly);
    refused(tasks.pause(), ErrorKind::ReadOnly);
    refused(reader.rescue(), ErrorKind::ReadOnly);
    refused(reader.transaction(|tx| tx.submit(&tasks, &job("new"))), ErrorKind::ReadOnly);
    refused(reader.compact(), ErrorKind::ReadOnly);
    refused(reader.tasks::<Mail>(), ErrorKind::SchemaMismatch);
    assert_eq!(tasks.counts().unwrap().total(), 8);
    assert_eq!(reader.verify().unwrap(), []);
    drop(tasks);
    reader.close().unwrap();
    assert!(fs::read(&path).unwrap() == bytes, "not a byte has changed");
}

#[test]
fn foreign_file_is_refused_by_name() {
    let (folder, path) = place();
    refused(Tracker::open(folder.path()), ErrorKind::Foreign);
    for bytes in [&b""[..], b"x", b"#!/bin/sh\necho hello\n", &[0; 8192]] {
        fs::write(&path, bytes).unwrap();
        let error = refused(Tracker::open(&path), ErrorKind::Foreign);
        assert!(error.to_string().contains("jobs.redb"), "{error}");
        refused(Tracker::inspect(&path), ErrorKind::Foreign);
        assert_eq!(fs::read(&path).unwrap(), bytes, "a file that is not ours is left as it is");
    }
    let nowhere = folder.path().join("no").join("such").join("jobs.redb");
    refused(Tracker::open(nowhere), ErrorKind::Io);
    let others = folder.path().join("others.redb");
    let db = Database::create(&others).unwrap();
    let write = db.begin_write().unwrap();
    write.open_table(TableDefinition::<u32, u32>::new("numbers")).unwrap().insert(1, 2).unwrap();
    write.commit().unwrap();
    drop(db);
    for error in [Tracker::open(&others), Tracker::inspect(&others)] {
        let error = refused(error, ErrorKind::Foreign).to_string();
        assert!(error.contains("others.redb: this is a redb file of another program"), "{error}");
    }
    let db = Database::open(&others).unwrap();
    assert_eq!(db.begin_read().unwrap().list_tables().unwrap().count(), 1, "nothing of ours was put into it");
}

#[test]
fn truncated_file_is_refused_and_unchanged() {
    let (_folder, path) = place();
    let tracker = Tracker::open(&path).unwrap();
    tracker.tasks::<Mail>().unwrap().submit_all((0..2_000).map(mail)).unwrap();
    tracker.close().unwrap();
    let whole = fs::read(&path).unwrap();
    for part in [1, 100, 4_096, whole.len() / 2, whole.len() - 4_096] {
        fs::write(&path, &whole[..part]).unwrap();
        let error = Tracker::open(&path).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Foreign | ErrorKind::Corrupted), "{part}: {error}");
    }
    fs::write(&path, &whole).unwrap();
    sound(&Tracker::open(&path).unwrap());
}

/// A tracker file with another format number.
fn of_format(path: &Path, format: &[u8]) {
    Tracker::open(path).unwrap().close().unwrap();
    let db = Database::open(path).unwrap();
    let write = db.begin_write().unwrap();
    write.open_table(META).unwrap().insert("format", format).unwrap();
    write.commit().unwrap();
}

#[test]
fn newer_format_is_refused_by_name() {
    let (_folder, path) = place();
    of_format(&path, b"tracker\xff");
    let error = refused(Tracker::open(&path), ErrorKind::Unsupported);
    assert!(error.to_string().contains("format 255"), "{error}");
    refused(Tracker::inspect(&path), ErrorKind::Unsupported);
}

#[test]
fn unknown_format_is_not_called_newer() {
    for format in [&b"tracker\x00"[..], b"tracker", b"tracker\x05\x05", b"backer\x02", b""] {
        let (_folder, path) = place();
        of_format(&path, format);
        refused(Tracker::open(&path), ErrorKind::Foreign);
        refused(Tracker::inspect(&path), ErrorKind::Foreign);
    }
}

#[cfg(unix)]
#[test]
fn unwritable_folder_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, path) = place();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o500)).unwrap();
    // Root may write everywhere.
    if fs::write(folder.path().join("probe"), "").is_err() {
        let error = refused(Tracker::open(&path), ErrorKind::Io);
        assert!(error.to_string().contains("no permission"), "{error}");
    }
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn simultaneous_first_opens_share_one_file() {
    for _ in 0..5 {
        let (_folder, path) = place();
        let barrier = Barrier::new(2);
        let start = |number: u64| {
            barrier.wait();
            let tracker = Tracker::options().sharing(Sharing::Writers).open(&path).unwrap();
            tracker.tasks::<Mail>().unwrap().submit(&mail(number)).unwrap();
            sound(&tracker);
        };
        thread::scope(|scope| {
            scope.spawn(|| start(1));
            scope.spawn(|| start(2));
        });
        let tracker = Tracker::open(&path).unwrap();
        assert_eq!(tracker.tasks::<Mail>().unwrap().counts().unwrap().total(), 2);
        let files = fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(files, 1, "no temporary file is left");
    }
}

#[test]
fn leases_of_a_dead_instance_are_freed_at_open() {
    let (folder, path) = place();
    let clock = ManualClock::new();
    let tracker = at(&clock).open(&path).unwrap();
    let tasks = jobs(&tracker, &["claimed", "by ticket", "waiting"]);
    let _held = tasks.start("claimed").unwrap();
    let ticket = tasks.start("by ticket").unwrap().detach().unwrap();
    // The bytes of a file that was not closed, as after a power cut.
    let copy = folder.path().join("copy.redb");
    fs::copy(&path, &copy).unwrap();

    let after = at(&clock).open(&copy).unwrap();
    let tasks = after.tasks::<Job>().unwrap();
    let record = tasks.get("claimed").unwrap().unwrap();
    assert_eq!((record.status, record.crashes, record.failures), (Status::Failed, 1, 0));
    assert_eq!(record.due_at, record.updated_at + SECOND * 10, "its retry delay applies");
    assert_eq!(status(&tasks, "by ticket"), Status::InProgress, "a ticket outlives its process");
    let mut resumed = tasks.resume_ticket(&ticket).unwrap();
    resumed.succeed().unwrap();
    assert_eq!(tasks.claim().unwrap().unwrap().name, "waiting");
    clock.advance(MINUTE / 2);
    assert_eq!(tasks.claim().unwrap().unwrap().name, "claimed");
    sound(&after);
    clock.advance(MINUTE);
    let later = folder.path().join("later.redb");
    fs::copy(&path, &later).unwrap();
    let later = at(&clock).open(&later).unwrap();
    assert_eq!(status(&later.tasks::<Job>().unwrap(), "by ticket"), Status::Failed, "as long as its lease");
    sound(&tracker);
}

/// `docs/operations.md` states this for handlers that run during `close`.
#[test]
fn attempt_running_at_close_is_a_crash_at_next_open() {
    for (sharing, freed) in [(Sharing::Exclusive, true), (Sharing::Readers, true), (Sharing::Writers, false)] {
        let ((_folder, path), clock) = (place(), ManualClock::new());
        let open = || at(&clock).sharing(sharing).open(&path).unwrap();
        let tracker = open();
        let tasks = jobs(&tracker, &["a"]);
        let mut running = tasks.start("a").unwrap();
        tracker.close().unwrap();
        refused(running.succeed(), ErrorKind::Closed);

        let tracker = open();
        let tasks = tracker.tasks::<Job>().unwrap();
        let record = tasks.get("a").unwrap().unwrap();
        assert_eq!(record.lease.is_none(), freed, "{sharing:?}");
        if !freed {
            clock.advance(MINUTE);
            tracker.rescue().unwrap();
        }
        let record = tasks.get("a").unwrap().unwrap();
        assert_eq!((record.crashes, record.status), (1, Status::Failed), "{sharing:?}");
    }
}
