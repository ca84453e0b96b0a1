//! `--slots`: commands of several runs that share slots of the machine.

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::DirBuilderExt,
    process::{Child, Command, Stdio},
};

use rustix::process::{Signal, kill_process};
use serde_json::Value;

use super::{Fixture, finish, is_alive, process_in, signal};
use crate::fixture::{Ran, until};

impl Fixture {
    /// A run with slots in a runtime folder of this fixture.
    fn slots(&self, arguments: &[&str]) -> Command {
        let folder = self.path("runtime");
        if !folder.exists() {
            fs::DirBuilder::new().mode(0o700).create(&folder).unwrap();
        }
        let mut command = self.command(&[&["run"], arguments].concat());
        command.env("XDG_RUNTIME_DIR", folder).env_remove("TRACKER_SLOTS");
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn start(&self, arguments: &[&str]) -> Child {
        self.slots(arguments).spawn().unwrap()
    }

    fn finish(&self, arguments: &[&str]) -> Ran {
        finish(self.start(arguments))
    }

    /// Whether a line of the run in this file has been taken.
    fn has_begun(&self, file: &str) -> bool {
        // The file may not be complete yet.
        let counts: Value = serde_json::from_str(&self.run(&["counts", file, "--json"]).out).unwrap_or_default();
        let is_running = |count: &Value| count["role"] == "in_progress" && count["count"] != 0;
        counts["kinds"][0]["counts"].as_array().is_some_and(|counts| counts.iter().any(is_running))
    }
}

/// The most commands that have run at once, by their notes. Those of one slot never do.
#[track_caller]
fn most_at_once(notes: &[String]) -> usize {
    let (mut running, mut most) = (Vec::new(), 0);
    for note in notes {
        let (sign, slot) = note.split_once(' ').unwrap_or((note, ""));
        if sign == "+" {
            assert!(slot.is_empty() || !running.contains(&slot), "two commands hold {slot}: {notes:?}");
            running.push(slot);
        } else {
            let at = running.iter().position(|other| *other == slot).unwrap();
            running.remove(at);
        }
        most = most.max(running.len());
    }
    assert!(running.is_empty(), "{notes:?}");
    most
}

#[test]
fn commands_of_two_runs_share_the_slots_of_a_name() {
    for (slots, jobs, expected) in [("x=1", "-j4", 1), ("x=2", "-j4", 2), ("x=8", "-j1", 2)] {
        let fixture = Fixture::new();
        // The first commands wait until as many have begun as may run at once.
        let command = format!(
            "echo + $TRACKER_SLOTS >> trace; until test $(grep -c + trace) -ge {expected}; do sleep 0.01; done; sleep 0.02; \
             echo - $TRACKER_SLOTS >> trace; : {{}}"
        );
        let start = |file: &str| {
            let options = [file, jobs, "--slots", slots, "--timeout", "50s", "--shell", "--", &command, ":::"];
            fixture.start(&[&options[..], &["a", "b", "c", "d", "e", "f", "g", "h"]].concat())
        };
        for child in ["a.redb", "b.redb"].map(start) {
            assert_eq!(finish(child).code, Some(0), "{slots} {jobs}");
        }
        let notes = fixture.lines("trace");
        assert_eq!((notes.len(), most_at_once(&notes)), (32, expected), "{slots} {jobs}: {notes:?}");
    }
}

#[test]
fn slots_of_other_names_are_independent() {
    let fixture = Fixture::new();
    let both = "echo + >> trace; until test $(grep -c + trace) -ge 2; do sleep 0.01; done; echo - >> trace; : {}";
    let children = ["x=1", "y=1"].map(|slots| {
        fixture.start(&[
            &format!("{slots}.redb"),
            "--slots",
            slots,
            "--timeout",
            "50s",
            "--shell",
            "--",
            both,
            ":::",
            "a",
        ])
    });
    for child in children {
        assert_eq!(finish(child).code, Some(0));
    }
    assert_eq!(most_at_once(&fixture.lines("trace")), 2);
}

#[test]
fn runs_with_several_names_do_not_block_each_other() {
    let fixture = Fixture::new();
    let start = |file: &str, first: &str, second: &str| {
        let options = [
            file,
            "-j3",
            "--slots",
            first,
            "--slots",
            second,
            "--shell",
            "--",
            "echo $TRACKER_SLOTS >> held; : {}",
            ":::",
        ];
        let lines: Vec<_> = (0..20).map(|number| number.to_string()).collect();
        fixture.start(&[&options[..], &lines.iter().map(String::as_str).collect::<Vec<_>>()].concat())
    };
    for child in [start("a.redb", "a=1", "b=1"), start("b.redb", "b=1", "a=1")] {
        assert_eq!(finish(child).code, Some(0));
    }
    assert_eq!(fixture.lines("held"), vec!["a=1 b=1"; 40]);
}

#[test]
fn waiting_run_gets_a_slot_before_a_busy_one_ends() {
    let fixture = Fixture::new();
    let lines: Vec<_> = (0..80).map(|number| number.to_string()).collect();
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    let busy = ["a.redb", "-j3", "--slots", "x=1", "--shell", "--", "echo a >> trace; sleep 0.02; : {}", ":::"];
    let busy = fixture.start(&[&busy[..], &lines].concat());
    until("the busy run has begun", || fixture.lines("trace").len() >= 3);
    let ran =
        fixture.finish(&["b.redb", "--slots", "x=1", "--shell", "--", "echo b >> trace; : {}", ":::", "a", "b", "c"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(finish(busy).code, Some(0));
    let trace = fixture.lines("trace");
    let last = trace.iter().rposition(|line| line == "b").unwrap();
    assert!(trace.len() - last > 20, "the three commands came late: {trace:?}");
}

#[test]
fn killed_run_frees_its_slots_when_its_commands_are_dead() {
    let fixture = Fixture::new();
    let writer = "while :; do echo a >> trace; sleep 0.003; done; : {}";
    let mut killed = fixture.start(&["a.redb", "--slots", "x=1", "--shell", "--", writer, ":::", "a"]);
    until("the command runs", || !fixture.lines("trace").is_empty());
    let waiting =
        fixture.start(&["b.redb", "--slots", "x=1", "--shell", "--", "echo b >> trace; sleep 0.1; : {}", ":::", "b"]);
    until("the second run waits", || fixture.has_begun("b.redb"));
    signal(&killed, Signal::KILL);
    killed.wait().unwrap();
    assert_eq!(finish(waiting).code, Some(0));
    assert_eq!(fixture.lines("trace").last().unwrap(), "b", "the killed run's command has ended before");
}

/// On other systems, the environment of processes is not known.
#[cfg(target_os = "linux")]
#[test]
fn orphan_of_a_killed_run_and_guard_keeps_its_slot() {
    let fixture = Fixture::new();
    // The kernel kills the first process of the command with its run, but not its children.
    let writer = "sh -c 'echo $$ > orphan; while :; do echo a >> trace; sleep 0.003; done'; : {}";
    let mut killed = fixture.start(&["a.redb", "--slots", "x=1", "--shell", "--", writer, ":::", "a"]);
    let orphan = process_in(&fixture.path("orphan"));
    let waiting = fixture.start(&["b.redb", "--slots", "x=1", "--shell", "--", "echo b >> trace; : {}", ":::", "b"]);
    until("the second run waits", || fixture.has_begun("b.redb"));
    // The guard starts again with the next command, and this run starts none.
    kill_process(super::orphans::guard_of(&killed), Signal::KILL).unwrap();
    signal(&killed, Signal::KILL);
    killed.wait().unwrap();
    let count = fixture.lines("trace").len();
    until("the orphan goes on", || fixture.lines("trace").len() > count + 50);
    assert!(is_alive(orphan) && !fixture.lines("trace").contains(&"b".to_owned()), "the slot is still held");
    // The next run on the file kills the orphan before it needs a slot.
    let next = fixture.finish(&[
        "a.redb",
        "--slots",
        "x=1",
        "--change-command",
        "--shell",
        "--",
        "echo c >> trace; : {}",
        ":::",
        "a",
    ]);
    assert_eq!((next.code, finish(waiting).code), (Some(0), Some(0)), "{next:?}");
    let trace = fixture.lines("trace");
    let after: Vec<_> = trace.iter().skip_while(|line| *line == "a").map(String::as_str).collect();
    assert!([["b", "c"], ["c", "b"]].contains(&[after[0], after[1]]) && after.len() == 2, "{after:?}");
}

#[test]
fn background_process_of_an_ended_command_holds_no_slot() {
    let fixture = Fixture::new();
    let command = "case {} in a) sleep 300 & echo $! > background;; *) echo $$ > running; sleep 300;; esac";
    let mut killed = fixture.start(&["a.redb", "-j1", "--slots", "x=1", "--shell", "--", command, ":::", "a", "b"]);
    process_in(&fixture.path("running"));
    signal(&killed, Signal::KILL);
    killed.wait().unwrap();
    let ran = fixture.finish(&["b.redb", "--slots", "x=1", "--", "echo", ":::", "b"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "b\n"), "{ran:?}");
    let background = process_in(&fixture.path("background"));
    assert!(is_alive(background), "it belongs to a command that has ended by itself");
    kill_process(background, Signal::KILL).unwrap();
}

#[test]
fn wait_for_another_run_is_printed_and_a_stop_ends_it() {
    let fixture = Fixture::new();
    let holder =
        fixture.start(&["a.redb", "--slots", "x=1", "--shell", "--", "echo $$ > pid; sleep 300; : {}", ":::", "a"]);
    process_in(&fixture.path("pid"));
    let arguments = ["b.redb", "-j2", "--slots", "x=1", "--shell", "--", "echo {} >> ran", ":::", "a", "b", "c"];
    let mut waiting = fixture.start(&arguments);
    let mut messages = BufReader::new(waiting.stderr.take().unwrap());
    let mut message = String::new();
    messages.read_line(&mut message).unwrap();
    assert_eq!(message, "tracker: no command starts now: other runs hold slots of --slots x=1\n");
    signal(&waiting, Signal::TERM);
    assert_eq!(finish(waiting).code, Some(130));
    signal(&holder, Signal::TERM);
    assert_eq!(finish(holder).code, Some(130));
    for line in ["a", "b", "c"] {
        assert_eq!(fixture.fine(&["show", "b.redb", line])["attempts"], 0, "a wait is no attempt");
    }
    assert_eq!(fixture.finish(&arguments).code, Some(0));
    assert_eq!(fixture.lines("ran").len(), 3);
}

#[test]
fn runs_must_give_one_number_of_slots_for_a_name() {
    let fixture = Fixture::new();
    let holder =
        fixture.start(&["a.redb", "--slots", "x=2", "--shell", "--", "echo $$ > pid; sleep 300; : {}", ":::", "a"]);
    process_in(&fixture.path("pid"));
    let other = ["b.redb", "--slots", "x=1", "--", "true", ":::", "a"];
    let refused = fixture.finish(&other);
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.err.contains("--slots x=1: other runs use x=2 now, and all must give the same number"),
        "{refused:?}"
    );
    assert!(!fixture.path("b.redb").exists());
    assert_eq!(fixture.finish(&["b.redb", "--slots", "x=2", "--", "true", ":::", "b"]).code, Some(0));
    signal(&holder, Signal::TERM);
    assert_eq!(finish(holder).code, Some(130));
    assert_eq!(fixture.finish(&other).code, Some(0), "the name is free");
}

#[test]
fn wrong_slots_are_refused_before_the_file() {
    let fixture = Fixture::new();
    let shared = ["--slots", "a=1", "--slots", "a=1"];
    for (options, reason) in [
        (&["--slots", "x=0"][..], "expected a number of slots from 1 to 256 after x="),
        (&["--slots", "=2"], "expected a name of 1 to 64 letters"),
        (&["--slots", "a/b=2"], "expected a name of 1 to 64 letters"),
        (&["--slots", "gpu"], "expected a name and a number of slots, such as gpu=2"),
        (&shared, "--slots a is given twice"),
    ] {
        let ran = fixture.finish(&[&["jobs.redb"], options, &["--", "true", ":::", "a"]].concat());
        assert_eq!(ran.code, Some(2), "{options:?}: {ran:?}");
        assert!(ran.err.contains(reason), "{options:?}: {}", ran.err);
        assert!(!fixture.path("jobs.redb").exists());
    }
}

#[test]
fn folder_that_others_can_use_is_refused() {
    let fixture = Fixture::new();
    let mut command = fixture.slots(&["jobs.redb", "--slots", "x=1", "--", "true", ":::", "a"]);
    fs::DirBuilder::new().mode(0o755).create(fixture.path("runtime/tracker")).unwrap();
    let ran: Ran = command.output().unwrap().into();
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.err.contains("runtime/tracker: its mode is 755"), "{ran:?}");
    assert!(!fixture.path("jobs.redb").exists());
}

#[test]
fn run_within_a_command_cannot_wait_for_the_slot_of_the_command() {
    let fixture = Fixture::new();
    let inner = |slots: &str| {
        let tracker = env!("CARGO_BIN_EXE_tracker");
        format!("{tracker} run inner.redb -q --slots {slots} --shell -- 'echo $TRACKER_SLOTS > inner; :' ::: a; : {{}}")
    };
    let run = |slots: &str| {
        fixture.finish(&["a.redb", "--change-command", "--slots", "x=1", "--shell", "--", &inner(slots), ":::", slots])
    };
    let refused = run("x=1");
    assert!(refused.err.contains("--slots x: this run is part of a command that holds a slot of x"), "{refused:?}");
    let ran = run("y=3");
    assert_eq!((ran.code, fixture.read("inner").as_str()), (Some(0), "x=1 y=1\n"), "{ran:?}");
}

/// Where it is installed (`apt-get install parallel`).
#[test]
fn slots_limit_commands_as_sem_of_gnu_parallel() {
    let fixture = Fixture::new();
    let lines = ["a", "b", "c", "d", "e", "f"];
    let barrier =
        "echo + >> trace; until test $(grep -c + trace) -ge 2; do sleep 0.01; done; sleep 0.02; echo - >> trace; : {}";
    let options = ["a.redb", "-j6", "--slots", "x=2", "--timeout", "50s", "--shell", "--", barrier, ":::"];
    assert_eq!(fixture.finish(&[&options[..], &lines].concat()).code, Some(0));
    let notes = fixture.lines("trace");
    assert_eq!((notes.len(), most_at_once(&notes)), (12, 2));
    fs::remove_file(fixture.path("trace")).unwrap();
    let id = format!("tracker-test-{}", std::process::id());
    let sem = |arguments: &[&str]| {
        let mut sem = Command::new("sem");
        sem.args(["--will-cite", "--id", &id]).args(arguments).current_dir(fixture.path("")).stdin(Stdio::null());
        // The commands go on behind it.
        sem.stdout(Stdio::null()).stderr(Stdio::null()).status()
    };
    for _ in lines {
        let Ok(ran) = sem(&["-j2", barrier]) else {
            println!("skipped the comparison with GNU parallel: it is not installed");
            return;
        };
        assert!(ran.success(), "{ran:?}");
    }
    assert!(sem(&["--wait"]).unwrap().success());
    let notes = fixture.lines("trace");
    assert_eq!((notes.len(), most_at_once(&notes)), (12, 2));
}
