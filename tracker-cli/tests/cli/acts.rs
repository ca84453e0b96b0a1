//! Acting on a file: while its writer has it open, beside one that shares it, and alone.

use std::fs;

use serde_json::json;
use tracker_core::{Tracker, file::Sharing};

use crate::{
    Scene,
    sample::Mail,
    shop::{Download, Film, FilmStatus, JobStatus, Shop},
};

impl Scene {
    /// A file whose application has ended: downloads 3, 5, 6 and 7 have failed, 4 was given up, 8 is cancelled.
    pub fn left() -> Self {
        let scene = Self::new();
        drop(Shop::open(&scene));
        scene
    }

    fn count(&self, status: JobStatus) -> u64 {
        let tracker = Tracker::inspect(self.path("jobs.redb")).unwrap();
        assert_eq!(tracker.verify().unwrap(), []);
        tracker.tasks::<Download>().unwrap().counts().unwrap().get(status)
    }
}

#[test]
fn change_beside_an_exclusive_writer_is_refused_with_advice() {
    let scene = Scene::new();
    let shop = Shop::open(&scene);
    for arguments in [
        &["retry", "jobs.redb", "--all", "--yes"][..],
        &["cancel", "jobs.redb", "https://even.org/10"],
        &["prune", "jobs.redb", "--older-than", "1d", "--yes"],
        &["compact", "jobs.redb"],
        &["edit", "jobs.redb", "https://even.org/10", "--from", "-"],
        &["import", "jobs.redb"],
    ] {
        let ran = scene.run(arguments);
        assert_eq!(ran.code, Some(3), "{arguments:?}: {}", ran.err);
        #[cfg(target_os = "linux")]
        assert!(ran.err.contains("stop it, or start it with writers sharing (Sharing::Writers)"), "{}", ran.err);
    }
    assert_eq!(shop.downloads.counts().unwrap().get(JobStatus::Exhausted), 1);
    drop(shop);
    scene.fine(&["retry", "jobs.redb", "--all", "--yes"]);
}

#[test]
fn acting_beside_a_writer_that_shares_is_seen_by_it() {
    let scene = Scene::left();
    let tracker = Tracker::options().sharing(Sharing::Writers).open(scene.path("jobs.redb")).unwrap();
    let downloads = tracker.tasks::<Download>().unwrap();
    assert_eq!(scene.fine(&["retry", "jobs.redb", "--kind", "download", "--all", "--yes"])["done"], 5);
    assert_eq!(downloads.counts().unwrap().get(JobStatus::Exhausted), 0);
    let held = downloads.start("https://even.org/4").unwrap();
    let ran = scene.run(&["requeue", "jobs.redb", "https://even.org/4", "https://even.org/0"]);
    assert_eq!(ran.code, Some(1), "one was done, the other refused");
    assert!(ran.out.contains("it is leased by") && ran.out.contains("1 task made startable again"), "{}", ran.out);
    assert_eq!(scene.fine(&["cancel", "jobs.redb", "https://even.org/4"])["done"], 1);
    assert!(downloads.get("https://even.org/4").unwrap().unwrap().cancel_requested, "a running one is asked to end");
    drop(held);
}

#[test]
fn nothing_is_done_to_many_without_a_filter_and_a_word() {
    let scene = Scene::left();
    for act in ["retry", "requeue", "cancel", "ignore"] {
        let ran = scene.run(&[act, "jobs.redb"]);
        assert_eq!(ran.code, Some(2));
        assert!(ran.err.contains("or say --all"), "{}", ran.err);
        let ran = scene.run(&[act, "jobs.redb", "--kind", "download", "--all"]);
        assert_eq!(ran.code, Some(2));
        assert!(ran.err.contains("tasks of download would be") && ran.err.contains("say --yes"), "{}", ran.err);
        let ran = scene.run(&[act, "jobs.redb", "https://even.org/4", "--all", "--yes"]);
        assert_eq!(ran.code, Some(2), "ids and all of them do not go together");
    }
    let ran = scene.run(&["retry", "jobs.redb", "-k", "download", "--status", "Failed"]);
    assert!(ran.err.contains("4 tasks of download would be made startable again"), "{}", ran.err);
    assert_eq!((scene.count(JobStatus::Failed), scene.count(JobStatus::Exhausted)), (4, 1), "nothing was done");
}

