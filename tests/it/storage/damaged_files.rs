//! Attacks with damaged files: flipped bytes, cut ends, tables of junk. Every call must return, and a task that is
//! shown must be as it was stored.
//!
//! `TRACKER_VARIANTS=n` tries n variants of each sort instead of 120, `TRACKER_SEED=n` others.

use std::{fs, path::Path};

use serde::{Deserialize, Serialize};
use tracker_core::{
    Error, ErrorKind, TaskStatus, Tasks, TrackedTask, Tracker,
    file::Sharing,
    redb_store::{
        OptionsExt, TransactionExt,
        redb::{self, ReadableDatabase, TableDefinition, TableHandle},
    },
    time::ManualClock,
};

use crate::support::{
    random::{Random, setting},
    test_disk::Disk,
};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
    Exhausted = 50,
    Ignored = 60,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[task(name = "job", status = Status, max_attempts = 2, retention(succeeded = "1h"))]
pub(super) struct Job {
    #[task(id)]
    pub name: String,
    #[task(index)]
    pub host: u32,
    #[task(unique)]
    key: u32,
    text: String,
}

pub(super) fn job(number: u32) -> Job {
    let text = format!("<{number:06}> ").repeat(1 + number as usize % 40);
    Job { name: format!("job {number}"), host: number % 3, key: number, text }
}

pub(super) const JOBS: u32 = 80;
const TOTALS: TableDefinition<&str, u64> = TableDefinition::new("totals");

pub(super) fn open(disk: &Disk, check: bool) -> Result<Tracker, Error> {
    let disk = disk.clone();
    let options = Tracker::options().sharing(Sharing::Exclusive).check_on_open(check).clock(ManualClock::new());
    options.open_backend(move || disk.open())
}

/// A file with tasks in many states. Not closed cleanly, if so wanted.
fn file(clean: bool) -> Vec<u8> {
    let disk = Disk::default();
    let tracker = open(&disk, false).unwrap();
    let jobs = tracker.tasks::<Job>().unwrap();
    jobs.submit_all((0..JOBS).map(job)).unwrap();
    for number in 0..JOBS / 2 {
        let mut hand = jobs.start(job(number).name).unwrap();
        match number % 5 {
            0 => hand.succeed().unwrap(),
            1 => hand.fail("no luck").unwrap(),
            2 => hand.give_up("never").unwrap(),
            3 => drop(hand.detach().unwrap()),
            _ => hand.ignore("not now").unwrap(),
        }
    }
    tracker
        .transaction(|tx| {
            tx.table(TOTALS)?.insert("all", u64::from(JOBS))?;
            Ok::<_, Error>(())
        })
        .unwrap();
    let unclean = disk.bytes();
    tracker.close().unwrap();
    if clean { disk.bytes() } else { unclean }
}

/// A file, and where something stands in it.
pub(super) struct Whole {
    bytes: Vec<u8>,
    used: Vec<usize>,
}

impl Whole {
    pub(super) fn file(clean: bool) -> Self {
        let bytes = file(clean);
        let used = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
        Self { bytes, used }
    }

    /// A few bits flipped, most of them where something stands.
    pub(super) fn flipped(&self, random: &mut Random) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        for _ in 0..=random.below(3) {
            let at = match random.below(8) {
                0 => random.below(320),
                1 => random.below(bytes.len()),
                _ => self.used[random.below(self.used.len())],
            };
            bytes[at] ^= 1 << random.below(8);
        }
        bytes
    }
}

/// Every task that is shown is as it was stored.
fn shown_is_true(jobs: &Tasks<Job>) -> Result<u32, Error> {
    let mut shown = 0;
    for number in 0..JOBS {
        match jobs.get(job(number).name) {
            Ok(Some(record)) => {
                assert_eq!(record.task, job(number), "a task is shown that was never stored");
                let allowed = match number % 5 {
                    _ if number >= JOBS / 2 => [Status::Pending].as_slice(),
                    0 => &[Status::Succeeded],
                    1 => &[Status::Failed],
                    2 => &[Status::Exhausted],
                    3 => &[Status::InProgress],
                    _ => &[Status::Ignored],
                };
                assert!(allowed.contains(&record.status), "{}: {:?}", record.id, record.status);
                shown += 1;
            }
            Ok(None) => {}
            Err(error) => assert!(is_told(&error), "{error:?}"),
        }
    }
    Ok(shown)
}

/// Whether the error kind is one that reports damage.
fn is_told(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Corrupted
            | ErrorKind::Foreign
            | ErrorKind::Unsupported
            | ErrorKind::SchemaMismatch
            | ErrorKind::Unreadable
    )
}

#[derive(Default, Debug)]
struct Tally {
    variants: u64,
    refused: u64,
    sound: u64,
    recovered: u64,
    recovered_tasks: u64,
}

