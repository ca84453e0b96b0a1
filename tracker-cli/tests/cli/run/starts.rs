//! Commands that cannot be started.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::fs::symlink,
    process::{Command, Stdio},
};

use super::{Fixture, finish};

/// Another process writes the program: a child that another test forks meanwhile would hold it open for writing, and
/// it would not start ("Text file busy").
fn write_program(fixture: &Fixture, name: &str, text: &str) {
    let source = fixture.path(&format!("{name}.text"));
    fs::write(&source, text).unwrap();
    let installed = Command::new("install").args(["-m", "755"]).arg(source).arg(fixture.path(name)).status().unwrap();
    assert!(installed.success());
}

#[test]
fn unrunnable_program_fails_only_its_line() {
    let fixture = Fixture::new();
    write_program(&fixture, "first", "#!/bin/sh\nuntil test -e last.ran; do sleep 0.01; done; echo first\n");
    write_program(&fixture, "last", "#!/bin/sh\n: > last.ran; echo last\n");
    write_program(&fixture, "plain", "echo this is run by no shell\n");
    write_program(&fixture, "lost", "#!/no/such/interpreter\n");
    fs::write(fixture.path("locked"), "#!/bin/sh\n").unwrap();
    fs::copy("/bin/true", fixture.path("busy")).unwrap();
    let _writer = fs::OpenOptions::new().write(true).open(fixture.path("busy")).unwrap();
    symlink("loop", fixture.path("loop")).unwrap();
    let long = format!("./{}", "x".repeat(300));
    let cases = [
        ("./plain", "Exec format error"),
        ("./lost", "No such file or directory"),
        ("./locked", "Permission denied"),
        ("./busy", "Text file busy"),
        ("./loop", "Too many levels of symbolic links"),
        ("./plain/x", "Not a directory"),
        (long.as_str(), "File name too long"),
        ("/", "Permission denied"),
        ("no-such-program", "No such file or directory"),
    ];
    let lines: Vec<&str> = cases.iter().map(|(line, _)| *line).collect();
    // The first command runs beside all failures and ends after the last line has run.
    let ran =
        fixture.run(&[&["run", "jobs.redb", "-j2", "--", "{}", ":::", "./first"], &lines[..], &["./last"]].concat());
    assert_eq!((ran.code, ran.out.lines().count()), (Some(1), 2), "{ran:?}");
    for (line, reason) in cases {
        let shown = fixture.fine(&["show", "jobs.redb", line]);
        assert_eq!(shown["role"], "exhausted", "{line}");
        let error = shown["error"].as_str().unwrap();
        assert!(error.starts_with("cannot execute the command: ") && error.contains(reason), "{line}: {error}");
        assert!(ran.err.contains(reason), "{}", ran.err);
    }
}

#[test]
fn failure_to_start_is_an_attempt_in_json() {
    let fixture = Fixture::new();
    let ran =
        fixture.run(&["run", "jobs.redb", "-j1", "--attempts", "2", "--json", "--", "{}", ":::", "no-such-program"]);
    let events: Vec<serde_json::Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> = events.iter().map(|event| (event["outcome"].as_str(), event["exit"].as_i64())).collect();
    assert_eq!(told, [(Some("failed"), None), (Some("given_up"), None), (None, None)], "{ran:?}");
    assert!(events[0]["error"].as_str().unwrap().contains("No such file or directory"), "{ran:?}");
}

#[test]
fn words_too_long_for_any_program_fail_their_line() {
    let fixture = Fixture::new();
    let long = "x".repeat(3 << 20);
    for (file, command) in
        [("a.redb", &["--", "printf", "%s", "{}"][..]), ("b.redb", &["--shell", "--", "printf %s {}"])]
    {
        let input = format!("{long}\nb\n");
        let ran =
            fixture.run_with_input(input.as_bytes(), &[&["run", file, "-j1", "--attempts", "5"], command].concat());
        assert_eq!((ran.code, ran.out.as_str()), (Some(1), "b"), "{ran:?}");
        assert!(ran.err.contains("line 1: cannot execute the command: Argument list too long"), "{}", ran.err);
    }
}