#[test]
fn retry_is_about_what_failed_and_nothing_else() {
    let scene = Scene::left();
    let retried = scene.fine(&["retry", "jobs.redb", "--index", "host=odd.org", "--yes", "--kind", "download"]);
    assert_eq!(retried, json!({"what": "made startable again", "done": 3, "meant": 3, "refused": []}));
    assert_eq!(scene.fine(&["retry", "jobs.redb", "--all", "--yes"])["done"], 2);
    assert_eq!(scene.fine(&["retry", "jobs.redb", "--all", "--yes"])["done"], 0, "then there is nothing left");
    assert_eq!((scene.count(JobStatus::Done), scene.count(JobStatus::Cancelled)), (3, 1));
    assert_eq!(scene.run(&["retry", "jobs.redb", "https://nowhere"]).code, Some(1));
}

#[test]
fn requeue_goes_to_the_current_step_or_the_first() {
    let scene = Scene::left();
    let films = || {
        let tracker = Tracker::inspect(scene.path("jobs.redb")).unwrap();
        tracker.tasks::<Film>().unwrap().counts().unwrap()
    };
    assert_eq!(films().get(FilmStatus::Cut), 1);
    scene.fine(&["requeue", "jobs.redb", "--kind", "film", "1"]);
    assert_eq!(films().get(FilmStatus::Cut), 1);
    scene.fine(&["requeue", "jobs.redb", "--kind", "film", "1", "--reset"]);
    assert_eq!(films().get(FilmStatus::Raw), 3);
    assert_eq!(scene.fine(&["requeue", "jobs.redb", "--kind", "download", "--status", "Done", "--yes"])["done"], 3);
}

#[test]
fn unfinished_tasks_are_cancelled_and_ended_ones_pruned() {
    let scene = Scene::left();
    assert_eq!(scene.fine(&["cancel", "jobs.redb", "--kind", "download", "--containing", "/9", "--yes"])["done"], 1);
    assert_eq!(scene.fine(&["cancel", "jobs.redb", "--kind", "download", "--all", "--yes"])["done"], 6);
    assert_eq!(scene.count(JobStatus::Cancelled), 8);
    let ran = scene.run(&["ignore", "jobs.redb", "--kind", "film", "2"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.out.contains("no status with the role ignored"), "{}", ran.out);
    assert_eq!(scene.fine(&["prune", "jobs.redb", "--older-than", "1h", "--yes"])["done"], 0);
    assert_eq!(scene.run(&["prune", "jobs.redb"]).code, Some(2), "how old must be said");
    let ran = scene.run(&["prune", "jobs.redb", "--older-than", "0", "--status", "Pending", "--yes", "--kind", "film"]);
    assert_eq!(ran.code, Some(2), "{}", ran.err);
    assert_eq!(
        scene.fine(&["prune", "jobs.redb", "--older-than", "0", "--status", "Done", "-k", "download", "--yes"])["done"],
        3
    );
    assert_eq!(scene.fine(&["prune", "jobs.redb", "--older-than", "0", "--yes"])["done"], 9);
    assert_eq!(scene.fine(&["counts", "jobs.redb"])["kinds"][1]["total"], 3, "what has not ended stays");
}

#[test]
fn tasks_that_run_for_too_long_are_freed() {
    let scene = Scene::left();
    let tracker = Tracker::options().sharing(Sharing::Writers).open(scene.path("jobs.redb")).unwrap();
    let downloads = tracker.tasks::<Download>().unwrap();
    let _held = downloads.start("https://odd.org/9").unwrap().detach().unwrap();
    assert_eq!(scene.fine(&["rescue", "jobs.redb"])["done"], 0);
    let ran = scene.run(&["rescue", "jobs.redb", "--running-longer-than", "0"]);
    assert!(ran.err.contains("1 task would be taken from their workers"), "{}", ran.err);
    assert_eq!(scene.fine(&["rescue", "jobs.redb", "--running-longer-than", "0", "--yes"])["done"], 1);
    assert_eq!(downloads.counts().unwrap().get(JobStatus::Running), 0);
}

#[test]
fn what_is_damaged_is_found_and_left_behind() {
    let scene = Scene::new();
    let mail = |number| Mail { number, text: format!("<the text of number {number:03}>") };
    let tracker = Tracker::open(scene.path("mails.redb")).unwrap();
    tracker.tasks::<Mail>().unwrap().submit_all((0..100).map(mail)).unwrap();
    tracker.close().unwrap();
    let mut bytes = fs::read(scene.path("mails.redb")).unwrap();
    let text = mail(42).text;
    let places: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(text.as_bytes())).collect();
    for at in places {
        bytes[at] ^= 1;
    }
    fs::write(scene.path("mails.redb"), bytes).unwrap();

    let ran = scene.run(&["verify", "mails.redb", "--json"]);
    assert!(ran.code == Some(1) && ran.out.starts_with("{\"sound\":false,\"differences\":[{"), "{ran:?}");
    let ran = scene.run(&["doctor", "mails.redb"]);
    assert!(ran.code == Some(1) && ran.out.contains("copy what is readable with `tracker recover`"), "{ran:?}");
    let ran = scene.run(&["show", "mails.redb", "42"]);
    assert!(ran.code == Some(3) && ran.err.contains("`tracker recover`"), "{ran:?}");
    assert_eq!(scene.fine(&["show", "mails.redb", "41"])["task"]["text"], mail(41).text);
    let ran = scene.run(&["recover", "mails.redb", "saved.redb", "--json"]);
    assert!(ran.code == Some(1) && ran.out.starts_with("{\"tasks\":99,\"lost\":[{\"kind\":\"mail\""), "{ran:?}");
    assert_eq!(scene.fine(&["verify", "saved.redb"])["sound"], true);
}

