//! Looking at a file while its writer has it open.

use serde_json::{Value, json};

use tracker_core::{dependency::OnDependencyFailure, submit::SubmitOptions};

use crate::{
    Fixture,
    running_app::{Download, RunningApp},
};

impl Fixture {
    fn ask(&self, arguments: &[&str]) -> Value {
        let (command, rest) = arguments.split_first().unwrap();
        self.fine(&[&[*command, "jobs.redb"], rest].concat())
    }

    /// The numbers of the downloads that `list` finds with these options.
    fn listed(&self, options: &[&str]) -> Vec<u32> {
        let list = self.ask(&[&["list", "--kind", "download"], options].concat());
        numbers(&list["tasks"])
    }
}

/// Their ids end with their number.
fn numbers(tasks: &Value) -> Vec<u32> {
    let ids = tasks.as_array().unwrap().iter().map(|task| task["id"].as_str().unwrap());
    ids.map(|id| id.rsplit('/').next().unwrap().parse().unwrap()).collect()
}

fn sorted(mut numbers: Vec<u32>) -> Vec<u32> {
    numbers.sort_unstable();
    numbers
}

#[test]
fn counts_cover_every_kind_and_status() {
    let fixture = Fixture::new();
    let _app = RunningApp::open(&fixture);
    let counts = fixture.ask(&["counts"]);
    let told: Vec<_> = counts["kinds"]
        .as_array()
        .unwrap()
        .iter()
        .map(|kind| {
            let counts = kind["counts"].as_array().unwrap().iter();
            let counts = counts.filter(|count| count["count"] != 0);
            let counts: Vec<_> =
                counts.map(|count| (count["status"].as_str().unwrap(), count["count"].as_u64().unwrap())).collect();
            (kind["kind"].as_str().unwrap(), kind["total"].as_u64().unwrap(), counts)
        })
        .collect();
    let downloads =
        vec![("Pending", 3), ("Running", 2), ("Failed", 2), ("Done", 3), ("Exhausted", 1), ("Cancelled", 1)];
    assert_eq!(told, [("download", 12, downloads), ("film", 3, vec![("Raw", 2), ("Cut", 1)])]);
    assert_eq!(
        counts["kinds"][1]["counts"][2],
        json!({"status": "Cut", "role": "succeeded", "step": "cut", "count": 1})
    );
    assert_eq!(fixture.ask(&["counts", "--kind", "film"])["kinds"].as_array().unwrap().len(), 1);
}

#[test]
fn counts_follow_a_running_writer() {
    let fixture = Fixture::new();
    let mut app = RunningApp::open(&fixture);
    let done = |fixture: &Fixture| fixture.ask(&["counts"])["kinds"][0]["counts"][3]["count"].as_u64();
    assert_eq!(done(&fixture), Some(3));
    for (before, mut running) in (3..).zip(app.running.drain(..)) {
        assert_eq!(done(&fixture), Some(before));
        running.succeed().unwrap();
        assert_eq!(done(&fixture), Some(before + 1));
    }
}

#[test]
fn status_has_throughput_workers_oldest_task_and_problems() {
    let fixture = Fixture::new();
    let app = RunningApp::open(&fixture);
    let status = fixture.ask(&["status"]);
    let download = &status["kinds"][0];
    assert_eq!((&download["throughput"]["succeeded"], &download["throughput"]["failed"]), (&json!(3), &json!(3)));
    assert!(download["throughput"]["eta_seconds"].as_f64().unwrap() > 0.0);
    assert_eq!(download["oldest_waiting"]["id"], "https://odd.org/9");
    assert_eq!((&download["leases"], &download["workers"][0]["worker"]), (&json!(2), &json!("worker 1")));
    assert_eq!(download["workers"][0]["tasks"], 2);
    let problems = download["problems"].as_array().unwrap();
    assert_eq!((problems.len(), &problems[0]["what"], &problems[0]["count"]), (1, &json!("exhausted"), &json!(1)));
    assert_eq!(status["kinds"][1]["problems"], json!([]));
    if cfg!(target_os = "linux") {
        assert_eq!(status["opened_by"][0]["pid"], std::process::id());
        assert_eq!(status["opened_by"][0]["sharing"], "readers");
    }
    app.downloads.pause().unwrap();
    let paused = fixture.ask(&["status", "--kind", "download"]);
    assert_eq!(paused["kinds"][0]["paused"], true);
    assert_eq!(
        (&paused["kinds"][0]["problems"][1]["what"], &paused["kinds"][0]["problems"][1]["count"]),
        (&json!("paused"), &json!(5))
    );
    let said = fixture.run(&["status", "jobs.redb"]).out;
    assert!(said.contains("! 1 task given up: `tracker errors` shows why"), "{said}");
    assert!(said.contains("worker 1: 2 tasks, the longest for"), "{said}");
}

