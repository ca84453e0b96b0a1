//! Tests of the redo log below redb: what is flushed when, what the next open finds, and what happens if the log cannot be written.

use std::sync::atomic::Ordering::SeqCst;

use super::{
    super::redo_log::{LoggedDisk, find, replay},
    redo_log_disk::{Disk, Event, LOG},
    *,
};

fn exclusive() -> FileOptions {
    shared(Sharing::Exclusive)
}

fn insert(file: &WritableFile, n: u64) -> Result<()> {
    let transaction = file.db.begin_write()?;
    transaction.open_table(NUMBERS)?.insert(n, n * n)?;
    file.commit(transaction)
}

/// Opens it, and makes commits until they go to the log: the numbers from 500.
fn opened(disk: &Disk) -> (WritableFile, u64) {
    let file = open_or_create(&disk.location(LOG), &exclusive(), &squares).unwrap().file;
    let mut n = 500;
    while !disk.has_log() {
        insert(&file, n).unwrap();
        n += 1;
    }
    assert!((510..540).contains(&n), "the log began after {n}");
    disk.take_counts();
    (file, n)
}

/// How many numbers the next program finds.
fn found(disk: &Disk, log: u64) -> u64 {
    all_squares(&open_existing(&disk.location(log), &exclusive()).unwrap().db).unwrap()
}

#[test]
fn commits_flush_one_piece_of_the_log_alone() {
    let disk = Disk::default();
    let (file, first) = opened(&disk);
    for n in first..first + 20 {
        insert(&file, n).unwrap();
        assert_eq!(disk.take_counts(), (0, 1), "{n}");
        assert_eq!(found(&disk.after_power_loss(), 0), n + 1);
        assert_eq!(found(&disk.after_power_loss(), LOG), n + 1);
    }
}

/// Two phases, and so two flushes of redb.
#[test]
fn commits_beside_readers_flush_one_piece_of_the_log() {
    let disk = Disk::default();
    let file = open_or_create(&disk.location(LOG), &shared(Sharing::Readers), &squares).unwrap().file;
    for n in 500..560 {
        let has_log = disk.has_log();
        insert(&file, n).unwrap();
        let counts = disk.take_counts();
        assert!(counts == (0, 1) || !has_log || !disk.has_log() || counts == (1, 1), "{n}: {counts:?}");
        assert_eq!(found(&disk.after_power_loss(), 0), n + 1);
    }
    assert!(disk.has_log());
}

#[test]
fn log_that_is_full_begins_anew_after_a_flush_of_the_file() {
    let disk = Disk::default();
    let (file, first) = opened(&disk);
    let (mut flushes, mut through) = (0, 0);
    for n in first..first + 400 {
        insert(&file, n).unwrap();
        let counts = disk.take_counts();
        (flushes, through) = (flushes + counts.0, through + counts.1);
        if n % 7 == 0 {
            assert_eq!(found(&disk.after_power_loss(), n % 2 * LOG), n + 1);
        }
    }
    assert!(through > 350 && (2..40).contains(&flushes), "{flushes} flushes, {through} writes through");
}

#[test]
fn record_of_which_a_part_is_written_is_none() {
    let disk = Disk::default();
    let (file, first) = opened(&disk);
    for n in first..first + 400 {
        *disk.torn.lock().unwrap() = Default::default();
        insert(&file, n).unwrap();
        let torn = disk.torn.lock().unwrap().clone();
        // A commit that lets the file grow has no record.
        for image in torn.into_iter().filter(|image| !image.is_empty()) {
            let found = found(&Disk::left(image), n % 2 * LOG);
            assert!((n..n + 2).contains(&found), "{found} after {n}");
        }
    }
}

