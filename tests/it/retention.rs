//! What has been kept long enough goes by itself, and nothing else does.

use std::{fs, path::Path};

use tracker_core::{ErrorKind, Happening, ManualClock, Options, Sharing, Tasks, Tracker, Watched};

use crate::kinds::{DAY, Import, Job, MINUTE, SECOND, Status, fine, job, one_of_each, refused, sound, tracker};

fn open(path: &Path, clock: &ManualClock, with: impl FnOnce(Options) -> Options) -> Tracker {
    with(Tracker::options().sharing(Sharing::Exclusive).clock(clock.clone())).open(path).unwrap()
}

/// Two thousand succeeded ones, one of each other state, and a pipeline between its steps.
fn filled(tracker: &Tracker) -> Tasks<Job> {
    let many = tracker.tasks::<Job>().unwrap();
    many.submit_all((0..1_999).map(|number| job(&number.to_string()))).unwrap();
    many.worker().ahead(256).run(|_| fine()).unwrap();
    let jobs = one_of_each(tracker);
    let imports = tracker.tasks::<Import>().unwrap();
    imports.submit_all((0..5).map(|number| Import { number, rows: None })).unwrap();
    imports.step("fetch").unwrap().worker().run(|_| fine()).unwrap();
    jobs
}

#[test]
fn it_goes_at_opening_and_in_idle_moments_until_all_of_it_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let (path, clock) = (folder.path().join("jobs.redb"), ManualClock::new());
    let tracker = open(&path, &clock, |options| options);
    filled(&tracker);
    tracker.close().unwrap();
    clock.advance(DAY * 3);
    let tracker = open(&path, &clock, |options| options);
    let watch = tracker.watch();
    let jobs = tracker.tasks::<Job>().unwrap();
    let left = jobs.counts().unwrap().get(Status::Succeeded);
    assert!(left <= 1_001, "at opening: {left}");
    let goes = |watched: &Watched| matches!(watched, Watched::Event(event) if event.what == Happening::Deleted);
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
fn it_goes_while_the_tracker_is_open() {
    let clock = ManualClock::new();
    let tracker = Tracker::options().clock(clock.clone()).prune_every(Some(SECOND / 1_000)).in_memory().unwrap();
    let jobs = one_of_each(&tracker);
    let watch = tracker.watch();
    clock.advance(DAY + SECOND);
    let gone = watch.map(|watched| match watched {
        Watched::Event(event) if event.what == Happening::Deleted => event.id.to_string(),
        other => panic!("{other:?}"),
    });
    assert_eq!(gone.take(1).collect::<Vec<_>>(), ["succeeded"]);
    assert!(jobs.get("cancelled").unwrap().is_some(), "two days are not over");
    sound(&tracker);
}

#[test]
fn it_stays_where_nothing_goes_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let (path, clock) = (folder.path().join("jobs.redb"), ManualClock::new());
    let tracker = open(&path, &clock, |options| options);
    filled(&tracker);
    tracker.close().unwrap();
    clock.advance(DAY * 3);
    let before = fs::read(&path).unwrap();
    let tracker = Tracker::options().sharing(Sharing::Exclusive).clock(clock.clone()).inspect(&path).unwrap();
    assert_eq!(tracker.tasks::<Job>().unwrap().counts().unwrap().total(), 2_007);
    tracker.close().unwrap();
    assert!(fs::read(&path).unwrap() == before, "an inspection deletes nothing");
    let tracker = open(&path, &clock, |options| options.prune_every(None));
    let jobs = tracker.tasks::<Job>().unwrap();
    assert_eq!(jobs.counts().unwrap().total(), 2_007);
    assert_eq!(jobs.prune().unwrap(), 2_001);
    sound(&tracker);
}

#[test]
fn by_hand_an_age_can_be_named_for_statuses_in_which_tasks_end() {
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
