//! The files that a run writes besides the tracker file: the job log, kept output, messages.

use std::{fs, process::Stdio};

use crate::fixture::Fixture;

const HEAD: &str = "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n";

#[test]
fn joblog_over_another_file_is_refused() {
    let fixture = Fixture::new();
    let run = |log: &str| fixture.run(&["run", "jobs.redb", "--joblog", log, "--", "echo", ":::", "a"]);
    assert_eq!(run("new.log").code, Some(0));
    fs::write(fixture.path("notes"), "mine\n").unwrap();
    fs::copy(fixture.path("jobs.redb"), fixture.path("other.redb")).unwrap();
    fs::hard_link(fixture.path("jobs.redb"), fixture.path("hard")).unwrap();
    std::os::unix::fs::symlink("jobs.redb", fixture.path("soft")).unwrap();
    for (log, why) in [
        ("jobs.redb", "it is the tracker file itself"),
        ("hard", "it is the tracker file itself"),
        ("soft", "it is the tracker file itself"),
        ("other.redb", "does not begin with the header"),
        ("notes", "does not begin with the header"),
    ] {
        let before = fs::read(fixture.path(log)).unwrap();
        let ran = run(log);
        assert_eq!(ran.code, Some(2), "{log}");
        assert!(ran.err.contains(&format!("{log}: cannot append the job log")) && ran.err.contains(why), "{}", ran.err);
        if log == "notes" || log == "other.redb" {
            assert_eq!(fs::read(fixture.path(log)).unwrap(), before, "{log}");
        }
        assert_eq!(fixture.run(&["verify", "jobs.redb"]).code, Some(0));
    }
    // A tracker file that is only just created, too.
    let ran = fixture.run(&["run", "fresh.redb", "--joblog", "fresh.redb", "--", "echo", ":::", "a"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert_eq!(fixture.run(&["run", "fresh.redb", "--", "echo", ":::", "a"]).code, Some(0));
    // A device takes rows, and a cut row does not swallow the next one.
    assert_eq!(fixture.run(&["run", "b.redb", "--joblog", "/dev/null", "--", "echo", ":::", "a"]).code, Some(0));
    fs::write(fixture.path("cut.log"), format!("{HEAD}1\t:\t17")).unwrap();
    assert_eq!(fixture.run(&["run", "c.redb", "--joblog", "cut.log", "--", "echo", ":::", "a"]).code, Some(0));
    assert_eq!(fixture.read("cut.log").lines().count(), 3);
}

#[test]
fn failed_writes_name_their_file() {
    let fixture = Fixture::new();
    let ran = fixture.run(&["run", "a.redb", "--joblog", "no/folder", "--", "echo", ":::", "a"]);
    assert!(ran.code == Some(3) && ran.err.contains("no/folder: cannot write the job log"), "{ran:?}");
    if cfg!(target_os = "linux") {
        let ran = fixture.run(&["run", "b.redb", "--joblog", "/dev/full", "--", "echo", ":::", "a"]);
        assert!(ran.code == Some(3) && ran.err.contains("/dev/full: cannot write the job log"), "{ran:?}");
        let full = || Stdio::from(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
        for arguments in [&["run", "c.redb", "--", "echo", ":::", "a"][..], &["status", "c.redb"]] {
            let ran = fixture.command(arguments).stdout(full()).output().unwrap();
            let told = String::from_utf8_lossy(&ran.stderr);
            assert!(told.contains("cannot write to the standard output: No space left"), "{told}");
        }
    }
}

#[test]
fn much_kept_output_is_cut_and_stays_a_success() {
    let fixture = Fixture::new();
    let command = "head -c 30000000 /dev/zero | tr '\\0' x; head -c 20000000 /dev/zero | tr '\\0' y >&2; : {}";
    let ran = fixture.run(&["run", "jobs.redb", "-q", "--keep", "100000000", "--shell", "--", command, ":::", "a"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    let task = fixture.fine(&["show", "jobs.redb", "a"]);
    let result = &task["task"]["result"];
    assert_eq!(
        (result["stdout"]["bytes"].as_u64(), result["stderr"]["bytes"].as_u64()),
        (Some(30_000_000), Some(20_000_000))
    );
    let kept = |stream: &str| {
        let length = |end: &str| result[stream][end].as_str().unwrap().len();
        length("text") + length("end")
    };
    assert!(kept("stdout") > 8_000_000 && kept("stderr") > 8_000_000, "{} {}", kept("stdout"), kept("stderr"));
}

#[test]
fn paths_in_messages_show_control_characters_escaped() {
    let fixture = Fixture::new();
    let run = |command: &str| fixture.run(&["run", "a\x1b[2J\n.redb", "--", command, ":::", "1"]);
    let ran = run("false");
    assert!(ran.code == Some(1) && ran.err.contains("`tracker errors a\\u{1b}[2J\\n.redb`"), "{}", ran.err);
    let refused = run("true");
    assert!(
        refused.code == Some(2) && refused.err.contains("a\\u{1b}[2J\\n.redb belong to another command"),
        "{}",
        refused.err
    );
}

#[cfg(target_os = "linux")]
#[test]
fn memory_stays_small_while_a_line_is_too_long() {
    use std::io::Write;

    let fixture = Fixture::new();
    let mut child = fixture
        .command(&["run", "jobs.redb", "--", "echo"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let part = vec![b'x'; 1 << 20];
    for _ in 0..200 {
        input.write_all(&part).unwrap();
    }
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kilobytes: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    drop(input);
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert!(kilobytes < 100 << 10, "{kilobytes} kB for a line of 200 MB");
}
