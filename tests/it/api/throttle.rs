//! Tests of throttled submits: one per key and period, repeated and changed tasks, groups, transactions, and wrong options.

use std::{collections::HashMap, time::Duration};

use serde::{Deserialize, Serialize};
use tracker_core::{
    ErrorKind, Submission, Tasks, TrackedTask, Tracker, batch::BatchOptions, dependency::OnDependencyFailure,
    file::Sharing, redb_store::OptionsExt, submit::SubmitOptions, time::ManualClock,
};

use crate::support::{
    kinds::{Job, MINUTE, Mail, Page, SECOND, Status, job, jobs, page, refused, sound, tracker},
    random::Random,
    test_disk::Disk,
};

/// At most one task waits.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[task(name = "single", status = Status, max_waiting = 1)]
struct Single {
    #[task(id)]
    number: u32,
}

fn throttled(key: &str) -> SubmitOptions {
    SubmitOptions::new().throttle(key, MINUTE)
}

fn submit(tasks: &Tasks<Job>, name: &str, key: &str) -> (Submission, String) {
    let receipt = tasks.submit_with(&job(name), &throttled(key)).unwrap();
    (receipt.submission, receipt.id.to_string())
}

#[test]
fn one_submit_per_key_and_period_is_accepted() {
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &["ready"]);
    assert_eq!(submit(&tasks, "a1", "a"), (Submission::New, "a1".to_owned()));
    assert_eq!(submit(&tasks, "b1", "b").0, Submission::New);
    clock.advance(MINUTE - Duration::from_micros(1));
    assert_eq!(submit(&tasks, "a2", "a"), (Submission::Throttled, "a1".to_owned()));
    assert!(tasks.get("a2").unwrap().is_none());
    // Another kind has keys of its own.
    let pages: Tasks<Page> = tracker.tasks().unwrap();
    assert_eq!(pages.submit_with(&page("x", 1), &throttled("a")).unwrap().submission, Submission::New);
    clock.advance(Duration::from_micros(1));
    assert_eq!(submit(&tasks, "a2", "a").0, Submission::New);
    assert_eq!(submit(&tasks, "a3", "a"), (Submission::Throttled, "a2".to_owned()));
    // The period of the accepted submit counts.
    let short = SubmitOptions::new().throttle("a", SECOND);
    clock.advance(2 * SECOND);
    assert_eq!(tasks.submit_with(&job("a4"), &short).unwrap().submission, Submission::Throttled);
    clock.advance(MINUTE);
    assert_eq!(tasks.submit_with(&job("a4"), &short).unwrap().submission, Submission::New);
    clock.advance(SECOND);
    assert_eq!(submit(&tasks, "a5", "a").0, Submission::New);
    sound(&tracker);
}

#[test]
fn accepted_task_that_ended_or_is_deleted_throttles_too() {
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &[]);
    submit(&tasks, "a1", "a");
    tasks.claim().unwrap().unwrap().succeed().unwrap();
    assert_eq!(submit(&tasks, "a2", "a"), (Submission::Throttled, "a1".to_owned()));
    clock.advance(30 * SECOND);
    tasks.remove("a1").unwrap();
    assert_eq!(submit(&tasks, "a2", "a"), (Submission::Throttled, "a1".to_owned()));
    let error = tasks.submit_and_get_with(&job("a2"), &throttled("a")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    sound(&tracker);
}

#[test]
fn repeated_submit_of_a_stored_task_is_not_throttled() {
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &["old"]);
    submit(&tasks, "a1", "a");
    for _ in 0..2 {
        assert_eq!(submit(&tasks, "a1", "a").0, Submission::Existing);
        assert_eq!(submit(&tasks, "old", "a").0, Submission::Existing);
    }
    // Neither has moved the time of the accepted one.
    clock.advance(MINUTE);
    assert_eq!(submit(&tasks, "old", "a").0, Submission::Existing);
    assert_eq!(submit(&tasks, "a2", "a").0, Submission::New);

    let mails: Tasks<Mail> = tracker.tasks().unwrap();
    let mail = |number| Mail { number, client: "c".to_owned(), request: 7, reference: None };
    assert_eq!(mails.submit_with(&mail(1), &throttled("a")).unwrap().submission, Submission::New);
    // A unique key finds it under another id.
    assert_eq!(mails.submit_with(&mail(2), &throttled("b")).unwrap().submission, Submission::Existing);
    assert_eq!(
        mails.submit_with(&Mail { request: 8, ..mail(3) }, &throttled("b")).unwrap().submission,
        Submission::New,
        "the submit that found another task took the key"
    );
    sound(&tracker);
}

#[test]
fn changed_fingerprint_is_throttled_like_a_new_task() {
    let (clock, tracker) = tracker();
    let pages: Tasks<Page> = tracker.tasks().unwrap();
    let submit = |version| pages.submit_with(&page("x", version), &throttled("site")).unwrap().submission;
    assert_eq!(submit(1), Submission::New);
    pages.claim().unwrap().unwrap().succeed().unwrap();
    assert_eq!(submit(2), Submission::Throttled);
    assert_eq!(pages.get("x").unwrap().unwrap().task.version, 1);
    clock.advance(MINUTE);
    assert_eq!(submit(2), Submission::Requeued);
    assert_eq!(submit(3), Submission::Throttled);
    sound(&tracker);
}

