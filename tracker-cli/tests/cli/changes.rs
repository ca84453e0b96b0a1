//! Acting on a file: while its writer has it open, beside one that shares it, and alone.

use std::fs;

use serde_json::json;
use tracker_core::{Tracker, file::Sharing};

use crate::{
    Fixture,
    running_app::{Download, Film, FilmStatus, JobStatus, RunningApp},
    sample::Mail,
};

impl Fixture {
    /// A file whose application has ended: downloads 3, 5, 6 and 7 have failed, 4 was given up, 8 is cancelled.
    pub fn left() -> Self {
        let fixture = Self::new();
        drop(RunningApp::open(&fixture));
        fixture
    }

    fn count(&self, status: JobStatus) -> u64 {
        let tracker = Tracker::inspect(self.path("jobs.redb")).unwrap();
        assert_eq!(tracker.verify().unwrap(), []);
        tracker.tasks::<Download>().unwrap().counts().unwrap().get(status)
    }
}

#[test]
fn change_beside_a_writer_without_live_commands_is_refused() {
    let fixture = Fixture::new();
    let app = RunningApp::open_with(&fixture, Tracker::options().live_commands(false));
    for arguments in [
        &["retry", "jobs.redb", "--all", "--yes"][..],
        &["cancel", "jobs.redb", "https://even.org/10"],
        &["prune", "jobs.redb", "--older-than", "1d", "--yes"],
        &["compact", "jobs.redb"],
        &["edit", "jobs.redb", "https://even.org/10", "--from", "-"],
        &["import", "jobs.redb"],
    ] {
        let ran = fixture.run(arguments);
        assert_eq!(ran.code, Some(3), "{arguments:?}: {}", ran.err);
        #[cfg(target_os = "linux")]
        assert!(ran.err.contains("stop it, or start it with "), "{}", ran.err);
    }
    assert_eq!(app.downloads.counts().unwrap().get(JobStatus::Exhausted), 1);
    drop(app);
    fixture.fine(&["retry", "jobs.redb", "--all", "--yes"]);
}

#[test]
fn change_beside_a_sharing_writer_is_seen_by_it() {
    let fixture = Fixture::left();
    let tracker = Tracker::options().sharing(Sharing::Writers).open(fixture.path("jobs.redb")).unwrap();
    let downloads = tracker.tasks::<Download>().unwrap();
    assert_eq!(fixture.fine(&["retry", "jobs.redb", "--kind", "download", "--all", "--yes"])["changed"], 5);
    assert_eq!(downloads.counts().unwrap().get(JobStatus::Exhausted), 0);
    let held = downloads.start("https://even.org/4").unwrap();
    let ran = fixture.run(&["requeue", "jobs.redb", "https://even.org/4", "https://even.org/0"]);
    assert_eq!(ran.code, Some(1), "one was done, the other refused");
    assert!(ran.out.contains("it is leased by") && ran.out.contains("1 task requeued"), "{}", ran.out);
    assert_eq!(fixture.fine(&["cancel", "jobs.redb", "https://even.org/4"])["changed"], 1);
    assert!(downloads.get("https://even.org/4").unwrap().unwrap().cancel_requested, "a running one is asked to end");
    drop(held);
}

#[test]
fn bulk_change_needs_a_filter_and_yes() {
    let fixture = Fixture::left();
    for act in ["retry", "requeue", "cancel", "ignore"] {
        let ran = fixture.run(&[act, "jobs.redb"]);
        assert_eq!(ran.code, Some(2));
        assert!(ran.err.contains("or use --all"), "{}", ran.err);
        let ran = fixture.run(&[act, "jobs.redb", "--kind", "download", "--all"]);
        assert_eq!(ran.code, Some(2));
        assert!(
            ran.err.contains("tasks of download would be") && ran.err.contains("confirm with --yes"),
            "{}",
            ran.err
        );
        let ran = fixture.run(&[act, "jobs.redb", "https://even.org/4", "--all", "--yes"]);
        assert_eq!(ran.code, Some(2), "ids and all of them do not go together");
    }
    let ran = fixture.run(&["retry", "jobs.redb", "-k", "download", "--status", "Failed"]);
    assert!(ran.err.contains("4 tasks of download would be requeued"), "{}", ran.err);
    assert_eq!((fixture.count(JobStatus::Failed), fixture.count(JobStatus::Exhausted)), (4, 1), "nothing was done");
}

