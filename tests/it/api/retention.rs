//! Tests retention: ended tasks and batches are deleted after their time, and nothing else is.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use tracker_core::{
    Error, ErrorKind, Options, Tasks, Tracker,
    batch::BatchOptions,
    dependency::OnDependencyFailure,
    events::{EventKind, Notification},
    file::Sharing,
    submit::SubmitOptions,
    time::ManualClock,
};

use crate::{
    support::kinds::{DAY, Import, Job, MINUTE, SECOND, Status, fine, job, one_of_each, refused, sound, tracker},
    support::place::{self, OpenInPlace as _},
};

fn open(path: &Path, clock: &ManualClock, with: impl FnOnce(Options) -> Options) -> Tracker {
    with(Tracker::options().sharing(Sharing::Exclusive).clock(clock.clone())).open_at(path).unwrap()
}

/// Two thousand succeeded ones, one of each other state, and a pipeline between its steps.
fn filled(tracker: &Tracker) -> Tasks<Job> {
    let many = tracker.tasks::<Job>().unwrap();
    many.submit_all((0..1_999).map(|number| job(&number.to_string()))).unwrap();
    many.worker().prefetch(256).run(|_| fine()).unwrap();
    let jobs = one_of_each(tracker);
    let imports = tracker.tasks::<Import>().unwrap();
    imports.submit_all((0..5).map(|number| Import { number, rows: None })).unwrap();
    imports.step("fetch").unwrap().worker().run(|_| fine()).unwrap();
    jobs
}

#[test]
fn retention_runs_at_open_and_when_idle_until_done() {
    let folder = tempfile::tempdir().unwrap();
    let (path, clock) = (folder.path().join("jobs.redb"), ManualClock::new());
    let tracker = open(&path, &clock, |options| options);
    filled(&tracker);
    tracker.close().unwrap();
    clock.advance(DAY * 3);
    let tracker = open(&path, &clock, |options| options);
    let watch = tracker.subscribe();
    let jobs = tracker.tasks::<Job>().unwrap();
    let left = jobs.counts().unwrap().get(Status::Succeeded);
    assert!(left <= 1_001, "at opening: {left}");
    let goes =
        |watched: &Notification| matches!(watched, Notification::Event(event) if event.what == EventKind::Deleted);
    while jobs.counts().unwrap().get(Status::Succeeded) + jobs.counts().unwrap().get(Status::Cancelled) > 0 {
        assert!(watch.next_within(MINUTE).is_some_and(|watched| goes(&watched)), "in idle moments");
    }
    let kept = ["failed", "exhausted", "ignored", "parked", "leased", "pending"];
    assert!(kept.iter().all(|name| jobs.get(name).unwrap().is_some()));
    assert_eq!(jobs.counts().unwrap().total(), 6);
    assert_eq!(tracker.tasks::<Import>().unwrap().counts().unwrap().total(), 5, "between two steps nothing has ended");
    sound(&tracker);
}

#[test]
fn retention_runs_while_the_tracker_is_open() {
    let clock = ManualClock::new();
    let tracker = Tracker::options().clock(clock.clone()).prune_every(Some(SECOND / 1_000)).open_memory().unwrap();
    let jobs = one_of_each(&tracker);
    let watch = tracker.subscribe();
    clock.advance(DAY + SECOND);
    let gone = watch.map(|watched| match watched {
        Notification::Event(event) if event.what == EventKind::Deleted => event.id.to_string(),
        other => panic!("{other:?}"),
    });
    assert_eq!(gone.take(1).collect::<Vec<_>>(), ["succeeded"]);
    assert!(jobs.get("cancelled").unwrap().is_some(), "two days are not over");
    sound(&tracker);
}

#[test]
fn retention_can_be_turned_off() {
    if place::is_only_for_files("reads the bytes of the file") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (path, clock) = (folder.path().join("jobs.redb"), ManualClock::new());
    let tracker = open(&path, &clock, |options| options);
    filled(&tracker);
    tracker.close().unwrap();
    clock.advance(DAY * 3);
    let before = fs::read(&path).unwrap();
    let tracker = Tracker::options().sharing(Sharing::Exclusive).clock(clock.clone()).inspect_at(&path).unwrap();
    assert_eq!(tracker.tasks::<Job>().unwrap().counts().unwrap().total(), 2_007);
    tracker.close().unwrap();
    assert!(fs::read(&path).unwrap() == before, "an inspection deletes nothing");
    let tracker = open(&path, &clock, |options| options.prune_every(None));
    let jobs = tracker.tasks::<Job>().unwrap();
    assert_eq!(jobs.counts().unwrap().total(), 2_007);
    assert_eq!(jobs.prune().unwrap(), 2_001);
    sound(&tracker);
}

/// Batches of one task each that are over, but for the last ones: open, not over, and over with its task.
fn batches(tracker: &Tracker, count: usize) -> Tasks<Job> {
    let jobs = tracker.tasks::<Job>().unwrap();
    let filled = tracker.transaction(|tx| {
        for name in (0..count).map(|number| number.to_string()) {
            let batch = tx.open_batch(&name, &BatchOptions::new())?;
            tx.submit_with(&jobs, &job(&name), &SubmitOptions::new().batch(&batch))?;
            tx.seal(&batch)?;
        }
        Ok::<_, Error>(())
    });
    filled.unwrap();
    jobs.worker().prefetch(256).run(|_| fine()).unwrap();
    tracker.open_batch("open", &BatchOptions::new()).unwrap();
    jobs.submit_batch("not over", [job("pending")], &BatchOptions::new()).unwrap();
    jobs.submit_batch("kept", [job("exhausted")], &BatchOptions::new()).unwrap();
    jobs.start("exhausted").unwrap().give_up("no").unwrap();
    jobs
}

