//! Commands on a schedule: `tracker schedule add … -- COMMAND` and `tracker run --scheduled`.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, ChildStderr, Stdio},
};

use rustix::process::Signal;
use serde_json::json;

use super::{Fixture, signal};
use crate::fixture::until;

/// A schedule that is never due by itself during a test.
const LATER: [&str; 2] = ["--at", "2999-01-01T00:00:00Z"];

impl Fixture {
    fn add_command(&self, name: &str, options: &[&str], command: &[&str]) {
        let ran = self.run(&[&["schedule", "add", "jobs.redb", name], &LATER[..], options, &["--"], command].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
    }

    /// Starts a run, and returns its messages after the first.
    fn run_scheduled(&self, options: &[&str]) -> (Child, BufReader<ChildStderr>, String) {
        let mut command = self.command(&[&["run", "jobs.redb", "--scheduled"], options].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut messages = BufReader::new(child.stderr.take().unwrap());
        let mut message = String::new();
        messages.read_line(&mut message).unwrap();
        (child, messages, message)
    }
}

/// Asks a run to end. Returns its exit code and output.
fn end(mut child: Child) -> (Option<i32>, String) {
    signal(&child, Signal::TERM);
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    (child.wait().unwrap().code(), out)
}

#[test]
fn scheduled_command_runs_with_its_time() {
    let fixture = Fixture::new();
    let script = "test {scheduled_at} = $TRACKER_SCHEDULED_AT; echo \"$? $TRACKER_ID\"; printf x >> ran";
    fixture.add_command("back up", &["--shell"], &[script]);
    fixture.add_command("find", &[], &["find", ".", "-maxdepth", "0", "-exec", "echo", "{scheduled_at} {}", ";"]);
    let (child, _messages, message) = fixture.run_scheduled(&["-j1", "--results", "out"]);
    assert_eq!(message, "tracker: 2 scheduled commands, next \"back up\" at 2999-01-01T00:00:00Z\n");
    assert_eq!(fixture.fine(&["schedule", "run", "jobs.redb", "back up"])["changed"], 1);
    assert_eq!(fixture.fine(&["schedule", "run", "jobs.redb", "find"])["changed"], 1);
    let done = || fixture.fine(&["list", "jobs.redb", "--status", "Succeeded"])["tasks"].as_array().unwrap().len() == 2;
    until("both commands have run", done);
    assert_eq!(end(child), (Some(130), String::new()));
    let list = fixture.fine(&["list", "jobs.redb", "--by", "created"]);
    for task in list["tasks"].as_array().unwrap() {
        let id = task["id"].as_str().unwrap();
        let (name, at) = id.split_once('@').unwrap();
        let out = fixture.read(&format!("out/1/{id}/stdout"));
        assert_eq!(out, if name == "find" { format!("{at} .\n") } else { format!("0 {id}\n") });
        assert_eq!(task["task"]["result"]["stdout"]["text"], json!(out));
    }
    assert_eq!(fixture.read("ran"), "x");
    let history = fixture.fine(&["schedule", "history", "jobs.redb", "find"]);
    assert_eq!(history["occurrences"][0]["status"], "Succeeded");
}

#[test]
fn interrupted_occurrence_runs_again_and_failures_are_retried() {
    let fixture = Fixture::new();
    let script = "echo $TRACKER_ATTEMPT >> attempts; : > begun; until test -e go; do sleep 0.01; done; exit $((3 - TRACKER_ATTEMPT))";
    fixture.add_command("nightly", &["--shell"], &[script]);
    let options = ["--attempts", "3"];
    let (mut child, _messages, _) = fixture.run_scheduled(&options);
    fixture.fine(&["schedule", "run", "jobs.redb", "nightly"]);
    until("the command begins", || fixture.path("begun").exists());
    signal(&child, Signal::KILL);
    child.wait().unwrap();
    std::fs::write(fixture.path("go"), "").unwrap();
    let (child, _messages, _) = fixture.run_scheduled(&options);
    let done = || fixture.fine(&["list", "jobs.redb", "--status", "Succeeded"])["tasks"].as_array().unwrap().len() == 1;
    until("the occurrence has succeeded", done);
    assert_eq!(end(child).0, Some(130));
    let attempts = fixture.lines("attempts");
    assert_eq!((attempts[0].as_str(), attempts.last().unwrap().as_str()), ("1", "3"), "{attempts:?}");
}

#[test]
fn run_without_schedules_takes_one_that_is_added() {
    let fixture = Fixture::new();
    let (child, mut messages, message) = fixture.run_scheduled(&[]);
    assert!(message.contains("no scheduled command yet"), "{message}");
    fixture.add_command("hello", &[], &["echo", "hello"]);
    fixture.fine(&["schedule", "run", "jobs.redb", "hello"]);
    let done = || fixture.fine(&["list", "jobs.redb", "--status", "Succeeded"])["tasks"].as_array().unwrap().len() == 1;
    until("the command has run", done);
    assert_eq!(end(child), (Some(130), "hello\n".to_owned()));
    let mut rest = String::new();
    messages.read_to_string(&mut rest).unwrap();
    assert!(rest.starts_with("tracker: stopped; 0 lines are left"), "{rest}");
}

#[test]
fn scheduled_run_takes_no_lines_and_lines_no_schedule() {
    let fixture = Fixture::new();
    for arguments in [&["--", "true"][..], &["--", ":::", "a"], &["--keep-order"], &["--plan"], &["--shell"], &["-n2"]]
    {
        let ran = fixture.run(&[&["run", "jobs.redb", "--scheduled"], arguments].concat());
        assert!(ran.code == Some(2) && ran.err.contains("--scheduled"), "{arguments:?}: {ran:?}");
    }
    let add = |arguments: &[&str]| {
        let ran = fixture.run(&[&["schedule", "add", "jobs.redb", "s"], &LATER[..], arguments].concat());
        assert_eq!(ran.code, Some(2), "{arguments:?}: {ran:?}");
        ran.err
    };
    assert!(add(&[]).contains("COMMAND"));
    assert!(add(&["-k", "x", "--payload", "{}", "--", "true"]).contains("cannot be used with"));
    assert!(add(&["--", "no-such-program"]).contains("not found"));
    assert!(add(&["--shell", "--", "echo {schedule}"]).contains("$TRACKER_ID"));
    assert!(!fixture.path("jobs.redb").exists());
    // The commands of a schedule are not those of a run with lines.
    fixture.add_command("nightly", &["-k", "run"], &["true"]);
    let (child, _messages, _) = fixture.run_scheduled(&["--name", "run"]);
    fixture.fine(&["schedule", "run", "jobs.redb", "nightly"]);
    let done = || fixture.fine(&["list", "jobs.redb", "--status", "Succeeded"])["tasks"].as_array().unwrap().len() == 1;
    until("the command has run", done);
    end(child);
    let ran = fixture.run(&["run", "jobs.redb", "--", "echo", ":::", "a"]);
    assert!(ran.code == Some(2) && ran.err.contains("belong to another command"), "{ran:?}");
}
