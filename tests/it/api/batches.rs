//! Tests batches: counts, when they end, and that the follow-up is submitted exactly once.

use std::time::Duration;

use tracker_core::{
    Error, ErrorKind, Tasks, Tracker,
    batch::{Batch, BatchInfo, BatchOptions},
    dependency::OnDependencyFailure,
    execution::StartOptions,
    status::Role,
    submit::SubmitOptions,
};

use crate::support::kinds::{
    DAY, Import, Job, MINUTE, Mail, SECOND, Status, fine, job, jobs, mail, refused, sound, status, tracker,
};

pub fn open(tracker: &Tracker, label: &str) -> Batch {
    tracker.open_batch(label, &BatchOptions::new()).unwrap()
}

/// A batch after which a job follows.
pub fn followed(tracker: &Tracker, tasks: &Tasks<Job>, label: &str) -> Batch {
    tracker.open_batch(label, &BatchOptions::new().then(tasks, &job(&format!("after {label}"))).unwrap()).unwrap()
}

pub fn into(batch: &Batch) -> SubmitOptions {
    SubmitOptions::new().batch(batch)
}

pub fn add(tasks: &Tasks<Job>, batch: &Batch, names: &[&str]) {
    tasks.submit_all_with(names.iter().map(|name| job(name)), &into(batch)).unwrap();
}

pub fn counts(info: &BatchInfo) -> Vec<(Role, u64)> {
    Role::ALL.into_iter().map(|role| (role, info.count(role))).filter(|(_, count)| *count > 0).collect()
}

pub fn is_there(tasks: &Tasks<Job>, name: &str) -> bool {
    tasks.get(name).unwrap().is_some()
}

#[test]
fn batch_over_several_kinds_ends_with_its_last_task() {
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &["no member"]);
    let (mails, imports) = (tracker.tasks::<Mail>().unwrap(), tracker.tasks::<Import>().unwrap());
    let batch = followed(&tracker, &tasks, "night");
    add(&tasks, &batch, &["a", "b", "c", "d"]);
    mails.submit_with(&mail(1), &into(&batch)).unwrap();
    imports.submit_with(&Import { number: 1, rows: None }, &into(&batch)).unwrap();
    batch.seal().unwrap();
    assert_eq!(counts(&batch.info().unwrap()), [(Role::Pending, 6)]);
    assert_eq!(
        batch.tasks().unwrap().iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
        "job \"a\" job \"b\" job \"c\" job \"d\" mail \"1\" import \"1\""
    );

    tasks.start("a").unwrap().succeed().unwrap();
    tasks.start("b").unwrap().fail("once").unwrap();
    tasks.start("c").unwrap().give_up("no use").unwrap();
    tasks.move_to("d", Status::OnHold).unwrap();
    let sent = mails.start(1).unwrap();
    imports.step("fetch").unwrap().start(1).unwrap().succeed().unwrap();
    let info = batch.info().unwrap();
    let expected = [Role::Pending, Role::InProgress, Role::Failed, Role::Succeeded, Role::Exhausted, Role::Parked];
    assert_eq!(counts(&info), expected.map(|role| (role, 1)), "between two steps it is pending");
    assert_eq!((info.total(), info.open(), info.is_over()), (6, 4, false));
    assert!((info.progress() - 1.0 / 3.0).abs() < 1e-9);
    sound(&tracker);

    drop(sent);
    tracker.flush().unwrap();
    clock.advance(MINUTE);
    mails.start(1).unwrap().succeed().unwrap();
    tasks.start("b").unwrap().succeed().unwrap();
    tasks.cancel("d").unwrap();
    assert!(!is_there(&tasks, "after night") && !batch.info().unwrap().is_over());
    imports.step("load").unwrap().start(1).unwrap().succeed().unwrap();
    let info = batch.info().unwrap();
    assert_eq!(counts(&info), [(Role::Succeeded, 4), (Role::Exhausted, 1), (Role::Cancelled, 1)]);
    let told = format!("{info:?}");
    assert!(told.contains(r#"counts: {"cancelled": 1, "exhausted": 1, "succeeded": 4}"#), "{told}");
    assert!(info.is_over() && is_there(&tasks, "after night"));
    assert!(info.finished_at.unwrap() >= info.created_at);
    assert_eq!(tasks.get("after night").unwrap().unwrap().batch, None);
    sound(&tracker);
}

#[test]
fn batch_ends_when_sealed_and_an_empty_one_at_once() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &[]);
    let empty = followed(&tracker, &tasks, "empty");
    let info = empty.info().unwrap();
    assert_eq!((info.total(), info.is_over(), info.finished_at), (0, false, None));
    assert!(!is_there(&tasks, "after empty"));
    empty.seal().unwrap();
    assert!(empty.info().unwrap().is_over() && is_there(&tasks, "after empty"));

    let open = followed(&tracker, &tasks, "open");
    add(&tasks, &open, &["a"]);
    tasks.start("a").unwrap().succeed().unwrap();
    assert!(!is_there(&tasks, "after open"), "more may come");
    add(&tasks, &open, &["b"]);
    open.seal().unwrap();
    let error = refused(tasks.submit_with(&job("c"), &into(&open)), "Sealed");
    assert!(error.to_string().contains("the batch \"open\" is sealed"), "{error}");
    tasks.submit_with(&job("b"), &into(&open)).unwrap();
    tasks.start("b").unwrap().succeed().unwrap();
    assert!(is_there(&tasks, "after open"));
    sound(&tracker);
}