#[test]
fn list_is_filtered_and_ordered() {
    let fixture = Fixture::new();
    let _app = RunningApp::open(&fixture);
    for (options, expected) in [
        (&["--status", "done"][..], &[0, 1, 2][..]),
        (&["--status", "40"], &[0, 1, 2]),
        (&["--status", "Failed", "--status", "Exhausted"], &[3, 4, 5]),
        (&["--role", "in_progress"], &[6, 7]),
        (&["--role", "failed", "--status", "cancelled"], &[3, 5, 8]),
        (&["--index", "host=odd.org"], &[1, 3, 5, 7, 9, 11]),
        (&["--index", "host=odd.org", "--role", "pending"], &[9, 11]),
        (&["--containing", "CONNECTION reset"], &[3, 5]),
        (&["--containing", "org/1"], &[1, 10, 11]),
        (&["--within", "1h"], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]),
        (&["--older-than", "1h"], &[]),
    ] {
        assert_eq!(sorted(fixture.listed(options)), expected, "{options:?}");
    }
    let submitted: Vec<u32> = (0..12).collect();
    assert_eq!(fixture.listed(&["--by", "created", "--oldest-first"]), submitted);
    assert_eq!(fixture.listed(&["--by", "created"]), submitted.into_iter().rev().collect::<Vec<_>>());
    assert_eq!(fixture.listed(&["--role", "in_progress", "--oldest-first"]), [6, 7]);
    assert_eq!(fixture.listed(&["--role", "in_progress"]), [7, 6]);
}

#[test]
fn pages_have_no_gap_and_no_overlap() {
    let fixture = Fixture::new();
    let _app = RunningApp::open(&fixture);
    for order in [&["--by", "created"][..], &["--by", "updated", "--oldest-first"], &["--containing", "o"]] {
        let whole = fixture.listed(order);
        let (mut pages, mut after) = (Vec::new(), String::new());
        loop {
            let mut options = [&["list", "-k", "download", "-n", "5"], order].concat();
            if !after.is_empty() {
                options.extend(["--after", &after]);
            }
            let page = fixture.ask(&options);
            pages.extend(numbers(&page["tasks"]));
            match page["next"].as_str() {
                Some(next) => after = next.to_owned(),
                None => break,
            }
        }
        assert_eq!(pages, whole, "{order:?}");
        assert_eq!(pages.len(), 12);
    }
}

#[test]
fn list_has_the_chosen_columns() {
    let fixture = Fixture::new();
    let _app = RunningApp::open(&fixture);
    let ran = fixture.run(&[
        "list",
        "jobs.redb",
        "-k",
        "download",
        "--role",
        "failed",
        "-o",
        "--columns",
        "id,status,attempts,error",
    ]);
    let expected = "\
id                 status  attempts  error
https://odd.org/3  Failed         1  connection reset
https://odd.org/5  Failed         1  connection reset
2 of 2 tasks of download
";
    assert_eq!(ran.out, expected);
    let ran = fixture.run(&[
        "list",
        "jobs.redb",
        "-k",
        "download",
        "-s",
        "done",
        "-n",
        "1",
        "-o",
        "--columns",
        "task,worker",
    ]);
    assert!(ran.out.contains("{\"url\":\"https://even.org/0\",\"host\":\"even.org\",\"bytes\":0}\n"), "{}", ran.out);
    assert!(ran.out.contains("1 of 3 tasks of download; continue with --after "), "{}", ran.out);
}

