//! Tests that batches and dependencies survive export and import.

use std::{sync::mpsc::channel, thread};

use serde_json::json;
use tracker_core::{
    Error, ErrorKind, Tracker,
    batch::{Batch, BatchInfo, BatchOptions},
    dependency::OnDependencyFailure,
    portable::{ImportOptions, Imported},
    status::Role,
    submit::SubmitOptions,
    time::ManualClock,
};

use crate::support::{
    kinds::{Import, Job, Mail, Page, SECOND, Status, fine, job, jobs, mail, page, refused, sound, status, tracker},
    random::Random,
};

fn export(tracker: &Tracker) -> String {
    let mut lines = Vec::new();
    tracker.export(&mut lines).unwrap();
    String::from_utf8(lines).unwrap()
}

fn import(tracker: &Tracker, lines: &str) -> Imported {
    tracker.import(lines.as_bytes()).unwrap()
}

/// Opens the file again, on the same clock.
fn moved(clock: &ManualClock, tracker: &Tracker) -> Tracker {
    let other = Tracker::options().clock(clock.clone()).in_memory().unwrap();
    import(&other, &export(tracker));
    sound(&other);
    other
}

/// The state of all batches without their numbers.
fn infos(tracker: &Tracker) -> Vec<BatchInfo> {
    let mut infos = tracker.batches(usize::MAX).unwrap();
    for info in &mut infos {
        info.number = 0;
    }
    infos
}

/// All ids of jobs with their statuses.
fn stand(tracker: &Tracker) -> Vec<(String, Status)> {
    let records = tracker.tasks::<Job>().unwrap().query().fetch().unwrap();
    let mut stand: Vec<_> = records.into_iter().map(|record| (record.id.to_string(), record.status)).collect();
    stand.sort();
    stand
}

fn into(batch: &Batch) -> SubmitOptions {
    SubmitOptions::new().batch(batch)
}

/// Batches in every state, over three kinds, followed by tasks of three kinds. Nothing runs.
fn nights() -> (ManualClock, Tracker) {
    let (clock, tracker) = tracker();
    let (tasks, mails, pages) =
        (jobs(&tracker, &[]), tracker.tasks::<Mail>().unwrap(), tracker.tasks::<Page>().unwrap());
    let imports = tracker.tasks::<Import>().unwrap();
    let batch = |label: &str, names: &[&str]| {
        let options = BatchOptions::new().then(&tasks, &job(&format!("after {label}"))).unwrap();
        let batch = tracker.open_batch(label, &options).unwrap();
        tasks.submit_all_with(names.iter().map(|name| job(&format!("{label} {name}"))), &into(&batch)).unwrap();
        batch
    };
    let succeed = |name: &str| {
        let mut held = tasks.start(name).unwrap();
        clock.advance(SECOND * 7);
        held.succeed().unwrap();
    };

    batch("empty", &[]);
    batch("empty and over", &[]).seal().unwrap();
    batch("open", &["a", "b"]);
    succeed("open a");

    let mixed = batch("mixed", &["a", "b", "c", "d", "e", "f"]);
    mails.submit_with(&mail(1), &into(&mixed)).unwrap();
    imports.submit_with(&Import { number: 1, rows: None }, &into(&mixed)).unwrap();
    imports.step("fetch").unwrap().start(1).unwrap().succeed().unwrap();
    mixed.seal().unwrap();
    succeed("mixed a");
    tasks.start("mixed b").unwrap().give_up("no").unwrap();
    tasks.start("mixed c").unwrap().fail("again").unwrap();
    tasks.ignore("mixed d", "by hand").unwrap();
    tasks.cancel("mixed e").unwrap();
    tasks.move_to("mixed f", Status::OnHold).unwrap();

    let over = batch("over", &["a"]);
    over.seal().unwrap();
    succeed("over a");
    tasks.remove("after over").unwrap();

    let again = batch("open again", &["a", "b"]);
    again.seal().unwrap();
    succeed("open again a");
    succeed("open again b");
    tasks.remove("after open again").unwrap();
    tasks.requeue("open again b").unwrap();
    let more = batch("more", &["a"]);
    more.seal().unwrap();
    succeed("more a");
    more.reopen().unwrap();
    tasks.submit_with(&job("more b"), &into(&more)).unwrap();
    tasks.remove("after more").unwrap();

    let pruned = batch("pruned", &["a", "b", "c", "d"]);
    pruned.seal().unwrap();
    succeed("pruned a");
    tasks.start("pruned b").unwrap().give_up("no").unwrap();
    tasks.remove("pruned a").unwrap();
    tasks.remove("pruned b").unwrap();
    succeed("pruned c");
    let gone = batch("gone", &["a"]);
    gone.seal().unwrap();
    succeed("gone a");
    tasks.remove("gone a").unwrap();

    let mailed = tracker.open_batch("mailed", &BatchOptions::new().then(&mails, &mail(7)).unwrap()).unwrap();
    tasks.submit_with(&job("mailed a"), &into(&mailed)).unwrap();
    mailed.seal().unwrap();
    let refused = tracker.open_batch("refused", &BatchOptions::new().then(&mails, &mail(8)).unwrap()).unwrap();
    mails.submit(&Mail { number: 9, ..mail(8) }).unwrap();
    mails.submit(&Mail { request: 99, reference: None, ..mail(8) }).unwrap();
    refused.seal().unwrap();
    assert!(refused.info().unwrap().follow_up_refused.is_some());
    pages.submit(&page("p", 1)).unwrap();
    pages.start("p").unwrap().succeed().unwrap();
    let paged = tracker.open_batch("paged", &BatchOptions::new().then(&pages, &page("p", 2)).unwrap()).unwrap();
    pages.submit_with(&page("q", 1), &into(&paged)).unwrap();
    paged.seal().unwrap();

    for (name, batch, on_failure) in [
        ("patient", &mixed, OnDependencyFailure::Wait),
        ("choosy", &mixed, OnDependencyFailure::Skip),
        ("hasty", &mailed, OnDependencyFailure::Run),
        ("hopeful", &pruned, OnDependencyFailure::Cancel),
    ] {
        tasks.submit_with(&job(name), &SubmitOptions::new().after_batch(batch, on_failure)).unwrap();
    }
    sound(&tracker);
    (clock, tracker)
}

