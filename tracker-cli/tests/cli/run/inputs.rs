//! Several sources, columns and several lines per command: what a task is, and what is refused.

use crate::fixture::Fixture;

fn run(fixture: &Fixture, input: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let ran = fixture.run_with_input(input.as_bytes(), &[&["run", "jobs.redb", "-j1"], arguments].concat());
    (ran.code, ran.out, ran.err)
}

fn out(fixture: &Fixture, input: &str, arguments: &[&str]) -> String {
    let (code, out, err) = run(fixture, input, arguments);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    out
}

#[test]
fn combinations_run_once() {
    let fixture = Fixture::new();
    assert_eq!(out(&fixture, "", &["--", "echo", ":::", "a", "b", ":::", "1"]), "a 1\nb 1\n");
    assert_eq!(out(&fixture, "", &["--", "echo", ":::", "b", "c", "a", ":::", "2", "1"]), "b 2\nc 2\nc 1\na 2\n");
    let shown = fixture.fine(&["show", "jobs.redb", "a\t1"]);
    assert_eq!((&shown["task"]["values"], &shown["status"]), (&serde_json::json!(["a", "1"]), &"Succeeded".into()));
    // A tab inside a value makes another task.
    assert_eq!(out(&fixture, "", &["--", "echo", ":::", "a\t1", ":::", ""]), "a\t1 \n");
}

#[test]
fn line_with_columns_is_known_by_its_text() {
    let fixture = Fixture::new();
    let csv = ["--csv", "--", "echo", "{2}"];
    assert_eq!(out(&fixture, "a,1\nb,\"2\n3\"\n", &csv), "1\n2\n3\n");
    assert_eq!(out(&fixture, "c,4\nb,\"2\n3\"\na,1\n", &csv), "4\n");
    // The columns of another separator are another input.
    let (code, _, err) = run(&fixture, "c,4\n", &["--colsep", ",", "--", "echo", "{2}"]);
    assert_eq!(code, Some(2));
    assert!(err.contains("belong to another command (echo {2}, with --csv)"), "{err}");
    // The names of columns may change with their order.
    assert_eq!(out(&fixture, "x,y\nd,5\n", &["--csv", "--header", ":", "--", "echo", "{y}"]), "5\n");
}

#[test]
fn group_of_lines_is_one_task() {
    let fixture = Fixture::new();
    let pairs = ["-n", "2", "--", "echo"];
    assert_eq!(out(&fixture, "1\n2\n3\n", &pairs), "1 2\n3\n");
    // The last group was not full: with one more line it is another group.
    assert_eq!(out(&fixture, "1\n2\n3\n4\n", &pairs), "3 4\n");
    assert_eq!(fixture.fine(&["counts", "jobs.redb"])["kinds"][0]["total"], 3);
}

#[test]
fn full_command_is_within_the_limit() {
    let fixture = Fixture::new();
    let lines: Vec<_> = (0..4_000).map(|number| format!("{number:0>60}")).collect();
    let shown = out(&fixture, &lines.join("\n"), &["-X", "--", "echo", "-n", "{}."]);
    let numbers: Vec<_> = shown.split(['.', ' ']).filter(|number| !number.is_empty()).collect();
    assert_eq!(numbers, lines.iter().map(String::as_str).collect::<Vec<_>>());
    let total = fixture.fine(&["counts", "jobs.redb"])["kinds"][0]["total"].as_u64();
    assert!(total.is_some_and(|total| (2..=3).contains(&total)), "{total:?}");
}

#[test]
fn inputs_without_a_meaning_are_refused() {
    let fixture = Fixture::new();
    for (arguments, message) in [
        (&["--", "echo", "{2}", ":::", "a"][..], "the placeholder {2} has no value, because each command gets 1"),
        (&["--", "echo", "::::", "no-such-file"], "no-such-file: cannot read lines: No such file"),
        (&["--", "echo", ":::+", "a"], ":::+ is linked to the source before it"),
        (&["--colsep", "(", "--", "echo"], "--colsep: regex parse error"),
        (&["--header", "x", "--", "echo"], "expected `:`"),
        (&["-X", "--shell", "--", "echo"], "cannot be used with"),
        (&["-n", "0", "--", "echo"], "invalid value '0'"),
    ] {
        let (code, _, err) = run(&fixture, "", arguments);
        assert!(code == Some(2) && err.contains(message), "{arguments:?}: {err}");
    }
    assert!(!fixture.path("jobs.redb").exists());
    // The error ends the run, perhaps before the first line has run.
    let (code, _, err) = run(&fixture, "a,b\nc\"d\n", &["--csv", "--", "echo"]);
    assert_eq!(code, Some(3), "{err}");
    assert!(err.contains("cannot read the input: not CSV: a quote inside a field without quotes: \"c\\\"d\""), "{err}");
}