#[test]
fn bulk_submits_accept_one_task_per_call() {
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &["a2"]);
    let names = ["a1", "a2", "a3", "a4"];
    let summary = tasks.submit_all_with(names.map(job), &throttled("a")).unwrap();
    assert_eq!((summary.new, summary.existing, summary.throttled), (1, 1, 2));
    let batch = tracker.open_batch("batch", &BatchOptions::new()).unwrap();
    let options = throttled("a").batch(&batch);
    assert_eq!(tasks.submit_all_with([job("a5")], &options).unwrap().throttled, 1);
    clock.advance(MINUTE);
    assert_eq!(tasks.submit_all_with([job("a5"), job("a6")], &options).unwrap().new, 1);
    assert_eq!(batch.info().unwrap().total(), 1);
    sound(&tracker);
}

#[test]
fn refused_group_and_transaction_leave_the_key_free() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &[]);
    for before in [Submission::New, Submission::Throttled] {
        let mut group = tracker.group();
        group.add(&tasks, &job("a1"), &throttled("a")).unwrap();
        let missing = SubmitOptions::new().after(&tasks, "missing", OnDependencyFailure::Skip);
        group.add(&tasks, &job("a2"), &missing).unwrap();
        assert_eq!(group.submit().unwrap_err().kind(), ErrorKind::NotFound);
        let failed = tracker.transaction(|transaction| {
            transaction.submit_with(&tasks, &job("a3"), &throttled("a"))?;
            transaction.submit(&tasks, &job(""))
        });
        refused(failed, ErrorKind::Invalid);
        assert_eq!(submit(&tasks, &format!("{before:?}"), "a").0, before);
    }
    let receipt = tracker.transaction(|transaction| transaction.submit_with(&tasks, &job("b1"), &throttled("b")));
    assert_eq!(receipt.unwrap().submission, Submission::New);
    assert_eq!(submit(&tasks, "b2", "b").0, Submission::Throttled);
    sound(&tracker);
}

#[test]
fn full_kind_does_not_take_the_key() {
    let (_, tracker) = tracker();
    let tasks: Tasks<Single> = tracker.tasks().unwrap();
    let submit = |number| tasks.submit_with(&Single { number }, &throttled("a"));
    tasks.submit(&Single { number: 0 }).unwrap();
    refused(submit(1), ErrorKind::Full);
    tasks.claim().unwrap().unwrap().succeed().unwrap();
    assert_eq!(submit(1).unwrap().submission, Submission::New);
    assert_eq!(submit(2).unwrap().submission, Submission::Throttled, "a full kind is no reason to refuse it");
    sound(&tracker);
}

#[test]
fn throttle_refuses_wrong_keys_and_periods() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &[]);
    for (options, kind, words) in [
        (SubmitOptions::new().throttle("a", Duration::ZERO), ErrorKind::Invalid, "period of zero"),
        (SubmitOptions::new().throttle("", SECOND), ErrorKind::Invalid, "the throttle key is empty"),
        (SubmitOptions::new().throttle("a".repeat(1025), SECOND), ErrorKind::Invalid, "the throttle key"),
        (throttled("a").debounce(SECOND, MINUTE), ErrorKind::Invalid, "both throttled and debounced"),
    ] {
        let error = refused(tasks.submit_with(&job("a"), &options), kind);
        assert!(error.to_string().contains(words), "{error}");
        refused(tasks.submit_all_with([job("a")], &options), kind);
    }
    assert!(tasks.claim().unwrap().is_none());
    tasks.submit_with(&job("a"), &SubmitOptions::new().throttle(7, Duration::MAX)).unwrap();
    assert_eq!(
        tasks.submit_with(&job("b"), &SubmitOptions::new().throttle(7, SECOND)).unwrap().submission,
        Submission::Throttled
    );
}

#[test]
fn random_throttled_submits_do_what_a_map_says() {
    let mut random = Random::new(7);
    let (disk, clock) = (Disk::default(), ManualClock::new());
    let open = || {
        let disk = disk.clone();
        let options = Tracker::options().sharing(Sharing::Exclusive).clock(clock.clone());
        options.open_backend(move || disk.open()).unwrap()
    };
    let mut tracker = open();
    let mut tasks: Tasks<Job> = tracker.tasks().unwrap();
    let (mut accepted, mut now) = (HashMap::<usize, (usize, String)>::new(), 0);
    for number in 0..3_000 {
        let (key, period) = (random.below(40), 1 + random.below(30));
        let name = format!("{number}");
        let options =
            SubmitOptions::new().throttle(u64::try_from(key).unwrap(), u32::try_from(period).unwrap() * SECOND);
        let receipt = tasks.submit_with(&job(&name), &options).unwrap();
        let expected = if let Some((_, first)) = accepted.get(&key).filter(|(end, _)| now < *end) {
            (Submission::Throttled, first.clone())
        } else {
            accepted.insert(key, (now + period, name.clone()));
            (Submission::New, name)
        };
        assert_eq!((receipt.submission, receipt.id.to_string()), expected, "submit {number}");
        if random.below(3) == 0 {
            now += 1;
            clock.advance(SECOND);
        }
        if random.below(500) == 0 {
            drop(tasks);
            tracker.close().unwrap();
            tracker = open();
            tasks = tracker.tasks().unwrap();
        }
    }
    sound(&tracker);
}
