//! Tests which changes a subscription delivers, and in which order.

use std::time::Duration;

use tracker_core::{
    ErrorKind, Submission,
    batch::BatchOptions,
    dependency::OnDependencyFailure,
    events::{EventKind, Notification, Subscription},
    record::AttemptStatus,
    submit::SubmitOptions,
};

use crate::support::kinds::{MINUTE, Mail, Page, SECOND, Status, job, jobs, mail, page, refused, sound, tracker};

fn heard(watch: &Subscription) -> Vec<(String, EventKind)> {
    std::iter::from_fn(|| match watch.try_next() {
        Some(Notification::Lagged(missed)) => panic!("missed {missed}"),
        other => other,
    })
    .filter_map(|notification| match notification {
        Notification::Event(event) => Some((event.id.to_string(), event.what)),
        _ => None,
    })
    .collect()
}

#[test]
fn event_of_an_end_names_the_attempt_that_ended() {
    let (_, tracker) = tracker();
    let watch = tracker.subscribe();
    let tasks = jobs(&tracker, &["a"]).worker_name("w");
    // Attempts without an error are kept with the task until the next one ends.
    tasks.claim().unwrap().unwrap().park(Status::OnHold).unwrap();
    tasks.requeue("a").unwrap();
    tasks.claim().unwrap().unwrap().release().unwrap();
    tasks.claim().unwrap().unwrap().succeed().unwrap();
    let claimed = || EventKind::Claimed { worker: "w".to_owned() };
    let ended = |status| EventKind::Ended { status };
    let expected = [
        EventKind::Submitted,
        claimed(),
        ended(AttemptStatus::Parked),
        EventKind::Changed,
        claimed(),
        EventKind::Changed,
        claimed(),
        ended(AttemptStatus::Succeeded),
    ];
    assert_eq!(heard(&watch), expected.map(|what| ("a".to_owned(), what)));
}

#[test]
fn subscription_delivers_every_change_in_order() {
    let (clock, tracker) = tracker();
    let watch = tracker.subscribe();
    let tasks = jobs(&tracker, &["a"]).worker_name("w");
    let mut held = tasks.claim().unwrap().unwrap();
    held.progress(1, Some(2), "half");
    tracker.flush().unwrap();
    held.fail("no").unwrap();
    tasks.requeue("a").unwrap();
    let _lost = tasks.claim().unwrap().unwrap();
    clock.advance(MINUTE);
    tasks.rescue().unwrap();
    tasks.cancel("a").unwrap();
    tasks.remove("a").unwrap();
    let claimed = || EventKind::Claimed { worker: "w".to_owned() };
    let expected = [
        EventKind::Submitted,
        claimed(),
        EventKind::Progress { done: 1, total: Some(2), message: "half".to_owned() },
        EventKind::Ended { status: AttemptStatus::Failed },
        EventKind::Changed,
        claimed(),
        EventKind::Ended { status: AttemptStatus::Crashed },
        EventKind::Changed,
        EventKind::Deleted,
    ];
    let events = heard(&watch);
    assert_eq!(events, expected.map(|what| ("a".to_owned(), what)));
    refused(tasks.start("a"), ErrorKind::NotFound);
    let rolled = tracker.transaction(|tx| {
        tx.submit(&tasks, &job("b"))?;
        Err::<(), _>(anyhow::anyhow!("no"))
    });
    rolled.unwrap_err();
    assert_eq!(heard(&watch), [], "what was rolled back did not happen");
    sound(&tracker);
}

