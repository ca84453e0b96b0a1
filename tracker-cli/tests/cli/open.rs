//! Files that can be opened, and files that cannot: what is said, and the exit code.

use std::fs;

use tracker_core::{Tracker, file::Sharing};

use crate::Fixture;

#[test]
fn file_is_inspected_beside_its_writer() {
    let fixture = Fixture::new();
    for sharing in [Sharing::Readers, Sharing::Writers] {
        let writer = Tracker::options().sharing(sharing).open(fixture.path("jobs.redb")).unwrap();
        let ran = fixture.run(&["verify", "jobs.redb"]);
        assert_eq!((ran.code, ran.out.starts_with("sound")), (Some(0), true), "{sharing:?}: {ran:?}");
        drop(writer);
    }
    let ran = fixture.run(&["verify", "jobs.redb", "--json"]);
    assert_eq!(ran.out, "{\"sound\":true,\"inconsistencies\":[]}\n");
}

#[test]
#[cfg(target_os = "linux")] // which tells who holds a file
fn process_that_excludes_readers_is_named() {
    let fixture = Fixture::new();
    let writer = Tracker::options().sharing(Sharing::Exclusive).open(fixture.path("jobs.redb")).unwrap();
    let ran = fixture.run(&["verify", "jobs.redb"]);
    assert_eq!(ran.code, Some(3));
    let expected = format!("jobs.redb is opened exclusively by process {} (", std::process::id());
    assert!(ran.err.contains(&expected), "{}", ran.err);
    assert!(ran.err.contains("stop it, or start it with Sharing::Readers, the default"), "{}", ran.err);
    drop(writer);
    assert_eq!(fixture.run(&["verify", "jobs.redb"]).code, Some(0));
}

#[test]
fn unusable_file_exits_with_3_and_stays_unchanged() {
    let fixture = Fixture::new();
    fs::write(fixture.path("note.txt"), "no tracker file at all").unwrap();
    for (name, says) in [("missing.redb", "there is no file here"), ("note.txt", "no tracker file"), (".", "directory")]
    {
        let ran = fixture.run(&["verify", name]);
        assert_eq!(ran.code, Some(3), "{name}");
        assert!(ran.err.starts_with("tracker: ") && ran.err.contains(says), "{name}: {}", ran.err);
        assert_eq!(ran.out, "");
    }
    assert!(!fixture.path("missing.redb").exists());
    assert_eq!(fixture.read("note.txt"), "no tracker file at all");
    drop(Tracker::open(fixture.path("cut.redb")).unwrap());
    fs::OpenOptions::new().write(true).open(fixture.path("cut.redb")).unwrap().set_len(5_000).unwrap();
    let ran = fixture.run(&["doctor", "cut.redb"]);
    assert!(ran.code == Some(3) && ran.err.contains("damaged") && ran.err.contains("`tracker recover`"), "{}", ran.err);
    let ran = fixture.run(&["verify", "missing.redb", "--json"]);
    assert!(ran.err.starts_with("{\"error\":{\"kind\":\"file\",\"message\":"), "{}", ran.err);
}

#[test]
#[cfg(not(feature = "postgres"))]
fn url_without_the_feature_names_the_feature() {
    let fixture = Fixture::new();
    for arguments in
        [&["status"][..], &["run", "--", "true", ":::", "a"], &["import"], &["doctor"], &["retry", "--all"]]
    {
        let url = "postgres://u:hunter2@localhost/d";
        let (command, rest) = arguments.split_first().unwrap();
        let ran = fixture.run(&[&[*command, url], rest].concat());
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.err.contains("--features postgres") && !ran.err.contains("hunter2"), "{ran:?}");
    }
}

#[test]
fn calls_for_files_are_refused_on_a_server() {
    let fixture = Fixture::new();
    let url = "postgres://u:hunter2@localhost/d";
    for (arguments, instead) in [
        (&["compact", url][..], "VACUUM"),
        (&["backup", url, "copy.redb"], "pg_dump"),
        (&["recover", url, "copy.redb"], "backup of the server"),
        (&["doctor", url, "--repair-time"], "server's clock counts"),
        (&["run", url, "--keep-order", "--", "true"], "--keep-order needs all lines in one run"),
        #[cfg(unix)]
        (&["events", url], "tracker top"),
    ] {
        let ran = fixture.run(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{ran:?}");
        assert!(ran.err.contains(instead) && !ran.err.contains("hunter2"), "{ran:?}");
    }
}

#[test]
fn file_comes_from_the_environment_if_none_is_given() {
    let fixture = Fixture::new();
    for (name, kind) in [("one.redb", "one"), ("two.redb", "two")] {
        let line = format!(
            "{{\"define\":{kind:?},\"statuses\":[{{\"code\":1,\"name\":\"New\",\"role\":\"pending\"}},{{\"code\":2,\"name\":\"Running\",\"role\":\"in_progress\"}},{{\"code\":3,\"name\":\"Done\",\"role\":\"succeeded\"}},{{\"code\":4,\"name\":\"Lost\",\"role\":\"exhausted\"}}]}}\n"
        );
        assert_eq!(fixture.run_with_input(line.as_bytes(), &["import", name]).code, Some(0));
    }
    let run = |arguments: &[&str], value: &str| -> crate::fixture::Ran {
        fixture.command(arguments).env("TRACKER_URL", value).output().unwrap().into()
    };
    assert!(run(&["counts"], "one.redb").out.starts_with("one"));
    assert!(run(&["counts", "@"], "one.redb").out.starts_with("one"));
    assert!(run(&["counts", "two.redb"], "one.redb").out.starts_with("two"), "the argument wins");
    let ran = run(&["show", "@", "7"], "one.redb");
    assert!(ran.code == Some(1) && ran.err.contains('7'), "{ran:?}");
    for (arguments, value) in
        [(&["counts"][..], ""), (&["counts", "@"], ""), (&["counts", "@"], "@"), (&["show", "7"], "one.redb")]
    {
        assert_eq!(run(arguments, value).code, Some(2), "{arguments:?} {value:?}");
    }
    let ran = fixture.run(&["counts", "@"]);
    assert!(ran.code == Some(2) && ran.err.contains("TRACKER_URL is not set"), "{ran:?}");
}

#[test]
fn mistakes_on_the_command_line_repeat_no_password() {
    let fixture = Fixture::new();
    for arguments in [
        &["status", "jobs.redb", "postgres://u:hunter2@h/d"][..],
        &["status", "--window", "postgres://u:hunter2@h/d", "jobs.redb"],
        &["postgres://u:hunter2@h/d"],
        &["status", "postgres://h/d?password=hunter2&schema=a", "more"],
        &["status", "--postgres://u:hunter2@h/d"],
    ] {
        let ran = fixture.run(arguments);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(!format!("{ran:?}").contains("hunter2"), "{ran:?}");
    }
    for arguments in [&["--help"][..], &["help", "status"], &["run", "--help"], &["show", "7"], &["status", "a", "b"]] {
        let output = fixture.command(arguments).env("TRACKER_URL", "postgres://u:hunter2@h/d").output().unwrap();
        let ran = crate::fixture::Ran::from(output);
        assert!(!format!("{ran:?}").contains("hunter2"), "{ran:?}");
    }
}
