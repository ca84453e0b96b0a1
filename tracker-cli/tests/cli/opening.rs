//! Files that can be opened, and files that cannot: what is said, and the exit code.

use std::fs;

use tracker_core::{Tracker, file::Sharing};

use crate::Scene;

#[test]
fn a_file_is_looked_at_beside_its_writer() {
    let scene = Scene::new();
    for sharing in [Sharing::Readers, Sharing::Writers] {
        let writer = Tracker::options().sharing(sharing).open(scene.path("jobs.redb")).unwrap();
        let ran = scene.run(&["verify", "jobs.redb"]);
        assert_eq!((ran.code, ran.out.starts_with("sound")), (Some(0), true), "{sharing:?}: {ran:?}");
        drop(writer);
    }
    let ran = scene.run(&["verify", "jobs.redb", "--json"]);
    assert_eq!(ran.out, "{\"sound\":true,\"differences\":[]}\n");
}

#[test]
#[cfg(target_os = "linux")] // which tells who holds a file
fn who_excludes_the_reader_is_named_with_what_to_do() {
    let scene = Scene::new();
    let writer = Tracker::options().sharing(Sharing::Exclusive).open(scene.path("jobs.redb")).unwrap();
    let ran = scene.run(&["verify", "jobs.redb"]);
    assert_eq!(ran.code, Some(3));
    let expected = format!("jobs.redb is opened exclusively by process {} (", std::process::id());
    assert!(ran.err.contains(&expected), "{}", ran.err);
    assert!(
        ran.err.contains("start it with readers sharing (Sharing::Readers, the default), or stop it"),
        "{}",
        ran.err
    );
    drop(writer);
    assert_eq!(scene.run(&["verify", "jobs.redb"]).code, Some(0));
}

#[test]
fn a_file_that_cannot_be_used_ends_with_3_and_is_not_touched() {
    let scene = Scene::new();
    fs::write(scene.path("note.txt"), "no tracker file at all").unwrap();
    for (name, says) in [("missing.redb", "there is no file here"), ("note.txt", "no tracker file"), (".", "directory")]
    {
        let ran = scene.run(&["verify", name]);
        assert_eq!(ran.code, Some(3), "{name}");
        assert!(ran.err.starts_with("tracker: ") && ran.err.contains(says), "{name}: {}", ran.err);
        assert_eq!(ran.out, "");
    }
    assert!(!scene.path("missing.redb").exists());
    assert_eq!(scene.read("note.txt"), "no tracker file at all");
    drop(Tracker::open(scene.path("cut.redb")).unwrap());
    fs::OpenOptions::new().write(true).open(scene.path("cut.redb")).unwrap().set_len(5_000).unwrap();
    let ran = scene.run(&["doctor", "cut.redb"]);
    assert!(ran.code == Some(3) && ran.err.contains("damaged") && ran.err.contains("`tracker recover`"), "{}", ran.err);
    let ran = scene.run(&["verify", "missing.redb", "--json"]);
    assert!(ran.err.starts_with("{\"error\":{\"kind\":\"file\",\"message\":"), "{}", ran.err);
}
