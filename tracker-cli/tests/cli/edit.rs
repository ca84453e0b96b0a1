//! Changing a payload: from a file, and in an editor.

use std::fs;

use crate::{Fixture, fixture::Ran};

/// Edits a task with this editor.
#[cfg(unix)]
fn edit_with(fixture: &Fixture, editor: &str) -> Ran {
    let mut command = fixture.command(&["edit", "jobs.redb", "https://odd.org/9"]);
    command.env_remove("VISUAL").env("EDITOR", editor).env("TMPDIR", fixture.path("")).output().unwrap().into()
}

/// The file that an error names at its end.
#[cfg(unix)]
fn kept(ran: &Ran) -> Vec<u8> {
    assert!(ran.code == Some(1) && ran.err.contains("your text is kept in "), "{ran:?}");
    fs::read(ran.err.trim().rsplit(' ').next().unwrap()).unwrap()
}

#[test]
#[cfg(unix)]
fn edit_that_cannot_be_stored_names_the_kept_file() {
    let fixture = Fixture::left();
    let not_utf8 = edit_with(&fixture, r"printf '\377{' >");
    assert!(not_utf8.err.contains("not UTF-8"), "{}", not_utf8.err);
    assert_eq!(kept(&not_utf8), b"\xff{");
    let failed = edit_with(&fixture, "f() { echo mine > \"$1\"; exit 3; }; f");
    assert!(failed.err.contains("the task was not changed"), "{}", failed.err);
    assert_eq!(kept(&failed), b"mine\n");
    let wide = edit_with(&fixture, "sed -i s/null/18446744073709551616/");
    assert!(wide.err.contains("does not fit 64 bits"), "{}", wide.err);
    let gone = edit_with(&fixture, "rm");
    assert!(gone.code == Some(3) && gone.err.contains("cannot read ") && gone.err.contains("after rm"), "{gone:?}");
    let left = edit_with(&fixture, "false");
    assert!(!left.err.contains("your text is kept"), "nothing was written: {}", left.err);
    let marked = edit_with(&fixture, r#"f() { printf '\357\273\277' > m; sed s/null/5/ "$1" >> m; mv m "$1"; }; f"#);
    assert_eq!((marked.code, marked.out.as_str()), (Some(0), "changed\n"), "{}", marked.err);
    let ran = fixture.run_with_input(b"\xff", &["edit", "jobs.redb", "https://odd.org/9", "--from", "-"]);
    assert!(ran.code == Some(1) && ran.err.contains("not UTF-8"), "{}", ran.err);
}

#[test]
#[cfg(unix)]
fn editor_gets_a_private_file_with_a_random_name() {
    let fixture = Fixture::left();
    // An attacker expects the name that earlier versions took, made of the process's id.
    let script = "f() { stat -c %a \"$1\" > mode; basename \"$1\" > name; echo $PPID > parent; }; f";
    assert_eq!(edit_with(&fixture, script).out, "not changed\n");
    assert_eq!(fixture.read("mode").trim(), "600");
    assert_ne!(fixture.read("name").trim(), format!("tracker-{}.json", fixture.read("parent").trim()));
}

#[test]
fn edited_payload_is_stored_if_valid() {
    let fixture = Fixture::left();
    let edit = |text: &str| {
        fixture.run_with_input(text.as_bytes(), &["edit", "jobs.redb", "https://odd.org/9", "--from", "-"])
    };
    let good = r#"{"url":"https://odd.org/9","host":"even.org","bytes":7}"#;
    assert_eq!((edit(good).out, edit(good).out), ("changed\n".to_owned(), "not changed\n".to_owned()));
    let found =
        fixture.fine(&["list", "jobs.redb", "-k", "download", "--index", "host=even.org", "--status", "Pending"]);
    assert_eq!(found["total"], 2, "the index follows");
    for (bad, says) in [("{", "not a payload"), (r#"{"url":"other","host":"a","bytes":1}"#, "an id stays")] {
        let ran = edit(bad);
        assert!(ran.code == Some(1) && ran.err.contains(says), "{}", ran.err);
    }
    let ran = fixture.run(&["edit", "jobs.redb", "https://odd.org/9"]);
    assert!(ran.code == Some(2) && ran.err.contains("set EDITOR"), "{}", ran.err);
}

#[test]
#[cfg(unix)]
fn edit_changes_a_payload_and_keeps_the_text_of_a_refusal() {
    let fixture = Fixture::left();
    let edit = |editor: &str| edit_with(&fixture, editor);
    let ran = edit("sed -i s/null/70/");
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "changed\n"), "{}", ran.err);
    assert_eq!(fixture.fine(&["show", "jobs.redb", "https://odd.org/9"])["task"]["bytes"], 70);
    let ran = edit("sed -i s/70/7x/");
    assert!(ran.code == Some(1) && ran.err.contains("your text is kept in "), "{}", ran.err);
    let kept = ran.err.trim().rsplit(' ').next().unwrap();
    assert!(fs::read_to_string(kept).unwrap().contains("7x"));
    assert!(edit("false").err.contains("the task was not changed"));
    let left: Vec<_> = fs::read_dir(fixture.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "the file, and what was kept: {left:?}");
}

#[test]
#[cfg(unix)]
fn edit_does_not_overwrite_a_change_made_meanwhile() {
    let fixture = Fixture::left();
    fs::write(fixture.path("other.json"), r#"{"url":"https://odd.org/9","host":"odd.org","bytes":1}"#).unwrap();
    let tracker = env!("CARGO_BIN_EXE_tracker");
    let editor = format!("'{tracker}' edit jobs.redb https://odd.org/9 --from other.json && sed -i s/null/70/");
    let mut command = fixture.command(&["edit", "jobs.redb", "https://odd.org/9"]);
    command.env_remove("VISUAL").env("EDITOR", editor).env("TMPDIR", fixture.path(""));
    let ran: crate::fixture::Ran = command.output().unwrap().into();
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("changed") && ran.err.contains("your text is kept in "), "{}", ran.err);
    assert_eq!(fixture.fine(&["show", "jobs.redb", "https://odd.org/9"])["task"]["bytes"], 1);
}
