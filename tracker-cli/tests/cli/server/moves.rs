//! `tracker move` between files and schemas: what it keeps, prints, refuses and leaves.

use serde_json::Value;
use tracker_postgres::PostgresOptions;

use super::{PASSWORD, Schema, run::finish, schema_or_skip};
use crate::{
    fixture::{Ran, until},
    running_app::RunningApp,
};

impl Schema {
    /// Leaves `jobs.redb`, as an application that has ended.
    fn with_file(self) -> Self {
        drop(RunningApp::open(&self.fixture));
        self
    }

    /// The name of the schema in messages, without server and database.
    fn shown(&self) -> String {
        format!("?schema={}", self.name)
    }

    fn export(&self, place: &str) -> String {
        let ran = self.run(&["export", place]);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{place}");
        ran.out
    }

    #[track_caller]
    fn moved(&self, from: &str, to: &str) -> Value {
        self.fine(&["move", from, to, "--yes"])
    }

    /// A run that fails, and names this.
    #[track_caller]
    fn refused(&self, arguments: &[&str], code: i32, words: &str) -> Ran {
        let ran = self.run(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (Some(code), ""), "{arguments:?}: {ran:?}");
        assert!(ran.err.contains(words), "{arguments:?}: {ran:?}");
        ran
    }

    fn is_there(&self) -> bool {
        self.psql("SELECT count(*) FROM pg_namespace WHERE nspname = '{}'") == "1"
    }
}

/// The numbers of a move that are the same in both directions.
fn numbers(moved: &Value) -> Vec<Value> {
    ["kinds", "batches", "schedules", "other_rows", "other_checksum"].map(|name| moved[name].clone()).into()
}

#[test]
fn file_moves_to_a_schema_on_to_another_and_back_unchanged() {
    let schema = schema_or_skip!().with_file();
    let command = ["schedule", "add", "jobs.redb", "nightly", "--cron", "0 3 * * *", "--", "echo", "{}"];
    assert_eq!(schema.run(&command).code, Some(0));
    let there = schema.moved("jobs.redb", "@");
    assert_eq!((&there["from"], &there["continued"]), (&"jobs.redb".into(), &false.into()));
    assert!(there["to"].as_str().unwrap().ends_with(&schema.shown()), "{there}");
    assert_eq!((there["kinds"][0]["tasks"].as_u64(), there["schedules"].as_u64()), (Some(12), Some(1)), "{there}");
    let lines = schema.export("jobs.redb");
    assert!(lines.lines().count() > 15, "{lines}");

    let second = schema.url.replace(&schema.name, &format!("{}_b", schema.name));
    let on = schema.moved("@", &second);
    assert!(on["from"].as_str().unwrap().ends_with(&schema.shown()), "{on}");
    let ran = schema.run(&["move", &second, "back.redb", "-y"]);
    assert!(ran.code == Some(0) && ran.out.contains("to back.redb: rows and checksums are the same"), "{ran:?}");
    assert!(ran.out.contains(&format!("{}_b keeps a copy that can be read", schema.shown())), "{ran:?}");
    let around = schema.moved("back.redb", "last.redb");
    assert_eq!((numbers(&on), numbers(&around)), (numbers(&there), numbers(&there)));
    let fence = |moved: &Value| moved["next_fence"].as_u64().unwrap();
    assert!(fence(&there) <= fence(&on) && fence(&on) <= fence(&around), "{there}, {on}, {around}");
    for place in ["@", &second, "back.redb", "last.redb"] {
        assert_eq!(schema.export(place), lines);
        assert_eq!(schema.fine(&["verify", place])["sound"], true);
    }
}

#[test]
fn second_run_of_an_ended_move_is_refused() {
    let schema = schema_or_skip!().with_file();
    schema.moved("jobs.redb", "@");
    let elsewhere = schema.url.replace(&schema.name, &format!("{}_b", schema.name));
    for arguments in [
        &["move", "jobs.redb", "@", "--yes"][..],
        &["move", "jobs.redb", "other.redb", "--yes"],
        &["move", "jobs.redb", &elsewhere, "--yes"],
        &["pause", "jobs.redb", "--kind", "film"],
    ] {
        let ran = schema.refused(arguments, 3, &schema.shown());
        assert!(ran.err.contains("were moved to") && ran.err.contains("--undo"), "{ran:?}");
    }
    assert_eq!(schema.psql("SELECT count(*) FROM pg_namespace WHERE nspname = '{}_b'"), "0");
    schema.fine(&["pause", "@", "--kind", "film"]);

    schema.moved("@", "back.redb");
    for arguments in [
        &["move", "@", "back.redb", "--yes"][..],
        &["move", "@", "other.redb", "--yes"],
        &["pause", "@", "--kind", "film"],
        &["run", "@", "--", "true", ":::", "a"],
        &["import", "@", "lines.jsonl"],
    ] {
        std::fs::write(schema.fixture.path("lines.jsonl"), "").unwrap();
        let ran = schema.refused(arguments, 3, "back.redb");
        assert!(ran.err.contains(&schema.shown()) && ran.err.contains("were moved to"), "{ran:?}");
    }
    // Commands that only read work.
    assert_eq!(schema.fine(&["counts", "@"])["kinds"][0]["total"], 12);
    assert_eq!(schema.fine(&["plan", "back.redb", "--kind", "film"])["kinds"][0]["paused"], true);
    assert!(!schema.fixture.path("other.redb").exists());
}

