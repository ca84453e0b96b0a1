//! Commands that wait for the machine: `--load` and `--memfree`.

use std::{
    io::{BufRead, BufReader, Read},
    process::Stdio,
};

use rustix::process::Signal;

use super::{Fixture, signal};
use crate::fixture::until;

#[test]
fn commands_run_while_the_machine_has_room() {
    let fixture = Fixture::new();
    let ran = fixture.run(&[
        "run",
        "jobs.redb",
        "-j1",
        "--load",
        "1000000",
        "--memfree",
        "1k",
        "--",
        "echo",
        ":::",
        "a",
        "b",
        "c",
    ]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(0), "a\nb\nc\n", ""));
}

/// A start counts as one process at once, so the second command waits on every machine.
#[test]
fn reason_of_a_wait_is_printed_and_stop_ends_it() {
    let fixture = Fixture::new();
    let mut command = fixture.command(&["run", "jobs.redb", "-j2", "--load", "0.01", "--", "true", ":::", "a", "b"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut messages = BufReader::new(child.stderr.take().unwrap());
    let mut message = String::new();
    messages.read_line(&mut message).unwrap();
    assert!(message.starts_with("tracker: no command starts now: the load is "), "{message}");
    assert!(message.ends_with(", not below 0.01\n"), "{message}");
    // The reason may be printed before the first line is stored.
    let waiting = || fixture.plan(&["--", "true"])["earlier"].as_u64().unwrap();
    until("a line is stored", || waiting() >= 1);
    signal(&child, Signal::TERM);
    message.clear();
    messages.read_to_string(&mut message).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{message}");
    assert!(message.starts_with("tracker: stopped; "), "reported once: {message}");
    assert!(waiting() >= 1);
}

#[test]
fn limit_that_never_holds_is_refused_before_the_file() {
    let fixture = Fixture::new();
    for (option, value, reason) in [
        ("--memfree", "100P", "bytes of memory are never free"),
        ("--memfree", "0", "expected a number of bytes from 1"),
        ("--memfree", "1GB", "expected a number of bytes from 1"),
        ("--load", "0", "expected a number above 0"),
        ("--load", "80%%", "expected a number above 0"),
    ] {
        let ran = fixture.run(&["run", "jobs.redb", option, value, "--", "true", ":::", "a"]);
        assert_eq!(ran.code, Some(2), "{option} {value}: {ran:?}");
        assert!(ran.err.contains(reason), "{option} {value}: {}", ran.err);
        assert!(!fixture.path("jobs.redb").exists());
    }
}