fn labels(tracker: &Tracker) -> Vec<String> {
    tracker.batches(usize::MAX).unwrap().into_iter().map(|info| info.label).collect()
}

fn wait_for_what_is_left(tracker: &Tracker) {
    let began = Instant::now();
    while labels(tracker) != ["kept", "not over", "open"] {
        assert!(began.elapsed() < MINUTE, "{:?}", labels(tracker).len());
        std::thread::sleep(SECOND / 1_000);
    }
}

#[test]
fn ended_batch_without_tasks_is_deleted_after_a_week() {
    let folder = tempfile::tempdir().unwrap();
    let (path, clock) = (folder.path().join("jobs.redb"), ManualClock::new());
    let tracker = open(&path, &clock, |options| options);
    batches(&tracker, 1_100);
    tracker.close().unwrap();
    clock.advance(DAY * 7);
    let tracker = open(&path, &clock, |options| options);
    tracker.tasks::<Job>().unwrap().prune().unwrap();
    assert_eq!(labels(&tracker).len(), 1_103, "it is as old, not older");
    tracker.close().unwrap();
    clock.advance(SECOND);
    let tracker = open(&path, &clock, |options| options.prune_every(None));
    assert_eq!(labels(&tracker).len(), 1_103, "nothing goes by itself");
    tracker.close().unwrap();
    let tracker = open(&path, &clock, |options| options);
    assert_eq!(labels(&tracker).len(), 103, "at opening it looks at the first thousand");
    sound(&tracker);
    tracker.close().unwrap();
    let tracker = open(&path, &clock, |options| options.prune_every(Some(SECOND / 1_000)));
    wait_for_what_is_left(&tracker);
    sound(&tracker);
}

#[test]
fn idle_retention_pages_through_all_batches() {
    let clock = ManualClock::new();
    let options = Tracker::options().clock(clock.clone()).prune_every(Some(SECOND / 1_000)).keep_batches(MINUTE);
    let tracker = options.open_memory().unwrap();
    batches(&tracker, 600);
    clock.advance(DAY + SECOND);
    wait_for_what_is_left(&tracker);
    let jobs = tracker.tasks::<Job>().unwrap();
    jobs.submit_batch("later", [job("later")], &BatchOptions::new()).unwrap();
    jobs.start("later").unwrap().succeed().unwrap();
    clock.advance(DAY + SECOND);
    wait_for_what_is_left(&tracker);
    sound(&tracker);
}

#[test]
fn prune_batches_frees_labels_at_any_age() {
    let (clock, tracker) = tracker();
    let jobs = batches(&tracker, 1_005);
    let waits =
        |label: &str, on_failure| SubmitOptions::new().after_batch(&tracker.batch(label).unwrap().unwrap(), on_failure);
    jobs.submit_with(&job("patient"), &waits("not over", OnDependencyFailure::Wait)).unwrap();
    let first = tracker.batch("7").unwrap().unwrap();
    assert_eq!(tracker.prune_batches(Duration::ZERO).unwrap(), 0, "they have tasks");
    jobs.query().status(Status::Succeeded).remove().unwrap();
    assert_eq!(tracker.prune_batches(Duration::ZERO).unwrap(), 0, "they were over just now");
    clock.advance(MINUTE);
    jobs.submit_batch("young", [job("young")], &BatchOptions::new()).unwrap();
    jobs.start("young").unwrap().succeed().unwrap();
    jobs.remove("young").unwrap();
    clock.advance(SECOND);
    assert_eq!(tracker.prune_batches(MINUTE).unwrap(), 1_005);
    assert_eq!(labels(&tracker), ["young", "kept", "not over", "open"]);
    refused(first.info(), ErrorKind::Invalid);
    let again = jobs.submit_batch("7", [job("7")], &BatchOptions::new()).unwrap();
    assert!(again.number() > first.number());

    jobs.remove("exhausted").unwrap();
    jobs.remove("pending").unwrap();
    assert_eq!(
        jobs.get("patient").unwrap().unwrap().status,
        Status::Pending,
        "what is removed before its end counts for nothing"
    );
    clock.advance(SECOND);
    assert_eq!(tracker.prune_batches(Duration::ZERO).unwrap(), 3);
    assert_eq!(labels(&tracker), ["7", "open"]);
    assert_eq!(jobs.claim().unwrap().unwrap().name, "patient");
    sound(&tracker);
}

#[test]
fn prune_older_than_accepts_terminal_statuses() {
    let (clock, tracker) = tracker();
    let jobs = one_of_each(&tracker);
    clock.advance(MINUTE);
    let of = |status, age| jobs.prune_older_than(status, age);
    assert_eq!(of(Status::Exhausted, MINUTE).unwrap(), 0, "it is as old, not older");
    clock.advance(SECOND);
    assert_eq!(of(Status::Exhausted, MINUTE).unwrap(), 1);
    assert!(jobs.get("exhausted").unwrap().is_none());
    for status in [Status::Pending, Status::Failed, Status::InProgress, Status::OnHold] {
        let error = refused(of(status, SECOND), ErrorKind::Invalid);
        assert!(error.to_string().contains("no end of a task"), "{error}");
    }
    assert_eq!(jobs.counts().unwrap().total(), 7);
    sound(&tracker);
}