#[test]
fn lines_go_out_and_into_a_new_file() {
    let scene = Scene::left();
    let lines = scene.run(&["export", "jobs.redb"]).out;
    assert_eq!(lines.lines().count(), 2 + 12 + 3);
    let ran = scene.keep_running(lines.as_bytes(), &["import", "new.redb"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "15 tasks new, 2 kinds new\n"), "{}", ran.err);
    assert_eq!(scene.run(&["export", "new.redb"]).out, lines);
    assert_eq!(scene.run(&["export", "new.redb", "-o", "lines.jsonl"]).code, Some(0));
    assert_eq!(scene.read("lines.jsonl"), lines);
    assert_eq!(scene.run(&["export", "new.redb", "-o", "new.redb"]).code, Some(3), "what is there stays");
    assert_eq!(scene.fine(&["import", "new.redb", "lines.jsonl"])["existing"], 15);
    fs::write(scene.path("bad.jsonl"), "{\"id\":\"x\",\"payload\":{}}\nnonsense\n").unwrap();
    let ran = scene.run(&["import", "new.redb", "bad.jsonl", "--kind", "film"]);
    assert!(ran.code == Some(1) && ran.err.contains("line 2: "), "{}", ran.err);
    let ran = scene.run(&["import", "new.redb", "bad.jsonl", "--kind", "film", "--go-on"]);
    assert!(ran.code == Some(1) && ran.out.contains("0 tasks new, 1 were there, 1 line left out"), "{}", ran.out);
}

#[test]
fn csv_is_for_spreadsheets() {
    let scene = Scene::left();
    let csv = scene.run(&["export", "jobs.redb", "--csv", "--kind", "download", "--role", "exhausted"]).out;
    let lines: Vec<_> = csv.split("\r\n").collect();
    assert!(lines[0].starts_with("id,status,role,step,") && lines.len() == 3, "{csv}");
    assert!(lines[1].starts_with("https://even.org/4,Exhausted,exhausted,,0,"), "{csv}");
    assert!(lines[1].ends_with(r#","{""url"":""https://even.org/4"",""host"":""even.org"",""bytes"":null}""#), "{csv}");
    assert_eq!(scene.run(&["export", "jobs.redb", "--csv"]).code, Some(2), "of one kind");
    assert_eq!(scene.run(&["export", "jobs.redb", "--status", "Done"]).code, Some(2));
}

#[test]
fn a_file_is_examined_compacted_and_recovered() {
    let scene = Scene::left();
    let ran = scene.run(&["doctor", "jobs.redb"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.out.contains("download: 1 task given up: `tracker errors` tells why"), "{}", ran.out);
    scene.fine(&["retry", "jobs.redb", "--all", "--yes"]);
    assert!(scene.run(&["doctor", "jobs.redb"]).out.starts_with("sound: "));
    let compacted = scene.fine(&["compact", "jobs.redb"]);
    assert!(compacted["bytes_after"].as_u64() <= compacted["bytes_before"].as_u64());
    let recovered = scene.fine(&["recover", "jobs.redb", "again.redb"]);
    assert_eq!(recovered, json!({ "tasks": 15, "lost": [], "batches_lost": [], "earlier_commit": false }));
    assert_eq!(scene.fine(&["counts", "again.redb"]), scene.fine(&["counts", "jobs.redb"]));
    assert_eq!(scene.run(&["recover", "jobs.redb", "again.redb"]).code, Some(2), "nothing is overwritten");
    assert_eq!(scene.run(&["verify", "again.redb"]).code, Some(0));
}
