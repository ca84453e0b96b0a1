//! Tests of the creation of a file: complete or absent, also if it fails, crashes or competes with another one.

use std::{
    ffi::OsStr,
    fs,
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::{Duration, SystemTime},
};

use tempfile::tempdir;

use super::*;

#[test]
fn a_new_file_is_filled_once_and_opened_ever_after() {
    for sharing in ALL {
        let folder = tempdir().unwrap();
        let path = folder.path().join("jobs.redb");
        let first = open(&path, &shared(sharing)).unwrap();
        assert!(first.created);
        add(&first.file.db, 500);
        drop(first);

        let second = open_or_create(&location(&path), &shared(sharing), &|_| panic!("filled twice")).unwrap();
        assert!(!second.created);
        assert_eq!(all_squares(&second.file.db).unwrap(), 501);
        assert_eq!(names(folder.path()), ["jobs.redb"]);
    }
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read_and_write_it() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    let opened = open_or_create(&location(&path), &FileOptions::default(), &|db| {
        let draft = folder.path().join(&names(folder.path())[0]);
        assert_eq!(fs::metadata(draft).unwrap().permissions().mode() & 0o777, 0o600);
        squares(db)
    });
    assert!(opened.unwrap().created);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_name_appears_only_when_its_contents_are_complete() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    open_or_create(&location(&path), &FileOptions::default(), &|db| {
        assert!(!path.exists());
        squares(db)
    })
    .unwrap();
    assert!(path.exists());
}

#[test]
fn a_failed_creation_leaves_nothing() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    let error =
        open_or_create(&location(&path), &FileOptions::default(), &|_| Err(Error::invalid("not today"))).unwrap_err();
    assert_eq!(error.to_string(), "not today");
    let error = open_or_create(&location(&path), &FileOptions::default(), &|_| panic!("not today")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupted);
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn two_first_starts_end_up_with_one_file() {
    for round in 0..20 {
        let folder = tempdir().unwrap();
        let path = folder.path().join("jobs.redb");
        let (begin, filled) = (Barrier::new(2), AtomicUsize::new(0));
        let start = || {
            begin.wait();
            open_or_create(&location(&path), &shared(Sharing::Writers), &|db| {
                filled.fetch_add(1, SeqCst);
                if round % 2 == 0 {
                    // Both are in the middle of it at the same time.
                    begin.wait();
                }
                let tx = db.begin_write()?;
                {
                    let mut table = tx.open_table(NUMBERS)?;
                    let n = table.iter()?.count() as u64;
                    table.insert(n, n * n)?;
                }
                tx.commit()?;
                Ok(())
            })
            .unwrap()
        };
        let (one, two) = thread::scope(|scope| {
            let other = scope.spawn(start);
            (start(), other.join().unwrap())
        });
        assert!(one.created ^ two.created);
        if round % 2 == 0 {
            assert_eq!(filled.load(SeqCst), 2);
        }
        add(&one.file.db, 1);
        add(&two.file.db, 2);
        assert_eq!(all_squares(&one.file.db).unwrap(), 3);
        assert_eq!(all_squares(&two.file.db).unwrap(), 3);
        assert_eq!(names(folder.path()), ["jobs.redb"]);
    }
}

#[test]
fn of_two_first_starts_that_do_not_share_one_is_refused() {
    for _ in 0..20 {
        let folder = tempdir().unwrap();
        let path = folder.path().join("jobs.redb");
        let begin = Barrier::new(2);
        let start = || {
            begin.wait();
            open(&path, &shared(Sharing::Readers))
        };
        let (one, two) = thread::scope(|scope| {
            let other = scope.spawn(start);
            (start(), other.join().unwrap())
        });
        let (open, refused) = if one.is_ok() { (one, two) } else { (two, one) };
        assert_eq!(all_squares(&open.unwrap().file.db).unwrap(), 500);
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Busy);
        assert_eq!(names(folder.path()), ["jobs.redb"]);
    }
}

#[test]
fn leftovers_of_creation_are_removed_after_an_hour() {
    const OLD: &str = ".jobs.redb.0b6f1d3e-1f0c-4f3c-9a50-5a5b1ad9b9a1.new";
    const YOUNG: &str = ".jobs.redb.7c2f1d3e-1f0c-4f3c-9a50-5a5b1ad9b9a1.new";
    let others = [
        ".jobs.redb.0b6f1d3e1f0c4f3c9a505a5b1ad9b9a1.new",
        ".jobs.redb.no name of a draft, but just as long as.new",
        ".jobs.redb.0b6f1d3e-1f0c-4f3c-9a50-5a5b1ad9b9a1.new2",
        ".jobs.redb.new",
        ".jobs.redb.notes.new",
        ".jobs2.redb.0b6f1d3e-1f0c-4f3c-9a50-5a5b1ad9b9a1.new",
        ".old.jobs.redb.0b6f1d3e-1f0c-4f3c-9a50-5a5b1ad9b9a1.new",
        "jobs.redb.0b6f1d3e-1f0c-4f3c-9a50-5a5b1ad9b9a1.new",
    ];
    let folder = tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    let two_hours_ago = SystemTime::now() - Duration::from_secs(7200);
    let leave = |name: &str, at: SystemTime| {
        let left = fs::File::create(folder.path().join(name)).unwrap();
        left.set_len(4096).unwrap();
        left.set_modified(at).unwrap();
    };
    leave(OLD, two_hours_ago);
    leave(YOUNG, SystemTime::now());
    for name in others {
        leave(name, two_hours_ago);
    }

    assert!(open(&path, &FileOptions::default()).unwrap().created);
    let mut expected = vec![YOUNG, "jobs.redb"];
    expected.extend(others);
    expected.sort_unstable();
    assert_eq!(names(folder.path()), expected);

    leave(YOUNG, two_hours_ago);
    assert!(!open(&path, &FileOptions::default()).unwrap().created);
    assert!(!folder.path().join(YOUNG).exists());
}

#[test]
fn long_names_have_room_for_a_temporary_one() {
    let folder = tempdir().unwrap();
    for length in [199, 200, 201, 255] {
        let name = "x".repeat(length);
        assert!(leftover::temporary_name(OsStr::new(&name)).len() <= 255);
        assert!(open(&folder.path().join(name), &FileOptions::default()).unwrap().created);
    }
    let error = refusal(&folder.path().join("x".repeat(256)));
    assert_eq!(error.kind(), ErrorKind::Io);
}

#[test]
fn a_relative_path_is_created_in_the_current_folder() {
    assert_eq!(folder::folder(Path::new("jobs.redb")), Path::new("."));
    assert_eq!(folder::folder(Path::new("/jobs.redb")), Path::new("/"));
}
