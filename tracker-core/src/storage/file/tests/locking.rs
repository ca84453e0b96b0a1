//! Tests of the lock of a file: exclusive, shared by writers, and free when its handle is dropped.

use tempfile::tempdir;

use super::*;

#[test]
fn a_file_that_is_open_is_not_opened_a_second_time() {
    for sharing in [Sharing::Exclusive, Sharing::Readers] {
        let folder = tempdir().unwrap();
        let path = folder.path().join("jobs.redb");
        let first = open(&path, &shared(sharing)).unwrap();
        for other in ALL {
            let error = open(&path, &shared(other)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Busy, "{sharing:?}, {other:?}");
            assert!(error.to_string().starts_with(&format!("{}: it is open in another process", path.display())));
        }
        assert_eq!(all_squares(&first.file.db).unwrap(), 500);
        drop(first);
        open(&path, &shared(sharing)).unwrap();
    }
}

#[test]
fn writers_share_it_even_in_one_process() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    let one = open(&path, &shared(Sharing::Writers)).unwrap();
    let two = open(&path, &shared(Sharing::Writers)).unwrap();
    for other in [Sharing::Exclusive, Sharing::Readers] {
        assert_eq!(open(&path, &shared(other)).unwrap_err().kind(), ErrorKind::Busy);
    }
    add(&one.file.db, 500);
    add(&two.file.db, 501);
    add(&one.file.db, 502);
    assert_eq!(all_squares(&two.file.db).unwrap(), 503);
}

#[test]
fn it_can_be_reopened_as_soon_as_the_old_handle_is_gone() {
    for sharing in ALL {
        let folder = tempdir().unwrap();
        let path = folder.path().join("jobs.redb");
        let opened = open(&path, &shared(sharing)).unwrap();
        if sharing != Sharing::Writers {
            let error = open_existing(&location(&path), &shared(sharing)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Busy);
        }
        close(&location(&path), opened.file.db).unwrap();
        assert_eq!(all_squares(&open_existing(&location(&path), &shared(sharing)).unwrap().db).unwrap(), 500);
    }
}
