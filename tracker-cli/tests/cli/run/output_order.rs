//! `--keep-order`, `--tag` and `--delay`: the order and the form of output, and the time of starts.

use crate::fixture::Fixture;

/// The first line ends last: it waits for a file that the third line creates.
const REVERSED: &str =
    "case {} in 1) until test -e third; do sleep 0.01; done;; 3) : > third;; esac; echo out {}; echo err {} >&2";

#[test]
fn keep_order_holds_output_of_later_lines() {
    let fixture = Fixture::new();
    let lines = [":::", "1", "2", "3", "4"];
    let run = |file: &str, options: &[&str]| {
        let _ = std::fs::remove_file(fixture.path("third"));
        fixture.run(&[&["run", file, "-j3"], options, &["--shell", "--", REVERSED], &lines].concat())
    };
    let ran = run("text.redb", &["--keep-order", "--tag"]);
    assert_eq!(ran.out, "1\tout 1\n2\tout 2\n3\tout 3\n4\tout 4\n");
    assert_eq!(ran.err, "1\terr 1\n2\terr 2\n3\terr 3\n4\terr 4\n");
    let ran = run("json.redb", &["-k", "--json"]);
    let events = ran.out.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let numbers: Vec<_> = events.map(|event| event["number"].as_u64()).collect();
    assert_eq!(numbers, [Some(1), Some(2), Some(3), Some(4), None]);
}

#[test]
fn kept_order_includes_attempts_and_earlier_lines() {
    let fixture = Fixture::new();
    let command = "echo {}-$TRACKER_ATTEMPT; [ {} != 2 ] || [ $TRACKER_ATTEMPT = 2 ]";
    let run = |options: &[&str], lines: &[&str]| {
        let arguments = [&["run", "jobs.redb", "-k"], options, &["--shell", "--", command, ":::"], lines].concat();
        fixture.run(&arguments).out
    };
    assert_eq!(run(&["-j1", "--halt", "soon,done=1"], &["1", "2", "3"]), "1-1\n");
    // Line 2 fails first, and line 3 ends before its second attempt.
    assert_eq!(run(&["-j1", "--attempts", "2", "--backoff", "50ms"], &["4"]), "2-1\n2-2\n3-1\n4-1\n");
}

#[test]
fn stopped_run_prints_held_output() {
    let fixture = Fixture::new();
    // Line 1 is stopped by the end of line 2, whose output is held until then.
    let command = "[ {} = 2 ] || exec sleep 60; echo {}";
    let arguments = ["run", "jobs.redb", "-j2", "-k", "--halt", "now,success=1", "--shell", "--", command];
    let ran = fixture.run(&[&arguments[..], &[":::", "1", "2"]].concat());
    assert_eq!(ran.out, "2\n");
}

#[test]
fn starts_are_at_least_the_delay_apart() {
    let fixture = Fixture::new();
    let arguments = ["run", "jobs.redb", "-j3", "--delay", "0.2", "--shell", "--", "date +%s%N >> starts; : {}"];
    let ran = fixture.run(&[&arguments[..], &[":::", "1", "2", "3"]].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let starts: Vec<u64> = fixture.lines("starts").iter().map(|time| time.parse().unwrap()).collect();
    // A process may begin to run late, and then the next one seems early.
    assert!(starts.len() == 3 && starts[2] - starts[0] >= 300_000_000, "{starts:?}");
}

#[test]
fn dry_run_changes_nothing() {
    let fixture = Fixture::new();
    let run = |options: &[&str]| {
        fixture.run(&[&["run", "jobs.redb", "-j1"], options, &["--", "echo", ":::", "a", "b c"]].concat())
    };
    let ran = run(&["--dry-run"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "echo a\necho 'b c'\n"));
    assert!(!fixture.path("jobs.redb").exists());
    assert_eq!(run(&["--halt", "soon,done=1"]).out, "a\n");
    let ran = run(&["--dry-run"]);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("echo 'b c'\n", ""));
    let other = fixture.run(&["run", "jobs.redb", "--dry-run", "--", "echo", ":::", "a"]);
    assert_eq!((other.out.as_str(), other.err.as_str()), ("", "tracker: 1 line of earlier inputs would run too\n"));
}