#[test]
fn show_has_payload_and_history() {
    let fixture = Fixture::new();
    let _app = RunningApp::open(&fixture);
    let failed = fixture.ask(&["show", "https://odd.org/3"]);
    assert_eq!((&failed["status"], &failed["why"]["reason"]), (&json!("Failed"), &json!("not_due")));
    let attempt = &failed["history"][0];
    assert_eq!(
        (&attempt["status"], &attempt["worker"], &attempt["attempt"]),
        (&json!("failed"), &json!("worker 1"), &json!(1))
    );
    assert_eq!(
        (&attempt["failure"]["error"], &attempt["failure"]["causes"]),
        (&json!("connection reset"), &json!(["the cable is out"]))
    );
    let done = fixture.ask(&["show", "https://even.org/2"]);
    assert_eq!(done["task"], json!({"url": "https://even.org/2", "host": "even.org", "bytes": 2000}));
    assert_eq!(
        (&done["history"][0]["notes"], &done["history"][0]["metrics"]),
        (&json!(["fetched"]), &json!([["ratio", 0.5]]))
    );
    let running = fixture.ask(&["show", "https://even.org/6"]);
    assert_eq!((&running["lease"]["worker"], &running["why"]["reason"]), (&json!("worker 1"), &json!("running")));
    // An id that is a number, in another kind.
    let film = fixture.ask(&["show", "1"]);
    assert_eq!(
        (&film["kind"], &film["status"], &film["why"]["reason"]),
        (&json!("film"), &json!("Cut"), &json!("ready"))
    );
    let said = fixture.run(&["show", "jobs.redb", "https://odd.org/3"]).out;
    for words in [
        "https://odd.org/3  download  Failed\n",
        "\"host\": \"odd.org\"",
        "attempt 1 failed after",
        "        caused by: the cable is out\n",
    ] {
        assert!(said.contains(words), "{words:?} is not in {said}");
    }
}

#[test]
fn unknown_and_ambiguous_ids_are_reported() {
    let fixture = Fixture::new();
    let _app = RunningApp::open(&fixture);
    for (arguments, code, says) in [
        (&["show", "jobs.redb", "nobody"][..], 1, "there is no task \"nobody\""),
        (&["list", "jobs.redb"], 2, "choose one with --kind: download, film"),
        (
            &["list", "jobs.redb", "--kind", "nothing"],
            2,
            "the file has no kind \"nothing\"; it has [\"download\", \"film\"]",
        ),
        (&["list", "jobs.redb", "-k", "film", "--status", "Nowhere"], 2, "Nowhere"),
        (&["list", "jobs.redb", "-k", "film", "--index", "host=a"], 2, "has no index \"host\""),
        (&["list", "jobs.redb", "-k", "film", "--index", "host"], 2, "write FIELD=VALUE"),
        (&["list", "jobs.redb", "-k", "film", "--role", "lost"], 2, "expected a role: pending, in_progress"),
        (&["list", "jobs.redb", "-k", "film", "--after", "x"], 2, "is no cursor"),
    ] {
        let ran = fixture.run(arguments);
        assert_eq!(ran.code, Some(code), "{arguments:?}: {ran:?}");
        assert!(ran.err.contains(says), "{arguments:?}: {}", ran.err);
    }
}

#[test]
fn errors_are_grouped_by_message() {
    let fixture = Fixture::new();
    let _app = RunningApp::open(&fixture);
    let errors = fixture.ask(&["errors"]);
    let groups: Vec<_> = errors["kinds"][0]["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| {
            (
                group["message"].as_str().unwrap(),
                group["count"].as_u64().unwrap(),
                group["retrying"].as_u64().unwrap(),
                sorted_texts(&group["examples"]),
            )
        })
        .collect();
    assert_eq!(
        groups,
        [
            ("the cable is out", 2, 2, vec!["https://odd.org/3", "https://odd.org/5"]),
            ("{id}: 404 not found", 1, 0, vec!["https://even.org/4"])
        ]
    );
    assert_eq!(errors["kinds"][0]["complete"], true);
    let said = fixture.run(&["errors", "jobs.redb"]).out;
    assert!(
        said.starts_with("download  3 failed\n       2  the cable is out\n          such as: connection reset: the cable is out\n          will be retried; the latest "),
        "{said}"
    );
    assert_eq!(fixture.run(&["errors", "jobs.redb", "-k", "film"]).out, "no task has failed\n");
}

