//! Changes one stored value of a file. With a wrong checksum, each call must fail or answer correctly. With a valid
//! one, this holds for all other tasks. Nothing may panic.

use std::{
    collections::BTreeSet,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    time::Duration,
};

use tracker_core::{
    ErrorKind, Tracker,
    file::Sharing,
    redb_store::redb::{AccessGuard, Database, ReadableTable, TableDefinition, WriteTransaction},
    time::ManualClock,
};
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    checker::{self, Figures},
    client::{AllTasks, Client, Held, Plan},
    kinds::{Kind, Short, Task},
    log::{self, Answer, Event, Log},
    random::{Random, seed, setting},
};

const TASKS: u32 = 6;
const CALLS: usize = 40;

fn open(path: &Path) -> tracker_core::Result<Tracker> {
    Tracker::options().sharing(Sharing::Exclusive).clock(ManualClock::new()).open(path)
}

fn plan() -> Plan {
    Plan { first: 0, tasks: TASKS, lease: Duration::from_secs(60), contended: false }
}

/// A closed file, and the log of its making. The n-th row of a task is that of the n-th task that was submitted.
fn file(path: &Path, seed: u64) -> Vec<log::Entry> {
    let tracker = open(path).unwrap();
    let tasks = AllTasks::open(&tracker).unwrap();
    let log = Log::memory(|| 0);
    let mut client = Client { log: &log, name: "builder.0".to_owned(), random: Random::new(seed) };
    (0..TASKS).for_each(|task| client.submit(&tasks.short, task));
    (0..TASKS).for_each(|task| client.submit(&tasks.named, task));
    (0..TASKS).for_each(|task| client.submit(&tasks.endless, task));
    let mut held = Held::default();
    for _ in 0..4 * CALLS {
        client.step(&tasks, &mut held, &plan());
    }
    client.release_all(held);
    drop(tasks);
    tracker.close().unwrap();
    log.write(Event::Dead { process: "builder".to_owned() });
    log.entries()
}

/// The task that the n-th row belongs to.
fn task_of(row: usize) -> (Kind, u32) {
    let tasks = TASKS as usize;
    (Kind::ALL[row / tasks], u32::try_from(row % tasks).unwrap())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    /// The bytes of the value, with the old checksum.
    Raw,
    /// The bytes between the version and the checksum, with a valid checksum.
    Sealed,
}

fn flip(bytes: &mut [u8], random: &mut Random) {
    if bytes.is_empty() {
        return;
    }
    let at = random.below(bytes.len());
    match random.below(3) {
        0 => bytes[at] ^= 1 << random.below(8),
        1 => bytes[at] = u8::try_from(random.below(256)).unwrap(),
        _ => {
            let end = bytes.len().min(at + 8);
            bytes[at..end].fill(0xff);
        }
    }
}

fn changed(sort: Sort, key: &[u8], value: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut value = value.to_vec();
    if sort == Sort::Sealed {
        let low = |bytes: &[u8]| xxh3_64(bytes).to_le_bytes().first_chunk::<4>().copied().unwrap();
        let end = value.len() - 4;
        flip(&mut value[1..end], random);
        let mut sum = low(&value[..end]);
        sum.iter_mut().zip(low(key)).for_each(|(byte, other)| *byte ^= other);
        value[end..].copy_from_slice(&sum);
        return value;
    }
    match random.below(6) {
        0 => value.truncate(random.below(value.len())),
        1 => value.extend_from_slice(&[0; 3]),
        2 => return other.to_vec(),
        _ => flip(&mut value, random),
    }
    value
}

/// A value, its key, and the value of another row.
fn one_of<K: Clone>(rows: &[(K, Vec<u8>)], random: &mut Random) -> (K, Vec<u8>, Vec<u8>) {
    let (row, other) = (random.below(rows.len()), random.below(rows.len()));
    (rows[row].0.clone(), rows[row].1.clone(), rows[other].1.clone())
}

/// The rows of a table whose keys begin with the key of a task.
fn rows_of<const N: usize>(txn: &WriteTransaction, name: &str) -> Vec<([u8; N], Vec<u8>)> {
    let table = txn.open_table(TableDefinition::<&[u8; N], &[u8]>::new(name)).unwrap();
    table.iter().unwrap().map(|row| row.map(|(key, value)| (*key.value(), value.value().to_vec())).unwrap()).collect()
}

/// Changes one value of such a table. Returns the task that it belongs to; `None` if nothing was changed.
fn change_of<const N: usize>(
    txn: &WriteTransaction,
    name: &str,
    sort: Sort,
    random: &mut Random,
) -> Option<(Kind, u32)> {
    let (key, old, other) = one_of(&rows_of::<N>(txn, name), random);
    let new = changed(sort, &key, &old, &other, random);
    let mut table = txn.open_table(TableDefinition::<&[u8; N], &[u8]>::new(name)).unwrap();
    table.insert(&key, new.as_slice()).unwrap();
    drop(table);
    let row = rows_of::<12>(txn, "tracker.headers").iter().position(|(header, _)| key.starts_with(header)).unwrap();
    (new != old).then(|| task_of(row))
}

/// Changes one value of the file's own, with the old checksum. Returns whether anything was changed.
fn change_meta(txn: &WriteTransaction, random: &mut Random) -> bool {
    let mut table = txn.open_table(TableDefinition::<&str, &[u8]>::new("tracker.meta")).unwrap();
    let read = |row: Result<_, _>| {
        let (key, value): (AccessGuard<'_, &str>, AccessGuard<'_, &[u8]>) = row.unwrap();
        (key.value().to_owned(), value.value().to_vec())
    };
    let rows: Vec<_> = table.iter().unwrap().map(read).collect();
    let (key, old, other) = one_of(&rows, random);
    let new = changed(Sort::Raw, key.as_bytes(), &old, &other, random);
    table.insert(key.as_str(), new.as_slice()).unwrap();
    new != old
}

