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
fn who_excludes_the_reader_is_named_with_what_to_do() {
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
