//! `tracker move FROM TO`: what it prints, refuses and leaves.

use crate::{fixture::Fixture, running_app::RunningApp};

#[test]
fn all_tasks_move_to_another_file_and_the_source_is_read_only() {
    let fixture = Fixture::left();
    let before = fixture.run(&["export", "jobs.redb"]);
    let moved = fixture.fine(&["move", "jobs.redb", "second.redb", "--yes"]);
    assert_eq!((&moved["from"], &moved["to"]), (&"jobs.redb".into(), &"second.redb".into()));
    let kinds = moved["kinds"].as_array().unwrap();
    assert_eq!(kinds.iter().map(|kind| &kind["kind"]).collect::<Vec<_>>(), ["download", "film"]);
    let tasks: u64 = kinds.iter().map(|kind| kind["tasks"].as_u64().unwrap()).sum();
    assert!(tasks > 0 && kinds[0]["checksum"].as_str().unwrap().len() == 16, "{moved}");
    assert_eq!(fixture.run(&["export", "second.redb"]).out, fixture.run(&["export", "jobs.redb"]).out);
    assert_eq!(fixture.run(&["export", "jobs.redb"]).out.lines().count(), before.out.lines().count());
    assert_eq!(fixture.fine(&["verify", "second.redb"])["sound"], true);

    let ran = fixture.run(&["pause", "jobs.redb", "--kind", "film"]);
    assert!(ran.code == Some(3) && ran.err.contains("second.redb"), "{ran:?}");
    let ran = fixture.run(&["move", "jobs.redb", "third.redb", "--yes"]);
    assert!(ran.code == Some(3) && ran.err.contains("--undo"), "{ran:?}");
    assert!(!fixture.path("third.redb").exists());
    assert_eq!(fixture.fine(&["move", "jobs.redb", "--undo", "--yes"])["usable"], "jobs.redb");
    fixture.fine(&["pause", "jobs.redb", "--kind", "film"]);
    let ran = fixture.run(&["move", "second.redb", "fourth.redb", "-y"]);
    assert!(ran.code == Some(0) && ran.out.contains("checksums are the same"), "{ran:?}");
}

#[test]
fn move_of_all_tasks_asks_first() {
    let fixture = Fixture::left();
    for arguments in [&["move", "jobs.redb", "second.redb"][..], &["move", "jobs.redb", "--undo"]] {
        let ran = fixture.run(arguments);
        assert!(ran.code == Some(2) && ran.err.contains("confirm with --yes"), "{ran:?}");
    }
    for arguments in [
        &["move", "jobs.redb"][..],
        &["move", "jobs.redb", "a", "b", "--yes"],
        &["move", "jobs.redb", "a", "--kind", "film", "--yes"],
        &["move", "jobs.redb", "a", "--undo", "--yes"],
    ] {
        let ran = fixture.run(arguments);
        assert_eq!(ran.code, Some(2), "{ran:?}");
    }
    assert!(!fixture.path("second.redb").exists() && !fixture.path("a").exists());
    fixture.fine(&["pause", "jobs.redb", "--kind", "film"]);
}

#[test]
fn move_is_refused_while_an_application_runs() {
    let fixture = Fixture::new();
    let app = RunningApp::open(&fixture);
    let ran = fixture.run(&["move", "jobs.redb", "second.redb", "--yes"]);
    assert_eq!(ran.code, Some(3), "{ran:?}");
    #[cfg(target_os = "linux")]
    assert!(ran.err.contains(&format!("process {}", std::process::id())), "{ran:?}");
    assert!(!fixture.path("second.redb").exists());
    drop(app);
    let ran = fixture.run(&["move", "missing.redb", "second.redb", "--yes"]);
    assert!(ran.code == Some(3) && ran.err.contains("check the path"), "{ran:?}");
    fixture.fine(&["move", "jobs.redb", "second.redb", "--yes"]);
}
