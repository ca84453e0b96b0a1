//! Tests that throttle keys keep their state in exports, copies and repairs, that rows are removed, and that a damaged one is reported.

use std::{path::Path, time::Duration};

use chrono::{TimeDelta, Utc};
use tracker_core::{
    ErrorKind, Submission, Tasks, Tracker,
    redb_store::redb::{ReadableTable, ReadableTableMetadata, TableDefinition},
    submit::SubmitOptions,
    time::{Clock, ManualClock},
};

use crate::support::{
    kinds::{Job, job, sound},
    rows,
};

const HOUR: Duration = Duration::from_secs(3600);
const THROTTLES: TableDefinition<&[u8], &[u8]> = TableDefinition::new("tracker.throttles");
const ENDS: TableDefinition<&[u8], ()> = TableDefinition::new("tracker.throttle_ends");

fn open(path: &Path, clock: &ManualClock) -> (Tracker, Tasks<Job>) {
    let tracker = Tracker::options().clock(clock.clone()).open(path).unwrap();
    let tasks = tracker.tasks().unwrap();
    (tracker, tasks)
}

fn submit(tasks: &Tasks<Job>, name: &str, key: &str) -> Submission {
    tasks.submit_with(&job(name), &SubmitOptions::new().throttle(key, HOUR)).unwrap().submission
}

fn keys(path: &Path) -> u64 {
    let mut count = 0;
    rows::change(path, |txn| count = txn.open_table(THROTTLES).unwrap().len().unwrap());
    count
}

/// A file with three throttle keys.
fn write(path: &Path, clock: &ManualClock) {
    let (tracker, tasks) = open(path, clock);
    for key in ["a", "b", "c"] {
        assert_eq!(submit(&tasks, &format!("{key}1"), key), Submission::New);
    }
    sound(&tracker);
    drop(tasks);
    tracker.close().unwrap();
}

#[test]
fn throttle_keys_are_kept_in_exports_and_backups() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let clock = ManualClock::new();
    write(&path("file"), &clock);
    let (tracker, tasks) = open(&path("file"), &clock);
    tracker.backup(path("backup")).unwrap();
    let mut lines = Vec::new();
    tracker.export(&mut lines).unwrap();
    assert_eq!(String::from_utf8(lines.clone()).unwrap().matches("\"throttle\"").count(), 3);
    drop(tasks);
    tracker.close().unwrap();
    let (imported, tasks) = open(&path("imported"), &clock);
    imported.import(&lines[..]).unwrap();
    clock.advance(HOUR / 2);
    // A key that the file has stays as it is.
    let later = String::from_utf8(lines.clone()).unwrap().replace("\"id\":\"a1\"}", "\"id\":\"other\"}");
    imported.import(later.as_bytes()).unwrap();
    drop(tasks);
    imported.close().unwrap();
    for copy in ["file", "backup", "imported"] {
        let (tracker, tasks) = open(&path(copy), &clock);
        let receipt = tasks.submit_with(&job("a2"), &SubmitOptions::new().throttle("a", HOUR)).unwrap();
        assert_eq!((receipt.submission, receipt.id.to_string().as_str()), (Submission::Throttled, "a1"), "{copy}");
        sound(&tracker);
    }
    clock.advance(HOUR / 2);
    for copy in ["file", "backup", "imported"] {
        let (tracker, tasks) = open(&path(copy), &clock);
        let mut lines = Vec::new();
        tracker.export(&mut lines).unwrap();
        assert!(!String::from_utf8(lines).unwrap().contains("\"throttle\""), "{copy}");
        assert_eq!(submit(&tasks, "a2", "a"), Submission::New, "{copy}");
    }
}

