//! A file whose time a wrong clock set ahead: what tells it, and what repairs it.

use chrono::{TimeDelta, Utc};
use serde_json::json;
use tracker_core::{Tracker, submit::SubmitOptions, time::ManualClock};

use crate::{
    Fixture,
    sample::{Mail, download},
};

impl Fixture {
    /// With a file that was worked on while the clock showed a time 73 years ahead.
    fn time_ahead() -> Self {
        let fixture = Self::new();
        let wrong = ManualClock::at(Utc::now() + TimeDelta::days(73 * 365));
        let tracker = Tracker::options().clock(wrong).open(fixture.path("jobs.redb")).unwrap();
        let delayed = SubmitOptions::new().delay(std::time::Duration::from_secs(60));
        tracker.tasks::<Mail>().unwrap().submit_with(&Mail { number: 1, text: String::new() }, &delayed).unwrap();
        tracker.close().unwrap();
        fixture
    }
}

#[test]
fn time_ahead_is_reported_by_doctor_status_and_show() {
    let fixture = Fixture::time_ahead();
    let ran = fixture.run(&["doctor", "jobs.redb"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    for ran in [ran, fixture.run(&["status", "jobs.redb"]), fixture.run(&["show", "jobs.redb", "1"])] {
        for text in ["ahead of the system clock", "only while the application runs", "`tracker doctor --repair-time`"] {
            assert!(ran.out.contains(text), "{text}: {ran:?}");
        }
    }
    let seconds = fixture.fine(&["status", "jobs.redb"])["clock_ahead"]["seconds"].as_u64().unwrap();
    assert!((72..74).contains(&(seconds / 86_400 / 365)), "{seconds}");
}

#[test]
fn time_ahead_is_repaired_with_yes() {
    let fixture = Fixture::time_ahead();
    let ran = fixture.run(&["doctor", "jobs.redb", "--repair-time"]);
    assert!(ran.code == Some(2) && ran.err.contains("confirm with --yes"), "{ran:?}");
    assert_eq!(fixture.run(&["doctor", "jobs.redb"]).code, Some(1), "nothing was done");
    let ran = fixture.run(&["doctor", "jobs.redb", "--repair-time", "--yes"]);
    assert!(ran.code == Some(0) && ran.out.contains("mail 1: due "), "{ran:?}");
    assert_eq!(fixture.run(&["doctor", "jobs.redb"]).code, Some(0));
    assert_eq!(fixture.fine(&["status", "jobs.redb"])["clock_ahead"], json!(null));
    let again = fixture.fine(&["doctor", "jobs.redb", "--repair-time"]);
    assert_eq!((&again["tasks"], &again["redated"]), (&json!(0), &json!([])));
}

#[test]
fn repair_names_the_process_that_has_the_file_open() {
    let fixture = Fixture::time_ahead();
    let tracker = Tracker::open(fixture.path("jobs.redb")).unwrap();
    let ran = fixture.run(&["doctor", "jobs.redb", "--repair-time", "--yes"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    #[cfg(target_os = "linux")] // which tells who holds a file
    assert!(
        ran.err.contains(&format!("process {} (", std::process::id())) && ran.err.contains("stop that process first"),
        "{ran:?}"
    );
    drop(tracker);
}

#[test]
fn backup_is_made_beside_the_application() {
    let fixture = Fixture::new();
    let tracker = Tracker::open(fixture.path("jobs.redb")).unwrap();
    let downloads = tracker.tasks().unwrap();
    downloads.submit_all((0..60).map(download)).unwrap();
    let backup = fixture.fine(&["backup", "jobs.redb", "copy.redb"]);
    downloads.submit(&download(100)).unwrap();
    assert_eq!(backup["bytes"].as_u64(), Some(std::fs::metadata(fixture.path("copy.redb")).unwrap().len()));
    assert_eq!(fixture.run(&["verify", "copy.redb"]).code, Some(0));
    assert_eq!(fixture.fine(&["counts", "copy.redb"])["kinds"][0]["total"], json!(60));
    let ran = fixture.run(&["backup", "jobs.redb", "copy.redb"]);
    assert!(ran.code == Some(2) && ran.err.contains("copy.redb: there is a file already"), "{ran:?}");
}