/// Seals all batches, and does what can be done.
fn end_all(clock: &ManualClock, tracker: &Tracker) {
    for info in tracker.batches(usize::MAX).unwrap().into_iter().rev() {
        tracker.batch(&info.label).unwrap().unwrap().seal().unwrap();
    }
    // What failed is due.
    clock.advance(SECOND * 10);
    let tasks = tracker.tasks::<Job>().unwrap();
    tasks.move_to("mixed f", Status::Pending).unwrap();
    for _ in 0..2 {
        tasks.worker().run(|_| fine()).unwrap();
        tracker.tasks::<Mail>().unwrap().worker().run(|_| fine()).unwrap();
        tracker.tasks::<Page>().unwrap().worker().run(|_| fine()).unwrap();
        tracker.tasks::<Import>().unwrap().step("load").unwrap().worker().run(|_| fine()).unwrap();
    }
}

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
fn interrupted_import_is_completed_by_a_second_one() {
    let (clock, first) = nights();
    let lines = export(&first);
    for (end, _) in lines.match_indices('\n') {
        let second = Tracker::options().clock(clock.clone()).in_memory().unwrap();
        drop(second.import(&lines.as_bytes()[..end]));
        sound(&second);
        import(&second, &lines);
        sound(&second);
        assert_eq!(infos(&second), infos(&first), "cut at {end}");
    }
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
fn imported_dependencies_hold_in_any_order_of_lines() {
    let (clock, first) = tracker();
    let tasks = jobs(&first, &["extract", "done"]);
    let mails = first.tasks::<Mail>().unwrap();
    tasks.start("done").unwrap().succeed().unwrap();
    let after = |id: &str, on_failure| SubmitOptions::new().after(&tasks, id, on_failure);
    tasks.submit_with(&job("transform"), &after("extract", OnDependencyFailure::Skip)).unwrap();
    mails.submit(&mail(1)).unwrap();
    // Its line comes before that of the mail, whose kind came later.
    let load = after("transform", OnDependencyFailure::Cancel).after(&tasks, "done", OnDependencyFailure::Wait);
    tasks.submit_with(&job("load"), &load.after(&mails, 1_u64, OnDependencyFailure::Run)).unwrap();
    let mut group = first.group();
    group.add(&tasks, &job("last"), &after("middle", OnDependencyFailure::Wait)).unwrap();
    group.add(&tasks, &job("middle"), &SubmitOptions::new().after(&mails, 2_u64, OnDependencyFailure::Wait)).unwrap();
    group.add(&mails, &mail(2), &after("load", OnDependencyFailure::Wait)).unwrap();
    group.submit().unwrap();

    let lines = export(&first);
    let second = moved(&clock, &first);
    assert_eq!(export(&second), lines, "they keep their order");
    let again = second.tasks::<Job>().unwrap();
    assert_eq!(again.dependencies("load").unwrap(), tasks.dependencies("load").unwrap());

    let (head, rest): (Vec<_>, Vec<_>) = lines.lines().partition(|line| line.starts_with("{\"define\""));
    let reversed: Vec<_> = head.into_iter().chain(rest.into_iter().rev()).collect();
    let (_, third) = tracker();
    assert_eq!(import(&third, &reversed.join("\n")).new, 8);
    for tracker in [&second, &third] {
        let (tasks, mails) = (tracker.tasks::<Job>().unwrap(), tracker.tasks::<Mail>().unwrap());
        mails.start(1).unwrap().succeed().unwrap();
        for name in ["extract", "transform", "load"] {
            let mut held = tasks.claim().unwrap().unwrap();
            assert_eq!(held.name, name);
            assert!(tasks.claim().unwrap().is_none(), "the others wait");
            held.succeed().unwrap();
        }
        mails.start(2).unwrap().succeed().unwrap();
        assert_eq!(tasks.claim().unwrap().unwrap().name, "middle");
        sound(tracker);
    }
}

/// A deletion that is not propagated yet is propagated in the new file.
#[test]
fn export_includes_ends_not_yet_propagated() {
    let (clock, first) = tracker();
    let tasks = jobs(&first, &["a"]);
    let many = |name: &'static str| (0..3_000).map(move |number| job(&format!("{name} {number}")));
    for (name, on_failure) in [
        ("skip", OnDependencyFailure::Skip),
        ("run", OnDependencyFailure::Run),
        ("cancel", OnDependencyFailure::Cancel),
    ] {
        tasks.submit_all_with(many(name), &SubmitOptions::new().after(&tasks, "a", on_failure)).unwrap();
    }
    // Another call comes next, so that the end has reached a thousand dependents when the lines are written.
    let ((come, has_come), (begin, has_begun), (end, may_end)) = (channel(), channel(), channel());
    let lines = thread::scope(|scope| {
        let removed = first.transaction(|tx| {
            let first = &first;
            scope.spawn(move || {
                come.send(()).unwrap();
                first.transaction(|_| {
                    begin.send(()).unwrap();
                    may_end.recv().unwrap();
                    Ok::<_, Error>(())
                })
            });
            has_come.recv().unwrap();
            thread::sleep(SECOND / 20);
            tx.remove(&tasks, "a")
        });
        removed.unwrap();
        has_begun.recv().unwrap();
        let (lines, differences) = (export(&first), first.verify());
        end.send(()).unwrap();
        assert_eq!(differences.unwrap(), [], "news that are on their way are no damage");
        lines
    });
    let second = Tracker::options().clock(clock.clone()).in_memory().unwrap();
    import(&second, &lines);
    sound(&second);
    let moved = second.tasks::<Job>().unwrap();
    let counts = moved.counts().unwrap();
    let ends = [Status::Ignored, Status::Pending, Status::Cancelled].map(|status| counts.get(status));
    assert_eq!(ends, [3_000; 3]);
    assert!(moved.query().status(Status::Pending).fetch().unwrap().iter().all(|record| record.waits_for == 0));

    let line = |id: &str, on_failure: &str| {
        let dependencies = [json!({"deleted": true, "on_failure": on_failure})];
        json!({"kind": "job", "id": id, "dependencies": dependencies, "payload": job(id)}).to_string()
    };
    import(&second, &[line("x", "skip"), line("y", "run"), line("z", "wait")].join("\n"));
    // One that it waits for is deleted, and the other one is not.
    let dependencies =
        json!([{"deleted": true, "on_failure": "run"}, {"kind": "job", "id": "y", "on_failure": "wait"}]);
    import(
        &second,
        &json!({"kind": "job", "id": "both", "dependencies": dependencies, "payload": job("both")}).to_string(),
    );
    assert_eq!(moved.get("both").unwrap().unwrap().waits_for, 1);
    let told = ["x", "y", "z"].map(|name| status(&moved, name));
    assert_eq!(told, [Status::Ignored, Status::Pending, Status::Ignored]);
    let why = moved.get("x").unwrap().unwrap().history[0].failure.as_ref().unwrap().error.clone();
    assert!(why.ends_with("can succeed no more: it was deleted"), "{why}");
    sound(&second);
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