#[test]
fn slow_subscription_reports_the_number_lost() {
    let (_, tracker) = tracker();
    let (slow, late) = (tracker.subscribe(), tracker.subscribe());
    drop(late);
    let mails = tracker.tasks::<Mail>().unwrap();
    mails.submit_all((0..3_000).map(mail)).unwrap();
    let (mut missed, mut events) = (0, 0);
    while let Some(watched) = slow.try_next() {
        match watched {
            Notification::Event(event) => {
                assert_eq!(event.what, EventKind::Submitted);
                events += 1;
            }
            Notification::Lagged(number) => missed += number,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((events, missed), (1_024, 1_976));
    assert!(slow.next_within(Duration::from_millis(1)).is_none());
    mails.submit(&mail(9_999)).unwrap();
    assert!(matches!(slow.next_within(SECOND), Some(Notification::Event(_))));
    tracker.close().unwrap();
    assert_eq!(slow.count(), 0, "it ends with the tracker");
}

fn ended(status: AttemptStatus) -> EventKind {
    EventKind::Ended { status }
}

#[test]
fn renewals_and_checkpoints_are_no_events() {
    let (_, tracker) = tracker();
    let (tasks, batch) = (jobs(&tracker, &["a"]), tracker.open_batch("b", &BatchOptions::new()).unwrap());
    let mut held = tasks.start("a").unwrap();
    let watch = tracker.subscribe();
    held.renew().unwrap();
    held.result = Some(1);
    held.checkpoint().unwrap();
    let ticket = held.detach().unwrap();
    tasks.submit(&job("a")).unwrap();
    tasks.submit_with(&job("a"), &SubmitOptions::new().batch(&batch)).unwrap();
    assert_eq!(heard(&watch), []);
    tasks.resume_ticket(&ticket).unwrap().succeed().unwrap();
    let after = heard(&watch).into_iter().map(|(_, what)| what);
    assert_eq!(
        after.collect::<Vec<_>>(),
        [EventKind::Changed, ended(AttemptStatus::Succeeded)],
        "it has an owner again"
    );
    sound(&tracker);
}

#[test]
fn submit_event_names_its_effect() {
    let (_, tracker) = tracker();
    let pages = tracker.tasks::<Page>().unwrap();
    let watch = tracker.subscribe();
    pages.submit(&page("p", 1)).unwrap();
    pages.submit(&page("p", 1)).unwrap();
    assert_eq!(heard(&watch), [("p".to_owned(), EventKind::Submitted)], "the second one is there already");
    assert_eq!(pages.submit(&page("p", 2)).unwrap().submission, Submission::Existing);
    assert_eq!(heard(&watch), [("p".to_owned(), EventKind::Changed)], "its payload");
    pages.start("p").unwrap().succeed().unwrap();
    assert_eq!(pages.submit(&page("p", 3)).unwrap().submission, Submission::Requeued);
    assert_eq!(heard(&watch).last().unwrap().1, EventKind::Changed);
    sound(&tracker);
}

/// A dependent of two tasks emits its event when the second one ends; a failed dependency emits it at once.
#[test]
fn waiting_task_emits_an_event_when_it_becomes_startable() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["one", "two", "bad"]);
    let after = |names: [&str; 2]| {
        names.iter().fold(SubmitOptions::new(), |options, name| options.after(&tasks, name, OnDependencyFailure::Skip))
    };
    tasks.submit_with(&job("both"), &after(["one", "two"])).unwrap();
    tasks.submit_with(&job("vain"), &after(["bad", "two"])).unwrap();
    let watch = tracker.subscribe();
    let of = |watch: &Subscription, name: &str| -> Vec<EventKind> {
        heard(watch).into_iter().filter(|(id, _)| id == name).map(|(_, what)| what).collect()
    };
    tasks.start("one").unwrap().succeed().unwrap();
    assert_eq!(of(&watch, "both"), [], "it waits on");
    tasks.start("bad").unwrap().give_up("for good").unwrap();
    assert_eq!(of(&watch, "vain"), [EventKind::Changed], "it is ignored");
    tasks.start("two").unwrap().succeed().unwrap();
    assert_eq!(of(&watch, "both"), [EventKind::Changed], "it may start");
    sound(&tracker);
}

#[test]
fn imported_task_is_an_event() {
    let (_clock, tracker) = tracker();
    let tasks = jobs(&tracker, &["a"]);
    let mut lines = Vec::new();
    tracker.export(&mut lines).unwrap();
    tasks.remove("a").unwrap();
    let watch = tracker.subscribe();
    tracker.import(lines.as_slice()).unwrap();
    assert_eq!(heard(&watch), [("a".to_owned(), EventKind::Submitted)]);
    tracker.import(lines.as_slice()).unwrap();
    assert!(heard(&watch).is_empty(), "a task that is there stays as it is");
}
