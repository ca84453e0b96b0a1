//! How commands and runs are ended: by time, by Ctrl-C, by those who no longer read.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use rustix::process::Signal;

use super::{finish, is_alive, process_in, signal, until};
use crate::{fixture::Fixture, terminal::Terminal};

/// Leaves a grandchild behind that does not hear the request to end.
const FAMILY: &str = ": {}; sh -c 'trap \"\" TERM; echo $$ > grandchild; sleep 300 & wait' & echo $! > child; wait";

#[test]
fn timeout_ends_all_processes_of_an_attempt() {
    let fixture = Fixture::new();
    let ran = fixture.run(&[
        "run",
        "jobs.redb",
        "--timeout",
        "500ms",
        "--grace",
        "100ms",
        "--json",
        "--shell",
        "--",
        FAMILY,
        ":::",
        "a",
    ]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.out.contains("\"outcome\":\"given_up\""), "{}", ran.out);
    for name in ["child", "grandchild"] {
        let pid = process_in(&fixture.path(name));
        until("the process is gone", || !is_alive(pid));
    }
}

#[test]
fn ctrl_c_ends_commands_and_costs_no_attempt() {
    let fixture = Fixture::new();
    let arguments = ["run", "jobs.redb", "-j2", "--grace", "100ms", "--shell", "--"];
    let arguments = [&arguments[..], &[FAMILY, ":::", "a"]].concat();
    for end in [Signal::INT, Signal::TERM, Signal::HUP] {
        let child = fixture.spawn(&arguments);
        let grandchild = process_in(&fixture.path("grandchild"));
        signal(&child, end);
        let ran = finish(child);
        assert_eq!(ran.code, Some(130), "{ran:?}");
        assert!(ran.err.contains("1 line is left: the same command continues"), "{}", ran.err);
        until("the grandchild is gone", || !is_alive(grandchild));
        std::fs::remove_file(fixture.path("grandchild")).unwrap();
    }
    // It was tried three times, and not once in the book: its first attempt is still to come.
    let shown = fixture.run(&["run", "jobs.redb", "--change-command", "--shell", "--", "echo {} $TRACKER_ATTEMPT"]);
    assert_eq!((shown.code, shown.out.as_str()), (Some(0), "a 1\n"), "{shown:?}");
}

#[test]
fn command_that_exits_with_0_on_request_has_succeeded() {
    let fixture = Fixture::new();
    let command = "trap 'echo saved > saved; exit 0' TERM; echo $$ > child; sleep 300 & wait; : {}";
    let arguments = ["run", "jobs.redb", "-j1", "--shell", "--", command, ":::", "a", "b"];
    let child = fixture.spawn(&arguments);
    process_in(&fixture.path("child"));
    signal(&child, Signal::INT);
    let ran = finish(child);
    assert_eq!(ran.code, Some(130), "{ran:?}");
    assert!(ran.err.contains("1 line is left"), "{}", ran.err);
    assert_eq!(fixture.lines("saved"), ["saved"]);
    let plan = fixture.plan(&["--shell", "--", command, ":::", "a", "b"]);
    assert_eq!((plan["done"].as_u64(), plan["run"][0]["line"].as_str()), (Some(1), Some("b")), "{plan}");
}

