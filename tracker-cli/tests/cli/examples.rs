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
use crate::{Scene, fixture::until};

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

impl Scene {
    /// An example in the scene's folder.
    pub fn example(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(&BUILT[name]);
        command.args(arguments).current_dir(self.path("")).stdin(Stdio::null());
        command
    }

    /// A file that an example has left, which every command that looks finds sound.
    fn left_by(name: &str) -> Self {
        let scene = Self::new();
        let ran = scene.example(name, &["jobs.redb"]).output().unwrap();
        assert!(ran.status.success(), "{name}: {}", String::from_utf8_lossy(&ran.stderr));
        assert_eq!(scene.fine(&["verify", "jobs.redb"]), json!({"sound": true, "differences": []}));
        for command in ["status", "counts", "errors", "plan"] {
            let ran = scene.run(&[command, "jobs.redb"]);
            assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{command}");
        }
        let report = scene.fine(&["report", "jobs.redb", "-o", "page.html"]);
        assert_eq!(report["tasks"], report["looked_at"]);
        scene
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
fn the_job_table_has_a_past_in_three_steps() {
    let scene = Scene::left_by("job_table");
    scene.has("job", &[("ParseSucceeded", 2), ("PublishSucceeded", 2)]);
    let second = scene.fine(&["show", "jobs.redb", "2"]);
    assert_eq!(second["task"], json!({"id": 2, "text": "two words", "words": 0, "published": true}));
    let past: Vec<_> = second["history"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attempt| (text(&attempt["step"]), text(&attempt["ending"]), text(&attempt["worker"])))
        .collect();
    let expected = [
        ("download", "succeeded"),
        ("parse", "failed"),
        ("parse", "succeeded"),
        ("publish", "failed"),
        ("publish", "succeeded"),
    ];
    assert_eq!(past, expected.map(|(step, ending)| (step.to_owned(), ending.to_owned(), "me".to_owned())));
    // Its clock stands in 2030, and so does ours then.
    let plan = scene.fine(&["plan", "jobs.redb"]);
    let next: Vec<_> = plan["kinds"][0]["next"].as_array().unwrap().iter().map(|next| text(&next["step"])).collect();
    assert_eq!(next, ["publish", "publish"]);
    assert!(!scene.run(&["list", "jobs.redb"]).out.contains(" in "));
    let ran = scene.run(&["doctor", "jobs.redb", "--json"]);
    let findings: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let findings: Vec<_> =
        findings["findings"].as_array().unwrap().iter().map(|finding| text(&finding["what"])).collect();
    assert_eq!((ran.code, findings), (Some(1), vec!["clock_ahead".to_owned()]));
}

#[test]
#[cfg(unix)]
fn a_success_in_a_step_that_is_not_the_last_has_not_ended() {
    let scene = Scene::left_by("job_table");
    let mut top = Terminal::start(&scene.path(""), 24, 80, &["top", "jobs.redb"]);
    top.shows(&["4 tasks  50% ended"]);
    top.press("q");
    assert_eq!(top.ends(), 0);
    let totals = "<td class=\"number\">4</td><td class=\"number\">50%</td>";
    assert!(scene.read("page.html").contains(totals), "{}", scene.read("page.html"));
}

#[test]
fn given_up_pipeline_task_is_explained_and_retried() {
    let scene = Scene::left_by("pipeline");
    scene.has("report", &[("TransformExhausted", 1), ("LoadSucceeded", 4)]);
    let ran = scene.run(&["doctor", "jobs.redb"]);
    assert_eq!((ran.code, ran.out.contains("report: 1 task given up")), (Some(1), true), "{}", ran.out);
    let errors = scene.fine(&["errors", "jobs.redb"]);
    let group = &errors["kinds"][0]["groups"][0];
    assert_eq!(
        (&group["message"], &group["count"], &group["examples"]),
        (&json!("\"n/a\" is no temperature"), &json!(1), &json!(["Quito"]))
    );
    let why = scene.fine(&["show", "jobs.redb", "Quito"])["why"]["reason"].clone();
    assert_eq!(why, "exhausted");
    assert_eq!(scene.fine(&["retry", "jobs.redb", "--containing", "temperature", "--yes"])["done"], 1);
    scene.has("report", &[("ExtractSucceeded", 1), ("LoadSucceeded", 4)]);
    let next = scene.fine(&["plan", "jobs.redb"])["kinds"][0]["next"][0].clone();
    assert_eq!((&next["id"], &next["step"]), (&json!("Quito"), &json!("transform")));
    assert_eq!(scene.run(&["doctor", "jobs.redb"]).code, Some(0));
}

#[test]
fn the_requests_are_listed_by_client_and_page_by_page() {
    let scene = Scene::left_by("request_repository");
    scene.has("request", &[("Done", 35), ("Error", 2)]);
    let of_ann = scene.fine(&["list", "jobs.redb", "--index", "client=ann", "-n", "100"]);
    assert_eq!(of_ann["total"], of_ann["tasks"].as_array().unwrap().len());
    assert!(of_ann["tasks"].as_array().unwrap().iter().all(|task| task["task"]["client"] == "ann"));
    let (mut seen, mut after) = (0, None);
    loop {
        let mut options = vec!["list", "jobs.redb", "-n", "10"];
        options.extend(after.iter().flat_map(|after: &String| ["--after", after.as_str()]));
        let page = scene.fine(&options);
        seen += page["tasks"].as_array().unwrap().len();
        after = page["next"].as_str().map(str::to_owned);
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, 37);
    let errors = scene.fine(&["errors", "jobs.redb"]);
    let mut messages: Vec<_> =
        errors["kinds"][0]["groups"].as_array().unwrap().iter().map(|group| text(&group["message"])).collect();
    messages.sort_unstable();
    assert_eq!(messages, ["no such account", "timed out"]);
    // Everything goes out and into another file.
    let lines = scene.run(&["export", "jobs.redb"]).out;
    // The example works by a clock that is ahead.
    let ran = scene.keep_running(lines.as_bytes(), &["import", "other.redb"]);
    assert!(ran.code == Some(1) && ran.err.contains("a day after now"), "{}", ran.err);
    assert_eq!(scene.keep_running(lines.as_bytes(), &["import", "other.redb", "--allow-future"]).code, Some(0));
    assert_eq!(scene.run(&["export", "other.redb"]).out, lines);
}

#[test]
fn the_use_cases_are_kinds_of_their_own() {
    let scene = Scene::left_by("use_cases");
    scene.has("test", &[]);
    scene.has("test1", &[("Pending", 5)]);
    scene.has("backup", &[("CheckSucceeded", 1)]);
    let ran = scene.run(&["list", "jobs.redb"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("choose one by --kind: test, test1, backup"), "{}", ran.err);
    let plan = scene.fine(&["plan", "jobs.redb", "--kind", "test1"]);
    let next: Vec<_> = plan["kinds"][0]["next"].as_array().unwrap().iter().map(|next| text(&next["id"])).collect();
    assert_eq!(next, ["a", "b", "c", "d", "e"]);
    assert_eq!(scene.fine(&["list", "jobs.redb", "-k", "test1", "--within", "1h"])["total"], 5);
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
fn example_is_inspected_while_running_and_changed_after() {
    let scene = Scene::new();
    fs::create_dir(scene.path("files")).unwrap();
    for name in ["a.txt", "b.txt"] {
        fs::write(scene.path("files").join(name), name).unwrap();
    }
    // It takes no room, and nobody lives to see its sum.
    File::create(scene.path("files").join("endless.img")).unwrap().set_len(1 << 42).unwrap();
    let start = || {
        let mut checksums = scene.example("checksums", &["files", "--db", "jobs.redb", "--threads", "2"]);
        AtWork(checksums.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    };
    let running = start();
    until("two files are done, the third is being read", || {
        let ran = scene.run(&["counts", "jobs.redb", "--json"]);
        ran.out.contains(r#""status":"Succeeded","role":"succeeded","step":"","count":2"#)
            && ran.out.contains(r#""status":"InProgress","role":"in_progress","step":"","count":1"#)
    });

    let status = scene.fine(&["status", "jobs.redb"]);
    assert_eq!((&status["kinds"][0]["leases"], &status["kinds"][0]["problems"]), (&json!(1), &json!([])));
    if cfg!(target_os = "linux") {
        let holder = &status["opened_by"][0];
        assert_eq!((&holder["pid"], &holder["sharing"]), (&json!(running.0.id()), &json!("readers")));
    }
    let listed = scene.fine(&["list", "jobs.redb", "--role", "in_progress"]);
    let endless = text(&listed["tasks"][0]["id"]);
    assert!(endless.ends_with("endless.img"), "{endless}");
    let shown = scene.fine(&["show", "jobs.redb", &endless]);
    assert_eq!((&shown["why"]["reason"], &shown["attempts"]), (&json!("running"), &json!(1)));
    assert_eq!(scene.fine(&["plan", "jobs.redb"])["kinds"][0]["next"], json!([]));
    assert_eq!(scene.fine(&["errors", "jobs.redb"])["kinds"][0]["groups"], json!([]));
    assert_eq!(scene.fine(&["verify", "jobs.redb"])["sound"], true);
    assert_eq!(scene.fine(&["doctor", "jobs.redb"])["findings"], json!([]));
    assert_eq!(scene.fine(&["report", "jobs.redb", "-o", "page.html"])["tasks"], 3);
    assert_eq!(scene.run(&["export", "jobs.redb"]).out.lines().count(), 1 + 3);

    for act in [
        &["retry", "jobs.redb", "--all", "--yes"][..],
        &["cancel", "jobs.redb", &endless],
        &["prune", "jobs.redb", "--older-than", "0", "--yes"],
        &["rescue", "jobs.redb"],
        &["compact", "jobs.redb"],
    ] {
        let ran = scene.run(act);
        assert_eq!(ran.code, Some(3), "{act:?}: {ran:?}");
        assert!(ran.err.contains("stop it"), "{act:?}: {}", ran.err);
        if cfg!(target_os = "linux") {
            assert!(ran.err.contains(&format!("process {} (checksums)", running.0.id())), "{act:?}: {}", ran.err);
        }
    }
    scene.has("checksum", &[("InProgress", 1), ("Succeeded", 2)]);

    // Killed without warning: looking still works, and now acting does too. What it had in its hands is free at once.
    drop(running);
    assert_eq!(scene.fine(&["list", "jobs.redb", "--role", "in_progress"])["total"], 1);
    if cfg!(target_os = "linux") {
        let ran = scene.run(&["doctor", "jobs.redb"]);
        assert_eq!(ran.code, Some(1));
        assert!(ran.out.contains("1 task held by workers, though no process is seen"), "{}", ran.out);
    }
    assert_eq!(scene.fine(&["ignore", "jobs.redb", "--reason", "no use", &endless])["done"], 1);
    scene.has("checksum", &[("Succeeded", 2), ("Ignored", 1)]);
    let past = scene.fine(&["show", "jobs.redb", &endless])["history"].clone();
    assert_eq!(past[0]["ending"], "crashed");
    assert_eq!(scene.fine(&["verify", "jobs.redb"])["sound"], true);
}
