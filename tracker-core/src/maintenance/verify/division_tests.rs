//! Tests that `verify` reports the same on damaged files with any number of rows per pass, and holds no more rows than that.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::{fs, path::Path};

use redb::{Database, ReadableTable as _, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::{Division, Inconsistency, verify_divided};
use crate::{
    Options, TaskStatus, TrackedTask, Tracker, batch::BatchOptions, dependency::OnDependencyFailure, file::Sharing,
    model::sample::Random, storage::definitions, submit::SubmitOptions, time::ManualClock,
};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Pending = 1,
    InProgress = 2,
    Failed = 3,
    Succeeded = 4,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "fetch", status = Status)]
struct Fetch {
    #[task(id)]
    number: u32,
    #[task(unique)]
    key: u32,
    #[task(index, limit = 2)]
    host: u32,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "crawl", status = Status)]
struct Crawl {
    #[task(id)]
    number: u32,
    #[task(index, limit = 1)]
    host: u32,
    #[task(index, limit = 1)]
    customer: u32,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "job", status = Status)]
struct Job {
    #[task(id)]
    number: u32,
    #[task(fingerprint)]
    version: u32,
}

fn job(number: u32) -> Job {
    Job { number, version: 1 }
}

fn options() -> Options {
    Tracker::options().sharing(Sharing::Exclusive).clock(ManualClock::new())
}

/// Writes a file with rows in all tables that are compared.
fn write_file(path: &Path, fetches: u32) {
    let tracker = options().open(path).unwrap();
    let tasks = tracker.tasks::<Fetch>().unwrap();
    tasks.submit_all((0..fetches).map(|number| Fetch { number, key: number, host: number % 11 })).unwrap();
    for number in 0..12 {
        let mut task = tasks.claim().unwrap().unwrap();
        match number % 4 {
            0 => task.fail("no luck").unwrap(),
            1 => task.succeed().unwrap(),
            _ => {
                task.progress(1, Some(2), "half");
                tracker.flush().unwrap();
                task.detach().unwrap();
            }
        }
    }
    let crawls = tracker.tasks::<Crawl>().unwrap();
    crawls.submit_all((0..12).map(|number| Crawl { number, host: number % 3, customer: number % 4 })).unwrap();
    crawls.claim().unwrap().unwrap().detach().unwrap();
    let jobs = tracker.tasks::<Job>().unwrap();
    jobs.submit_all((0..4).map(job)).unwrap();
    let after = |number| SubmitOptions::new().after(&jobs, number, OnDependencyFailure::Wait);
    jobs.submit_with(&job(10), &after(2)).unwrap();
    jobs.submit_with(&job(11), &after(3)).unwrap();
    jobs.start(0).unwrap().detach().unwrap();
    jobs.submit(&Job { number: 0, version: 2 }).unwrap();
    let night = tracker.open_batch("night", &BatchOptions::new().then(&jobs, &job(20)).unwrap()).unwrap();
    jobs.submit_all_with((21..25).map(job), &SubmitOptions::new().batch(&night)).unwrap();
    jobs.submit_with(&job(30), &SubmitOptions::new().after_batch(&night, OnDependencyFailure::Run)).unwrap();
    let day = tracker.open_batch("day", &BatchOptions::new()).unwrap();
    jobs.submit_with(&job(31), &SubmitOptions::new().batch(&day)).unwrap();
    day.seal().unwrap();
    jobs.start(31).unwrap().succeed().unwrap();
    drop((tasks, crawls, jobs, night, day));
    tracker.close().unwrap();
}