/// The calls that must work on any damaged file: it is checked, verified, looked at, recovered from.
fn examine(bytes: &[u8], folder: &Path, tally: &mut Tally, what: &str) {
    tally.variants += 1;
    match open(&Disk::with_bytes(bytes.to_vec()), true) {
        Ok(tracker) => {
            let jobs = tracker.tasks::<Job>();
            match tracker.verify() {
                // What redb's checksums let through is what was stored, or was junk already when it was stored.
                Ok(differences) if differences.is_empty() => {
                    tally.sound += 1;
                    assert_eq!(shown_is_true(&jobs.unwrap()).unwrap(), JOBS, "{what}");
                }
                Ok(_) => drop(jobs.map(|jobs| shown_is_true(&jobs))),
                Err(error) => assert!(is_told(&error), "{what}: {error:?}"),
            }
        }
        Err(error) => {
            tally.refused += 1;
            assert!(is_told(&error), "{what}: {error:?}");
        }
    }
    let path = folder.join("damaged.redb");
    fs::write(&path, bytes).unwrap();
    match Tracker::options().sharing(Sharing::Exclusive).inspect(&path) {
        Ok(looked) => {
            if let Err(error) = looked.verify() {
                assert!(is_told(&error), "{what}: {error:?}");
            }
            if let Ok(jobs) = looked.tasks::<Job>() {
                shown_is_true(&jobs).unwrap();
            }
        }
        Err(error) => assert!(is_told(&error), "{what}: {error:?}"),
    }
    fs::write(&path, bytes).unwrap();
    let into = folder.join("saved.redb");
    match Tracker::recover(&path, &into) {
        Ok(recovered) => {
            tally.recovered += 1;
            tally.recovered_tasks += recovered.tasks;
            let saved = Tracker::options().sharing(Sharing::Exclusive).inspect(&into).unwrap();
            assert_eq!(saved.verify().unwrap(), [], "{what}");
            if saved.kinds().unwrap().contains(&"job".to_owned()) {
                assert_eq!(
                    u64::from(shown_is_true(&saved.tasks::<Job>().unwrap()).unwrap()),
                    recovered.tasks,
                    "{what}"
                );
            }
        }
        Err(error) => assert!(is_told(&error), "{what}: {error:?}"),
    }
    let _ = fs::remove_file(&into);
}

pub(super) fn variants() -> u64 {
    setting("TRACKER_VARIANTS").unwrap_or(120)
}

pub(super) fn seed() -> u64 {
    setting("TRACKER_SEED").unwrap_or(1)
}

#[test]
fn flipped_bits_are_reported_or_harmless() {
    let folder = tempfile::tempdir().unwrap();
    let files = [true, false].map(Whole::file);
    let mut tally = Tally::default();
    for variant in 0..variants() {
        let mut random = Random::new(seed() << 32 | variant);
        let bytes = files[random.below(2)].flipped(&mut random);
        examine(&bytes, folder.path(), &mut tally, &format!("seed {}, variant {variant}", seed()));
    }
    println!("{tally:?}");
    assert!(tally.refused > 0 && tally.recovered > tally.variants / 4, "{tally:?}");
}

#[test]
fn truncated_file_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let mut tally = Tally::default();
    for whole in [file(true), file(false)] {
        let mut lengths = vec![1, 9, 63, 64, 319, 320, 321, 4_095, 4_096, 4_097];
        let mut random = Random::new(seed());
        lengths.extend((0..variants() / 6).map(|_| random.below(whole.len())));
        lengths.extend([whole.len() - 4_096, whole.len() - 1]);
        for length in lengths {
            examine(&whole[..length], folder.path(), &mut tally, &format!("{length} bytes"));
        }
    }
    println!("{tally:?}");
}

/// A key of fixed length as redb takes it.
trait Lent {
    fn lent(&self) -> &Self {
        self
    }
}

impl<const N: usize> Lent for [u8; N] {}

/// Changes a file as redb itself would.
fn with_redb(bytes: &[u8], folder: &Path, change: impl FnOnce(&redb::WriteTransaction)) -> Vec<u8> {
    let path = folder.join("changed.redb");
    fs::write(&path, bytes).unwrap();
    let db = redb::Database::open(&path).unwrap();
    let txn = db.begin_write().unwrap();
    change(&txn);
    txn.commit().unwrap();
    drop(db);
    fs::read(&path).unwrap()
}

/// Values that are no records: noise, nothing, another record's, and far too long a one.
fn junk(old: &[u8], random: &mut Random) -> Vec<u8> {
    match random.below(4) {
        0 => (0..random.below(200)).map(|_| u8::try_from(random.below(256)).unwrap()).collect(),
        1 => Vec::new(),
        2 => old[..old.len() / 2].to_vec(),
        _ => old.repeat(40),
    }
}