#[test]
fn line_of_a_throttle_key_is_checked() {
    let tracker = Tracker::in_memory().unwrap();
    drop(tracker.tasks::<Job>().unwrap());
    for (line, words) in [
        (
            r#"{"throttle":"a","kind":"other","accepted_at":"2020-01-01T00:00:00Z","period_us":5,"id":"x"}"#,
            "no kind \"other\"",
        ),
        (
            r#"{"throttle":"a","kind":"job","accepted_at":"2020-01-01T00:00:00Z","period_us":0,"id":"x"}"#,
            "period of zero",
        ),
        (r#"{"throttle":"","kind":"job","accepted_at":"2020-01-01T00:00:00Z","period_us":5,"id":"x"}"#, "is empty"),
        (r#"{"throttle":"a","kind":"job","accepted_at":"2020-01-01T00:00:00Z","period_us":5}"#, "missing field `id`"),
        (r#"{"throttle":"a","kind":"job","color":1}"#, "unknown field `color`"),
    ] {
        let error = tracker.import(line.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn rows_whose_period_has_passed_are_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let clock = ManualClock::new();
    let (tracker, tasks) = open(&path, &clock);
    for number in 0..500 {
        clock.advance(HOUR / 4);
        // Keys that rise, and keys in any order.
        assert_eq!(submit(&tasks, &format!("a{number}"), &format!("a{number:04}")), Submission::New);
        assert_eq!(submit(&tasks, &format!("b{number}"), &format!("b{}", number * 7919 % 1009)), Submission::New);
    }
    sound(&tracker);
    drop(tasks);
    tracker.close().unwrap();
    let keys = keys(&path);
    assert!((8..=10).contains(&keys), "{keys} keys");
}

#[test]
fn time_of_a_wrong_clock_does_not_throttle_after_the_repair() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let clock = ManualClock::new();
    let right = clock.now().wall;
    let wrong = ManualClock::at(right + TimeDelta::days(365));
    write(&path, &wrong);
    Tracker::options().clock(clock.clone()).repair_time(&path).unwrap();
    let (tracker, tasks) = open(&path, &clock);
    assert_eq!(submit(&tasks, "a2", "a"), Submission::Throttled);
    clock.advance(HOUR + Duration::from_secs(1));
    assert_eq!(submit(&tasks, "a2", "a"), Submission::New);
    sound(&tracker);
}

#[test]
fn damaged_throttle_key_is_reported_and_lost_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    // A recovery runs by the system's clock, and takes later times for wrong.
    let clock = ManualClock::at(Utc::now());
    write(&path, &clock);
    rows::change(&path, |txn| {
        let mut throttles = txn.open_table(THROTTLES).unwrap();
        let keys: Vec<_> = throttles.iter().unwrap().map(|row| row.unwrap().0.value().to_vec()).collect();
        let mut row = throttles.get(keys[0].as_slice()).unwrap().unwrap().value().to_vec();
        row[2] ^= 1;
        throttles.insert(keys[0].as_slice(), row.as_slice()).unwrap();
        // The row of another key.
        let moved = throttles.get(keys[1].as_slice()).unwrap().unwrap().value().to_vec();
        throttles.insert([keys[1].as_slice(), b"x"].concat().as_slice(), moved.as_slice()).unwrap();
        // The end of no row.
        let mut ends = txn.open_table(ENDS).unwrap();
        ends.insert(&b"12345678x"[..], ()).unwrap();
    });
    let (tracker, tasks) = open(&path, &clock);
    let found: Vec<_> = tracker.verify().unwrap().into_iter().map(|found| found.to_string()).collect();
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[..2].iter().all(|text| text.starts_with("tracker.throttles: ")), "{found:?}");
    assert!(
        found[2].starts_with("tracker.throttle_ends: ") && found[2].ends_with("belongs to no throttle key"),
        "{found:?}"
    );
    let error = tasks.submit_with(&job("a2"), &SubmitOptions::new().throttle("a", HOUR)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupted);
    assert!(tasks.get("a2").unwrap().is_none());
    assert_eq!(submit(&tasks, "b2", "b"), Submission::Throttled);
    drop(tasks);
    tracker.close().unwrap();
    let recovered = Tracker::recover(&path, folder.path().join("recovered")).unwrap();
    assert_eq!((recovered.tasks, recovered.throttles_lost.len()), (3, 2), "{recovered:?}");
    let (tracker, tasks) = open(&folder.path().join("recovered"), &clock);
    assert_eq!(submit(&tasks, "a2", "a"), Submission::New);
    assert_eq!(submit(&tasks, "c2", "c"), Submission::Throttled);
    sound(&tracker);
}