/// Removes a row, changes its value, or adds one with another key.
fn damage_row(txn: &WriteTransaction, random: &mut Random) {
    macro_rules! damage {
        ($($number:literal $table:ident[$key:ty], $lend:ident, $other:expr;)*) => {
            match random.below(19) {
                $($number => {
                    let mut rows = txn.open_table(definitions::$table.file).unwrap();
                    let all: Vec<_> = rows.iter().unwrap().map(|row| {
                        let (key, value) = row.unwrap();
                        (key.value().to_vec(), value.value().to_owned())
                    }).collect();
                    if all.is_empty() {
                        return;
                    }
                    let (mut key, mut value) = all[random.below(all.len())].clone();
                    let change = random.below(3);
                    if change == 0 {
                        let key: &$key = key.as_slice().try_into().unwrap();
                        rows.remove(key).unwrap();
                        return;
                    }
                    if change == 1 {
                        value = $other(value);
                    } else {
                        let at = key.len() - 1 - random.below(4);
                        key[at] ^= 1 << random.below(8);
                    }
                    let key: &$key = key.as_slice().try_into().unwrap();
                    rows.insert(key, value.$lend()).unwrap();
                })*
                16 => {
                    let mut rows = txn.open_table(definitions::BATCH_LABELS.file).unwrap();
                    rows.remove("night").unwrap();
                }
                17 => {
                    let mut rows = txn.open_table(definitions::BATCHES.file).unwrap();
                    let number = rows.first().unwrap().map(|row| row.0.value());
                    if let Some(number) = number {
                        rows.remove(number).unwrap();
                    }
                }
                _ => {
                    let mut rows = txn.open_table(definitions::FOLLOW_UPS.file).unwrap();
                    rows.insert(3, &b"x"[..]).unwrap();
                }
            }
        };
    }
    let longer = |bytes: Vec<u8>| [&bytes[..], b"x"].concat();
    let more = |number: u64| number + 1;
    let less = |number: u64| number.saturating_sub(1);
    let same = |()| ();
    let other_effect = |number: u8| number % 3 + 1;
    damage! {
        0 CLAIM_ORDER[[u8; 33]], clone, same;
        1 UPDATED[[u8; 24]], clone, same;
        2 INDEXES[[u8]], clone, same;
        3 IDS[[u8]], clone, more;
        4 UNIQUE_KEYS[[u8]], clone, more;
        5 COUNTS[[u8; 8]], clone, less;
        6 LIMIT_QUEUES[[u8]], clone, same;
        7 LIMIT_IN_USE[[u8]], clone, less;
        8 LIMIT_HEADS[[u8; 33]], as_slice, longer;
        9 HEADERS[[u8; 12]], as_slice, longer;
        10 PAYLOADS[[u8; 12]], as_slice, longer;
        11 SUCCESSORS[[u8; 12]], as_slice, longer;
        12 PROGRESS[[u8; 12]], as_slice, longer;
        13 HISTORY[[u8; 20]], as_slice, longer;
        14 BATCH_MEMBERS[[u8; 20]], clone, same;
        15 DEPENDENCIES[[u8; 24]], clone, other_effect;
    }
}

fn changed(path: &Path, work: impl FnOnce(&WriteTransaction)) {
    let file = Database::open(path).unwrap();
    let txn = file.begin_write().unwrap();
    work(&txn);
    txn.commit().unwrap();
}

/// The inconsistencies of a file, and the highest number of rows that were held.
fn verified(path: &Path, rows: usize, all: bool) -> (Vec<Inconsistency>, usize) {
    let tracker = options().inspect(path).unwrap();
    tracker.shared.engine.read(|tables| verify_divided(tables, Division { rows, all })).unwrap()
}

#[test]
fn small_passes_report_what_one_pass_reports() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tasks.redb");
    write_file(&path, 60);
    let sound = fs::read(&path).unwrap();
    assert_eq!(verified(&path, usize::MAX, true).0, []);
    assert_eq!(verified(&path, 1, false), (Vec::new(), 0));
    let mut damaged = 0;
    for seed in 0..15 {
        fs::write(&path, &sound).unwrap();
        let mut random = Random(seed);
        changed(&path, |txn| (0..=random.below(6)).for_each(|_| damage_row(txn, &mut random)));
        let (all, _) = verified(&path, usize::MAX, true);
        damaged += usize::from(!all.is_empty());
        for rows in [1, 7, usize::MAX] {
            assert_eq!(verified(&path, rows, false).0, all, "seed {seed}, {rows} rows");
        }
    }
    assert!(damaged > 10, "{damaged}");
}

#[test]
fn rows_held_at_once_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tasks.redb");
    write_file(&path, 1_000);
    changed(&path, |txn| {
        txn.open_table(definitions::CLAIM_ORDER.file).unwrap().retain(|_, ()| false).unwrap();
        txn.open_table(definitions::LIMIT_IN_USE.file).unwrap().retain(|_, _| false).unwrap();
    });
    let (all, held) = verified(&path, usize::MAX, false);
    assert!(all.len() > 1_000 && held > 1_000, "{} differences, {held} rows", all.len());
    let (in_parts, held) = verified(&path, 300, false);
    assert_eq!(in_parts, all);
    assert!((1..=300).contains(&held), "{held}");
}