#[test]
fn table_of_junk_is_reported_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let whole = file(true);
    let mut tally = Tally::default();
    let mut random = Random::new(seed());
    let names: Vec<String> = {
        let path = folder.path().join("names.redb");
        fs::write(&path, &whole).unwrap();
        let db = redb::Database::open(&path).unwrap();
        let snapshot = db.begin_read().unwrap();
        snapshot.list_tables().unwrap().map(|table| table.name().to_owned()).collect()
    };
    assert!(names.len() > 10);
    for name in names.iter().filter(|name| name.starts_with("tracker.")) {
        let gone = with_redb(&whole, folder.path(), |txn| {
            let tables: Vec<_> = txn.list_tables().unwrap().collect();
            for table in tables {
                if table.name() == name {
                    txn.delete_table(table).unwrap();
                }
            }
        });
        examine(&gone, folder.path(), &mut tally, &format!("{name} is gone"));
        let other = with_redb(&gone, folder.path(), |txn| {
            let definition: TableDefinition<u64, u64> = TableDefinition::new(name);
            txn.open_table(definition).unwrap().insert(7, 7).unwrap();
        });
        examine(&other, folder.path(), &mut tally, &format!("{name} has other types"));
    }
    macro_rules! spoil {
        ($name:literal, $key:ty, $lent:ident) => {
            for share in [1, 3, 10] {
                let spoilt = with_redb(&whole, folder.path(), |txn| {
                    let definition: TableDefinition<$key, &[u8]> = TableDefinition::new($name);
                    let mut table = txn.open_table(definition).unwrap();
                    let rows: Vec<_> = redb::ReadableTable::iter(&table)
                        .unwrap()
                        .map(|row| row.map(|(key, value)| (key.value().to_owned(), value.value().to_vec())).unwrap())
                        .collect();
                    for (key, value) in rows {
                        if random.below(share) == 0 {
                            table.insert(key.$lent(), &*junk(&value, &mut random)).unwrap();
                        }
                    }
                });
                examine(&spoilt, folder.path(), &mut tally, &format!("junk in {}", $name));
            }
        };
    }
    spoil!("tracker.meta", &str, as_str);
    spoil!("tracker.headers", &[u8; 12], lent);
    spoil!("tracker.payloads", &[u8; 12], lent);
    spoil!("tracker.history", &[u8; 20], lent);
    println!("{tally:?}");
}

#[test]
fn transaction_that_met_damage_is_not_committed() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random::new(seed());
    let spoilt = with_redb(&file(true), folder.path(), |txn| {
        let headers: TableDefinition<&[u8; 12], &[u8]> = TableDefinition::new("tracker.headers");
        let mut table = txn.open_table(headers).unwrap();
        let last = redb::ReadableTable::last(&table).unwrap().map(|(key, _)| *key.value()).unwrap();
        table.insert(&last, &*junk(&[1; 8], &mut random)).unwrap();
    });
    let tracker = open(&Disk::with_bytes(spoilt), false).unwrap();
    let jobs = tracker.tasks::<Job>().unwrap();
    let damaged = (0..JOBS).map(|number| job(number).name).find(|name| jobs.get(name).is_err()).unwrap();
    let committed = tracker.transaction(|tx| {
        tx.submit(&jobs, &job(1_000))?;
        let damaged = tx.cancel(&jobs, &damaged).unwrap_err();
        assert_eq!(damaged.kind(), ErrorKind::Corrupted);
        Ok::<_, Error>(())
    });
    assert_eq!(committed.unwrap_err().kind(), ErrorKind::Corrupted);
    assert!(jobs.get(job(1_000).name).unwrap().is_none());
    jobs.submit(&job(1_000)).unwrap();
}

/// A page beyond the end of the file was once the last thing that a look could read.
#[test]
fn inspector_reads_what_is_left_of_a_truncated_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    let whole = file(true);
    fs::write(&path, &whole).unwrap();
    let looked = Tracker::options().sharing(Sharing::Exclusive).inspect(&path).unwrap();
    let jobs = looked.tasks::<Job>().unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let error = looked.verify().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupted, "{error}");
    fs::write(&path, &whole).unwrap();
    looked.verify().unwrap_or_default();
    assert_eq!(shown_is_true(&jobs).unwrap(), JOBS);
}

#[test]
fn header_that_claims_too_much_memory_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let whole = file(true);
    let mut tally = Tally::default();
    // Lengths, counts and page numbers near the start of the file, as large as they can be.
    for at in (0..320).step_by(8) {
        let mut bytes = whole.clone();
        bytes[at..at + 8].fill(0xff);
        examine(&bytes, folder.path(), &mut tally, &format!("0xff at {at}"));
    }
    println!("{tally:?}");
}