#[test]
fn large_commit_goes_to_the_file_itself() {
    let disk = Disk::default();
    let (file, first) = opened(&disk);
    insert(&file, first).unwrap();
    let transaction = file.db.begin_write().unwrap();
    {
        let mut table = transaction.open_table(NUMBERS).unwrap();
        for n in first + 1..first + 60_000 {
            table.insert(n, n * n).unwrap();
        }
    }
    file.commit(transaction).unwrap();
    let (flushes, _) = disk.take_counts();
    assert!(flushes > 0);
    for image in [disk.after_power_loss(), disk.after_power_loss().after_power_loss()] {
        assert_eq!(found(&image, LOG), first + 60_000);
    }
}

#[test]
fn close_leaves_a_file_of_redb_alone() {
    let disk = Disk::default();
    let (file, first) = opened(&disk);
    insert(&file, first).unwrap();
    let with_log = disk.bytes.len().unwrap();
    close(&disk.location(LOG), file.db).unwrap();
    assert!(!disk.has_log());
    let left = disk.after_power_loss();
    assert_eq!(with_log - left.bytes.len().unwrap(), LOG);
    assert_eq!(all_squares(&redb::Builder::new().create_with_backend(left).unwrap()).unwrap(), first + 1);
}

#[test]
fn file_with_a_log_is_read_only_once_the_log_is_applied() {
    let disk = Disk::default();
    let (file, first) = opened(&disk);
    insert(&file, first).unwrap();
    // The header says that the file was closed, as after a kill within the close.
    let image = disk.after_power_loss();
    let mut flags = [0];
    image.bytes.read(9, &mut flags).unwrap();
    image.bytes.write(9, &[flags[0] & !2]).unwrap();
    let reader = inspect(&image.location(LOG), &exclusive()).unwrap();
    assert_eq!(all_squares(&reader).unwrap(), first + 1);
    assert!(!image.has_log());
}

