//! Tests of truncated files and flipped bytes: an open reports them or reads what is right, without a panic.

use std::fs;

use tempfile::tempdir;

use super::*;

fn assert_reported(error: &Error, what: &str) {
    assert!(matches!(error.kind(), ErrorKind::Corrupted | ErrorKind::Foreign), "{what}: {error}");
}

#[test]
fn truncated_file_is_reported_or_complete() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    drop(open(&path, &shared(Sharing::Exclusive)).unwrap());
    let whole = fs::read(&path).unwrap();
    let mut lengths = vec![9, 10, 63, 64, 100, 191, 192, 319, 320, 321, 4095, 4096, 4097, 8191, 8192, 8193];
    lengths.extend((12_288..whole.len()).step_by(50_001));
    lengths.extend([whole.len() - 4096, whole.len() - 1]);
    for length in lengths {
        for options in [shared(Sharing::Exclusive), shared(Sharing::Readers), shared(Sharing::Writers), checked()] {
            fs::write(&path, &whole[..length]).unwrap();
            let error = open(&path, &options).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupted, "{length} bytes: {error}");
            let looked = catch_redb_panic("looking", || all_squares(&inspect(&location(&path), &options)?));
            assert_eq!(looked.unwrap_err().kind(), ErrorKind::Corrupted, "{length} bytes");
        }
    }
}

#[test]
fn truncated_unclean_file_is_reported_or_complete() {
    let folder = tempdir().unwrap();
    let (live, path) = (folder.path().join("live.redb"), folder.path().join("jobs.redb"));
    let opened = open(&live, &shared(Sharing::Exclusive)).unwrap();
    add(&opened.file.db, 500);
    let whole = fs::read(&live).unwrap();
    for length in (9..whole.len()).step_by(30_011).chain((8192..whole.len()).step_by(16 * 4096)) {
        fs::write(&path, &whole[..length]).unwrap();
        match catch_redb_panic("reading", || all_squares(&open(&path, &shared(Sharing::Exclusive))?.file.db)) {
            // The last commit has one flush: redb may take it for one that was cut short, and go back by one.
            Ok(count) => assert!((500..=501).contains(&count), "{length} bytes: {count}"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupted, "{length} bytes: {error}"),
        }
    }
}

#[test]
fn flipped_bytes_never_get_past_the_check() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    drop(open(&path, &shared(Sharing::Exclusive)).unwrap());
    let whole = fs::read(&path).unwrap();
    let used: Vec<_> = (0..whole.len()).filter(|&at| whole[at] != 0).collect();
    let mut dice = Dice(0x0009_e377_9b97_f4a7);
    let (mut reported, mut intact) = (0, 0);
    for round in 0..400 {
        let mut bytes = whole.clone();
        let mut flipped = Vec::new();
        for _ in 0..=round % 3 {
            let at = if dice.below(3) == 0 { dice.below(320) } else { used[dice.below(used.len())] };
            bytes[at] ^= 1 << dice.below(8);
            flipped.push(at);
        }
        fs::write(&path, bytes).unwrap();
        let read = catch_redb_panic("reading", || {
            let opened = open(&path, &checked())?;
            add(&opened.file.db, 500);
            let count = all_squares(&opened.file.db);
            close(&location(&path), opened.file.db)?;
            count
        });
        match read {
            Ok(count) => {
                assert_eq!(count, 501, "{flipped:?}");
                intact += 1;
            }
            Err(error) => {
                assert_reported(&error, &format!("{flipped:?}"));
                reported += 1;
            }
        }
        // After every result, the file is unlocked.
        let again = open(&path, &checked());
        assert!(again.is_ok() || again.unwrap_err().kind() != ErrorKind::Busy, "{flipped:?}");
    }
    assert!(reported > 100, "{reported} reported, {intact} intact");
}

/// Only looked at: a write to a damaged file that was not checked can end the process, with a panic inside a destructor
/// of redb's that runs because of another panic.
#[test]
fn inspection_of_flipped_bytes_never_panics() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    drop(open(&path, &shared(Sharing::Readers)).unwrap());
    let whole = fs::read(&path).unwrap();
    let used: Vec<_> = (0..whole.len()).filter(|&at| whole[at] != 0).collect();
    let mut dice = Dice(0x1234_5678_9abc_def1);
    for _ in 0..300 {
        let mut bytes = whole.clone();
        let at = if dice.below(3) == 0 { dice.below(320) } else { used[dice.below(used.len())] };
        bytes[at] ^= 1 << dice.below(8);
        fs::write(&path, bytes).unwrap();
        if let Ok(looked) = inspect(&location(&path), &shared(Sharing::Readers)) {
            let _ = catch_redb_panic("reading", || {
                let tx = looked.begin_read()?;
                tx.open_table(NUMBERS)?.iter()?.try_for_each(|entry| entry.map(drop))?;
                Ok(())
            });
        }
        let again = open(&path, &checked());
        assert!(again.is_ok() || again.unwrap_err().kind() != ErrorKind::Busy, "{at}");
    }
}

#[test]
fn a_panic_becomes_an_error_with_its_text() {
    let error = catch_redb_panic::<()>("counting", || panic!("page {} is gone", 7)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupted);
    assert!(error.to_string().starts_with("redb panicked while counting (page 7 is gone)"), "{error}");
    let error = catch_redb_panic::<()>("counting", || std::panic::panic_any(7)).unwrap_err();
    assert!(error.to_string().contains("(the panic has no message)"));
    assert_eq!(catch_redb_panic("counting", || Ok(7)).unwrap(), 7);
}
