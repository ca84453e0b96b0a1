//! Signals that are ignored when the run starts.

use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    process::{Child, Stdio},
};

use rustix::process::Signal;

use super::{Fixture, finish, process_in, signal};
use crate::fixture::until;

/// Starts a run that ignores these signals, with a command that writes its number and ends when `go` exists.
fn start_ignoring(fixture: &Fixture, signals: &str) -> std::process::Child {
    let tracker = fixture.command(&[]);
    let mut shell = std::process::Command::new("/bin/sh");
    shell.args(["-c", &format!("trap '' {signals}; exec \"$0\" \"$@\"")]).arg(tracker.get_program());
    let command = "echo $$ > pid; until test -e go; do sleep 0.01; done; echo {}";
    shell.args(["run", "jobs.redb", "-j1", "--shell", "--", command, ":::", "a", "b"]);
    shell.current_dir(fixture.path("")).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    shell.spawn().unwrap()
}

#[test]
fn signals_ignored_at_start_stay_ignored() {
    let fixture = Fixture::new();
    let child = start_ignoring(&fixture, "HUP INT");
    process_in(&fixture.path("pid"));
    signal(&child, Signal::HUP);
    signal(&child, Signal::INT);
    fs::write(fixture.path("go"), "").unwrap();
    let ran = finish(child);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "a\nb\n"), "{ran:?}");
}

#[test]
fn other_signals_stop_a_run() {
    let fixture = Fixture::new();
    let child = start_ignoring(&fixture, "HUP INT");
    process_in(&fixture.path("pid"));
    signal(&child, Signal::TERM);
    assert_eq!(finish(child).code, Some(130));
}

#[test]
fn commands_inherit_the_ignored_signals() {
    let fixture = Fixture::new();
    let mut shell = std::process::Command::new("/bin/sh");
    let tracker = fixture.command(&[]);
    shell.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]).arg(tracker.get_program());
    shell.args(["run", "jobs.redb", "--shell", "--", "kill -HUP $$; echo {}", ":::", "a"]);
    let ran = shell.current_dir(fixture.path("")).stdin(Stdio::null()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&ran.stdout), "a\n");
}

#[test]
fn commands_get_the_default_of_the_pipe_signal() {
    let fixture = Fixture::new();
    let ran = fixture.run(&["run", "jobs.redb", "--shell", "--", "kill -PIPE $$; echo {}", ":::", "a"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{ran:?}");
}

/// Root is exempt from the limit, so that root runs the program as the user `nobody`. Prints why where the limit does not bind.
#[test]
fn sigterm_stops_a_run_whose_threads_reach_the_limit() {
    const NOBODY: u32 = 65_534;
    let fixture = Fixture::new();
    let tracker = fixture.command(&[]);
    let mut shell = std::process::Command::new("/bin/sh");
    shell.args(["-c", "ulimit -u 12 && exec \"$0\" \"$@\""]).arg(tracker.get_program());
    shell.args(["run", "jobs.redb", "-j64", "--", "sleep", "60", ":::"]).args((0..64).map(|number| number.to_string()));
    shell.current_dir(fixture.path("")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if rustix::process::getuid().is_root() {
        fs::set_permissions(fixture.path(""), fs::Permissions::from_mode(0o777)).unwrap();
        shell.uid(NOBODY).gid(NOBODY);
    }
    let Ok(mut child) = shell.spawn() else {
        println!("skipped: this user may start no process under the limit");
        return;
    };
    let threads = |child: &Child| fs::read_dir(format!("/proc/{}/task", child.id())).map_or(0, Iterator::count);
    until("the run has threads", || threads(&child) >= 6 || child.try_wait().unwrap().is_some());
    if let Some(status) = child.try_wait().unwrap() {
        println!("skipped: the program cannot run under the limit: {status}");
        return;
    }
    assert!(threads(&child) <= 12, "the limit binds");
    signal(&child, Signal::TERM);
    until("the run stops", || child.try_wait().unwrap().is_some());
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
