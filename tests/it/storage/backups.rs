//! Tests backups of a file that is in use.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    thread,
};

use tracker_core::{
    ErrorKind, Tracker,
    file::Sharing,
    redb_store::{
        OptionsExt, TransactionExt,
        redb::{Database, MultimapTableDefinition, ReadableDatabase, ReadableTable, TableDefinition},
    },
};

use crate::support::{
    kinds::{Job, Status, job, jobs, one_of_each, sound},
    test_disk::Disk,
};

/// A table of the user's own, which the tracker does not know.
const TOTALS: TableDefinition<&str, u64> = TableDefinition::new("totals");
const NAMES: MultimapTableDefinition<u64, &str> = MultimapTableDefinition::new("names");

fn opened(path: &Path) -> Tracker {
    let tracker = Tracker::options().check_on_open(true).open(path).unwrap();
    sound(&tracker);
    tracker
}

#[test]
fn backup_contains_everything_of_the_source() {
    let folder = tempfile::tempdir().unwrap();
    for sharing in [Sharing::Readers, Sharing::Exclusive, Sharing::Writers] {
        let (path, copy) =
            (folder.path().join(format!("{sharing:?}")), folder.path().join(format!("{sharing:?} copy")));
        let tracker = Tracker::options().sharing(sharing).open(&path).unwrap();
        let tasks = one_of_each(&tracker);
        let stored = tracker.transaction(|tx| {
            tx.table(TOTALS)?.insert("done", 7)?;
            Ok::<_, tracker_core::Error>(())
        });
        stored.unwrap();
        let before = tasks.query().by_creation().fetch().unwrap();
        let last = before.iter().flat_map(|record| &record.history).map(|attempt| attempt.fence).max().unwrap();
        let backup = tracker.backup(&copy).unwrap();
        assert_eq!(backup.bytes, fs::metadata(&copy).unwrap().len());
        assert!(backup.next_fence > last + (1 << 40), "{backup:?}");
        tasks.submit(&job("after the backup")).unwrap();

        let restored = Tracker::inspect(&copy).unwrap();
        assert_eq!(restored.verify().unwrap(), []);
        let after = restored.tasks::<Job>().unwrap().query().by_creation().fetch().unwrap();
        assert_eq!(format!("{after:?}"), format!("{before:?}"));
        drop(restored);
        let restored = opened(&copy);
        let total =
            restored.transaction(|tx| Ok::<_, tracker_core::Error>(tx.table(TOTALS)?.get("done")?.unwrap().value()));
        assert_eq!(total.unwrap(), 7, "a table of the user's own");
        let held = restored.tasks::<Job>().unwrap().submit_and_start(&job("new")).unwrap();
        assert_eq!(held.fence(), backup.next_fence);
    }
}

#[test]
fn backup_contains_user_tables() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("a.redb"), folder.path().join("b.redb"));
    Tracker::open(&path).unwrap().close().unwrap();
    let db = Database::open(&path).unwrap();
    let txn = db.begin_write().unwrap();
    txn.open_multimap_table(NAMES).unwrap().insert(1, "one").unwrap();
    txn.commit().unwrap();
    drop(db);
    Tracker::open(&path).unwrap().backup(&copy).unwrap();
    let db = Database::open(&copy).unwrap();
    let names = db.begin_read().unwrap().open_multimap_table(NAMES).unwrap();
    assert_eq!(names.get(1).unwrap().next().unwrap().unwrap().value(), "one");
}

/// Each writer submits jobs with rising numbers, so that a consistent copy holds an unbroken row of each.
#[test]
fn backup_beside_writers_is_consistent() {
    for (sharing, beside) in
        [(Sharing::Readers, false), (Sharing::Readers, true), (Sharing::Exclusive, false), (Sharing::Writers, true)]
    {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jobs.redb");
        let tracker = Tracker::options().sharing(sharing).open(&path).unwrap();
        let tasks = jobs(&tracker, &[]);
        let stop = AtomicBool::new(false);
        let submitted = [0; 3].map(AtomicU64::new);
        thread::scope(|scope| {
            for (writer, count) in submitted.iter().enumerate() {
                let (tasks, stop) = (&tasks, &stop);
                scope.spawn(move || {
                    while !stop.load(SeqCst) {
                        let name = format!("{writer}/{:06}", count.load(SeqCst));
                        tasks.submit(&job(&name)).unwrap();
                        count.fetch_add(1, SeqCst);
                        if let Some(mut claimed) = tasks.claim().unwrap() {
                            claimed.succeed().unwrap();
                        }
                    }
                });
            }
            for round in 0..8 {
                let copy = folder.path().join(format!("copy {round}"));
                let before = submitted.each_ref().map(|count| count.load(SeqCst));
                if beside {
                    Tracker::options().sharing(sharing).inspect(&path).unwrap().backup(&copy).unwrap();
                } else {
                    tracker.backup(&copy).unwrap();
                }
                let after = submitted.each_ref().map(|count| count.load(SeqCst));
                let restored = opened(&copy);
                let records = restored.tasks::<Job>().unwrap().query().by_creation().fetch().unwrap();
                for writer in 0..3 {
                    let start = format!("{writer}/");
                    let names = records.iter().map(|record| &record.task.name).filter(|name| name.starts_with(&start));
                    let mut found = 0;
                    for name in names {
                        assert_eq!(name, &format!("{writer}/{found:06}"), "{sharing:?} {round}");
                        found += 1;
                    }
                    assert!((before[writer]..=after[writer] + 1).contains(&found), "{before:?} {found} {after:?}");
                }
            }
            stop.store(true, SeqCst);
        });
        sound(&tracker);
        let done = tasks.counts().unwrap().get(Status::Succeeded);
        assert!(done > 0);
    }
}

#[test]
fn backup_never_writes_over_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let tracker = Tracker::open(folder.path().join("jobs.redb")).unwrap();
    let target = folder.path().join("there");
    fs::write(&target, "mine").unwrap();
    let mut targets = vec![target.clone(), folder.path().join("jobs.redb")];
    #[cfg(unix)]
    {
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path().join("nowhere"), &link).unwrap();
        targets.push(link);
    }
    for target in &targets {
        let error = tracker.backup(target).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    }
    assert_eq!(tracker.backup(folder.path().join("no folder/b")).unwrap_err().kind(), ErrorKind::Io);
    assert_eq!(Tracker::in_memory().unwrap().backup(folder.path().join("b")).unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(fs::read_to_string(target).unwrap(), "mine");
    assert!(!folder.path().join("nowhere").exists());
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), targets.len(), "no temporary file is left: {left:?}");
}

#[cfg(unix)]
#[test]
fn backup_is_readable_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let tracker = Tracker::open(folder.path().join("jobs.redb")).unwrap();
    let copy = folder.path().join("copy");
    tracker.backup(&copy).unwrap();
    assert_eq!(fs::metadata(copy).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn backup_of_a_storage_backend_is_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::default();
    let handle = disk.clone();
    let tracker = Tracker::options().open_backend(move || handle.open()).unwrap();
    drop(jobs(&tracker, &["a", "b"]));
    let copy = folder.path().join("copy");
    tracker.backup(&copy).unwrap();
    assert_eq!(opened(&copy).tasks::<Job>().unwrap().counts().unwrap().total(), 2);
}
