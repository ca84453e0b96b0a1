//! Tests that schedules keep their state in exports, copies and repairs, and that a damaged one is reported.

use std::time::Duration;

use chrono::TimeDelta;
use tracker_core::{
    ErrorKind, Tasks, Tracker,
    file::Sharing,
    redb_store::redb::{ReadableTable, TableDefinition},
    schedule::{CatchUp, Overlap, Schedule, ScheduleInfo},
    time::{Clock, ManualClock},
};

use crate::support::{
    kinds::{Job, job, sound},
    rows,
};

const HOUR: Duration = Duration::from_secs(3600);
const SCHEDULES: TableDefinition<&str, &[u8]> = TableDefinition::new("tracker.schedules");

fn build(occurrence: &tracker_core::schedule::Occurrence) -> Job {
    job(&occurrence.id())
}

/// A file with schedules of each sort, in which two hours have passed.
fn write(path: &std::path::Path, clock: &ManualClock) -> Vec<ScheduleInfo> {
    let tracker = Tracker::options().clock(clock.clone()).open(path).unwrap();
    let jobs: Tasks<Job> = tracker.tasks().unwrap();
    let cron = Schedule::cron("30 * * * *").unwrap().time_zone("Asia/Kolkata").unwrap();
    let cron = cron.jitter(HOUR / 60).unwrap().catch_up(CatchUp::All { max: 7 }).unwrap();
    jobs.schedule("cron", &cron.overlap(Overlap::QueueOne), build).unwrap();
    let every = Schedule::every(HOUR).unwrap().catch_up(CatchUp::Skip).unwrap();
    jobs.schedule("every", &every.overlap(Overlap::CancelEarlier), build).unwrap();
    let date = tracker.now() + TimeDelta::hours(1);
    jobs.schedule("dates", &Schedule::dates([date]).unwrap(), build).unwrap();
    tracker.add_schedule("template", "job", &Schedule::cron("@daily").unwrap(), r#"{"name": "{id}"}"#).unwrap();
    tracker.schedule("template").unwrap().unwrap().pause().unwrap();
    for _ in 0..2 {
        clock.advance(HOUR);
        tracker.submit_due_occurrences().unwrap();
    }
    sound(&tracker);
    tracker.schedules().unwrap()
}

fn infos(path: &std::path::Path, clock: &ManualClock) -> Vec<ScheduleInfo> {
    let tracker = Tracker::options().clock(clock.clone()).open(path).unwrap();
    sound(&tracker);
    tracker.schedules().unwrap()
}

#[test]
fn schedules_keep_their_state_in_exports_backups_and_recoveries() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    // A recovery takes times after the system clock for wrong.
    let clock = ManualClock::at("2020-01-01T00:00:00Z".parse().unwrap());
    let written = write(&path("file"), &clock);
    let counts: Vec<_> = written.iter().map(|info| (info.name.as_str(), info.submitted)).collect();
    // The second occurrence of "cron" is delayed by its jitter.
    assert_eq!(counts, [("cron", 1), ("dates", 1), ("every", 2), ("template", 0)]);
    assert_eq!(written[1].next, None);
    let tracker = Tracker::options().clock(clock.clone()).open(path("file")).unwrap();
    tracker.backup(path("backup")).unwrap();
    let mut lines = Vec::new();
    tracker.export(&mut lines).unwrap();
    tracker.close().unwrap();
    let other = Tracker::options().clock(clock.clone()).open(path("imported")).unwrap();
    assert_eq!(other.import(&lines[..]).unwrap().schedules, 4);
    assert_eq!(other.import(&lines[..]).unwrap().schedules, 0);
    other.close().unwrap();
    let recovered = Tracker::recover(path("file"), path("recovered")).unwrap();
    assert_eq!((recovered.tasks, recovered.schedules_lost), (4, vec![]));
    for copy in ["backup", "imported", "recovered"] {
        assert_eq!(infos(&path(copy), &clock), written, "{copy}");
    }
    // The unfinished occurrences are known there too.
    let tracker = Tracker::options().clock(clock.clone()).open(path("imported")).unwrap();
    let jobs: Tasks<Job> = tracker.tasks().unwrap();
    assert!(jobs.query().fetch().unwrap().iter().all(|record| record.scheduled_at.is_some()));
    let every = Schedule::every(HOUR).unwrap().catch_up(CatchUp::Skip).unwrap();
    jobs.schedule("every", &every, build).unwrap();
    clock.advance(HOUR);
    tracker.submit_due_occurrences().unwrap();
    assert_eq!(tracker.schedule("every").unwrap().unwrap().info().unwrap().overlapped, 1);
}

