//! Failures: tried again, given up, and tried again by hand.

use crate::fixture::Fixture;

/// Fails until the file `fixed` exists; notes each attempt.
const FLAKY: [&str; 3] = ["--shell", "--", "echo {}-$TRACKER_ATTEMPT >> ran; [ {} = good ] || test -e fixed"];

fn run(fixture: &Fixture, options: &[&str]) -> (Option<i32>, Vec<String>) {
    let before = fixture.lines("ran").len();
    let arguments = [&["run", "jobs.redb", "-j1"], options, &FLAKY, &[":::", "good", "bad"]].concat();
    let ran = fixture.run(&arguments);
    (ran.code, fixture.lines("ran").split_off(before))
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(ToString::to_string).collect()
}

#[test]
fn line_is_given_up_at_its_limit_and_retried_on_request() {
    let fixture = Fixture::new();
    assert_eq!(run(&fixture, &["--attempts", "3"]), (Some(1), strings(&["good-1", "bad-1", "bad-2", "bad-3"])));
    assert_eq!(run(&fixture, &["--attempts", "3"]), (Some(1), vec![]));
    assert_eq!(run(&fixture, &["--retry-failed"]), (Some(1), strings(&["bad-4"])));
    std::fs::write(fixture.path("fixed"), "").unwrap();
    assert_eq!(run(&fixture, &["--retry-failed"]), (Some(0), strings(&["bad-5"])));
    assert_eq!(run(&fixture, &["--retry-failed"]), (Some(0), vec![]));
}

#[test]
fn failed_line_waits_for_its_backoff() {
    let fixture = Fixture::new();
    let ran = fixture.run(&[
        "run",
        "jobs.redb",
        "-j1",
        "--attempts",
        "2",
        "--backoff",
        "300ms",
        "--json",
        "--",
        "sh",
        "-c",
        "exit $(( $1 ))",
        "sh",
        ":::",
        "3",
        "0",
    ]);
    let events: Vec<serde_json::Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> = events
        .iter()
        .map(|event| (event["line"].as_str(), event["outcome"].as_str(), event["exit"].as_i64()))
        .collect();
    assert_eq!(
        told,
        [
            (Some("3"), Some("failed"), Some(3)),
            (Some("0"), Some("succeeded"), Some(0)),
            (Some("3"), Some("given_up"), Some(3)),
            (None, None, None)
        ]
    );
    let summary =
        serde_json::json!({"event": "summary", "succeeded": 1, "given_up": 1, "unfinished": 0, "set_aside": 0});
    assert_eq!(events.last(), Some(&summary));
    assert_eq!(ran.code, Some(1));
}