/// Lets an id lead to the row of another task.
fn change_id(txn: &WriteTransaction, random: &mut Random) -> bool {
    let mut table = txn.open_table(TableDefinition::<&[u8], u64>::new("tracker.ids")).unwrap();
    let rows: Vec<_> = table
        .iter()
        .unwrap()
        .map(|row| row.map(|(key, value)| (key.value().to_vec(), value.value())).unwrap())
        .collect();
    let (key, old) = &rows[random.below(rows.len())];
    let new = rows[random.below(rows.len())].1;
    table.insert(key.as_slice(), new).unwrap();
    new != *old
}

/// Changes one value of a closed file. Returns whether it did, and the tasks whose answers are not judged.
fn change(path: &Path, sort: Sort, random: &mut Random) -> (bool, BTreeSet<(Kind, u32)>) {
    let db = Database::open(path).unwrap();
    let txn = db.begin_write().unwrap();
    let tables = if sort == Sort::Raw { 5 } else { 3 };
    let (changed, task) = match random.below(tables) {
        0 => {
            let task = change_of::<12>(&txn, "tracker.headers", sort, random);
            (task.is_some(), task)
        }
        1 => {
            let task = change_of::<12>(&txn, "tracker.payloads", sort, random);
            (task.is_some(), task)
        }
        2 => {
            let task = change_of::<20>(&txn, "tracker.history", sort, random);
            (task.is_some(), task)
        }
        3 => (change_meta(&txn, random), None),
        _ => (change_id(&txn, random), None),
    };
    txn.commit().unwrap();
    let ignored = if sort == Sort::Sealed { task.into_iter().collect() } else { BTreeSet::new() };
    (changed, ignored)
}

/// Works on the file as a program that trusts it. Returns its log, or `None` if the file was refused.
fn trust(path: &Path, seed: u64) -> Option<Vec<log::Entry>> {
    let tracker = open(path).ok()?;
    let tasks = AllTasks::open(&tracker).ok()?;
    let log = Log::memory(|| 0);
    let mut client = Client { log: &log, name: "user.0".to_owned(), random: Random::new(seed) };
    client.get_all(&tasks, 0..TASKS);
    let mut held = Held::default();
    for _ in 0..CALLS {
        client.step(&tasks, &mut held, &plan());
    }
    client.release_all(held);
    client.get_all(&tasks, 0..TASKS);
    drop(tracker.verify());
    drop(tasks);
    drop(tracker.close());
    Some(log.entries())
}

fn attack(sort: Sort) {
    let variants = setting("TRACKER_VARIANTS", 30);
    let folder = tempfile::tempdir().unwrap();
    let (whole, path) = (folder.path().join("whole.redb"), folder.path().join("changed.redb"));
    let making = file(&whole, seed());
    let (mut figures, mut files, mut refused, mut errors) = (Figures::default(), 0, 0, 0);
    for variant in 0..variants {
        let mut random = Random::new(seed() << 32 | variant);
        fs::copy(&whole, &path).unwrap();
        let (changed, ignored) = change(&path, sort, &mut random);
        files += u64::from(changed);
        let used = catch_unwind(AssertUnwindSafe(|| trust(&path, random.number())));
        let used = used.unwrap_or_else(|_| panic!("{sort:?}, seed {}, variant {variant}: a call panicked", seed()));
        let Some(used) = used else {
            refused += 1;
            continue;
        };
        let damaged = |entry: &&log::Entry| matches!(entry.event, Event::Answered { answer: Answer::Damaged, .. });
        errors += used.iter().filter(damaged).count();
        let entries = [making.clone(), used].concat();
        match checker::check_damaged(&entries, &ignored) {
            Ok(checked) => figures += checked,
            Err(what) => panic!("{sort:?}, seed {}, variant {variant}: {what}{}", seed(), log::kept(&entries)),
        }
    }
    println!("{sort:?}: {files} changed values, {refused} files refused, {errors} calls told of damage: {figures:?}");
    assert!(files > variants / 2 && errors > 0, "the changes hit nothing");
}

#[test]
fn changed_record_is_an_error_or_harmless() {
    attack(Sort::Raw);
}

#[test]
fn changed_record_with_its_checksum_harms_no_other_task() {
    attack(Sort::Sealed);
}

/// Such a row was once reported as a missing task.
#[test]
fn id_that_leads_to_no_task_is_corrupted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("changed.redb");
    file(&path, seed());
    let db = Database::open(&path).unwrap();
    let txn = db.begin_write().unwrap();
    {
        let mut table = txn.open_table(TableDefinition::<&[u8], u64>::new("tracker.ids")).unwrap();
        let key = table.first().unwrap().unwrap().0.value().to_vec();
        table.insert(key.as_slice(), u64::MAX / 2).unwrap();
    }
    txn.commit().unwrap();
    drop(db);
    let tracker = open(&path).unwrap();
    let tasks = AllTasks::open(&tracker).unwrap();
    let answers = [
        tasks.short.get(0).map(drop),
        tasks.short.cancel(0),
        tasks.short.submit(&Short::new(0, 1)).map(drop),
        tasks.short.start(0).map(drop),
    ];
    for answer in answers {
        assert_eq!(answer.unwrap_err().kind(), ErrorKind::Corrupted);
    }
    tasks.short.get(1).unwrap();
}