#[test]
fn line_of_a_schedule_is_checked() {
    let tracker = Tracker::in_memory().unwrap();
    drop(tracker.tasks::<Job>().unwrap());
    for (line, words) in [
        (r#"{"add_schedule":"a","kind":"other","timing":HOURLY}"#, "no kind \"other\""),
        (r#"{"add_schedule":"","kind":"job","timing":HOURLY}"#, "must have 1 to 128 bytes"),
        (r#"{"add_schedule":"a","kind":"job","timing":{"every_us":999999}}"#, "expected 1 second to 36500 days"),
        (
            r#"{"add_schedule":"a","kind":"job","timing":{"every_us":3153600000000001}}"#,
            "expected 1 second to 36500 days",
        ),
        (r#"{"add_schedule":"a","kind":"job","timing":{"dates":[]}}"#, "a schedule of 0 dates"),
        (r#"{"add_schedule":"a","kind":"job","timing":{"cron":{"expression":"0 3","time_zone":"UTC"}}}"#, "\"0 3\""),
        (
            r#"{"add_schedule":"a","kind":"job","timing":{"cron":{"expression":"0 3 * * *","time_zone":"Moon"}}}"#,
            "Moon",
        ),
        (r#"{"add_schedule":"a","kind":"job","timing":HOURLY,"catch_up":{"all":101}}"#, "expected 1 to 100"),
        (r#"{"add_schedule":"a","kind":"job","timing":HOURLY,"jitter_us":-1}"#, "jitter is negative"),
        (
            r#"{"add_schedule":"a","kind":"job","timing":HOURLY,"jitter_us":3600000000}"#,
            "jitter of 3600s is not shorter",
        ),
        (r#"{"add_schedule":"a","kind":"job","timing":HOURLY,"color":1}"#, "unknown field `color`"),
    ] {
        let line = line.replace("HOURLY", r#"{"every_us":3600000000}"#);
        let error = tracker.import(line.as_bytes()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(words), "{error}");
    }
    let least = r#"{"add_schedule":"a","kind":"job","timing":{"cron":{"expression":"0 3 * * *","time_zone":"UTC"}}}"#;
    assert_eq!(tracker.import(least.as_bytes()).unwrap().schedules, 1);
    assert_eq!(tracker.schedules().unwrap()[0].timing, "cron 0 3 * * * (UTC)");
}

#[test]
fn position_that_a_wrong_clock_advanced_is_set_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let clock = ManualClock::new();
    let right = clock.now().wall;
    let open = |clock: &ManualClock| {
        let tracker = Tracker::options().clock(clock.clone()).open(&path).unwrap();
        let jobs: Tasks<Job> = tracker.tasks().unwrap();
        jobs.schedule("hourly", &Schedule::cron("0 * * * *").unwrap(), build).unwrap();
        tracker.submit_due_occurrences().unwrap();
        tracker
    };
    open(&clock).close().unwrap();
    let wrong = ManualClock::at(right + TimeDelta::days(365));
    open(&wrong).close().unwrap();
    assert!(infos(&path, &wrong)[0].next.unwrap() > right + TimeDelta::days(364));
    Tracker::options().clock(clock.clone()).repair_time(&path).unwrap();
    clock.advance(HOUR);
    let tracker = open(&clock);
    let info = &tracker.schedules().unwrap()[0];
    assert!(info.next.unwrap() <= right + TimeDelta::hours(2), "{info:?}");
    sound(&tracker);
}

#[test]
fn damaged_schedule_is_reported_and_lost_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let clock = ManualClock::new();
    write(&path, &clock);
    rows::change(&path, |txn| {
        let mut schedules = txn.open_table(SCHEDULES).unwrap();
        let mut row = schedules.get("cron").unwrap().unwrap().value().to_vec();
        row[3] ^= 1;
        schedules.insert("cron", &row[..]).unwrap();
        let moved = schedules.get("every").unwrap().unwrap().value().to_vec();
        schedules.insert("other", &moved[..]).unwrap();
    });
    let tracker = Tracker::options().clock(clock.clone()).sharing(Sharing::Exclusive).open(&path).unwrap();
    let found: Vec<_> = tracker.verify().unwrap().into_iter().map(|found| found.to_string()).collect();
    assert!(found.len() == 2 && found.iter().all(|text| text.contains("tracker.schedules")), "{found:?}");
    assert_eq!(tracker.schedules().unwrap_err().kind(), ErrorKind::Corrupted);
    // The others go on.
    let jobs: Tasks<Job> = tracker.tasks().unwrap();
    jobs.schedule("every", &Schedule::every(HOUR).unwrap().overlap(Overlap::CancelEarlier), build).unwrap();
    clock.advance(HOUR);
    tracker.submit_due_occurrences().unwrap();
    assert_eq!(tracker.schedule("every").unwrap().unwrap().info().unwrap().submitted, 3);
    drop((jobs, tracker));
    let recovered = Tracker::recover(&path, folder.path().join("recovered")).unwrap();
    assert_eq!(recovered.schedules_lost.len(), 2, "{recovered:?}");
    assert_eq!(infos(&folder.path().join("recovered"), &clock).len(), 3);
}