#[test]
fn missing_program_costs_no_attempt() {
    let fixture = Fixture::new();
    let ran = fixture.run(&["run", "jobs.redb", "--", "no-such-program", "{}", ":::", "a", "b"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("program \"no-such-program\" not found"), "{}", ran.err);
    assert!(!fixture.path("jobs.redb").exists(), "nothing stands in the way of the right command");
    // What is there but cannot be run stops the run when it comes to it.
    let ran = fixture.run(&["run", "jobs.redb", "--", "/", "{}", ":::", "a", "b"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("\"/\" cannot be executed"), "{}", ran.err);
    let plan = fixture.plan(&["--", "/", "{}", ":::", "a", "b"]);
    assert_eq!((plan["run"].as_array().unwrap().len(), plan["given_up"].as_u64()), (2, Some(0)));
    // Where each line names its own, only that line fails.
    let ran = fixture.run(&["run", "each.redb", "--", "{}", ":::", "true", "no-such-program"]);
    assert_eq!(ran.code, Some(1));
}

#[test]
fn changed_command_needs_its_option() {
    let fixture = Fixture::new();
    let echo = |options: &[&str]| fixture.run(&[&["run", "jobs.redb", "-j1"], options].concat());
    assert_eq!(echo(&["--", "sh", "-c", "exit $1", "sh", ":::", "1"]).code, Some(1));
    let refused = echo(&["--", "echo", ":::", "1"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.err.contains("another command (sh -c exit $1 sh {}): --change-command"), "{}", refused.err);
    let changed = echo(&["--change-command", "--retry-failed", "--", "echo", ":::", "1"]);
    assert_eq!((changed.code, changed.out.as_str()), (Some(0), "1\n"));
    // From now on this is the command.
    assert_eq!(echo(&["--", "echo", ":::", "1"]).code, Some(0));
    // Another set of lines in the same file has its own.
    assert_eq!(echo(&["--name", "other", "--", "printf", "%s", ":::", "1"]).out, "1");
}

#[test]
fn halt_leaves_the_other_lines_unfinished() {
    let fixture = Fixture::new();
    let halt = |file: &str, when: &str, command: &str| {
        let ran =
            fixture.run_with_input(b"1\n2\n3\n4\n5\n", &["run", file, "-j1", "--halt", when, "--shell", "--", command]);
        (ran.code, ran.out)
    };
    assert_eq!(halt("a.redb", "soon,fail=2", "echo {}; false"), (Some(1), "1\n2\n".to_owned()));
    assert_eq!(halt("b.redb", "now,success=1", "echo {}"), (Some(0), "1\n".to_owned()));
    assert_eq!(halt("c.redb", "now,fail=30%", "echo {}; false"), (Some(1), "1\n2\n3\n".to_owned()));
    assert_eq!(halt("d.redb", "never", "echo {}; false"), (Some(1), "1\n2\n3\n4\n5\n".to_owned()));
}

#[test]
fn joblog_has_the_format_of_gnu_parallel() {
    let fixture = Fixture::new();
    let command = "case {} in fail) exit 7;; kill) kill -9 $$;; slow) sleep 60;; esac; echo ab";
    let arguments =
        ["run", "jobs.redb", "-j1", "--joblog", "log", "--timeout", "300ms", "--grace", "1s", "--shell", "--", command];
    let arguments = [&arguments[..], &[":::", "fail", "kill", "slow", "fine\nx"]].concat();
    assert_eq!(fixture.run(&arguments).code, Some(1));
    let log = std::fs::read(fixture.path("log")).unwrap();
    let rows: Vec<Vec<String>> =
        String::from_utf8(log).unwrap().lines().map(|row| row.split('\t').map(ToOwned::to_owned).collect()).collect();
    assert_eq!(rows[0].join(" "), "Seq Host Starttime JobRuntime Send Receive Exitval Signal Command");
    let told: Vec<_> = rows[1..]
        .iter()
        .map(|row| [&row[0], &row[1], &row[4], &row[5], &row[6], &row[7]].map(String::as_str))
        .collect();
    assert_eq!(
        told,
        [
            ["1", ":", "0", "0", "7", "0"],
            ["2", ":", "0", "0", "0", "9"],
            ["3", ":", "0", "0", "-1", "15"],
            ["4", ":", "0", "3", "0", "0"]
        ]
    );
    assert!(rows[4][8].starts_with("case 'fine\0x' in fail)"), "{}", rows[4][8]);
    assert!(rows[1][2].split_once('.').is_some_and(|(seconds, millis)| seconds.len() == 10 && millis.len() == 3));
    assert_eq!(rows[1][3].len(), 10);
    // The log goes on; what has ended is not logged again.
    assert_eq!(fixture.run(&arguments).code, Some(1));
    assert_eq!(fixture.lines("log").len(), 5);
}

#[test]
fn exit_codes_choose_between_retry_and_giving_up() {
    let fixture = Fixture::new();
    let attempts = |file: &str, options: &[&str]| {
        let command = ["--shell", "--", "echo {} >> ran; case {} in kill) kill -9 $$;; *) exit {};; esac"];
        let lines = [":::", "1", "75", "kill"];
        let before = fixture.lines("ran").len();
        let ran = fixture.run(&[&["run", file, "-j1", "--attempts", "2"], options, &command, &lines].concat());
        assert_eq!(ran.code, Some(1), "{ran:?}");
        let mut ran = fixture.lines("ran").split_off(before);
        ran.sort_unstable();
        ran
    };
    assert_eq!(attempts("retry.redb", &["--retry-on", "70-79"]), strings(&["1", "75", "75", "kill"]));
    assert_eq!(attempts("give_up.redb", &["--give-up-on", "1,signal"]), strings(&["1", "75", "75", "kill"]));
    assert_eq!(attempts("all.redb", &[]), strings(&["1", "1", "75", "75", "kill", "kill"]));
    // The output of a line that was given up at once is stored.
    let shown = fixture.fine(&["show", "give_up.redb", "1"]);
    assert_eq!((&shown["status"], &shown["task"]["result"]["exit"]), (&"Exhausted".into(), &1.into()));
    for (options, message) in [
        (
            &["--retry-on", "75"][..],
            "--retry-on retries nothing with one attempt: give --attempts N, or 0 for no limit",
        ),
        (&["--attempts", "2", "--retry-on", "1-9", "--give-up-on", "4"], "4 is in --retry-on and in --give-up-on"),
        (&["--retry-on", "300"], "\"300\": expected exit codes from 1 to 255, ranges, signal or timeout"),
    ] {
        let ran = fixture.run(&[&["run", "refused.redb"], options, &["--", "echo", ":::", "1"]].concat());
        assert!(ran.code == Some(2) && ran.err.contains(message), "{ran:?}");
    }
    assert!(!fixture.path("refused.redb").exists());
}
