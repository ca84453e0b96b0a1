//! `tracker logs`: the output of running and of ended commands.

use std::fs;

use serde_json::json;

use super::finish;
use crate::{
    fixture::{Fixture, until},
    sample,
};

/// Writes one part of its output, waits for the file `go`, and writes the other part.
const TWO_PARTS: &str = "echo one; echo wrong >&2; until [ -e go ]; do sleep 0.01; done; printf 'two \\377\\n'";

#[test]
#[cfg(target_os = "linux")]
fn output_of_running_command_is_followed_to_its_end() {
    let fixture = Fixture::new();
    let run = fixture.spawn(&["run", "jobs.redb", "--shell", "-q", "-j", "1", "--", TWO_PARTS, "#", ":::", "a"]);
    until("the command has written", || {
        let ran = fixture.run(&["logs", "jobs.redb", "a"]);
        ran.out == "one\n" && ran.err == "wrong\n"
    });
    let json = fixture.fine(&["logs", "jobs.redb", "a"]);
    assert_eq!(json, json!({"id": "a", "running": true, "stdout": "one\n", "stderr": "wrong\n"}));
    let mut follow = fixture.command(&["logs", "-f", "jobs.redb", "a"]);
    let follow = follow.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    fs::write(fixture.path("go"), "").unwrap();
    let followed = follow.wait_with_output().unwrap();
    assert_eq!((followed.status.code(), followed.stdout.as_slice()), (Some(0), &b"one\ntwo \xff\n"[..]));
    assert_eq!(followed.stderr, b"wrong\n");
    assert_eq!(finish(run).code, Some(0));
    let ended = fixture.command(&["logs", "jobs.redb", "a"]).output().unwrap();
    assert_eq!((ended.stdout.as_slice(), ended.stderr.as_slice()), (&b"one\ntwo \xff\n"[..], &b"wrong\n"[..]));
}

#[test]
fn output_of_ended_command_is_printed_with_its_cut() {
    let fixture = Fixture::new();
    let ran = fixture.run(&["run", "jobs.redb", "--keep", "8", "--", "echo", ":::", "0123456789abcdef", "short"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(fixture.run(&["logs", "-f", "jobs.redb", "short"]).out, "short\n");
    let cut = fixture.run(&["logs", "jobs.redb", "0123456789abcdef"]);
    assert_eq!(cut.out, "0123\n… 9 bytes omitted …\ndef\n");
    let json = fixture.fine(&["logs", "jobs.redb", "short"]);
    assert_eq!(json, json!({"id": "short", "running": false, "stdout": "short\n", "stderr": ""}));
}

#[test]
fn logs_of_wrong_tasks_and_options_are_refused() {
    let fixture = Fixture::new();
    sample::write(&fixture.path("work.redb"));
    let ran = fixture.run(&["logs", "work.redb", "https://host0/036"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("task https://host0/036 is not a line of `tracker run`"), "{}", ran.err);
    assert_eq!(fixture.run(&["logs", "work.redb", "missing"]).code, Some(1));
    assert_eq!(fixture.run(&["logs", "work.redb", "1", "-f", "--json"]).code, Some(2));
}
