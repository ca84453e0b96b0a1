//! `tracker schedule`, on a closed file and beside an application.

use serde_json::{Value, json};
use tracker_core::{
    Tasks, Tracker,
    schedule::{Occurrence, Schedule},
};

use crate::{
    Fixture,
    sample::{Download, download},
};

const PAYLOAD: &str = r#"{"url": "{id}", "host": "at {scheduled_at}"}"#;

impl Fixture {
    /// With a file that has the kind `download`.
    fn with_downloads() -> (Self, Tracker, Tasks<Download>) {
        let fixture = Self::new();
        let tracker = Tracker::open(fixture.path("jobs.redb")).unwrap();
        let downloads = tracker.tasks().unwrap();
        (fixture, tracker, downloads)
    }

    fn schedule(&self, arguments: &[&str]) -> Value {
        let [command, rest @ ..] = arguments else { panic!("a command") };
        self.fine(&[&["schedule", command, "jobs.redb"], rest].concat())
    }
}

#[test]
fn schedules_are_added_listed_paused_and_removed() {
    let (fixture, tracker, _) = Fixture::with_downloads();
    tracker.close().unwrap();
    let ran = fixture.run(&["schedule", "list", "jobs.redb"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "the file has no schedules\n"));
    let add = |name: &str, timing: &[&str]| {
        fixture.schedule(&[&["add", name, "-k", "download", "--payload", PAYLOAD], timing].concat())
    };
    assert_eq!(add("nightly", &["--cron", "0 3 * * *", "--time-zone", "Europe/Berlin"])["changed"], 1);
    add("often", &["--every", "15m", "--jitter", "1m", "--catch-up", "all:3", "--overlap", "queue"]);
    add("later", &["--at", "2999-01-01T00:00:00Z", "--at", "2998-01-01T00:00:00Z"]);
    assert_eq!(fixture.schedule(&["pause", "often", "later"])["changed"], 2);
    let list = fixture.schedule(&["list"]);
    let list = list["schedules"].as_array().unwrap();
    let shown: Vec<_> = list.iter().map(|one| json!([one["name"], one["timing"], one["paused"]])).collect();
    assert_eq!(
        shown,
        [
            json!(["later", "2 dates", true]),
            json!(["nightly", "cron 0 3 * * * (Europe/Berlin)", false]),
            json!(["often", "every 15m", true])
        ]
    );
    let next = fixture.schedule(&["next", "later", "-n", "9"]);
    assert_eq!(next["runs"], json!(["2998-01-01T00:00:00Z", "2999-01-01T00:00:00Z"]));
    let ran = fixture.run(&["schedule", "list", "jobs.redb"]);
    for text in ["nightly", "cron 0 3 * * * (Europe/Berlin)", "paused", "download"] {
        assert!(ran.out.contains(text), "{text}: {ran:?}");
    }
    assert_eq!(fixture.schedule(&["resume", "often"])["changed"], 1);
    assert_eq!(fixture.schedule(&["remove", "often", "later"])["changed"], 2);
    assert_eq!(fixture.schedule(&["list"])["schedules"].as_array().unwrap().len(), 1);
    let ran = fixture.run(&["schedule", "run", "jobs.redb", "nightly"]);
    assert!(ran.code == Some(2) && ran.err.contains("no code of this program builds"), "{ran:?}");
}

#[test]
fn schedule_is_changed_and_run_beside_an_application() {
    let (fixture, _tracker, downloads) = Fixture::with_downloads();
    fixture.schedule(&["add", "nightly", "--cron", "0 3 * * *", "-k", "download", "--payload", PAYLOAD]);
    assert_eq!(fixture.schedule(&["run", "nightly"])["changed"], 1);
    let [record] = &downloads.query().fetch().unwrap()[..] else { panic!("one task") };
    assert!(record.id.to_string().starts_with("nightly@"), "{record:?}");
    assert!(record.task.host.starts_with("at 20"), "{record:?}");
    assert_eq!(fixture.schedule(&["pause", "nightly"])["changed"], 1);
    let list = fixture.schedule(&["list"]);
    assert_eq!((&list["schedules"][0]["submitted"], &list["schedules"][0]["paused"]), (&json!(1), &json!(true)));
    assert_eq!(fixture.schedule(&["remove", "nightly"])["changed"], 1);
}

