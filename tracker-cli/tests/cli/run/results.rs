//! The files of `--results`: complete or absent, and never outside the folder.

use std::{fs, process::Stdio};

use super::{Fixture, signal};
use crate::fixture::until;

#[test]
fn values_write_below_the_folder_only() {
    let fixture = Fixture::new();
    let values = ["..", ".", "", "../../x", "/etc/x", "a", "a"];
    let ran =
        fixture.run(&[&["run", "jobs.redb", "--results", "out", "--", "echo", "v:{}", ":::"], &values[..]].concat());
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(0), "", ""), "results are not printed");
    let names = |folder: &str| {
        let mut names: Vec<_> = fs::read_dir(fixture.path(folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names("."), ["jobs.redb", "out"]);
    assert_eq!(names("out"), ["1"]);
    assert_eq!(names("out/1"), ["..\\_..\\_x", "\\.", "\\..", "\\_etc\\_x", "\\e", "a", "a\\2"]);
    assert_eq!(names("out/1/a\\2"), ["seq", "stderr", "stdout"]);
    let read = |name: &str| fixture.read(&format!("out/1/{name}"));
    assert_eq!([read("\\../stdout"), read("\\../seq"), read("a\\2/seq")], ["v:..\n", "1", "7"]);
}

#[test]
fn killed_attempt_leaves_no_result() {
    let fixture = Fixture::new();
    let command = "echo begin; : > begun; until test -e go; do sleep 0.01; done; echo end; : {}";
    let arguments = ["run", "jobs.redb", "--results", "out", "--shell", "--", command, ":::", "a"];
    let mut child = fixture.command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("the command begins", || fixture.path("begun").exists());
    signal(&child, rustix::process::Signal::KILL);
    child.wait().unwrap();
    assert!(!fixture.path("out/1/a/stdout").exists() && !fixture.path("out/1/a/seq").exists());
    // A file that a killed write has left is replaced.
    fs::create_dir_all(fixture.path("out/1/a")).unwrap();
    fs::write(fixture.path("out/1/a/.stdout.1.new"), "a part that is longer than the whole").unwrap();
    fs::write(fixture.path("go"), "").unwrap();
    let ran = fixture.run(&arguments);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(fixture.read("out/1/a/stdout"), "begin\nend\n");
    assert!(!fixture.path("out/1/a/.stdout.1.new").exists());
}

#[test]
fn result_of_a_retry_replaces_that_of_the_failure() {
    let fixture = Fixture::new();
    let command = "echo $TRACKER_ATTEMPT; test $TRACKER_ATTEMPT = 2 || echo bad >&2; exit $((2 - TRACKER_ATTEMPT))";
    let ran =
        fixture.run(&["run", "jobs.redb", "--attempts", "2", "--results", "out", "--shell", "--", command, ":::", "a"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!([fixture.read("out/1/a/stdout"), fixture.read("out/1/a/stderr")], ["2\n", ""]);
}

#[test]
fn unwritable_result_keeps_the_attempt_of_its_line() {
    let fixture = Fixture::new();
    fs::create_dir(fixture.path("out")).unwrap();
    fs::write(fixture.path("out/1"), "a file").unwrap();
    let arguments = ["run", "jobs.redb", "-j1", "--results", "out", "--", "echo", ":::", "a", "b"];
    let ran = fixture.run(&arguments);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.err.contains("out/1/a: cannot write the results"), "{}", ran.err);
    fs::remove_file(fixture.path("out/1")).unwrap();
    assert_eq!(fixture.run(&arguments).code, Some(0));
    assert_eq!([fixture.read("out/1/a/stdout"), fixture.read("out/1/b/stdout")], ["a\n", "b\n"]);
}

#[test]
fn other_forms_of_results_are_refused() {
    let fixture = Fixture::new();
    for (name, reason) in [
        ("out.csv", "one file for all results is not supported"),
        ("-.tsv", "one file for all results is not supported"),
        ("out.json", "one file for all results is not supported"),
        ("out_{}/", "placeholders are not supported"),
    ] {
        let ran = fixture.run(&["run", "jobs.redb", &format!("--results={name}"), "--", "true", ":::", "a"]);
        assert_eq!(ran.code, Some(2), "{name}: {ran:?}");
        assert!(ran.err.contains(reason), "{name}: {}", ran.err);
    }
    assert_eq!(fs::read_dir(fixture.path(".")).unwrap().count(), 0, "nothing is created");
}