#[test]
fn salvage_reads_what_the_log_holds_and_writes_nothing() {
    let disk = Disk::default();
    let (file, first) = opened(&disk);
    for n in first..first + 5 {
        insert(&file, n).unwrap();
    }
    let image = disk.after_power_loss();
    let mut bytes = vec![0; usize::try_from(image.bytes.len().unwrap()).unwrap()];
    image.bytes.read(0, &mut bytes).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    fs::write(&path, &bytes).unwrap();
    let [latest, earlier] = readable_commits(&path).unwrap();
    for (commit, expected) in [(latest, first + 5), (earlier, first + 4)] {
        assert_eq!(all_squares(&inspect(&commit, &shared(Sharing::Readers)).unwrap()).unwrap(), expected);
    }
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn mode_with_several_writers_removes_the_log() {
    let disk = Disk::default();
    let (file, first) = opened(&disk);
    insert(&file, first).unwrap();
    let image = disk.after_power_loss();
    let file = open_existing(&image.location(LOG), &shared(Sharing::Writers)).unwrap();
    assert!(!image.has_log());
    assert_eq!(all_squares(&file.db).unwrap(), first + 1);
    for n in first + 1..first + 40 {
        insert(&file, n).unwrap();
    }
    assert!(!image.has_log());
}

/// Another process reads the header as soon as it is written. The flag 8 hides the new commit from it.
#[test]
fn other_processes_see_a_commit_once_it_is_in_the_log() {
    let disk = Disk::default();
    let file = open_or_create(&disk.location(LOG), &shared(Sharing::Readers), &squares).unwrap().file;
    for n in 500..560 {
        disk.events.lock().unwrap().clear();
        insert(&file, n).unwrap();
        let events = disk.events.lock().unwrap().clone();
        let hidden = events.iter().rposition(|event| *event == Event::HiddenHeader).unwrap();
        let flushes = events[hidden + 1..].iter().position(|event| *event == Event::Header);
        assert!(flushes.is_some_and(|count| count > 0), "{n}: {events:?}");
    }
    assert!(disk.has_log());
}

#[test]
fn disk_without_room_for_a_log_is_used_without_one() {
    let disk = Disk::default();
    let file = open_or_create(&disk.location(LOG), &exclusive(), &squares).unwrap().file;
    disk.counts.is_full.store(true, SeqCst);
    for n in 500..560 {
        insert(&file, n).unwrap();
    }
    assert!(!disk.has_log());
    assert_eq!(found(&disk.after_power_loss(), LOG), 560);
    disk.counts.is_full.store(false, SeqCst);
    for n in 560..600 {
        insert(&file, n).unwrap();
    }
    assert!(!disk.has_log(), "a failed begin is not tried again");
}

#[test]
fn log_that_fails_stops_all_writes_until_the_next_open() {
    let disk = Disk::default();
    let (file, first) = opened(&disk);
    insert(&file, first).unwrap();
    disk.counts.through_fails.store(true, SeqCst);
    assert_eq!(insert(&file, first + 1).unwrap_err().kind(), ErrorKind::Io);
    disk.counts.through_fails.store(false, SeqCst);
    let before = disk.bytes_now();
    assert!(insert(&file, first + 2).is_err());
    let _ = close(&disk.location(LOG), file.db);
    assert!(disk.bytes_now() == before, "something was written after the failure");
    assert_eq!(found(&disk, LOG), first + 1);
}

/// Opens the storage as far as the log is applied, before redb reads anything.
fn applied(disk: &Disk) -> LoggedDisk {
    let logged = LoggedDisk::new(Box::new(disk.clone()), None);
    logged.len().unwrap();
    logged
}

#[test]
fn commit_of_an_applied_log_is_not_hidden_from_readers() {
    let disk = Disk::default();
    let file = open_or_create(&disk.location(LOG), &shared(Sharing::Readers), &squares).unwrap().file;
    (500..530).for_each(|n| insert(&file, n).unwrap());
    let image = disk.after_power_loss();
    let flags = |disk: &Disk| {
        let mut flags = [0];
        disk.bytes.read(9, &mut flags).unwrap();
        flags[0]
    };
    let read = |offset, out: &mut [u8]| image.bytes.read(offset, out);
    let length = image.bytes.len().unwrap();
    let log = find(length, &read).unwrap().unwrap();
    let header = &replay(log, length, &read).unwrap().blocks[&0];
    assert_eq!(header[9] & 8, 8, "the mark is cleared after the flush, by a write of the next record");
    applied(&image);
    assert_eq!(flags(&image) & 8, 0);
}

#[test]
fn blocks_that_the_file_seems_to_have_are_written_too() {
    let disk = Disk::default();
    let (file, first) = opened(&disk);
    (first..first + 5).for_each(|n| insert(&file, n).unwrap());
    let image = Disk::left(disk.bytes_now());
    applied(&image);
    // The descriptor, and the blocks.
    assert!(image.counts.writes.load(SeqCst) > 5);
}

#[test]
fn descriptor_of_a_file_that_was_cut_is_removed() {
    let disk = Disk::default();
    let _open = opened(&disk);
    let image = Disk::left(disk.bytes_now());
    let start = image.bytes.len().unwrap() - LOG;
    image.bytes.set_len(start - 4096).unwrap();
    assert_eq!(applied(&image).len().unwrap(), start - 4096);
    assert!(!image.has_log());
}

#[test]
fn log_without_a_record_is_removed() {
    let disk = Disk::default();
    let _open = opened(&disk);
    let image = Disk::left(disk.bytes_now());
    image.bytes.write(image.bytes.len().unwrap() - LOG, &[0; 4096]).unwrap();
    applied(&image);
    assert!(!image.has_log());
}

#[test]
fn redb_alone_refuses_a_file_with_a_log_and_writes_nothing() {
    let disk = Disk::default();
    let (file, first) = opened(&disk);
    insert(&file, first).unwrap();
    let image = Disk::left(disk.bytes_now());
    let before = image.bytes_now();
    assert!(redb::Builder::new().create_with_backend(image.clone()).is_err());
    assert!(image.bytes_now() == before);
    assert_eq!(found(&image, 0), first + 1);
}
