//! Tests that batches and dependencies survive export and import.

use std::{sync::mpsc::channel, thread};

use serde_json::json;
use tracker_core::{
    Error, Tracker,
    batch::{Batch, BatchInfo, BatchOptions},
    dependency::OnDependencyFailure,
    portable::Imported,
    submit::SubmitOptions,
    time::ManualClock,
};

use crate::support::kinds::{
    Import, Job, Mail, Page, SECOND, Status, fine, job, jobs, mail, page, sound, status, tracker,
};

pub(super) fn export(tracker: &Tracker) -> String {
    let mut lines = Vec::new();
    tracker.export(&mut lines).unwrap();
    String::from_utf8(lines).unwrap()
}

pub(super) fn import(tracker: &Tracker, lines: &str) -> Imported {
    tracker.import(lines.as_bytes()).unwrap()
}

/// Opens the file again, on the same clock.
pub(super) fn moved(clock: &ManualClock, tracker: &Tracker) -> Tracker {
    let other = Tracker::options().clock(clock.clone()).in_memory().unwrap();
    import(&other, &export(tracker));
    sound(&other);
    other
}

/// The state of all batches without their numbers.
pub(super) fn infos(tracker: &Tracker) -> Vec<BatchInfo> {
    let mut infos = tracker.batches(usize::MAX).unwrap();
    for info in &mut infos {
        info.number = 0;
    }
    infos
}

/// All ids of jobs with their statuses.
pub(super) fn stand(tracker: &Tracker) -> Vec<(String, Status)> {
    let records = tracker.tasks::<Job>().unwrap().query().fetch().unwrap();
    let mut stand: Vec<_> = records.into_iter().map(|record| (record.id.to_string(), record.status)).collect();
    stand.sort();
    stand
}

pub(super) fn into(batch: &Batch) -> SubmitOptions {
    SubmitOptions::new().batch(batch)
}

/// Batches in every state, over three kinds, followed by tasks of three kinds. Nothing runs.
pub(super) fn nights() -> (ManualClock, Tracker) {
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
pub(super) fn end_all(clock: &ManualClock, tracker: &Tracker) {
    for info in tracker.batches(usize::MAX).unwrap().into_iter().rev() {
        tracker.batch(&info.label).unwrap().unwrap().seal().unwrap();
    }
    // Failed tasks are due.
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
