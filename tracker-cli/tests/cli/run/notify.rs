//! `--notify`: what the command gets, and that it never changes the result of the run.

use serde_json::{Value, json};

use crate::fixture::Fixture;

/// Runs `true` or `false` for one line, with this command to notify.
fn run(fixture: &Fixture, program: &str, notify: &str) -> crate::fixture::Ran {
    fixture.run(&[
        "run",
        "it's a \"$(file)\".redb",
        "--change-command",
        "--notify",
        notify,
        "--",
        program,
        ":::",
        program,
    ])
}

#[test]
fn command_gets_result_in_environment_and_input() {
    let fixture = Fixture::new();
    let save = "cat > end.json; printf '%s\\n' \"$TRACKER_FILE\" \"$TRACKER_NAME\" \"$TRACKER_RESULT\" \"$TRACKER_SUCCEEDED\" \
                \"$TRACKER_GIVEN_UP\" \"$TRACKER_UNFINISHED\" \"$TRACKER_SET_ASIDE\" \"$TRACKER_ERROR\" > end.txt";
    let ran = run(&fixture, "true", save);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert_eq!(fixture.read("end.txt"), "it's a \"$(file)\".redb\nrun\nsucceeded\n1\n0\n0\n0\n\n");
    let ran = run(&fixture, "false", save);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let end: Value = serde_json::from_str(&fixture.read("end.json")).unwrap();
    assert_eq!(
        end,
        json!({"event": "summary", "file": "it's a \"$(file)\".redb", "name": "run", "result": "given_up", "error": null,
               "succeeded": 1, "given_up": 1, "unfinished": 0, "set_aside": 0})
    );
}

#[test]
fn file_is_closed_when_the_command_runs() {
    let fixture = Fixture::new();
    let program = env!("CARGO_BIN_EXE_tracker");
    let ran = run(&fixture, "true", &format!("'{program}' requeue \"$TRACKER_FILE\" --all --yes > changed.txt"));
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert!(fixture.read("changed.txt").contains('1'), "{}", fixture.read("changed.txt"));
}

#[test]
fn failed_command_is_a_warning_and_keeps_the_exit_code() {
    let fixture = Fixture::new();
    for hostile in [
        "exit 7",
        "kill -9 $$",
        "no-such-program",
        "echo \"unbalanced",
        "(",
        "printf '\\033[2J' >&2; false",
        "; rm",
        "exec 0<&-; exit 3",
    ] {
        let ran = run(&fixture, "true", hostile);
        assert_eq!(ran.code, Some(0), "{hostile}: {ran:?}");
        assert!(ran.err.contains("tracker: the command of --notify failed ("), "{hostile}: {}", ran.err);
        assert_eq!(ran.out, "", "{hostile}");
    }
    let ran = run(&fixture, "false", "exit 0");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(run(&fixture, "true", "").code, Some(2), "an empty command is a wrong command line");
}

#[test]
fn output_of_the_command_is_not_mixed_with_json() {
    let fixture = Fixture::new();
    let ran = fixture.run(&["run", "a.redb", "--json", "--notify", "echo said", "--", "true", ":::", "a"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{}", ran.out);
    assert_eq!(ran.err, "said\n");
}
