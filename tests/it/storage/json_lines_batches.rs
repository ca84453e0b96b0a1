//! Batches as JSON lines.

use serde_json::json;
use tracker_core::{
    ErrorKind, Tracker,
    batch::{BatchInfo, BatchOptions},
    portable::ImportOptions,
    status::Role,
};

use super::json_lines_move::{end_all, export, import, infos, into, moved, nights, stand};
use crate::support::{
    kinds::{Job, Mail, Page, Status, fine, job, jobs, refused, sound, status, tracker},
    random::Random,
};

#[test]
fn export_and_import_keep_batches_in_every_state() {
    let (clock, first) = nights();
    let second = moved(&clock, &first);
    assert_eq!(infos(&second), infos(&first));
    assert_eq!(export(&second), export(&first));
    let again = import(&second, &export(&first));
    assert_eq!((again.new, again.batches, again.kinds), (0, 0, 0), "what is there stays");
    assert_eq!(export(&second), export(&first));
}

#[test]
fn imported_batch_submits_its_follow_up_once() {
    let (clock, first) = nights();
    let second = moved(&clock, &first);
    let third = moved(&clock, &second);
    for tracker in [&first, &second, &third] {
        end_all(&clock, tracker);
        sound(tracker);
    }
    let counted = |tracker: &Tracker| {
        let counts = |info: BatchInfo| (info.label.clone(), Role::ALL.map(|role| info.count(role)), info.is_over());
        infos(tracker).into_iter().map(counts).collect::<Vec<_>>()
    };
    assert!(infos(&first).iter().all(BatchInfo::is_over));
    assert_eq!(counted(&second), counted(&first));
    assert_eq!(counted(&third), counted(&first));
    assert_eq!(stand(&second), stand(&first));
    assert_eq!(stand(&third), stand(&first));
    let tasks = third.tasks::<Job>().unwrap();
    for (label, comes) in [("empty", true), ("mixed", true), ("pruned", true), ("over", false), ("open again", false)] {
        assert_eq!(tasks.get(format!("after {label}")).unwrap().is_some(), comes, "{label}");
    }
    assert_eq!(third.tasks::<Mail>().unwrap().get(7_u64).unwrap().unwrap().status, Status::Succeeded);
    assert_eq!(third.tasks::<Page>().unwrap().get("p").unwrap().unwrap().task.version, 2);
    let told = ["patient", "choosy", "hasty", "hopeful"].map(|name| status(&tasks, name));
    assert_eq!(told, [Status::Pending, Status::Ignored, Status::Succeeded, Status::Cancelled]);
}

#[test]
fn import_ends_a_batch_whose_last_task_was_cancelled() {
    let (clock, first) = tracker();
    let tasks = jobs(&first, &[]);
    let options = |name: &str| BatchOptions::new().then(&tasks, &job(name)).unwrap();
    let told = first.open_batch("told", &options("after told")).unwrap();
    let runs = first.open_batch("runs", &options("after runs")).unwrap();
    tasks.submit_with(&job("a"), &into(&told)).unwrap();
    tasks.submit_with(&job("b"), &into(&runs)).unwrap();
    let held = ["a", "b"].map(|name| tasks.start(name).unwrap());
    tasks.cancel("a").unwrap();
    told.seal().unwrap();
    runs.seal().unwrap();
    let second = moved(&clock, &first);
    let ended = |label: &str| second.batch(label).unwrap().unwrap().info().unwrap().is_over();
    assert!(ended("told") && !ended("runs"));
    let moved = second.tasks::<Job>().unwrap();
    assert_eq!((status(&moved, "a"), status(&moved, "after told")), (Status::Cancelled, Status::Pending));
    assert_eq!(moved.worker().run(|_| fine()).unwrap().succeeded, 3);
    assert!(ended("runs") && moved.get("after runs").unwrap().is_some());
    drop(held);
}

#[test]
fn damaged_batch_lines_leave_a_sound_file() {
    let (clock, first) = nights();
    let lines = export(&first);
    let mut random = Random::new(11);
    for _ in 0..40 {
        let mut bytes = lines.clone().into_bytes();
        for _ in 0..30 {
            let at = random.below(bytes.len());
            bytes[at] = b"\"{}[],:0129-\n\\au\xff"[random.below(17)];
        }
        let second = Tracker::options().clock(clock.clone()).in_memory().unwrap();
        let imported = second.import_with(bytes.as_slice(), &ImportOptions::new().go_on()).unwrap();
        assert!(imported.refused > 0);
        sound(&second);
    }
}

