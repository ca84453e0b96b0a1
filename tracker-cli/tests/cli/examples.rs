//! Files of the repository's examples: those that they leave, and one that an example has in work in its own process.

use std::{
    collections::HashMap,
    env,
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::LazyLock,
};

use serde_json::{Value, json};

#[cfg(unix)]
use crate::terminal::Terminal;
use crate::{Fixture, fixture::until};

const EXAMPLES: [&str; 6] = ["checksums", "crawl", "job_table", "pipeline", "request_repository", "use_cases"];

/// The examples as the cargo that runs these tests builds them. `cargo test --workspace` has built them before; after
/// `cargo test -p tracker-cli` they are built here.
static BUILT: LazyLock<HashMap<String, PathBuf>> = LazyLock::new(|| {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--workspace", "--quiet", "--message-format=json"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    cargo.args(EXAMPLES.iter().flat_map(|name| ["--example", name]));
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let built = cargo.stderr(Stdio::inherit()).output().unwrap();
    assert!(built.status.success(), "the examples cannot be built");
    let messages = String::from_utf8(built.stdout).unwrap();
    let artifacts = messages.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    artifacts
        .filter_map(|artifact| {
            Some((artifact["target"]["name"].as_str()?.into(), artifact["executable"].as_str()?.into()))
        })
        .collect()
});

impl Fixture {
    /// An example in the fixture's folder.
    pub fn example(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(&BUILT[name]);
        command.args(arguments).current_dir(self.path("")).stdin(Stdio::null());
        command
    }

    /// A file that an example has left, which every command that looks finds sound.
    fn left_by(name: &str) -> Self {
        let fixture = Self::new();
        let ran = fixture.example(name, &["jobs.redb"]).output().unwrap();
        assert!(ran.status.success(), "{name}: {}", String::from_utf8_lossy(&ran.stderr));
        assert_eq!(fixture.fine(&["verify", "jobs.redb"]), json!({"sound": true, "inconsistencies": []}));
        for command in ["status", "counts", "errors", "plan"] {
            let ran = fixture.run(&[command, "jobs.redb"]);
            assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{command}");
        }
        let report = fixture.fine(&["report", "jobs.redb", "-o", "page.html"]);
        assert_eq!(report["tasks"], report["examined"]);
        fixture
    }