#[test]
fn wrong_schedules_are_refused_with_the_way_out() {
    let (fixture, tracker, _) = Fixture::with_downloads();
    tracker.close().unwrap();
    let add = |arguments: &[&str]| {
        let fixed = ["schedule", "add", "jobs.redb", "s", "--payload", PAYLOAD];
        fixture.run(&[&fixed[..], arguments].concat())
    };
    for (arguments, code, words) in [
        (&["-k", "download", "--cron", "0 25 * * *"][..], 2, "field 2 (hour) at character 3"),
        (&["-k", "download", "--cron", "@daily", "--time-zone", "Europe/Berlni"], 2, "did you mean \"Europe/Berlin\""),
        (&["-k", "download", "--every", "15m", "--jitter", "15m"], 2, "is not shorter than"),
        (&["-k", "download", "--every", "15m", "--catch-up", "all:0"], 2, "expected 1 to 100"),
        (&["-k", "download", "--every", "15m", "--overlap", "both"], 2, "expected skip, queue or cancel"),
        (&["-k", "download"], 2, "--cron"),
        (&["-k", "download", "--every", "1h", "--cron", "@daily"], 2, "cannot be used with"),
        (&["-k", "upload", "--every", "1h"], 1, "no kind \"upload\""),
    ] {
        let ran = add(arguments);
        assert!(ran.code == Some(code) && ran.err.contains(words), "{arguments:?}: {ran:?}");
    }
    for command in ["next", "pause", "run", "remove"] {
        let ran = fixture.run(&["schedule", command, "jobs.redb", "nothing"]);
        assert!(ran.code != Some(0) && ran.err.contains("there is no schedule \"nothing\""), "{ran:?}");
    }
}

#[test]
fn doctor_and_status_report_schedules() {
    let (fixture, tracker, _) = Fixture::with_downloads();
    tracker.close().unwrap();
    fixture.schedule(&["add", "old", "--at", "2020-01-01T00:00:00Z", "-k", "download", "--payload", PAYLOAD]);
    fixture.schedule(&["add", "new", "--every", "1h", "-k", "download", "--payload", PAYLOAD]);
    let status = fixture.fine(&["status", "jobs.redb"]);
    assert_eq!(status["schedules"]["count"], 2);
    let ran = fixture.run(&["status", "jobs.redb"]);
    assert!(ran.out.contains("2 schedules, next new "), "{ran:?}");
    assert_eq!(fixture.run(&["doctor", "jobs.redb"]).code, Some(0));
}

#[cfg(unix)]
#[test]
fn history_and_top_show_occurrences() {
    let (fixture, tracker, downloads) = Fixture::with_downloads();
    let yearly = Schedule::cron("0 0 1 1 *").unwrap();
    let build = |occurrence: &Occurrence| Download { url: occurrence.id(), ..download(0) };
    let schedule = downloads.schedule("yearly", &yearly, build).unwrap();
    downloads.schedule("paused", &yearly, build).unwrap().pause().unwrap();
    let id = schedule.run_now().unwrap().to_string();
    downloads.start(id.as_str()).unwrap().succeed().unwrap();
    drop((schedule, downloads));
    tracker.close().unwrap();
    let history = fixture.schedule(&["history", "yearly"]);
    let one = &history["occurrences"][0];
    assert_eq!((&one["id"], &one["status"]), (&json!(id), &json!("Succeeded")));
    let ran = fixture.run(&["schedule", "history", "jobs.redb", "yearly"]);
    assert!(ran.out.contains(&id) && ran.out.contains("Succeeded"), "{ran:?}");
    assert_eq!(fixture.run(&["schedule", "history", "jobs.redb", "none"]).code, Some(2));
    let mut top = crate::terminal::Terminal::start(&fixture.path("."), 24, 80, &["top", "jobs.redb"]);
    top.shows(&["2 schedules, 1 paused, next yearly in"]);
    top.press("q");
    assert_eq!(top.ends(), 0);
}