#[test]
fn line_with_a_missing_dependency_keeps_its_batch_open() {
    let line = |id: &str, dependencies: serde_json::Value| {
        let payload = json!({"name": id, "host": "h", "result": null});
        json!({"kind": "job", "id": id, "batch": "night", "dependencies": dependencies, "payload": payload}).to_string()
    };
    let dependencies = json!([{"kind": "job", "id": "nobody", "on_failure": "wait"}]);
    let of_batch = json!([{"batch": "day", "on_failure": "wait"}]);
    let lines = [
        r#"{"open_batch": "night"}"#.to_owned(),
        r#"{"seal_batch": "night"}"#.to_owned(),
        line("a", dependencies),
        line("b", of_batch),
        line("c", json!([])),
    ]
    .join("\n");
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &[]);
    let error = refused(tracker.import(lines.as_bytes()), ErrorKind::Invalid).to_string();
    assert!(error.starts_with("line 3: it waits for job \"nobody\", which is neither in the file"), "{error}");
    let options = ImportOptions::new().go_on();
    let imported = tracker.import_with(lines.as_bytes(), &options).unwrap();
    assert_eq!((imported.new, imported.existing, imported.refused), (0, 1, 3));
    let told: Vec<_> =
        imported.errors.iter().map(|error| (error.line, error.what.split(',').next().unwrap())).collect();
    assert_eq!(
        told,
        [
            (3, "it waits for job \"nobody\""),
            (4, "it waits for the batch \"day\""),
            (2, "lines before it were refused")
        ]
    );
    let night = || tracker.batch("night").unwrap().unwrap().info().unwrap();
    assert!(!night().sealed && tracker.batch("day").unwrap().is_none());
    sound(&tracker);

    let rest = json!({"kind": "job", "id": "nobody", "batch": "day", "payload": job("nobody")}).to_string();
    let imported = import(&tracker, &format!("{lines}\n{rest}"));
    assert_eq!((imported.new, imported.existing), (3, 1));
    assert!(night().sealed);
    tracker.batch("day").unwrap().unwrap().seal().unwrap();
    assert_eq!(tasks.worker().run(|_| fine()).unwrap().succeeded, 4);
    assert!(night().is_over());
    sound(&tracker);
}

#[test]
fn wrong_batch_line_is_named_and_stores_nothing() {
    let (_, tracker) = tracker();
    let _tasks = jobs(&tracker, &[]);
    let follow_up = json!({"kind": "job", "payload": job("x")});
    for (bad, says) in [
        (json!({"open_batch": ""}), "1 to 256 bytes"),
        (json!({"open_batch": 7}), "expected a string"),
        (json!({"open_batch": "x", "sealed": true}), "unknown field `sealed`"),
        (json!({"open_batch": "x", "gone": {"succeded": 1}}), "unknown variant `succeded`"),
        (json!({"open_batch": "x", "gone": {"pending": 1}}), "have not"),
        (json!({"open_batch": "x", "gone": {"succeeded": u64::MAX, "ignored": 1}}), "more than any batch has had"),
        (json!({"open_batch": "x", "pace": {"ends": 1, "each_us": -1.0, "last": {"$micros": 0}}}), "not below 0"),
        (json!({"open_batch": "x", "finished": {"$micros": 0}, "follow_up": follow_up}), "leave one of them out"),
        (json!({"open_batch": "x", "follow_up": {"kind": "nowhere", "payload": {}}}), "put its definition before"),
        (json!({"open_batch": "x", "follow_up": {"kind": "job", "id": null, "payload": {}}}), "cannot be read as"),
        (json!({"open_batch": "x", "follow_up": {"kind": "job", "id": "y", "payload": job("x")}}), "its id is \"y\""),
        (json!({"open_batch": "x", "follow_up": {"kind": "job", "id": "x"}}), "missing field `payload`"),
        (json!({"seal_batch": "x"}), "no batch \"x\" to seal"),
        (json!({"seal_batch": "x", "more": 1}), "unknown field `more`"),
        (json!({"kind": "job", "id": "x", "batch": "", "payload": job("x")}), "1 to 256 bytes"),
        (json!({"kind": "job", "id": "x", "batch": "x", "payload": {"name": 7}}), "cannot be read as the type"),
        (
            json!({"kind": "job", "id": "x", "batch": "x", "payload": job("x"),
                "dependencies": [{"kind": "job", "id": "x", "on_failure": "wait"}]}),
            "it waits for job \"x\"",
        ),
        (
            json!({"kind": "job", "id": "x", "batch": "x", "payload": job("x"),
                "dependencies": [{"batch": "x", "on_failure": "never"}]}),
            "unknown variant `never`, expected one of `wait`, `skip`, `cancel`, `run`",
        ),
    ] {
        let error = refused(tracker.import(bad.to_string().as_bytes()), ErrorKind::Invalid).to_string();
        assert!(error.starts_with("line 1: ") && error.contains(says), "{bad}: {error}");
        assert_eq!(tracker.batches(9).unwrap(), [], "nothing of it: {bad}");
        assert_eq!(export(&tracker).lines().count(), 1, "nothing of it: {bad}");
        sound(&tracker);
    }
}

#[test]
fn label_alone_creates_a_batch_at_import() {
    let (_, first) = tracker();
    let tasks = jobs(&first, &[]);
    let batch = first.open_batch("monday", &BatchOptions::new()).unwrap();
    tasks.submit_all_with(["a", "b"].map(job), &into(&batch)).unwrap();
    batch.seal().unwrap();
    let mut lines = Vec::new();
    assert_eq!(tasks.export(&mut lines).unwrap(), 2);
    let (_, second) = tracker();
    assert_eq!(import(&second, std::str::from_utf8(&lines).unwrap()).new, 2);
    let monday = second.batch("monday").unwrap().unwrap().info().unwrap();
    assert_eq!((monday.total(), monday.sealed), (2, false));
    sound(&second);
}