#[test]
fn retry_requeues_failed_and_given_up_tasks_only() {
    let fixture = Fixture::left();
    let retried = fixture.fine(&["retry", "jobs.redb", "--index", "host=odd.org", "--yes", "--kind", "download"]);
    assert_eq!(retried, json!({"action": "requeued", "changed": 3, "selected": 3, "refused": []}));
    assert_eq!(fixture.fine(&["retry", "jobs.redb", "--all", "--yes"])["changed"], 2);
    assert_eq!(fixture.fine(&["retry", "jobs.redb", "--all", "--yes"])["changed"], 0, "then there is nothing left");
    assert_eq!((fixture.count(JobStatus::Done), fixture.count(JobStatus::Cancelled)), (3, 1));
    assert_eq!(fixture.run(&["retry", "jobs.redb", "https://nowhere"]).code, Some(1));
    let refused = fixture.run(&["retry", "jobs.redb", "https://even.org/0"]);
    assert!(refused.code == Some(1) && refused.out.contains("already succeeded"), "{refused:?}");
    assert_eq!(fixture.count(JobStatus::Done), 3);
}

#[test]
fn requeue_keeps_the_step_unless_reset() {
    let fixture = Fixture::left();
    let films = || {
        let tracker = Tracker::inspect(fixture.path("jobs.redb")).unwrap();
        tracker.tasks::<Film>().unwrap().counts().unwrap()
    };
    assert_eq!(films().get(FilmStatus::Cut), 1);
    fixture.fine(&["requeue", "jobs.redb", "--kind", "film", "1"]);
    assert_eq!(films().get(FilmStatus::Cut), 1);
    fixture.fine(&["requeue", "jobs.redb", "--kind", "film", "1", "--reset"]);
    assert_eq!(films().get(FilmStatus::Raw), 3);
    assert_eq!(
        fixture.fine(&["requeue", "jobs.redb", "--kind", "download", "--status", "Done", "--yes"])["changed"],
        3
    );
}

