//! Tests of the filters of subscriptions, and of the events of kinds and batches.

use tracker_core::{
    Tracker,
    batch::BatchOptions,
    events::{EventKind, Notification, Subscription},
    submit::SubmitOptions,
};

use crate::support::kinds::{Import, Job, MINUTE, Mail, SECOND, job, jobs, mail, sound, tracker};

/// The events that a subscription has queued: the id of a task, or the name of another event.
fn read(subscription: &Subscription) -> Vec<String> {
    std::iter::from_fn(|| subscription.try_next())
        .map(|notification| match notification {
            Notification::Event(event) => format!("{} {}", event.kind, event.id),
            Notification::KindPaused { kind, .. } => format!("{kind} paused"),
            Notification::KindResumed { kind, .. } => format!("{kind} resumed"),
            Notification::QueueEmpty { kind, running, .. } => format!("{kind} empty, {running} running"),
            Notification::BatchFinished { label, succeeded, .. } => format!("{label} finished, {succeeded}"),
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn filters_choose_kinds_ids_and_batches() {
    let (_, tracker) = tracker();
    let (jobs, mails) = (tracker.tasks::<Job>().unwrap(), tracker.tasks::<Mail>().unwrap());
    let batch = tracker.open_batch("night", &BatchOptions::new()).unwrap();
    let all = tracker.subscribe();
    let of_jobs = jobs.subscribe();
    let of_both = jobs.subscription().kind(&mails).subscribe();
    let of_ids = jobs.subscription().ids(["a", "b"]).subscribe();
    let of_id_in_all = tracker.subscription().ids([1_u64]).ids(["a"]).subscribe();
    let of_nothing = tracker.subscription().ids([] as [&str; 0]).subscribe();
    let of_batch = tracker.subscription().batch(&batch).subscribe();
    let of_jobs_in_batch = jobs.subscription().batch(&batch).subscribe();
    jobs.submit_all(["a", "c"].map(job)).unwrap();
    mails.submit(&mail(1)).unwrap();
    jobs.submit_with(&job("b"), &SubmitOptions::new().batch(&batch)).unwrap();
    mails.submit_with(&mail(2), &SubmitOptions::new().batch(&batch)).unwrap();
    jobs.pause().unwrap();
    jobs.cancel("b").unwrap();
    mails.cancel(2_u64).unwrap();
    batch.seal().unwrap();
    assert_eq!(
        read(&all),
        ["job a", "job c", "mail 1", "job b", "mail 2", "job paused", "job b", "mail 2", "night finished, false"]
    );
    assert_eq!(read(&of_jobs), ["job a", "job c", "job b", "job paused", "job b"]);
    assert_eq!(read(&of_both), ["job a", "job c", "mail 1", "job b", "mail 2", "job paused", "job b", "mail 2"]);
    assert_eq!(read(&of_ids), ["job a", "job b", "job b"]);
    assert_eq!(read(&of_id_in_all), ["job a", "mail 1"]);
    assert_eq!(read(&of_nothing), [] as [&str; 0]);
    assert_eq!(read(&of_batch), ["job b", "mail 2", "job b", "mail 2", "night finished, false"]);
    assert_eq!(read(&of_jobs_in_batch), ["job b", "job b", "night finished, false"]);
    sound(&tracker);
}

#[test]
fn event_names_the_batch_of_its_task() {
    let (_, tracker) = tracker();
    let jobs = jobs(&tracker, &["alone"]);
    let batch = tracker.open_batch("night", &BatchOptions::new()).unwrap();
    let of_batch = tracker.subscription().batch(&batch).subscribe();
    jobs.submit_with(&job("one"), &SubmitOptions::new().batch(&batch)).unwrap();
    for id in ["alone", "one"] {
        let mut held = jobs.start(id).unwrap();
        held.progress(1, None, "begun");
        tracker.flush().unwrap();
        held.succeed().unwrap();
        jobs.remove(id).unwrap();
    }
    let events: Vec<_> = std::iter::from_fn(|| of_batch.try_next())
        .map(|notification| match notification {
            Notification::Event(event) => (event.id.to_string(), event.batch),
            other => panic!("{other:?}"),
        })
        .collect();
    let one = ("one".to_owned(), Some(batch.number()));
    assert_eq!(events, vec![one; 5], "submitted, claimed, progress, ended, deleted");
}

#[test]
fn subscription_without_progress_gets_none() {
    let (_, tracker) = tracker();
    let jobs = jobs(&tracker, &["a"]);
    let events = jobs.subscription().without_progress().subscribe();
    let mut held = jobs.start("a").unwrap();
    held.progress(1, None, "begun");
    tracker.flush().unwrap();
    held.succeed().unwrap();
    let kinds: Vec<_> = std::iter::from_fn(|| events.try_next())
        .filter_map(|notification| match notification {
            Notification::Event(event) => Some(event.what),
            _ => None,
        })
        .collect();
    assert!(matches!(&kinds[..], [EventKind::Claimed { .. }, EventKind::Ended { .. }]), "{kinds:?}");
}

#[test]
fn pause_of_a_kind_is_an_event_once() {
    let (_, tracker) = tracker();
    let jobs = tracker.tasks::<Job>().unwrap();
    let mails = tracker.tasks::<Mail>().unwrap();
    let events = jobs.subscribe();
    for _ in 0..2 {
        jobs.pause().unwrap();
        mails.pause().unwrap();
    }
    jobs.resume().unwrap();
    jobs.resume().unwrap();
    assert_eq!(read(&events), ["job paused", "job resumed"]);
}

#[test]
fn queue_is_empty_when_no_startable_status_is_left() {
    let (clock, tracker) = tracker();
    let jobs = jobs(&tracker, &["a", "b"]);
    jobs.submit_with(&job("later"), &SubmitOptions::new().delay(MINUTE)).unwrap();
    let events = jobs.subscription().subscribe();
    let empty = || read(&events).into_iter().filter(|event| event.contains("empty")).collect::<Vec<_>>();
    let (mut a, mut b) = (jobs.claim().unwrap().unwrap(), jobs.claim().unwrap().unwrap());
    assert_eq!(empty(), [] as [&str; 0], "a task that is not due is in the queue");
    jobs.cancel("later").unwrap();
    assert_eq!(empty(), ["job empty, 2 running"]);
    a.succeed().unwrap();
    assert_eq!(empty(), [] as [&str; 0], "it was empty before");
    b.fail("no").unwrap();
    assert_eq!(empty(), [] as [&str; 0], "the failed task waits for its retry");
    clock.advance(SECOND * 10);
    jobs.claim().unwrap().unwrap().give_up("never").unwrap();
    assert_eq!(empty(), ["job empty, 1 running"]);
    let together = tracker.transaction(|tx| {
        tx.submit(&jobs, &job("c"))?;
        tx.submit(&jobs, &job("d"))
    });
    together.unwrap();
    jobs.query().requeue().unwrap();
    jobs.query().unfinished().remove().unwrap();
    assert_eq!(empty(), ["job empty, 0 running"]);
    sound(&tracker);
}

#[test]
fn queue_of_a_pipeline_is_empty_after_its_last_step() {
    let (_, tracker) = tracker();
    let imports = tracker.tasks::<Import>().unwrap();
    imports.submit(&Import { number: 1, rows: None }).unwrap();
    let events = imports.subscribe();
    imports.step("fetch").unwrap().claim().unwrap().unwrap().succeed().unwrap();
    assert_eq!(read(&events), ["import 1", "import empty, 1 running", "import 1"]);
    imports.step("load").unwrap().claim().unwrap().unwrap().succeed().unwrap();
    assert_eq!(read(&events), ["import 1", "import empty, 1 running", "import 1"]);
}

#[test]
fn batch_finishes_in_the_commit_that_ends_it() {
    let (_, tracker) = tracker();
    let jobs = tracker.tasks::<Job>().unwrap();
    let events = finished(&tracker);
    let batch = jobs.submit_batch("night", ["a", "b"].map(job), &BatchOptions::new()).unwrap();
    jobs.start("a").unwrap().succeed().unwrap();
    assert_eq!(events(), [] as [&str; 0]);
    jobs.start("b").unwrap().give_up("no").unwrap();
    assert_eq!(events(), ["night finished, false"]);
    jobs.requeue("b").unwrap();
    jobs.start("b").unwrap().succeed().unwrap();
    assert_eq!(events(), ["night finished, true"]);
    batch.reopen().unwrap();
    assert_eq!(events(), [] as [&str; 0]);
    batch.seal().unwrap();
    assert_eq!(events(), ["night finished, true"]);
}

fn finished(tracker: &Tracker) -> impl Fn() -> Vec<String> {
    let events = tracker.subscribe();
    move || read(&events).into_iter().filter(|event| event.contains("finished")).collect()
}