    /// The statuses of a kind that some tasks have.
    #[track_caller]
    fn counts_of(&self, kind: &str) -> Vec<(String, u64)> {
        let counts = self.fine(&["counts", "jobs.redb", "--kind", kind]);
        let counts = counts["kinds"][0]["counts"].as_array().unwrap().iter();
        let counts = counts.map(|count| (text(&count["status"]), count["count"].as_u64().unwrap()));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    #[track_caller]
    fn has(&self, kind: &str, expected: &[(&str, u64)]) {
        let expected: Vec<_> = expected.iter().map(|(status, count)| ((*status).to_owned(), *count)).collect();
        assert_eq!(self.counts_of(kind), expected, "{kind}");
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[test]
fn job_table_example_has_three_attempts() {
    let fixture = Fixture::left_by("job_table");
    fixture.has("job", &[("ParseSucceeded", 2), ("PublishSucceeded", 2)]);
    let second = fixture.fine(&["show", "jobs.redb", "2"]);
    assert_eq!(second["task"], json!({"id": 2, "text": "two words", "words": 0, "published": true}));
    let past: Vec<_> = second["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attempt| (text(&attempt["step"]), text(&attempt["status"]), text(&attempt["worker"])))
        .collect();
    let expected = [
        ("download", "succeeded"),
        ("parse", "failed"),
        ("parse", "succeeded"),
        ("publish", "failed"),
        ("publish", "succeeded"),
    ];
    assert_eq!(past, expected.map(|(step, status)| (step.to_owned(), status.to_owned(), "me".to_owned())));
    // Its clock stands in 2030, and so does ours then.
    let plan = fixture.fine(&["plan", "jobs.redb"]);
    let next: Vec<_> = plan["kinds"][0]["next"].as_array().unwrap().iter().map(|next| text(&next["step"])).collect();
    assert_eq!(next, ["publish", "publish"]);
    assert!(!fixture.run(&["list", "jobs.redb"]).out.contains(" in "));
    let ran = fixture.run(&["doctor", "jobs.redb", "--json"]);
    let findings: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let findings: Vec<_> =
        findings["findings"].as_array().unwrap().iter().map(|finding| text(&finding["what"])).collect();
    assert_eq!((ran.code, findings), (Some(1), vec!["clock_ahead".to_owned()]));
}

#[test]
#[cfg(unix)]
fn a_success_in_a_step_that_is_not_the_last_has_not_ended() {
    let fixture = Fixture::left_by("job_table");
    let mut top = Terminal::start(&fixture.path(""), 24, 80, &["top", "jobs.redb"]);
    top.shows(&["4 tasks  50% ended"]);
    top.press("q");
    assert_eq!(top.ends(), 0);
    let totals = "<td class=\"number\">4</td><td class=\"number\">50%</td>";
    assert!(fixture.read("page.html").contains(totals), "{}", fixture.read("page.html"));
}

#[test]
fn pipeline_example_is_explained_and_retried_in_its_step() {
    let fixture = Fixture::left_by("pipeline");
    fixture.has("report", &[("TransformExhausted", 1), ("LoadSucceeded", 4)]);
    let ran = fixture.run(&["doctor", "jobs.redb"]);
    assert_eq!((ran.code, ran.out.contains("report: 1 task given up")), (Some(1), true), "{}", ran.out);
    let errors = fixture.fine(&["errors", "jobs.redb"]);
    let group = &errors["kinds"][0]["groups"][0];
    assert_eq!(
        (&group["message"], &group["count"], &group["examples"]),
        (&json!("{name} is no temperature"), &json!(1), &json!(["Quito"]))
    );
    let why = fixture.fine(&["show", "jobs.redb", "Quito"])["why"]["reason"].clone();
    assert_eq!(why, "exhausted");
    assert_eq!(fixture.fine(&["retry", "jobs.redb", "--containing", "temperature", "--yes"])["changed"], 1);
    fixture.has("report", &[("ExtractSucceeded", 1), ("LoadSucceeded", 4)]);
    let next = fixture.fine(&["plan", "jobs.redb"])["kinds"][0]["next"][0].clone();
    assert_eq!((&next["id"], &next["step"]), (&json!("Quito"), &json!("transform")));
    assert_eq!(fixture.run(&["doctor", "jobs.redb"]).code, Some(0));
}

#[test]
fn request_example_is_listed_by_client_in_pages() {
    let fixture = Fixture::left_by("request_repository");
    fixture.has("request", &[("Done", 35), ("Error", 2)]);
    let of_ann = fixture.fine(&["list", "jobs.redb", "--index", "client=ann", "-n", "100"]);
    assert_eq!(of_ann["total"], of_ann["tasks"].as_array().unwrap().len());
    assert!(of_ann["tasks"].as_array().unwrap().iter().all(|task| task["task"]["client"] == "ann"));
    let (mut seen, mut after) = (0, None);
    loop {
        let mut options = vec!["list", "jobs.redb", "-n", "10"];
        options.extend(after.iter().flat_map(|after: &String| ["--after", after.as_str()]));
        let page = fixture.fine(&options);
        seen += page["tasks"].as_array().unwrap().len();
        after = page["next"].as_str().map(str::to_owned);
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, 37);
    let errors = fixture.fine(&["errors", "jobs.redb"]);
    let mut messages: Vec<_> =
        errors["kinds"][0]["groups"].as_array().unwrap().iter().map(|group| text(&group["message"])).collect();
    messages.sort_unstable();
    assert_eq!(messages, ["no such account", "timed out"]);
    // Everything goes out and into another file.
    let lines = fixture.run(&["export", "jobs.redb"]).out;
    // The example works by a clock that is ahead.
    let ran = fixture.run_with_input(lines.as_bytes(), &["import", "other.redb"]);
    assert!(ran.code == Some(1) && ran.err.contains("a day after now"), "{}", ran.err);
    assert_eq!(fixture.run_with_input(lines.as_bytes(), &["import", "other.redb", "--allow-future"]).code, Some(0));
    assert_eq!(fixture.run(&["export", "other.redb"]).out, lines);
}

#[test]
fn use_case_example_has_several_kinds() {
    let fixture = Fixture::left_by("use_cases");
    fixture.has("test", &[]);
    fixture.has("test1", &[("Pending", 5)]);
    fixture.has("backup", &[("CheckSucceeded", 1)]);
    let ran = fixture.run(&["list", "jobs.redb"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("choose one with --kind: test, test1, backup"), "{}", ran.err);
    let plan = fixture.fine(&["plan", "jobs.redb", "--kind", "test1"]);
    let next: Vec<_> = plan["kinds"][0]["next"].as_array().unwrap().iter().map(|next| text(&next["id"])).collect();
    assert_eq!(next, ["a", "b", "c", "d", "e"]);
    assert_eq!(fixture.fine(&["list", "jobs.redb", "-k", "test1", "--within", "1h"])["total"], 5);
}

/// An example at work, ended with the test.
pub struct AtWork(pub Child);

impl Drop for AtWork {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn example_is_inspected_and_changed_while_running() {
    let fixture = Fixture::new();
    fs::create_dir(fixture.path("files")).unwrap();
    for name in ["a.txt", "b.txt"] {
        fs::write(fixture.path("files").join(name), name).unwrap();
    }
    // It takes no disk space, and its checksum takes longer than the test.
    File::create(fixture.path("files").join("endless.img")).unwrap().set_len(1 << 42).unwrap();
    let start = || {
        let mut checksums = fixture.example("checksums", &["files", "--db", "jobs.redb", "--threads", "2"]);
        AtWork(checksums.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    };
    let running = start();
    until("two files are done, the third is being read", || {
        let ran = fixture.run(&["counts", "jobs.redb", "--json"]);
        ran.out.contains(r#""status":"Succeeded","role":"succeeded","step":"","count":2"#)
            && ran.out.contains(r#""status":"InProgress","role":"in_progress","step":"","count":1"#)
    });

    let status = fixture.fine(&["status", "jobs.redb"]);
    assert_eq!((&status["kinds"][0]["leases"], &status["kinds"][0]["problems"]), (&json!(1), &json!([])));
    if cfg!(target_os = "linux") {
        let holder = &status["opened_by"][0];
        assert_eq!((&holder["pid"], &holder["sharing"]), (&json!(running.0.id()), &json!("readers")));
    }
    let listed = fixture.fine(&["list", "jobs.redb", "--role", "in_progress"]);
    let endless = text(&listed["tasks"][0]["id"]);
    assert!(endless.ends_with("endless.img"), "{endless}");
    let shown = fixture.fine(&["show", "jobs.redb", &endless]);
    assert_eq!((&shown["why"]["reason"], &shown["attempts"]), (&json!("running"), &json!(1)));
    assert_eq!(fixture.fine(&["plan", "jobs.redb"])["kinds"][0]["next"], json!([]));
    assert_eq!(fixture.fine(&["errors", "jobs.redb"])["kinds"][0]["groups"], json!([]));
    assert_eq!(fixture.fine(&["verify", "jobs.redb"])["sound"], true);
    assert_eq!(fixture.fine(&["doctor", "jobs.redb"])["findings"], json!([]));
    assert_eq!(fixture.fine(&["report", "jobs.redb", "-o", "page.html"])["tasks"], 3);
    assert_eq!(fixture.run(&["export", "jobs.redb"]).out.lines().count(), 1 + 3);

    let ran = fixture.run(&["compact", "jobs.redb"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    if cfg!(target_os = "linux") {
        assert!(ran.err.contains(&format!("process {} (checksums)", running.0.id())), "{}", ran.err);
        assert!(ran.err.contains("this command does not work through it: stop it"), "{}", ran.err);
    }
    if cfg!(unix) {
        assert_eq!(fixture.fine(&["retry", "jobs.redb", "--all", "--yes"])["changed"], 0);
        assert_eq!(fixture.fine(&["set", "jobs.redb", "--priority", "9", &endless])["changed"], 1);
        assert_eq!(fixture.fine(&["rescue", "jobs.redb"])["changed"], 0);
    }
    fixture.has("checksum", &[("InProgress", 1), ("Succeeded", 2)]);

    // Killed without warning: looking still works, and now acting does too. What it had in its hands is free at once.
    drop(running);
    assert_eq!(fixture.fine(&["list", "jobs.redb", "--role", "in_progress"])["total"], 1);
    if cfg!(target_os = "linux") {
        let ran = fixture.run(&["doctor", "jobs.redb"]);
        assert_eq!(ran.code, Some(1));
        assert!(ran.out.contains("1 task leased, but no process has the file open"), "{}", ran.out);
    }
    assert_eq!(fixture.fine(&["ignore", "jobs.redb", "--reason", "no use", &endless])["changed"], 1);
    fixture.has("checksum", &[("Succeeded", 2), ("Ignored", 1)]);
    let past = fixture.fine(&["show", "jobs.redb", &endless])["history"].clone();
    assert_eq!(past[0]["status"], "interrupted");
    assert_eq!(fixture.fine(&["verify", "jobs.redb"])["sound"], true);
}