#[test]
fn waiting_tasks_are_moved_set_paused_and_resumed() {
    let fixture = Fixture::left();
    let films = |change: &dyn Fn(&tracker_core::Tasks<Film>)| {
        let tracker = Tracker::open(fixture.path("jobs.redb")).unwrap();
        change(&tracker.tasks::<Film>().unwrap());
        tracker.close().unwrap();
    };
    let next = || {
        let plan = fixture.fine(&["plan", "jobs.redb", "--kind", "film"]);
        plan["kinds"][0]["next"]
            .as_array()
            .unwrap()
            .iter()
            .map(|task| task["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    films(&|films| assert_eq!(films.query().requeue_from_start().unwrap(), 3));
    let before = next();
    let [first, second, third] = &before[..] else { panic!("{before:?}") };
    let moved = fixture.fine(&["move", "jobs.redb", "--kind", "film", "--front", third, second]);
    assert_eq!(moved, json!({"action": "moved", "changed": 2, "selected": 2, "refused": []}));
    assert_eq!(next(), [third, second, first].map(Clone::clone));
    fixture.fine(&["move", "jobs.redb", "--kind", "film", "--before", second, first]);
    assert_eq!(next(), [third, first, second].map(Clone::clone));
    fixture.fine(&["set", "jobs.redb", "--kind", "film", "--priority", "9", second]);
    fixture.fine(&["set", "jobs.redb", "--kind", "film", "--due", "2h", third]);
    assert_eq!(next(), [second, first].map(Clone::clone));
    assert_eq!(fixture.fine(&["pause", "jobs.redb", "--kind", "film", second])["changed"], 1);
    assert_eq!(next(), std::slice::from_ref(first));
    assert_eq!(fixture.fine(&["show", "jobs.redb", "--kind", "film", second])["paused"], true);
    assert_eq!(fixture.fine(&["resume", "jobs.redb", "--kind", "film", "--all", "--yes"])["changed"], 3);
    assert_eq!(next(), [second, first].map(Clone::clone));
    let paused = fixture.run(&["pause", "jobs.redb", "--kind", "film"]);
    assert!(paused.code == Some(0) && paused.out.contains("1 kind paused"), "{paused:?}");
    assert!(next().is_empty());
    fixture.fine(&["resume", "jobs.redb", "--kind", "film"]);
    assert_eq!(next(), [second, first].map(Clone::clone));
    let ran = fixture.run(&["move", "jobs.redb", first]);
    assert!(ran.code == Some(2) && ran.err.contains("--front"), "{}", ran.err);
    let ran = fixture.run(&["set", "jobs.redb", first, "--due", "soon"]);
    assert!(ran.code == Some(2) && ran.err.contains("expected a span from now"), "{}", ran.err);
    let ran = fixture.run(&["move", "jobs.redb", "--before", first, "https://even.org/4", "--kind", "download"]);
    assert!(ran.code == Some(1) && ran.err.contains("there is no task"), "{}", ran.err);
}

#[test]
fn unfinished_tasks_are_cancelled_and_ended_ones_pruned() {
    let fixture = Fixture::left();
    assert_eq!(
        fixture.fine(&["cancel", "jobs.redb", "--kind", "download", "--containing", "/9", "--yes"])["changed"],
        1
    );
    assert_eq!(fixture.fine(&["cancel", "jobs.redb", "--kind", "download", "--all", "--yes"])["changed"], 6);
    assert_eq!(fixture.count(JobStatus::Cancelled), 8);
    let ran = fixture.run(&["ignore", "jobs.redb", "--kind", "film", "2"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.out.contains("no status with the role ignored"), "{}", ran.out);
    assert_eq!(fixture.fine(&["prune", "jobs.redb", "--older-than", "1h", "--yes"])["changed"], 0);
    assert_eq!(fixture.run(&["prune", "jobs.redb"]).code, Some(2), "how old must be said");
    let ran =
        fixture.run(&["prune", "jobs.redb", "--older-than", "0", "--status", "Pending", "--yes", "--kind", "film"]);
    assert_eq!(ran.code, Some(2), "{}", ran.err);
    assert_eq!(
        fixture.fine(&["prune", "jobs.redb", "--older-than", "0", "--status", "Done", "-k", "download", "--yes"])["changed"],
        3
    );
    assert_eq!(fixture.fine(&["prune", "jobs.redb", "--older-than", "0", "--yes"])["changed"], 9);
    assert_eq!(fixture.fine(&["counts", "jobs.redb"])["kinds"][1]["total"], 3, "what has not ended stays");
}

#[test]
fn rescue_takes_tasks_that_run_too_long() {
    let fixture = Fixture::left();
    let tracker = Tracker::options().sharing(Sharing::Writers).open(fixture.path("jobs.redb")).unwrap();
    let downloads = tracker.tasks::<Download>().unwrap();
    let _held = downloads.start("https://odd.org/9").unwrap().detach().unwrap();
    assert_eq!(fixture.fine(&["rescue", "jobs.redb"])["changed"], 0);
    let ran = fixture.run(&["rescue", "jobs.redb", "--running-longer-than", "0"]);
    assert!(ran.err.contains("1 task would be taken from their workers"), "{}", ran.err);
    assert_eq!(fixture.fine(&["rescue", "jobs.redb", "--running-longer-than", "0", "--yes"])["changed"], 1);
    assert_eq!(downloads.counts().unwrap().get(JobStatus::Running), 0);
}

#[test]
fn damage_is_reported_and_recover_skips_it() {
    let fixture = Fixture::new();
    let mail = |number| Mail { number, text: format!("<the text of number {number:03}>") };
    let tracker = Tracker::open(fixture.path("mails.redb")).unwrap();
    tracker.tasks::<Mail>().unwrap().submit_all((0..100).map(mail)).unwrap();
    tracker.close().unwrap();
    let mut bytes = fs::read(fixture.path("mails.redb")).unwrap();
    let text = mail(42).text;
    let places: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(text.as_bytes())).collect();
    for at in places {
        bytes[at] ^= 1;
    }
    fs::write(fixture.path("mails.redb"), bytes).unwrap();

    let ran = fixture.run(&["verify", "mails.redb", "--json"]);
    assert!(ran.code == Some(1) && ran.out.starts_with("{\"sound\":false,\"inconsistencies\":[{"), "{ran:?}");
    let ran = fixture.run(&["doctor", "mails.redb"]);
    assert!(ran.code == Some(1) && ran.out.contains("copy what is readable with `tracker recover`"), "{ran:?}");
    let ran = fixture.run(&["show", "mails.redb", "42"]);
    assert!(ran.code == Some(3) && ran.err.contains("`tracker recover`"), "{ran:?}");
    assert_eq!(fixture.fine(&["show", "mails.redb", "41"])["task"]["text"], mail(41).text);
    let ran = fixture.run(&["recover", "mails.redb", "saved.redb", "--json"]);
    assert!(ran.code == Some(1) && ran.out.starts_with("{\"tasks\":99,\"lost\":[{\"kind\":\"mail\""), "{ran:?}");
    assert_eq!(fixture.fine(&["verify", "saved.redb"])["sound"], true);
}

#[test]
fn exported_lines_import_into_a_new_file() {
    let fixture = Fixture::left();
    let lines = fixture.run(&["export", "jobs.redb"]).out;
    assert_eq!(lines.lines().count(), 2 + 12 + 3);
    let ran = fixture.run_with_input(lines.as_bytes(), &["import", "new.redb"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "15 tasks new, 2 kinds new\n"), "{}", ran.err);
    assert_eq!(fixture.run(&["export", "new.redb"]).out, lines);
    assert_eq!(fixture.run(&["export", "new.redb", "-o", "lines.jsonl"]).code, Some(0));
    assert_eq!(fixture.read("lines.jsonl"), lines);
    assert_eq!(fixture.run(&["export", "new.redb", "-o", "new.redb"]).code, Some(3), "what is there stays");
    assert_eq!(fixture.fine(&["import", "new.redb", "lines.jsonl"])["existing"], 15);
    fs::write(fixture.path("bad.jsonl"), "{\"id\":\"x\",\"payload\":{}}\nnonsense\n").unwrap();
    let ran = fixture.run(&["import", "new.redb", "bad.jsonl", "--kind", "film"]);
    assert!(ran.code == Some(1) && ran.err.contains("line 2: "), "{}", ran.err);
    let ran = fixture.run(&["import", "new.redb", "bad.jsonl", "--kind", "film", "--keep-going"]);
    assert!(ran.code == Some(1) && ran.out.contains("0 tasks new, 1 existing, 1 line skipped"), "{}", ran.out);
}

#[test]
fn csv_has_a_row_for_each_task() {
    let fixture = Fixture::left();
    let csv = fixture.run(&["export", "jobs.redb", "--csv", "--kind", "download", "--role", "exhausted"]).out;
    let lines: Vec<_> = csv.split("\r\n").collect();
    assert!(lines[0].starts_with("id,status,role,step,") && lines.len() == 3, "{csv}");
    assert!(lines[1].starts_with("https://even.org/4,Exhausted,exhausted,,0,"), "{csv}");
    assert!(lines[1].ends_with(r#","{""url"":""https://even.org/4"",""host"":""even.org"",""bytes"":null}""#), "{csv}");
    assert_eq!(fixture.run(&["export", "jobs.redb", "--csv"]).code, Some(2), "of one kind");
    assert_eq!(fixture.run(&["export", "jobs.redb", "--status", "Done"]).code, Some(2));
}

#[test]
fn doctor_compact_and_recover_report_what_they_did() {
    let fixture = Fixture::left();
    let ran = fixture.run(&["doctor", "jobs.redb"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.out.contains("download: 1 task given up: `tracker errors` shows why"), "{}", ran.out);
    fixture.fine(&["retry", "jobs.redb", "--all", "--yes"]);
    assert!(fixture.run(&["doctor", "jobs.redb"]).out.starts_with("no problem found: "));
    let compacted = fixture.fine(&["compact", "jobs.redb"]);
    assert!(compacted["bytes_after"].as_u64() <= compacted["bytes_before"].as_u64());
    let recovered = fixture.fine(&["recover", "jobs.redb", "again.redb"]);
    assert_eq!(
        recovered,
        json!({
            "tasks": 15,
            "lost": [],
            "batches_lost": [],
            "schedules_lost": [],
            "throttles_lost": [],
            "budgets_lost": null,
            "earlier_commit": false
        })
    );
    assert_eq!(fixture.fine(&["counts", "again.redb"]), fixture.fine(&["counts", "jobs.redb"]));
    assert_eq!(fixture.run(&["recover", "jobs.redb", "again.redb"]).code, Some(2), "nothing is overwritten");
    assert_eq!(fixture.run(&["verify", "again.redb"]).code, Some(0));
}
