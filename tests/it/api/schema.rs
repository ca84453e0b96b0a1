//! Tests what happens to stored tasks when the types of the program change.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tracker_core::{Error, ErrorKind, TaskStatus, TrackedTask, batch::BatchOptions, status::Role};

use crate::support::kinds::{Import, Job, Mail, Status, job, jobs, refused, sound, tracker};

/// The status without `Cancelled` and with another meaning of 80.
#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum Later {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
    Exhausted = 50,
    Ignored = 60,
    #[status(cancelled)]
    OnHold = 80,
}

macro_rules! kind {
    ($name:ident, $status:ty, $(#[$words:meta])* { $($(#[$word:meta])* $field:ident: $type:ty,)* }) => {
        #[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
        #[task(name = "job", status = $status)]
        $(#[$words])*
        struct $name {
            $($(#[$word])* $field: $type,)*
        }
    };
}

kind!(LaterJob, Later, { #[task(id)] name: String, host: String, });

#[test]
fn removed_status_is_refused_while_in_use() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["a", "b", "c", "d"]);
    tasks.cancel("a").unwrap();
    tasks.cancel("b").unwrap();
    drop(tasks);
    let error = refused(tracker.tasks::<LaterJob>(), ErrorKind::SchemaMismatch);
    for words in ["2 tasks", "Cancelled", "70", "job"] {
        assert!(error.to_string().contains(words), "{error}");
    }
    let tasks = tracker.tasks::<Job>().unwrap();
    assert_eq!(tasks.query().status(Status::Cancelled).remove().unwrap(), 2);
    drop(tasks);
    let later = tracker.tasks::<LaterJob>().unwrap();
    assert_eq!(later.claim().unwrap().unwrap().name, "c");
    sound(&tracker);
}

#[test]
fn kind_opened_before_is_checked_again_once_it_has_changed() {
    let (_, tracker) = tracker();
    drop(tracker.tasks::<Job>().unwrap());
    drop(tracker.tasks::<LaterJob>().unwrap());
    let tasks = jobs(&tracker, &["a"]);
    tasks.move_to("a", Status::OnHold).unwrap();
    drop(tasks);
    refused(tracker.tasks::<LaterJob>(), ErrorKind::SchemaMismatch);
    for _ in 0..2 {
        let tasks = tracker.tasks::<Job>().unwrap();
        assert_eq!(tasks.get("a").unwrap().unwrap().status, Status::OnHold);
        let opened = tracker.transaction(|_| Ok::<_, Error>(refused(tracker.tasks::<Job>(), ErrorKind::Invalid)));
        assert!(opened.unwrap().to_string().contains("transaction"));
    }
    sound(&tracker);
    tracker.clone().close().unwrap();
    refused(tracker.tasks::<Job>(), ErrorKind::Closed);
}

#[test]
fn changed_role_is_refused_while_in_use() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["a", "b"]);
    tasks.move_to("a", Status::OnHold).unwrap();
    drop(tasks);
    let error = refused(tracker.tasks::<LaterJob>(), ErrorKind::SchemaMismatch);
    for words in ["1 task", "OnHold", "80", "parked", "cancelled"] {
        assert!(error.to_string().contains(words), "{error}");
    }
    let tasks = tracker.tasks::<Job>().unwrap();
    tasks.move_to("a", Status::Pending).unwrap();
    drop(tasks);
    tracker.tasks::<LaterJob>().unwrap().cancel("a").unwrap();
    sound(&tracker);
}

#[test]
fn kind_is_open_as_one_type_at_a_time() {
    let (_, tracker) = tracker();
    let tasks = tracker.tasks::<Job>().unwrap();
    let clone = tasks.clone();
    refused(tracker.tasks_as::<Mail>("job"), ErrorKind::SchemaMismatch);
    drop(tasks);
    refused(tracker.tasks_as::<Mail>("job"), ErrorKind::SchemaMismatch);
    drop(clone);
    tracker.tasks_as::<Mail>("job").unwrap();
    refused(tracker.tasks_as::<Mail>(""), ErrorKind::Invalid);
    refused(tracker.tasks_as::<Mail>(&"x".repeat(129)), ErrorKind::Invalid);
    sound(&tracker);
}

#[test]
fn kinds_of_one_type_are_separate() {
    let (_, tracker) = tracker();
    let names = ["test", "test1", "tes", "test\0", "tést"];
    let cases: Vec<_> = names.iter().map(|name| tracker.tasks_as::<Job>(name).unwrap()).collect();
    for (case, name) in cases.iter().zip(names) {
        case.submit_all([job("same"), job(name), job("1")]).unwrap();
    }
    cases[0].start("same").unwrap().succeed().unwrap();
    cases[1].cancel("same").unwrap();
    cases[2].remove("same").unwrap();
    assert!(cases[2].get("same").unwrap().is_none());
    assert_eq!(cases[3].get("same").unwrap().unwrap().status, Status::Pending);
    assert_eq!(cases[0].get("same").unwrap().unwrap().status, Status::Succeeded);
    let totals: Vec<_> = cases.iter().map(|case| case.counts().unwrap().total()).collect();
    assert_eq!(totals, [3, 3, 2, 3, 3]);
    for (case, name) in cases.iter().zip(names) {
        let ids = case.query().index("host", "a").ids().unwrap();
        assert!(ids.iter().all(|id| ["same", name, "1"].contains(&id.to_string().as_str())), "{ids:?}");
        case.worker().run(|_| crate::support::kinds::fine()).unwrap();
    }
    assert_eq!(cases[1].query().status(Status::Succeeded).total().unwrap(), 2);
    cases[0].query().remove().unwrap();
    assert_eq!(cases[1].counts().unwrap().total(), 3);
    assert_eq!(tracker.kinds().unwrap(), names);
    sound(&tracker);
}

/// The former steps and one more.
#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum LongerStatus {
    #[status(step = "fetch")]
    FetchPending = 10,
    FetchInProgress = 11,
    FetchFailed = 12,
    FetchSucceeded = 13,
    #[status(step = "load")]
    LoadInProgress = 20,
    LoadFailed = 21,
    LoadSucceeded = 22,
    #[status(step = "check")]
    CheckInProgress = 30,
    CheckFailed = 31,
    CheckSucceeded = 32,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[task(name = "import", status = LongerStatus, max_attempts = 2)]
struct LongerImport {
    #[task(id)]
    number: u32,
    rows: Option<u32>,
}

/// Tasks that had succeeded at the end of the pipeline wait now, at other places of the claim order, the oldest first.
#[test]
fn added_last_step_runs_for_tasks_that_had_succeeded() {
    let (clock, tracker) = tracker();
    let imports = tracker.tasks::<Import>().unwrap();
    let tasks = [3, 1, 2].map(|number| Import { number, rows: None });
    let batch = imports.submit_batch("night", tasks, &BatchOptions::new()).unwrap();
    for number in [2, 3] {
        imports.step("fetch").unwrap().start(number).unwrap().succeed().unwrap();
        clock.advance(std::time::Duration::from_secs(1));
        imports.step("load").unwrap().start(number).unwrap().succeed().unwrap();
    }
    drop(imports);
    assert_eq!(batch.info().unwrap().count(Role::Succeeded), 2);
    let longer = tracker.tasks::<LongerImport>().unwrap();
    assert_eq!(batch.info().unwrap().count(Role::Succeeded), 0);
    sound(&tracker);
    let check = longer.step("check").unwrap();
    let held: Vec<_> = std::iter::from_fn(|| check.claim().unwrap()).collect();
    assert_eq!(held.iter().map(|held| held.number).collect::<Vec<_>>(), [2, 3]);
    for mut held in held {
        held.succeed().unwrap();
    }
    let counts = longer.counts().unwrap();
    assert_eq!((counts.get(LongerStatus::FetchPending), counts.get(LongerStatus::CheckSucceeded)), (1, 2));
    sound(&tracker);
}

kind!(Bare, Status, { #[task(id)] name: String, host: String, result: Option<u32>, });
kind!(Keyed, Status, #[task(unique(result, while = unfinished))] {
    #[task(id)] name: String,
    #[task(index)] host: String,
    #[task(index)] result: Option<u32>,
});

#[test]
fn added_index_finds_old_tasks() {
    let (_, tracker) = tracker();
    let bare = tracker.tasks::<Bare>().unwrap();
    let old = |number: u32| Bare { name: number.to_string(), host: (number % 7).to_string(), result: Some(number) };
    bare.submit_all((0..2_500).map(old)).unwrap();
    bare.start("8").unwrap().succeed().unwrap();
    refused(bare.query().index("host", "1").ids(), ErrorKind::Invalid);
    drop(bare);
    let keyed = tracker.tasks::<Keyed>().unwrap();
    assert_eq!(keyed.query().index("host", "1").total().unwrap(), 357);
    assert_eq!(keyed.query().index("host", "1").status(Status::Succeeded).ids().unwrap().len(), 1);
    assert_eq!(keyed.query().index("result", Some(77)).ids().unwrap()[0].to_string(), "77");
    let twice = |result| Keyed { name: "new".to_owned(), host: String::new(), result: Some(result) };
    refused(keyed.submit(&Keyed { name: "5".to_owned(), ..twice(6) }), ErrorKind::Conflict);
    assert_eq!(keyed.submit(&twice(9)).unwrap().id.to_string(), "9", "the key finds the old row");
    assert_eq!(keyed.submit(&twice(8)).unwrap().id.to_string(), "new", "a finished task gives its key free");
    sound(&tracker);
    drop(keyed);
    tracker.tasks::<Bare>().unwrap();
    sound(&tracker);
}

kind!(Indexed, Status, { #[task(id)] name: String, #[task(index)] host: String, result: Option<u32>, });
kind!(Unique, Status, #[task(unique(result))] { #[task(id)] name: String, host: String, result: Option<u32>, });

#[test]
fn added_index_or_key_alone_finds_old_tasks() {
    let (_, tracker) = tracker();
    let bare = tracker.tasks::<Bare>().unwrap();
    bare.submit_all((0..9).map(|number| Bare { name: number.to_string(), host: "h".to_owned(), result: Some(number) }))
        .unwrap();
    drop(bare);
    let indexed = tracker.tasks::<Indexed>().unwrap();
    assert_eq!(indexed.query().index("host", "h").total().unwrap(), 9);
    sound(&tracker);
    drop(indexed);
    drop(tracker.tasks::<Bare>().unwrap());
    let unique = tracker.tasks::<Unique>().unwrap();
    assert_eq!(unique.get_by_key("result", &[&Some(7_u32)]).unwrap().unwrap().task.name, "7");
    sound(&tracker);
}

#[test]
fn added_unique_key_with_duplicates_is_refused() {
    let (_, tracker) = tracker();
    let bare = tracker.tasks::<Bare>().unwrap();
    for name in ["a", "b"] {
        bare.submit(&Bare { name: name.to_owned(), host: "h".to_owned(), result: Some(1) }).unwrap();
    }
    drop(bare);
    let error = refused(tracker.tasks::<Keyed>(), ErrorKind::SchemaMismatch);
    assert!(error.to_string().contains("\"a\"") && error.to_string().contains("\"b\""), "{error}");
    sound(&tracker);
    let bare = tracker.tasks::<Bare>().unwrap();
    bare.remove("a").unwrap();
    drop(bare);
    assert_eq!(tracker.tasks::<Keyed>().unwrap().query().index("host", "h").total().unwrap(), 1);
    sound(&tracker);
}

kind!(Added, Status, {
    more: Option<u32>,
    #[serde(default)] tags: Vec<String>,
    host: String,
    #[task(id)] name: String,
});
kind!(Removed, Status, { #[task(id)] name: String, });

/// Stores as one type and reads as another.
fn evolve<A, B>(from: &A) -> B
where
    A: TrackedTask + Clone,
    B: TrackedTask + Clone,
{
    let (_, tracker) = tracker();
    let before = tracker.tasks_as::<A>("job").unwrap();
    before.submit(from).unwrap();
    drop(before);
    let after = tracker.tasks_as::<B>("job").unwrap();
    let task = after.claim().unwrap().unwrap().task().clone();
    sound(&tracker);
    task
}

#[test]
fn fields_may_be_added_removed_and_moved() {
    let old = Job { result: Some(7), ..job("x") };
    let added: Added = evolve(&old);
    assert_eq!((added.name.as_str(), added.host.as_str(), added.more, added.tags.len()), ("x", "a", None, 0));
    let removed: Removed = evolve(&old);
    assert_eq!(removed.name, "x");
    let back: Job = evolve(&Added { more: Some(1), tags: vec!["t".into()], host: "h".into(), name: "y".into() });
    assert_eq!(back, Job { host: "h".to_owned(), ..job("y") });
}

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Tagged {
    Http { url: String, retries: u8 },
    File { path: std::path::PathBuf },
}

#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
struct Common {
    owner: String,
    at: chrono::DateTime<chrono::Utc>,
    key: uuid::Uuid,
}

kind!(Rich, Status, {
    #[task(id)] name: String,
    #[serde(flatten)] common: Common,
    #[serde(flatten)] rest: BTreeMap<String, serde_json::Value>,
    source: Tagged,
    tree: serde_json::Value,
    big: u64,
    small: i64,
    ratio: f64,
    unit: (),
    nested: Option<Option<u8>>,
    bytes: Vec<u8>,
    pairs: Vec<(String, char)>,
});

fn rich<T: DeserializeOwned>() -> T {
    serde_json::from_value(serde_json::json!({
        "name": "r", "owner": "o", "at": "2030-01-01T00:00:00Z", "key": "67e55044-10b1-426f-9247-bb680e5fe0c8",
        "left": {"over": [1, -2, 3.5, null, "x"]},
        "source": {"type": "http", "url": "https://x", "retries": 3},
        "tree": {"a": {"b": [true, {"c": 18_446_744_073_709_551_615_u64}]}, "": null},
        "big": u64::MAX, "small": i64::MIN, "ratio": 0.1, "unit": null, "nested": 4, "bytes": [0, 255],
        "pairs": [["é", "ß"]],
    }))
    .unwrap()
}

#[test]
fn every_serde_type_survives_a_round_trip() {
    let was: Rich = rich();
    let is: Rich = evolve(&was);
    assert_eq!(was, is);
    let moved: Rich = evolve(&Rich { source: Tagged::File { path: "/tmp/é".into() }, ..was });
    assert_eq!(moved.source, Tagged::File { path: "/tmp/é".into() });
}

kind!(ClientJob, Status, #[task(unique(client))] { #[task(id)] name: String, #[task(fingerprint)] version: u32, client: String, });
kind!(IndexedJob, Status, #[task(unique(name, client))] {
    #[task(id)] name: String,
    #[task(fingerprint)] version: u32,
    #[task(index)] client: String,
});

/// The follow-ups of a batch and of a run are stored with the keys of an older program.
#[test]
fn later_tasks_have_keys_of_the_open_type() {
    let (_, tracker) = tracker();
    let old = tracker.tasks::<ClientJob>().unwrap();
    let task = |name: &str, version| ClientJob { name: name.to_owned(), version, client: format!("{name} {version}") };
    let options = tracker_core::batch::BatchOptions::new().then(&old, &task("after", 1)).unwrap();
    tracker.open_batch("night", &options).unwrap();
    old.submit(&task("runs", 1)).unwrap();
    let ticket = old.start("runs").unwrap().detach().unwrap();
    old.submit(&task("runs", 2)).unwrap();
    drop(old);

    let new = tracker.tasks::<IndexedJob>().unwrap();
    sound(&tracker);
    tracker.batch("night").unwrap().unwrap().seal().unwrap();
    new.resume_ticket(&ticket).unwrap().succeed().unwrap();
    for (name, client) in [("after", "after 1"), ("runs", "runs 2")] {
        assert_eq!(new.query().index("client", client).total().unwrap(), 1, "{name}");
        assert!(new.get_by_key("name_client", &[&name, &client]).unwrap().is_some(), "{name}");
    }
    sound(&tracker);
}