#[test]
fn line_over_the_limit_fails_and_others_run() {
    let fixture = Fixture::new();
    let long = "x".repeat(17_000_000);
    let input = format!("a\n{long}\n{long}y\nb\n");
    for _ in 0..2 {
        let ran =
            fixture.run_with_input(input.as_bytes(), &["run", "jobs.redb", "-j1", "--retry-failed", "--", "true"]);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.err.contains("line 2: the line has 17000000 bytes; the limit is 8388608"), "{}", ran.err);
        assert!(ran.err.contains("line 3: the line has 17000001 bytes"), "{}", ran.err);
        assert!(ran.err.contains("2 of 4 lines were given up"), "{}", ran.err);
    }
}

#[test]
fn lines_of_megabytes_run_where_the_command_is_short() {
    let fixture = Fixture::new();
    let long = "x".repeat(5_000_000);
    let input = (0..8).map(|number| format!("{long}/{number}\n")).collect::<Vec<_>>().concat();
    let ran = fixture.run_with_input(input.as_bytes(), &["run", "jobs.redb", "-j1", "--", "printf", "%s", "{/}"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "01234567"), "{}", ran.err);
}

#[test]
fn shortage_of_descriptors_waits_for_neighbours() {
    let fixture = Fixture::new();
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "ulimit -n 48; exec \"$0\" \"$@\""]).arg(fixture.command(&[]).get_program());
    // Ends by itself if the run never reports the shortage.
    let command = "n=0; until test -e go || [ $((n += 1)) -gt 1000 ]; do sleep 0.01; done; echo {}";
    shell.args(["run", "jobs.redb", "-j40", "--shell", "--", command, ":::"]);
    shell.args((0..60).map(|number| number.to_string())).current_dir(fixture.path(""));
    let mut child = shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut messages = BufReader::new(child.stderr.take().unwrap());
    let mut message = String::new();
    messages.read_line(&mut message).unwrap();
    assert!(message.contains("cannot start a further command now (Too many open files"), "{message}");
    fs::write(fixture.path("go"), "").unwrap();
    let ran = finish(child);
    let mut rest = String::new();
    messages.read_to_string(&mut rest).unwrap();
    assert_eq!((ran.code, ran.out.lines().count(), rest.as_str()), (Some(0), 60, ""));
}

#[test]
fn stop_ends_a_wait_for_resources() {
    let fixture = Fixture::new();
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "ulimit -n 48; exec \"$0\" \"$@\""]).arg(fixture.command(&[]).get_program());
    shell.args(["run", "jobs.redb", "-j40", "--shell", "--", "echo {} >> begun; sleep 300", ":::"]);
    shell.args((0..60).map(|number| number.to_string())).current_dir(fixture.path(""));
    let mut child = shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut messages = BufReader::new(child.stderr.take().unwrap());
    let mut message = String::new();
    messages.read_line(&mut message).unwrap();
    assert!(message.contains("cannot start a further command now"), "{message}");
    super::signal(&child, rustix::process::Signal::TERM);
    message.clear();
    messages.read_to_string(&mut message).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{message}");
    assert!(fixture.lines("begun").len() < 40);
}

#[test]
fn missing_folder_for_output_is_named() {
    let fixture = Fixture::new();
    let ran =
        fixture.command(&["run", "jobs.redb", "--", "echo", ":::", "a"]).env("TMPDIR", "/no/such/folder").output();
    let ran = crate::fixture::Ran::from(ran.unwrap());
    assert_eq!(ran.code, Some(3));
    assert!(ran.err.contains("in /no/such/folder") && ran.err.contains("TMPDIR"), "{}", ran.err);
    assert_eq!(fixture.plan(&["--", "echo"])["earlier"], 1, "the line keeps its attempt");
}
