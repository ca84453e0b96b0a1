//! Tests of payloads of earlier and later versions of their type.

use serde::{Deserialize, Serialize};
use tracker_core::{
    ErrorKind, Record, Tasks, TrackedTask, Tracker,
    task::OldPayload,
    untyped::{Payload, Untyped},
};

use crate::support::{
    kinds::{SECOND, Status, fine, refused, sound, tracker},
    place::OpenInPlace as _,
};

/// The program of version 1.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[task(name = "download", status = Status, lease = "1m", backoff = "none")]
struct V1 {
    #[task(id)]
    name: String,
    #[task(index)]
    host: String,
    #[task(fingerprint)]
    seconds: u32,
}

/// Version 2 has another unit. Version 3 has another name for the host, by which it is found.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[task(name = "download", status = Status, lease = "1m", backoff = "none", version = 2, migrate = to_v2)]
struct V2 {
    #[task(id)]
    name: String,
    #[task(index)]
    host: String,
    #[task(fingerprint)]
    millis: u32,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[task(name = "download", status = Status, lease = "1m", backoff = "none", version = 3, migrate = to_v3)]
struct V3 {
    #[task(id)]
    name: String,
    #[task(index)]
    server: String,
    millis: u32,
}

/// Fails, panics or changes the id where the name says so.
fn to_v2(old: OldPayload<'_>) -> Result<V2, Box<dyn std::error::Error + Send + Sync>> {
    let V1 { name, host, seconds } = old.decode()?;
    assert!(name != "panics", "the migration panics");
    match name.as_str() {
        "fails" => Err("the unit is unknown".into()),
        "renamed" => Ok(V2 { name: "other".to_owned(), host, millis: 0 }),
        _ => Ok(V2 { name, host, millis: seconds * 1_000 }),
    }
}

fn to_v3(old: OldPayload<'_>) -> tracker_core::Result<V3> {
    let V2 { name, host, millis } = match old.version() {
        1 => {
            let V1 { name, host, seconds } = old.decode()?;
            V2 { name, host, millis: seconds * 1_000 }
        }
        _ => old.decode()?,
    };
    Ok(V3 { name, server: host, millis })
}

fn v1(name: &str) -> V1 {
    V1 { name: name.to_owned(), host: "a".to_owned(), seconds: 3 }
}

fn v2(name: &str) -> V2 {
    V2 { name: name.to_owned(), host: "a".to_owned(), millis: 3_000 }
}

/// Tasks of version 1, opened in version 2.
fn old(tracker: &Tracker, names: &[&str]) -> Tasks<V2> {
    tracker.tasks().unwrap().submit_all(names.iter().map(|name| v1(name))).unwrap();
    tracker.tasks().unwrap()
}

fn stored(tracker: &Tracker, id: &str) -> Record<Payload, tracker_core::status::StatusInfo> {
    let tasks: Tasks<Untyped> = tracker.untyped("download").unwrap();
    tasks.get(id).unwrap().unwrap()
}

#[test]
fn read_migrates_a_payload_and_does_not_write_it() {
    let (_, tracker) = tracker();
    let tasks = old(&tracker, &["a"]);
    assert_eq!(tasks.get("a").unwrap().unwrap().task, v2("a"));
    assert_eq!(tasks.query().index("host", "a").first().unwrap().unwrap().task, v2("a"));
    let read = tracker.transaction(|txn| txn.get(&tasks, "a"));
    assert_eq!(read.unwrap(), Some(v2("a")));
    assert_eq!(stored(&tracker, "a").task, Payload::of(&v1("a")).unwrap(), "version 1 has no further bytes");
    assert_eq!((stored(&tracker, "a").task.version(), stored(&tracker, "a").revision), (1, 0));
}

#[test]
fn stored_task_has_the_version_of_its_type() {
    let (_, tracker) = tracker();
    let tasks = old(&tracker, &["updated", "run", "kept", "checked"]);
    tasks.update("updated", |task| task.millis += 1).unwrap();
    tasks.run("run", |_| fine()).unwrap();
    tasks.run("kept", |_| Err::<(), _>(std::io::Error::other("no luck"))).unwrap_err();
    tasks.run("checked", tracker_core::Execution::checkpoint).unwrap();
    tasks.submit(&v2("new")).unwrap();
    for (id, version, millis) in
        [("updated", 2, 3_001), ("run", 2, 3_000), ("kept", 1, 3_000), ("checked", 2, 3_000), ("new", 2, 3_000)]
    {
        assert_eq!(stored(&tracker, id).task.version(), version, "{id}");
        assert_eq!(tasks.get(id).unwrap().unwrap().task.millis, millis, "{id}");
    }
    assert_eq!(stored(&tracker, "new").task.to::<V2>().unwrap(), v2("new"));
    sound(&tracker);
}

#[test]
fn one_migration_reads_every_earlier_version_and_fills_new_keys() {
    let (_, tracker) = tracker();
    drop(old(&tracker, &["one"]).submit(&v2("two")).unwrap());
    let tasks = tracker.tasks::<V3>().unwrap();
    let v3 = |name: &str| V3 { name: name.to_owned(), server: "a".to_owned(), millis: 3_000 };
    for id in ["one", "two"] {
        assert_eq!(tasks.get(id).unwrap().unwrap().task, v3(id));
    }
    assert_eq!(tasks.query().index("server", "a").total().unwrap(), 2);
    assert_eq!(tasks.worker().run(|_| fine()).unwrap().succeeded, 2);
    assert_eq!([stored(&tracker, "one").task.version(), stored(&tracker, "two").task.version()], [3, 3]);
    sound(&tracker);
}

#[test]
fn failed_migration_harms_its_task_only_and_costs_nothing() {
    for prefetch in [0, 4] {
        let (_, tracker) = tracker();
        let tasks = old(&tracker, &["a", "fails", "panics", "renamed", "z"]);
        let page = tasks.query().by_creation().fetch().unwrap();
        assert_eq!(page.iter().map(|record| record.task.name.as_str()).collect::<Vec<_>>(), ["a", "z"]);
        for (unreadable, text) in page.unreadable.iter().zip([
            "the migration of its payload from version 1 to 2 failed: the unit is unknown",
            "the migration of its payload from version 1 to 2 panicked: the migration panics",
            "the migration of its payload changed its id to \"other\", and an id stays",
        ]) {
            let error = unreadable.error.to_string();
            assert!(error.starts_with(&format!("download \"{}\" cannot be read as ", unreadable.id)), "{error}");
            assert!(error.contains(text), "{error}");
            assert_eq!(refused(tasks.get(&unreadable.id), ErrorKind::Unreadable).to_string(), error);
        }
        assert_eq!(page.unreadable.len(), 3);
        refused(tasks.update("fails", |_| ()), ErrorKind::Unreadable);
        let summary = tasks.worker().prefetch(prefetch).run(|_| fine()).unwrap();
        assert_eq!((summary.succeeded, summary.attempts(), summary.unreadable), (2, 2, 3), "{summary}");
        for id in ["fails", "panics", "renamed"] {
            let record = stored(&tracker, id);
            assert_eq!((record.attempts, record.failures, record.status.code), (0, 0, 10), "{id}");
            assert_eq!(record.task, Payload::of(&v1(id)).unwrap(), "{id}");
        }
        // A program that can read them runs them.
        drop(tasks);
        let tasks = tracker.tasks::<V3>().unwrap();
        assert_eq!(tasks.worker().prefetch(prefetch).run(|_| fine()).unwrap().succeeded, 3);
        sound(&tracker);
    }
}

#[test]
fn payload_of_a_newer_version_is_left_alone_and_reported() {
    let (_, tracker) = tracker();
    old(&tracker, &["a"]).submit(&v2("new")).unwrap();
    let stored_before = stored(&tracker, "new").task;
    let tasks = tracker.tasks::<V1>().unwrap();
    let error = refused(tasks.get("new"), ErrorKind::Unreadable).to_string();
    let text = "its payload has version 2, and this program knows versions up to 1: use the program that stored it, or a newer one";
    assert!(error.contains("download \"new\"") && error.ends_with(text), "{error}");
    assert_eq!(tasks.query().fetch().unwrap().unreadable.len(), 1);
    let summary = tasks.worker().run(|_| fine()).unwrap();
    assert_eq!((summary.succeeded, summary.attempts(), summary.unreadable), (1, 1, 1), "{summary}");
    assert_eq!((&stored(&tracker, "new").task, stored(&tracker, "new").attempts), (&stored_before, 0));
    drop(tasks);
    assert_eq!(tracker.tasks::<V2>().unwrap().worker().run(|_| fine()).unwrap().succeeded, 1);
}

#[test]
fn payload_that_waits_for_a_running_attempt_keeps_its_version() {
    let (clock, tracker) = tracker();
    let tasks = old(&tracker, &["a"]);
    let mut running = tasks.start("a").unwrap();
    let changed = V2 { millis: 5, ..v2("a") };
    tasks.submit(&changed).unwrap();
    assert_eq!(stored(&tracker, "a").task.version(), 1);
    clock.advance(SECOND);
    running.fail("no luck").unwrap();
    assert_eq!((stored(&tracker, "a").task.version(), tasks.get("a").unwrap().unwrap().task), (2, changed));
    sound(&tracker);
}

#[test]
fn export_and_import_keep_versions() {
    let (clock, tracker) = tracker();
    old(&tracker, &["one"]).submit(&v2("two")).unwrap();
    let mut lines = Vec::new();
    tracker.export(&mut lines).unwrap();
    let text = String::from_utf8(lines.clone()).unwrap();
    assert!(text.contains(r#""payload":{"$payload":[2,{"name":"two","host":"a","millis":3000}]}"#), "{text}");
    let other = Tracker::options().clock(clock).open_memory().unwrap();
    other.import(&lines[..]).unwrap();
    assert_eq!([stored(&other, "one").task.version(), stored(&other, "two").task.version()], [1, 2]);
    let tasks = other.tasks::<V2>().unwrap();
    assert_eq!(
        [tasks.get("one").unwrap().unwrap().task, tasks.get("two").unwrap().unwrap().task],
        [v2("one"), v2("two")]
    );
    sound(&other);
}

#[test]
fn untyped_replace_keeps_the_version() {
    let (_, tracker) = tracker();
    old(&tracker, &[]).submit(&v2("two")).unwrap();
    let tasks = tracker.untyped("download").unwrap();
    let replace = |payload: &Payload| tasks.replace("two", stored(&tracker, "two").revision, payload);
    let changed = V2 { host: "b".to_owned(), millis: 7, ..v2("two") };
    replace(&Payload::of(&changed).unwrap()).unwrap();
    assert_eq!(tracker.tasks::<V2>().unwrap().get("two").unwrap().unwrap().task, changed);
    assert_eq!(tasks.query().index("host", "b").total().unwrap(), 1);
    let error = refused(replace(&Payload::of(&changed).unwrap().with_version(3).unwrap()), ErrorKind::Invalid);
    assert!(error.to_string().contains("which has version 2, by one of version 3"), "{error}");
    refused(Payload::of(&1).unwrap().with_version(0), ErrorKind::Invalid);
    let json = r#"{"$payload":[7,{"name":"x"}]}"#;
    let payload = Payload::from_json(json).unwrap();
    assert_eq!((payload.version(), payload.codec_name()), (7, None));
    assert_eq!(serde_json::to_string(&payload).unwrap(), json);
    for bad in [r#"{"$payload":[0,{}]}"#, r#"{"$payload":[65536,{}]}"#, r#"{"$payload":[2]}"#, r#"{"$payload":{}}"#] {
        refused(Payload::from_json(bad), ErrorKind::Invalid);
    }
}
