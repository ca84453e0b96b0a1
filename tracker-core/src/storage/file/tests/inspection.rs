//! Tests of opens for reading only: at rest, beside writers, after an unclean end, and during a repair.

use std::{fs, path::PathBuf};

use tempfile::{TempDir, tempdir};

use super::*;

/// A file as a killed process leaves it: its bytes while it is open, the last commit included.
fn unclean(sharing: Sharing) -> (TempDir, PathBuf) {
    let folder = tempdir().unwrap();
    let (path, copy) = (folder.path().join("live.redb"), folder.path().join("jobs.redb"));
    let live = open(&path, &shared(sharing)).unwrap();
    for n in 500..520 {
        add(&live.file.db, n);
    }
    fs::copy(&path, &copy).unwrap();
    drop(live);
    fs::remove_file(path).unwrap();
    (folder, copy)
}

#[test]
fn closed_file_is_inspected_without_a_write() {
    for sharing in ALL {
        let folder = tempdir().unwrap();
        let path = folder.path().join("jobs.redb");
        drop(open(&path, &shared(sharing)).unwrap());
        let before = fs::read(&path).unwrap();
        let (one, two) = (
            inspect(&location(&path), &shared(sharing)).unwrap(),
            inspect(&location(&path), &shared(sharing)).unwrap(),
        );
        assert_eq!(all_squares(&one).unwrap(), 500);
        assert_eq!(all_squares(&two).unwrap(), 500);
        drop((one, two));
        assert_eq!(fs::read(&path).unwrap(), before);
    }
}

#[test]
fn shared_file_is_inspected_beside_its_writers() {
    for sharing in ALL {
        let folder = tempdir().unwrap();
        let path = folder.path().join("jobs.redb");
        let live = open(&path, &shared(sharing)).unwrap();
        let looked = inspect(&location(&path), &shared(sharing));
        if sharing == Sharing::Exclusive {
            assert_eq!(looked.map(drop).unwrap_err().kind(), ErrorKind::Busy);
            continue;
        }
        let looked = looked.unwrap();
        add(&live.file.db, 500);
        assert_eq!(all_squares(&looked).unwrap(), 501);
    }
}

#[test]
fn after_an_unclean_end_it_is_repaired_first() {
    for left_by in ALL {
        for sharing in ALL {
            let (_folder, path) = unclean(left_by);
            assert!(matches!(shared(sharing).builder().open_read_only(&path), Err(redb::DatabaseError::RepairAborted)));
            let looked = inspect(&location(&path), &shared(sharing)).unwrap();
            assert_eq!(all_squares(&looked).unwrap(), 520);
            drop(looked);
            assert!(shared(sharing).builder().open_read_only(&path).is_ok());
        }
    }
}

#[test]
fn opening_after_an_unclean_end_tells_how_far_the_repair_is() {
    use std::sync::Mutex;

    let (_folder, path) = unclean(Sharing::Exclusive);
    let progress_values = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::clone(&progress_values);
    let options = FileOptions {
        on_repair: Some(Arc::new(move |progress| {
            listener.lock().unwrap().push(progress);
            std::panic::resume_unwind(Box::new("listeners may panic"));
        })),
        ..shared(Sharing::Exclusive)
    };
    assert_eq!(all_squares(&open(&path, &options).unwrap().file.db).unwrap(), 520);
    let progress_values = progress_values.lock().unwrap();
    assert!(
        !progress_values.is_empty() && progress_values.iter().all(|progress| (0.0..=1.0).contains(progress)),
        "{progress_values:?}"
    );
}

#[test]
fn while_another_repairs_it_the_inspector_waits() {
    let (_folder, path) = unclean(Sharing::Readers);
    std::thread::scope(|scope| {
        let looking: Vec<_> =
            (0..4).map(|_| scope.spawn(|| inspect(&location(&path), &shared(Sharing::Readers)))).collect();
        for looked in looking {
            assert_eq!(all_squares(&looked.join().unwrap().unwrap()).unwrap(), 520);
        }
    });
}

#[test]
fn memory_has_nothing_to_look_at() {
    let opened = open_or_create(&Location::Memory, &shared(Sharing::Writers), &squares).unwrap();
    assert!(opened.created);
    assert_eq!(all_squares(&opened.file.db).unwrap(), 500);
    assert_eq!(inspect(&Location::Memory, &FileOptions::default()).map(drop).unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(open_existing(&Location::Memory, &FileOptions::default()).unwrap_err().kind(), ErrorKind::Closed);
}
