//! `tracker events`: lines of events beside an application, before it starts, and after it has ended.

use std::{
    io::{BufRead, BufReader, Lines},
    process::{Child, ChildStderr, ChildStdout, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tracker_core::{Tracker, file::Sharing};

use crate::{
    Fixture,
    running_app::{Download, RunningApp},
};

/// A running `tracker events`; killed with the test.
struct Events {
    process: Child,
    out: Lines<BufReader<ChildStdout>>,
    err: Lines<BufReader<ChildStderr>>,
}

impl Events {
    fn start(mut command: Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(process.stdout.take().unwrap()).lines();
        let err = BufReader::new(process.stderr.take().unwrap()).lines();
        Self { process, out, err }
    }

    fn line(&mut self) -> String {
        self.out.next().unwrap().unwrap()
    }

    fn json(&mut self) -> Value {
        serde_json::from_str(&self.line()).unwrap()
    }

    /// Sends SIGINT and returns the exit code and the lines that were left.
    fn interrupt(mut self) -> (Option<i32>, Vec<String>) {
        kill_process(Pid::from_child(&self.process), Signal::INT).unwrap();
        let rest = self.out.by_ref().map(|line| line.unwrap()).collect();
        (self.process.wait().unwrap().code(), rest)
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Removes the time and checks that it is one.
fn without_time(mut line: Value) -> Value {
    let time = line.as_object_mut().unwrap().remove("time").unwrap();
    assert!(time.as_str().unwrap().ends_with('Z'), "{time}");
    line
}

#[test]
fn events_of_an_application_are_json_lines() {
    let fixture = Fixture::new();
    let app = RunningApp::open(&fixture);
    let mut events = Events::start(fixture.command(&["events", "jobs.redb", "--kind", "download", "--json"]));
    assert_eq!(without_time(events.json()), json!({"event": "connected"}));
    let id = "https://odd.org/9";
    let mut started = app.downloads.worker_name("w").start(id).unwrap();
    started.fail("no\nmore").unwrap();
    app.downloads.remove(id).unwrap();
    for expected in [
        json!({"event": "claimed", "kind": "download", "id": id, "status": "Running", "role": "in_progress", "attempt": 1, "worker": "w"}),
        json!({"event": "ended", "kind": "download", "id": id, "status": "Failed", "role": "failed", "attempt": 1,
               "outcome": "failed", "error": "no\nmore"}),
        json!({"event": "deleted", "kind": "download", "id": id, "attempt": 1}),
    ] {
        assert_eq!(without_time(events.json()), expected);
    }
    assert_eq!(events.interrupt(), (Some(0), vec![]));
}

#[test]
fn events_wait_for_an_application_and_outlive_it() {
    let fixture = Fixture::new();
    drop(RunningApp::open(&fixture));
    let mut events = Events::start(fixture.command(&["events", "jobs.redb", "--snapshot", "--kind", "film"]));
    let waiting = events.err.next().unwrap().unwrap();
    assert_eq!(waiting, "tracker: no application has jobs.redb open: waiting for one");
    let tracker = Tracker::open(fixture.path("jobs.redb")).unwrap();
    assert!(events.line().ends_with("  connected"));
    let snapshot: Vec<_> = (0..3).map(|_| events.line()).collect();
    assert_eq!(snapshot, ["task  Raw  film 2", "task  Raw  film 3", "task  Cut  film 1"]);
    tracker.untyped("film").unwrap().cancel(2_u64).unwrap_err();
    tracker.untyped("film").unwrap().remove(2_u64).unwrap();
    assert!(events.line().ends_with("  film  2  deleted"));
    tracker.close().unwrap();
    assert!(events.line().ends_with("  disconnected"));
    let _again = Tracker::open(fixture.path("jobs.redb")).unwrap();
    assert!(events.line().ends_with("  connected"));
}

#[test]
fn closed_output_ends_the_command_quietly() {
    let fixture = Fixture::new();
    let app = RunningApp::open(&fixture);
    let mut events = Events::start(fixture.command(&["events", "jobs.redb"]));
    assert!(events.line().ends_with("  connected"));
    drop(std::mem::replace(&mut events.out, {
        let mut other = Command::new("true").stdout(Stdio::piped()).spawn().unwrap();
        other.wait().unwrap();
        BufReader::new(other.stdout.take().unwrap()).lines()
    }));
    app.downloads.remove("https://odd.org/9").unwrap();
    events.process.wait().unwrap();
    assert_eq!(events.err.by_ref().count(), 0);
}

#[test]
fn events_refuse_a_file_that_sends_none() {
    let fixture = Fixture::new();
    let ran = fixture.run(&["events", "missing.redb"]);
    assert!(ran.code == Some(3) && ran.err.contains("missing.redb"), "{ran:?}");
    let app = RunningApp::open(&fixture);
    let ran = fixture.run(&["events", "jobs.redb", "--kind", "nothing"]);
    assert!(ran.code == Some(2) && ran.err.contains("nothing"), "{ran:?}");
    drop(app);
    let ran = fixture.run(&["events", "jobs.redb", "--kind", "nothing"]);
    assert!(ran.code == Some(2) && ran.err.contains("nothing"), "{ran:?}");
    if cfg!(target_os = "linux") {
        for (options, reason) in [
            (Tracker::options().sharing(Sharing::Writers), "with Sharing::Writers, which sends no events"),
            (Tracker::options().live_commands(false), "which serves no live commands"),
        ] {
            let tracker = options.open(fixture.path("jobs.redb")).unwrap();
            let _downloads = tracker.tasks::<Download>().unwrap();
            let ran = fixture.run(&["events", "jobs.redb"]);
            assert!(ran.code == Some(3) && ran.err.contains(reason), "{ran:?}");
        }
    }
}