#[test]
fn command_over_its_timeout_has_failed_even_with_exit_0() {
    let fixture = Fixture::new();
    let command = "trap 'exit 0' TERM; sleep 300 & wait; : {}";
    let ran = fixture.run(&["run", "jobs.redb", "--timeout", "300ms", "--shell", "--", command, ":::", "a"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
}

#[test]
fn second_ctrl_c_kills_at_once() {
    let fixture = Fixture::new();
    let stubborn = ": {}; trap '' TERM; echo $$ > child; sleep 300";
    let child = fixture.spawn(&["run", "jobs.redb", "--grace", "1h", "--shell", "--", stubborn, ":::", "a"]);
    let stubborn = process_in(&fixture.path("child"));
    signal(&child, Signal::INT);
    // Both are heard only if the first has been by the time of the second.
    until("the command is ended by force", || {
        signal(&child, Signal::INT);
        !is_alive(stubborn)
    });
    assert_eq!(finish(child).code, Some(130));
}

#[test]
fn terminal_shows_progress() {
    let fixture = Fixture::new();
    let command = "while ! test -e go{}; do sleep 0.01; done; echo {} has ended";
    let arguments = ["run", "jobs.redb", "-j1", "--shell", "--", command, ":::", "1", "2", "3"];
    let mut terminal = Terminal::start(&fixture.path("."), 10, 80, &arguments);
    terminal.shows(&["0/3 lines", "left"]);
    for (name, shows) in [("go1", ["1 has ended", "1/3 lines"]), ("go2", ["2 has ended", "2/3 lines"])] {
        std::fs::write(fixture.path(name), "").unwrap();
        terminal.shows(&shows);
    }
    std::fs::write(fixture.path("go3"), "").unwrap();
    let last = terminal.shows(&["3 has ended"]);
    assert!(last.contains("1 has ended"), "what was printed stays: {last}");
}

#[test]
fn halt_now_ends_running_commands() {
    let fixture = Fixture::new();
    let command =
        "case {} in slow) echo $$ > slow; sleep 300;; bad) while ! test -s slow; do sleep 0.01; done; exit 1;; esac";
    let arguments = ["run", "jobs.redb", "-j2", "--halt", "now,fail=1", "--shell", "--", command, ":::", "slow", "bad"];
    assert_eq!(fixture.run(&arguments).code, Some(1));
    let slow = process_in(&fixture.path("slow"));
    until("the other command is gone", || !is_alive(slow));
    let plan = fixture.plan(&["--shell", "--", command, ":::", "slow", "bad"]);
    assert_eq!((plan["run"][0]["line"].as_str(), plan["run"][0]["reason"].as_str()), (Some("slow"), Some("waiting")));
}

#[test]
fn background_process_is_not_waited_for() {
    let fixture = Fixture::new();
    let ran = fixture.run(&["run", "jobs.redb", "--shell", "--", "echo {}; sleep 300 & echo $! > left", ":::", "a"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "a\n"));
    let left = process_in(&fixture.path("left"));
    assert!(is_alive(left), "it was left on purpose");
    rustix::process::kill_process(left, Signal::KILL).unwrap();
}

#[test]
fn run_ends_when_its_output_is_closed() {
    let fixture = Fixture::new();
    let lines: Vec<String> = (0..500).map(|number| number.to_string()).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let arguments = [&["run", "jobs.redb", "-j1", "--", "echo", ":::"], &lines[..]].concat();
    let mut child = fixture.command(&arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(output.next().unwrap().unwrap(), "0");
    drop(output);
    child.wait().unwrap();
    let left = fixture.plan(&["--", "echo"])["earlier"].as_u64().unwrap();
    assert!(left > 0, "it went on to the end");
}

#[test]
fn file_can_be_inspected_during_a_run() {
    let fixture = Fixture::new();
    let tracker = env!("CARGO_BIN_EXE_tracker");
    let ran = fixture.run(&["run", "jobs.redb", "--", tracker, "verify", "{}", ":::", "jobs.redb"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.starts_with("sound"), "{}", ran.out);
    // A second run is told who is in the way.
    let child = fixture.spawn(&[
        "run",
        "jobs.redb",
        "--name",
        "b",
        "--shell",
        "--",
        "echo $$ > pid; sleep 300; {}",
        ":::",
        "a",
    ]);
    process_in(&fixture.path("pid"));
    let second = fixture.run(&["run", "jobs.redb", "--name", "c", "--", "echo", ":::", "a"]);
    assert_eq!(second.code, Some(3));
    assert!(second.err.contains(&format!("process {} (tracker)", child.id())), "{}", second.err);
    signal(&child, Signal::INT);
    assert_eq!(finish(child).code, Some(130));
}
