//! Runs that are killed together with their guard, and what is left of their commands.
#![cfg(target_os = "linux")]

use std::{fs, io::Write, os::unix::net::UnixStream, process::Child};

use rustix::process::{Pid, Signal, kill_process};

use super::{Fixture, finish, is_alive, process_in, signal, until};

/// Writes the numbers of its shell and of a grandchild that leaves the process group.
const ESCAPES: &str = "setsid sh -c 'echo $$ > escaped; exec sleep 300' & echo $$ > child; wait; : {}";
/// A command with a grandchild that stays in the group and ignores requests to end.
const STAYS: &str = "sh -c 'trap \"\" TERM; echo $$ > grandchild; sleep 300 & wait' & echo $$ > child; wait; : {}";

fn start(fixture: &Fixture, options: &[&str], command: &str, lines: &[&str]) -> Child {
    fixture.spawn(&[&["run", "jobs.redb"], options, &["--shell", "--", command, ":::"], lines].concat())
}

/// The guard process of a run, which is one of its children.
pub(super) fn guard_of(run: &Child) -> Pid {
    let mut guard = None;
    until("the run has a guard", || {
        let threads = fs::read_dir(format!("/proc/{}/task", run.id())).unwrap().flatten();
        let children = threads.map(|thread| fs::read_to_string(thread.path().join("children")).unwrap_or_default());
        let pids: Vec<i32> = children
            .flat_map(|text| text.split_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<_>>())
            .collect();
        guard = pids.into_iter().find(|pid| {
            fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|words| words.split(|byte| *byte == 0).nth(1) == Some(b"guard"))
        });
        guard.is_some()
    });
    Pid::from_raw(guard.unwrap()).unwrap()
}

fn kill(run: &mut Child) {
    signal(run, Signal::KILL);
    run.wait().unwrap();
}

#[test]
fn request_to_end_does_not_end_the_guard() {
    let fixture = Fixture::new();
    let mut run = start(&fixture, &[], STAYS, &["a"]);
    let processes = ["child", "grandchild"].map(|name| process_in(&fixture.path(name)));
    kill_process(guard_of(&run), Signal::TERM).unwrap();
    kill(&mut run);
    for pid in processes {
        until("the process is gone", || !is_alive(pid));
    }
}

#[test]
fn guard_that_died_is_started_again() {
    let fixture = Fixture::new();
    let command = format!("case {{}} in a) echo $$ > first; until test -e go; do sleep 0.01; done;; *) {STAYS};; esac");
    let mut run = start(&fixture, &["-j1"], &command, &["a", "b"]);
    process_in(&fixture.path("first"));
    kill_process(guard_of(&run), Signal::KILL).unwrap();
    fs::write(fixture.path("go"), "").unwrap();
    let processes = ["child", "grandchild"].map(|name| process_in(&fixture.path(name)));
    kill(&mut run);
    for pid in processes {
        until("the process is gone", || !is_alive(pid));
    }
}

#[test]
fn kernel_ends_the_command_when_guard_and_run_are_killed() {
    let fixture = Fixture::new();
    let mut run = start(&fixture, &[], STAYS, &["a"]);
    let child = process_in(&fixture.path("child"));
    kill_process(guard_of(&run), Signal::KILL).unwrap();
    kill(&mut run);
    until("the first process is gone", || !is_alive(child));
}

#[test]
fn next_run_kills_orphans_of_a_killed_run() {
    for command in [ESCAPES, STAYS] {
        let fixture = Fixture::new();
        let name = if command == ESCAPES { "escaped" } else { "grandchild" };
        let mut run = start(&fixture, &[], command, &["a"]);
        let left = process_in(&fixture.path(name));
        kill_process(guard_of(&run), Signal::KILL).unwrap();
        kill(&mut run);
        assert!(is_alive(left), "neither the kernel nor the guard ends {name}");
        let again = "grep -qs ') [^Z]' /proc/$(cat escaped grandchild 2> /dev/null)/stat && echo {} runs twice; exit 0";
        let ran = fixture.run(&["run", "jobs.redb", "--change-command", "--shell", "--", again]);
        assert_eq!((ran.code, ran.out.as_str()), (Some(0), ""), "{ran:?}");
        assert!(!is_alive(left), "{name}");
    }
}

#[test]
fn next_run_spares_processes_of_finished_commands() {
    let fixture = Fixture::new();
    let command = "case {} in a) sleep 300 & echo $! > left;; b) echo $$ > child; sleep 300;; esac";
    let mut run = start(&fixture, &["-j1"], command, &["a", "b"]);
    let (left, _) = (process_in(&fixture.path("left")), process_in(&fixture.path("child")));
    kill(&mut run);
    let ran = fixture.run(&["run", "jobs.redb", "--change-command", "--", "true"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(is_alive(left), "it was left on purpose");
    kill_process(left, Signal::KILL).unwrap();
}

#[test]
fn command_does_not_start_before_its_run_has_registered_it() {
    let fixture = Fixture::new();
    let launch = |parent: u32, registered: bool| {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let parent = parent.to_string();
        let mut command = fixture.command(&["launch", &parent, "null", "touch", "started"]);
        let child = command.stdin(std::os::fd::OwnedFd::from(theirs)).spawn().unwrap();
        drop(command);
        if registered {
            ours.write_all(b"+").unwrap();
        }
        // The run is gone.
        drop(ours);
        finish(child);
        fixture.path("started").exists()
    };
    assert!(!launch(std::process::id(), false));
    // The run died after it had registered the command: another process is the parent now.
    assert!(!launch(1, true));
    assert!(launch(std::process::id(), true));
}