#[test]
fn interrupted_submit_batch_is_completed_by_a_second_call() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["b"]);
    let then = BatchOptions::new().then(&tasks, &job("report")).unwrap();
    refused(tasks.submit_batch("x", ["a", "b", ""].map(job), &then), ErrorKind::Invalid);
    let names: Vec<_> = (0..1_500).map(|number| number.to_string()).collect();
    let all = || names.iter().map(String::as_str).chain(["a", "b"]).map(job);
    let cut = all().take(1_400).chain([job("")]);
    refused(tasks.submit_batch("x", cut, &then), ErrorKind::Invalid);
    let info = tracker.batch("x").unwrap().unwrap().info().unwrap();
    assert_eq!((info.total(), info.sealed), (1_024, false), "the parts before the wrong one");

    let batch = tasks.submit_batch("x", all(), &then).unwrap();
    let info = batch.info().unwrap();
    assert_eq!((info.total(), info.sealed), (1_502, true));
    assert_eq!(tasks.submit_batch("x", all(), &then).unwrap().info().unwrap(), info, "nothing of it is new");
    refused(tasks.submit_batch("x", [job("c")], &then), "Sealed");
    assert_eq!(tasks.worker().threads(2).run(|_| fine()).unwrap().succeeded, 1_503);
    assert!(batch.info().unwrap().is_over());
    let empty =
        tasks.submit_batch("empty", [] as [Job; 0], &BatchOptions::new().then(&tasks, &job("at once")).unwrap());
    assert!(empty.unwrap().info().unwrap().is_over() && is_there(&tasks, "at once"));
    sound(&tracker);
}

#[test]
fn follow_up_of_a_batch_is_submitted_once() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &[]);
    let batch = followed(&tracker, &tasks, "x");
    add(&tasks, &batch, &["a", "b"]);
    batch.seal().unwrap();
    tasks.worker().run(|_| fine()).unwrap();
    let first = batch.info().unwrap().finished_at;
    assert_eq!(status(&tasks, "after x"), Status::Succeeded);
    tasks.remove("after x").unwrap();
    assert_eq!(batch.requeue(&[Role::Succeeded]).unwrap(), 2);
    let info = batch.info().unwrap();
    assert_eq!((info.open(), info.is_over(), info.finished_at), (2, false, first));
    tasks.worker().run(|_| fine()).unwrap();
    assert!(batch.info().unwrap().is_over() && !is_there(&tasks, "after x"));
    batch.reopen().unwrap();
    add(&tasks, &batch, &["c"]);
    batch.seal().unwrap();
    tasks.start_with("c", &StartOptions::new().force()).unwrap().give_up("no").unwrap();
    let info = batch.info().unwrap();
    assert_eq!((info.is_over(), info.total(), info.finished_at), (true, 3, first));
    assert!(!is_there(&tasks, "after x"));
    sound(&tracker);
}

