//! Tests that an inspector is held to the same types as a writer.

use crate::support::place::{self, OpenInPlace as _};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use tracker_core::{
    Error, ErrorKind, TaskStatus, TrackedTask, Tracker,
    inspect::Explanation,
    redb_store::{TrackerExt, TransactionExt, redb::TableDefinition},
    time::ManualClock,
};

macro_rules! job {
    ($module:ident, $($status:ident = $code:literal),*) => {
        mod $module {
            use super::*;

            #[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
            pub enum Status { $($status = $code),* }

            #[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
            #[task(name = "job", status = Status)]
            pub struct Job {
                #[task(id)]
                pub name: String,
            }
        }
    };
}

job!(written, Pending = 10, InProgress = 20, Failed = 30, Succeeded = 40, Exhausted = 50);
job!(swapped, Pending = 10, InProgress = 20, Failed = 30, Succeeded = 50, Exhausted = 40);

#[test]
fn inspector_with_another_role_of_a_used_status_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    let tracker = place::open(&path).unwrap();
    let jobs = tracker.tasks::<written::Job>().unwrap();
    jobs.submit(&written::Job { name: "a".into() }).unwrap();
    jobs.run("a", |_| Ok::<_, std::io::Error>(())).unwrap();
    let looking = Tracker::options().inspect_at(&path).unwrap();
    let refused = looking.tasks::<swapped::Job>().unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::SchemaMismatch);
    assert!(refused.to_string().contains("1 task has the status Succeeded (code 40)"), "{refused}");
    let record = looking.tasks::<written::Job>().unwrap().get("a").unwrap().unwrap();
    assert_eq!(record.status, written::Status::Succeeded);
    assert_eq!(tracker.verify().unwrap(), []);
}

#[test]
fn inspector_time_is_at_least_the_clock_floor() {
    if place::is_only_for_files("a store has a time of its own") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    let clock = ManualClock::new();
    let tracker = Tracker::options().clock(clock.clone()).open_at(&path).unwrap();
    tracker.tasks::<written::Job>().unwrap().submit(&written::Job { name: "a".into() }).unwrap();
    let submitted = tracker.now();
    tracker.close().unwrap();
    clock.jump(TimeDelta::days(-1));
    let looking = Tracker::options().clock(clock).inspect_at(&path).unwrap();
    assert_eq!(looking.now(), submitted);
    let why = looking.tasks::<written::Job>().unwrap().explain("a").unwrap();
    assert_eq!(why, Explanation::Queued { ahead: 0 }, "and not due tomorrow");
}

#[test]
fn refused_move_names_the_status() {
    let tracker = place::in_memory().unwrap();
    let jobs = tracker.tasks::<written::Job>().unwrap();
    jobs.submit(&written::Job { name: "a".into() }).unwrap();
    let refused = jobs.move_to("a", written::Status::Exhausted).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotStartable);
    assert!(refused.to_string().contains("cannot be put into Exhausted"), "{refused}");
}

#[test]
fn user_table_of_another_type_is_invalid() {
    const NAMES: TableDefinition<&str, u64> = TableDefinition::new("names");
    const OTHER: TableDefinition<u64, u64> = TableDefinition::new("names");
    if place::is_only_for_files("redb tables") {
        return;
    }
    let tracker = place::in_memory().unwrap();
    tracker.transaction(|tx| tx.table(NAMES).map(drop)).unwrap();
    let mistyped = tracker.transaction(|tx| tx.table(OTHER).map(drop)).unwrap_err();
    assert_eq!(mistyped.kind(), ErrorKind::Invalid, "{mistyped}");
    let doubled = tracker.transaction(|tx| {
        let _held = tx.table(NAMES)?;
        tx.table(NAMES).map(drop)
    });
    let doubled: Error = doubled.unwrap_err();
    assert_eq!(doubled.kind(), ErrorKind::Invalid, "{doubled}");
}

#[test]
fn inspected_file_shows_tables_of_the_caller() {
    const NAMES: TableDefinition<&str, u64> = TableDefinition::new("names");
    const OTHER: TableDefinition<u64, u64> = TableDefinition::new("names");
    const RESERVED: TableDefinition<&str, u64> = TableDefinition::new("tracker.meta");
    if place::is_only_for_files("redb tables") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.redb");
    let tracker = place::open(&path).unwrap();
    let look = |tracker: &Tracker| {
        tracker.read_table(NAMES, |table| table.get("a").unwrap().map(|number| number.value())).unwrap()
    };
    assert_eq!(look(&tracker), None);
    tracker.transaction(|tx| tx.table(NAMES)?.insert("a", 1).map(drop).map_err(Error::from)).unwrap();
    assert_eq!(look(&tracker), Some(Some(1)));
    tracker.close().unwrap();
    let inspected = Tracker::options().inspect_at(&path).unwrap();
    assert_eq!(look(&inspected), Some(Some(1)));
    assert_eq!(inspected.read_table(OTHER, |_| ()).unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(inspected.read_table(RESERVED, |_| ()).unwrap_err().kind(), ErrorKind::Invalid);
}