#[test]
fn undone_move_makes_file_and_schema_usable_again() {
    let schema = schema_or_skip!().with_file();
    let not_moved = "its tasks were not moved, so nothing is undone";
    schema.refused(&["move", "@", "--undo", "--yes"], 3, "no tracker in the schema");
    schema.moved("jobs.redb", "@");
    schema.refused(&["move", "@", "--undo", "--yes"], 2, not_moved);
    schema.moved("@", "back.redb");
    let undone = schema.fine(&["move", "@", "--undo", "--yes"]);
    assert!(undone["usable"].as_str().unwrap().ends_with(&schema.shown()), "{undone}");
    schema.refused(&["move", "@", "--undo", "--yes"], 2, not_moved);
    schema.fine(&["pause", "@", "--kind", "film"]);
    let ran = schema.run(&["move", "jobs.redb", "--undo", "-y"]);
    assert!(ran.code == Some(0) && ran.out.contains("jobs.redb is usable again"), "{ran:?}");
    schema.fine(&["pause", "jobs.redb", "--kind", "film"]);

    // All three have the tasks now.
    let ran = schema.refused(&["move", "jobs.redb", "@", "--yes"], 2, "into a new file or an empty schema");
    assert!(ran.err.contains(&schema.shown()), "{ran:?}");
    schema.refused(&["move", "@", "back.redb", "--yes"], 2, "back.redb: it has tasks or kinds already");
    schema.fine(&["resume", "jobs.redb", "--kind", "film"]);
    schema.fine(&["resume", "@", "--kind", "film"]);
}

#[test]
fn move_is_refused_while_a_process_has_either_end_open() {
    let schema = schema_or_skip!();
    let app = RunningApp::open(&schema.fixture);
    let ran = schema.refused(&["move", "jobs.redb", "@", "--yes"], 3, "jobs.redb");
    #[cfg(target_os = "linux")]
    assert!(ran.err.contains(&format!("process {}", std::process::id())), "{ran:?}");
    drop(app);
    assert!(!schema.is_there(), "a refused source leaves no tables");

    let other = PostgresOptions::new(&schema.url).unwrap().connect().unwrap();
    let ran = schema.refused(&["move", "jobs.redb", "@", "--yes"], 3, "1 other tracker");
    assert!(ran.err.contains(&schema.shown()) && ran.err.contains("stop them"), "{ran:?}");
    other.close().unwrap();
    schema.fine(&["pause", "jobs.redb", "--kind", "film"]);
    schema.moved("jobs.redb", "@");

    let command = "echo {} > began; while [ ! -e go ]; do sleep 0.02; done";
    let run = schema.spawn(&["run", "@", "-j1", "-q", "--shell", "--", command, ":::", "a"]);
    until("the line runs", || schema.fixture.path("began").exists());
    for arguments in [&["move", "@", "out.redb", "--yes"][..], &["move", "@", "--undo", "--yes"]] {
        let ran = schema.refused(arguments, 3, "1 other tracker in running processes have it open");
        assert!(ran.err.contains(&schema.shown()), "{ran:?}");
    }
    assert!(!schema.fixture.path("out.redb").exists());
    std::fs::write(schema.fixture.path("go"), "").unwrap();
    let ran = finish(run);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(schema.moved("@", "out.redb")["kinds"].as_array().map(Vec::len), Some(3));
}

#[test]
fn unusable_end_of_a_move_is_named_and_creates_nothing() {
    let schema = schema_or_skip!().with_file();
    let url = &schema.url;
    let login = format!("owner:{PASSWORD}");
    let malformed = format!("mysql://u:{PASSWORD}@h/d");
    let nowhere = url.replace("?host=/", "?host=/nowhere/");
    let unknown_role = url.replace(&login, &format!("stranger:{PASSWORD}"));
    let missing = url.replace("/postgres?", "/missing?");
    for (wrong, code, words) in [
        (&malformed, 2, "must start with postgres://"),
        (&format!("{url}&colour=red"), 2, "parameter \"colour\" is not known"),
        (&nowhere, 3, "no server listens there"),
        (&unknown_role, 3, "correct user and password in the URL"),
        (&missing, 3, "create the database"),
        (&format!("{url}&schema=pg_x"), 3, "cannot use the schema \"pg_x\""),
    ] {
        schema.refused(&["move", wrong, "out.redb", "--yes"], code, words);
        schema.refused(&["move", "jobs.redb", wrong, "--yes"], code, words);
        schema.refused(&["move", wrong, "--undo", "--yes"], code, words);
    }
    schema.refused(&["move", "@", "out.redb", "--yes"], 3, "no tracker in the schema");
    schema.refused(&["move", "missing.redb", "@", "--yes"], 3, "check the path");
    assert!(!schema.fixture.path("out.redb").exists() && !schema.is_there());

    // The source is as it was.
    schema.fine(&["pause", "jobs.redb", "--kind", "film"]);
    schema.moved("jobs.redb", "@");
    let again = format!("{url}&application_name=other");
    let ran = schema.refused(&["move", "@", &again, "--yes"], 2, "source and target of the move are the same schema");
    assert!(ran.err.contains(&schema.shown()), "{ran:?}");
    for arguments in [&["move", "@", "out.redb"][..], &["move", "@", "--undo"]] {
        schema.refused(arguments, 2, "confirm with --yes");
    }
    schema.psql("UPDATE {}.meta SET layout = 99");
    schema.refused(&["move", "@", "out.redb", "--yes"], 3, "update this program");
    schema.refused(&["move", "@", "--undo", "--yes"], 3, "update this program");
    assert!(!schema.fixture.path("out.redb").exists());
}