#[test]
fn metrics_are_printed_as_open_metrics_text() {
    let fixture = Fixture::new();
    let _app = RunningApp::open(&fixture);
    let ran = fixture.run(&["metrics", "jobs.redb"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert!(ran.out.starts_with("# TYPE tracker_tasks gauge\n") && ran.out.ends_with("\n# EOF\n"), "{}", ran.out);
    assert!(ran.out.contains("tracker_leases{kind=\"download\"}"), "{}", ran.out);
    let json = fixture.fine(&["metrics", "jobs.redb"]);
    assert!(json["content_type"].as_str().unwrap().starts_with("application/openmetrics-text; version=1.0.0"));
}

fn sorted_texts(list: &Value) -> Vec<&str> {
    let mut texts: Vec<_> = list.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    texts.sort_unstable();
    texts
}

#[test]
fn plan_lists_next_tasks_and_blocked_groups() {
    let fixture = Fixture::new();
    let app = RunningApp::open(&fixture);
    let plan = fixture.ask(&["plan"]);
    let download = &plan["kinds"][0];
    assert_eq!(numbers(&download["next"]), [11, 9, 10]);
    assert_eq!(download["ready"], json!({"count": 3, "exact": true}));
    let rest: Vec<_> = download["blocked"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rest| {
            (
                rest["status"].as_str().unwrap(),
                rest["count"]["count"].as_u64().unwrap(),
                rest["why"]["reason"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        rest,
        [
            ("Running", 2, "running"),
            ("Failed", 2, "not_due"),
            ("Done", 3, "succeeded"),
            ("Exhausted", 1, "exhausted"),
            ("Cancelled", 1, "cancelled")
        ]
    );
    // Each is started by a worker of its step.
    let films: Vec<_> = plan["kinds"][1]["next"]
        .as_array()
        .unwrap()
        .iter()
        .map(|film| (film["id"].as_str(), film["step"].as_str()))
        .collect();
    assert_eq!(films, [(Some("2"), Some("cut")), (Some("3"), Some("cut")), (Some("1"), Some("send"))]);
    app.downloads.pause().unwrap();
    let said = fixture.run(&["plan", "jobs.redb", "-k", "download"]).out;
    assert!(said.starts_with("download  0 ready, but the kind is paused\n"), "{said}");
}

#[test]
fn waiting_task_names_its_dependencies() {
    let fixture = Fixture::new();
    let app = RunningApp::open(&fixture);
    let later = Download { url: "https://odd.org/21".into(), host: "odd.org".into(), bytes: None };
    let options = SubmitOptions::new().after(&app.downloads, "https://even.org/6", OnDependencyFailure::Run);
    app.downloads.submit_with(&later, &options).unwrap();
    let why = fixture.ask(&["show", "https://odd.org/21"])["why"].clone();
    assert_eq!(why["reason"], "waiting");
    assert!(why["text"].as_str().unwrap().contains("https://even.org/6"), "{why}");
    let plan = fixture.ask(&["plan", "--kind", "download"]);
    let rest = plan["kinds"][0]["blocked"].as_array().unwrap();
    assert!(rest.iter().any(|rest| rest["why"]["reason"] == "waiting" && rest["count"]["count"] == 1), "{plan}");
}

#[test]
fn file_of_a_crash_is_repaired_by_the_first_inspection() {
    let fixture = Fixture::new();
    // As it is on disk while a program works on it.
    let app = RunningApp::open(&fixture);
    std::fs::copy(fixture.path("jobs.redb"), fixture.path("left.redb")).unwrap();
    assert_eq!(fixture.run(&["verify", "left.redb"]).code, Some(0));
    assert_eq!(fixture.run(&["list", "left.redb", "-k", "download"]).code, Some(0));
    drop(app);
}