#[test]
fn conflicting_follow_up_is_reported_in_the_batch() {
    let (_, tracker) = tracker();
    let (tasks, mails) = (jobs(&tracker, &[]), tracker.tasks::<Mail>().unwrap());
    let batch = tracker.open_batch("x", &BatchOptions::new().then(&mails, &mail(7)).unwrap()).unwrap();
    add(&tasks, &batch, &["a"]);
    batch.seal().unwrap();
    mails.submit(&Mail { number: 8, ..mail(7) }).unwrap();
    mails.submit(&Mail { request: 99, reference: None, ..mail(7) }).unwrap();
    tasks.start("a").unwrap().succeed().unwrap();
    assert_eq!(status(&tasks, "a"), Status::Succeeded);
    let info = batch.info().unwrap();
    assert!(info.is_over() && info.follow_up_refused.unwrap().contains("belongs to \"8\""));
    sound(&tracker);
}

#[test]
fn batch_is_cancelled_requeued_queried_and_removed() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["other"]);
    let mails = tracker.tasks::<Mail>().unwrap();
    let batch = open(&tracker, "x");
    add(&tasks, &batch, &["a", "b", "c"]);
    mails.submit_with(&mail(1), &into(&batch).after(&tasks, "c", OnDependencyFailure::Skip)).unwrap();
    batch.seal().unwrap();
    tasks.start("a").unwrap().succeed().unwrap();
    let mut held = tasks.start("b").unwrap();
    assert_eq!(batch.cancel().unwrap(), 3);
    assert_eq!(counts(&batch.info().unwrap()), [(Role::InProgress, 1), (Role::Succeeded, 1), (Role::Cancelled, 2)]);
    held.renew().unwrap();
    assert!(held.is_cancelled());
    held.release().unwrap();
    assert_eq!(batch.requeue(&[Role::Cancelled]).unwrap(), 3);
    let ids = |query: tracker_core::query::Query<'_, Job>| {
        query.ids().unwrap().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(ids(tasks.query().batch(&batch).by_creation()), ["a", "b", "c"]);
    assert_eq!(
        ids(tasks.query().batch(&batch).status(Status::Pending).index("host", "a").by_creation().newest_first()),
        ["c", "b"]
    );
    assert_eq!(tasks.query().batch(&batch).role(Role::Succeeded).total().unwrap(), 1);
    let held = tasks.start("c").unwrap();
    assert!(!batch.remove().unwrap(), "one is held");
    assert_eq!(batch.info().unwrap().open(), 1);
    drop(held);
    tracker.flush().unwrap();
    assert!(batch.remove().unwrap());
    refused(batch.info(), ErrorKind::Invalid);
    refused(batch.seal(), ErrorKind::Invalid);
    refused(tasks.submit_with(&job("z"), &into(&batch)), ErrorKind::Invalid);
    assert!(tracker.batch("x").unwrap().is_none());
    assert_eq!((tasks.counts().unwrap().total(), mails.counts().unwrap().total()), (1, 0));
    sound(&tracker);
}

#[test]
fn batch_label_has_at_most_256_bytes() {
    let (_, tracker) = tracker();
    for label in ["x".repeat(256), "ß".repeat(128)] {
        assert_eq!(open(&tracker, &label).label(), label);
    }
    for label in [String::new(), "x".repeat(257), "ß".repeat(129)] {
        refused(tracker.open_batch(&label, &BatchOptions::new()), ErrorKind::Invalid);
    }
    sound(&tracker);
}

#[test]
fn batches_are_found_by_label_and_listed_newest_first() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &[]);
    let batches = ["a", "b", "c"].map(|label| open(&tracker, label));
    let again = tracker.open_batch("b", &BatchOptions::new().then(&tasks, &job("no")).unwrap()).unwrap();
    assert_eq!(again.number(), batches[1].number());
    again.seal().unwrap();
    assert!(!is_there(&tasks, "no"), "the options of the first one stand");
    let labels = |most| tracker.batches(most).unwrap().into_iter().map(|info| info.label).collect::<Vec<_>>();
    assert_eq!((labels(9), labels(2)), (vec!["c".into(), "b".into(), "a".into()], vec!["c".into(), "b".into()]));
    assert_eq!(tracker.batch("c").unwrap().map(|batch| batch.number()), Some(batches[2].number()));
    let numbered = tracker.batch_numbered(batches[0].number()).unwrap().unwrap();
    assert_eq!(numbered.label(), "a");
    assert!(tracker.batch("d").unwrap().is_none() && tracker.batch_numbered(99).unwrap().is_none());
    refused(tracker.open_batch("", &BatchOptions::new()), ErrorKind::Invalid);
    refused(tracker.open_batch(&"x".repeat(257), &BatchOptions::new()), ErrorKind::Invalid);
    sound(&tracker);
}

