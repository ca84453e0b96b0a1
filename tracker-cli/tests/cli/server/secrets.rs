//! The password of a URL is in no output, page, file or environment of a notification. `Schema::run` checks the outputs of all other tests.

use std::fs;

use super::{PASSWORD, schema_or_skip};

#[test]
fn password_is_in_no_output_of_a_run() {
    let schema = schema_or_skip!();
    // The command fails, so that its advice is printed too.
    let arguments = [
        "run",
        "@",
        "--attempts",
        "2",
        "--joblog",
        "log",
        "--notify",
        "env | grep ^TRACKER_ | grep -v ^TRACKER_URL > end; cat >> end",
        "--",
        "sh",
        "-c",
        "env | grep ^TRACKER_RUN; exit 3",
        ":::",
        "a",
    ];
    let ran = schema.run(&arguments);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("`tracker errors URL` shows why"), "{ran:?}");
    assert!(ran.out.contains("TRACKER_RUN=server-"), "{ran:?}");
    let other = schema.run(&["run", "@", "--", "false", ":::", "b"]);
    assert!(other.err.contains("belong to another command") && other.err.contains(&schema.name), "{other:?}");
    let end = schema.fixture.read("end");
    assert!(end.contains(&format!("?schema={}", schema.name)), "{end}");
    for name in ["end", "log"] {
        assert!(!schema.fixture.read(name).contains(PASSWORD), "{name}");
    }
}

#[test]
fn password_is_in_no_file_that_commands_write() {
    let schema = schema_or_skip!().with_sample();
    for arguments in [
        &["report", "@"][..],
        &["export", "@", "-o", "all.jsonl"],
        &["man", "--out", "."],
        &["wait", "@", "https://host0/000", "--notify", "env | grep -v ^TRACKER_URL > end; cat >> end"],
    ] {
        assert_eq!(schema.run(arguments).code, Some(0), "{arguments:?}");
    }
    let mut count = 0;
    for entry in fs::read_dir(schema.fixture.path(".")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read(&path).unwrap();
        assert!(!text.windows(PASSWORD.len()).any(|part| part == PASSWORD.as_bytes()), "{}", path.display());
        count += 1;
    }
    assert!(count > 20, "{count} files");
}