#[test]
fn remaining_time_follows_the_recent_rate() {
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &[]);
    let batch = open(&tracker, "x");
    let names: Vec<_> = (0..40).map(|number| number.to_string()).collect();
    add(&tasks, &batch, &names.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(batch.info().unwrap().eta, None);
    for _ in 0..10 {
        let mut one = tasks.claim().unwrap().unwrap();
        clock.advance(SECOND * 6);
        one.succeed().unwrap();
    }
    assert_eq!(batch.info().unwrap().eta.unwrap(), SECOND * 180);
    // A night, and then two at a time.
    clock.advance(DAY);
    for _ in 0..14 {
        let mut two = [tasks.claim().unwrap().unwrap(), tasks.claim().unwrap().unwrap()];
        clock.advance(SECOND * 6);
        for one in &mut two {
            one.succeed().unwrap();
        }
    }
    tasks.move_to("38", Status::OnHold).unwrap();
    let eta = batch.info().unwrap().eta.unwrap();
    assert!(eta > SECOND * 3 && eta < SECOND * 4, "one is left, the parked one waits for a hand: {eta:?}");
    sound(&tracker);
}

#[test]
fn batch_calls_in_a_transaction_are_all_or_nothing() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["a"]);
    let options = BatchOptions::new().then(&tasks, &job("after")).unwrap();
    let rolled_back: Result<(), Error> = tracker.transaction(|tx| {
        let batch = tx.open_batch("x", &options)?;
        tx.submit_with(&tasks, &job("b"), &into(&batch))?;
        tx.seal(&batch)?;
        tx.cancel(&tasks, "nobody")
    });
    refused(rolled_back, ErrorKind::NotFound);
    assert!(tracker.batch("x").unwrap().is_none());
    let mut held = tasks.start("a").unwrap();
    let batch = tracker.transaction(|tx| {
        let batch = tx.open_batch("x", &options)?;
        tx.submit_with(&tasks, &job("a"), &into(&batch))?;
        tx.seal(&batch)?;
        tx.succeed(&mut held)?;
        assert!(tx.get(&tasks, "after")?.is_none(), "it comes with the commit");
        Ok::<_, Error>(batch)
    });
    assert!(batch.unwrap().info().unwrap().is_over() && is_there(&tasks, "after"));
    sound(&tracker);
}

#[test]
fn batches_that_depend_on_each_other_end_in_one_commit() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &[]);
    let [one, two, three] = ["one", "two", "three"].map(|label| followed(&tracker, &tasks, label));
    add(&tasks, &one, &["a"]);
    tasks.submit_with(&job("b"), &into(&two).after_batch(&one, OnDependencyFailure::Cancel)).unwrap();
    tasks.submit_with(&job("c"), &into(&three).after_batch(&two, OnDependencyFailure::Skip)).unwrap();
    for batch in [&one, &two, &three] {
        batch.seal().unwrap();
    }
    let before = tracker.change_number().unwrap();
    tasks.cancel("a").unwrap();
    assert_eq!(tracker.change_number().unwrap(), before + 1);
    assert_eq!((status(&tasks, "b"), status(&tasks, "c")), (Status::Cancelled, Status::Ignored));
    assert!(["after one", "after two", "after three"].iter().all(|name| is_there(&tasks, name)));
    sound(&tracker);
}

#[test]
fn batch_ends_once_under_eight_threads() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &[]);
    let batch = followed(&tracker, &tasks, "x");
    let names: Vec<_> = (0..500).map(|number| number.to_string()).collect();
    add(&tasks, &batch, &names.iter().map(String::as_str).collect::<Vec<_>>());
    batch.seal().unwrap();
    let summary = tasks.worker().threads(8).run(|_| fine()).unwrap();
    assert_eq!(summary.succeeded, 501, "the follow-up too");
    let info = batch.info().unwrap();
    assert_eq!((info.count(Role::Succeeded), info.is_over()), (500, true));
    assert!(info.eta == Some(Duration::ZERO));
    sound(&tracker);
}
