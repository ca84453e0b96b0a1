//! Tests what changes along with a payload, submits of a task by itself, and filters that match nothing.

use serde::{Deserialize, Serialize};
use serde_json::json;
use tracker_core::{
    Error, ErrorKind, Submission, Tasks, TrackedTask, Tracker, error::Reason, portable::ImportOptions,
    submit::SubmitOptions, untyped::Payload,
};

use crate::support::kinds::{Job, MINUTE, Page, Status, job, jobs, one_of_each, page, refused, sound, status, tracker};

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "ride", status = Status, priority = 5)]
struct Ride {
    #[task(id)]
    number: u32,
    #[task(priority)]
    priority: u8,
    #[task(fingerprint)]
    version: u32,
    seen: u32,
}

fn ride(number: u32, priority: u8) -> Ride {
    Ride { number, priority, version: 0, seen: 0 }
}

/// Two rides: the second one is later in the order of claims.
fn rides(tracker: &Tracker) -> Tasks<Ride> {
    let rides = tracker.tasks::<Ride>().unwrap();
    rides.submit_all([ride(1, 9), ride(2, 0)]).unwrap();
    rides
}

fn priority(rides: &Tasks<Ride>, number: u32) -> u8 {
    rides.get(number).unwrap().unwrap().priority
}

#[test]
fn update_moves_priority_in_claim_order() {
    let (_, tracker) = tracker();
    let rides = rides(&tracker);
    rides.update(2_u32, |ride| ride.priority = 200).unwrap();
    assert_eq!(priority(&rides, 2), 200);
    tracker.transaction(|transaction| transaction.update(&rides, 1_u32, |ride| ride.priority = 201)).unwrap();
    assert_eq!(priority(&rides, 1), 201);
    let claimed = [rides.claim().unwrap().unwrap(), rides.claim().unwrap().unwrap()];
    assert_eq!(claimed.each_ref().map(|ride| ride.number), [1, 2]);
    sound(&tracker);
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "parcel", status = Status, priority = 5)]
struct Parcel {
    #[task(id)]
    number: u32,
    #[task(priority)]
    urgency: u8,
    /// Has no meaning to the tracker in spite of its name.
    priority: u8,
}

#[test]
fn untyped_replace_follows_the_priority_field_of_the_kind() {
    let (_, tracker) = tracker();
    let parcels = tracker.tasks::<Parcel>().unwrap();
    parcels.submit_all([1, 2].map(|number| Parcel { number, urgency: 9, priority: 9 })).unwrap();
    let untyped = tracker.untyped("parcel").unwrap();
    let replace = |number: u32, field: &str, value: serde_json::Value| {
        let record = untyped.get(number).unwrap().unwrap();
        let mut task = serde_json::to_value(&record.task).unwrap();
        task[field] = value;
        untyped.replace(number, record.revision, &serde_json::from_value(task).unwrap())
    };
    let priority = |number: u32| parcels.get(number).unwrap().unwrap().priority;
    replace(2, "urgency", json!(200)).unwrap();
    assert_eq!(priority(2), 200);
    replace(1, "priority", json!(201)).unwrap();
    assert_eq!(priority(1), 9, "this field has no meaning to the tracker");
    let error = refused(replace(1, "urgency", json!(256)), ErrorKind::Invalid);
    assert!(error.to_string().contains(r#"field "urgency" holds the priority"#), "{error}");
    assert_eq!(parcels.claim().unwrap().unwrap().number, 2);
    sound(&tracker);

    // A file that was filled by lines knows the field as well.
    let mut lines = Vec::new();
    tracker.export(&mut lines).unwrap();
    let (_, other) = crate::support::kinds::tracker();
    other.import(&lines[..]).unwrap();
    let untyped = other.untyped("parcel").unwrap();
    let record = untyped.get(1_u32).unwrap().unwrap();
    let mut task = serde_json::to_value(&record.task).unwrap();
    task["urgency"] = json!(77);
    untyped.replace(1_u32, record.revision, &serde_json::from_value(task).unwrap()).unwrap();
    assert_eq!(untyped.get(1_u32).unwrap().unwrap().priority, 77);
}

#[tokio::test]
async fn async_update_and_checkpoint_move_priority() {
    let (_, tracker) = tracker();
    let rides = rides(&tracker);
    let calls = rides.asynchronous();
    calls.update(2_u32, |ride| ride.priority = 200).await.unwrap();
    assert_eq!(priority(&rides, 2), 200);
    let mut second = calls.claim().await.unwrap().unwrap();
    second.priority = 3;
    second.checkpoint().await.unwrap();
    assert_eq!(priority(&rides, 2), 3);
    second.priority = 4;
    second.succeed().await.unwrap();
    assert_eq!(priority(&rides, 2), 4);
    sound(&tracker);
}

#[test]
fn update_of_other_field_keeps_chosen_priority() {
    let (_, tracker) = tracker();
    let rides = tracker.tasks::<Ride>().unwrap();
    rides.submit_with(&ride(1, 9), &SubmitOptions::new().priority(77)).unwrap();
    rides.update(1_u32, |ride| ride.seen = 1).unwrap();
    assert_eq!(priority(&rides, 1), 77);
    let mut first = rides.claim().unwrap().unwrap();
    first.seen = 2;
    first.checkpoint().unwrap();
    first.seen = 3;
    first.succeed().unwrap();
    assert_eq!(priority(&rides, 1), 77);
}

#[test]
fn every_stored_change_of_an_attempt_moves_priority() {
    let (_, tracker) = tracker();
    let rides = rides(&tracker);
    let mut first = rides.start(1_u32).unwrap();
    first.priority = 30;
    first.checkpoint().unwrap();
    assert_eq!(priority(&rides, 1), 30);
    first.priority = 31;
    first.fail("dropped with its changes").unwrap();
    assert_eq!(priority(&rides, 1), 30);
    let mut second = rides.start(2_u32).unwrap();
    second.priority = 40;
    second.fail_with_changes("kept with its changes").unwrap();
    assert_eq!(priority(&rides, 2), 40);
    let mut third = rides.start(2_u32).unwrap();
    third.priority = 45;
    third.give_up_with_changes("kept, and no further attempt").unwrap();
    assert_eq!(
        (priority(&rides, 2), format!("{:?}", rides.get(2_u32).unwrap().unwrap().status)),
        (45, "Exhausted".to_owned())
    );
    rides
        .run(1_u32, |ride| {
            ride.priority = 50;
            Ok::<_, Error>(())
        })
        .unwrap();
    assert_eq!(priority(&rides, 1), 50);
    sound(&tracker);
}

#[test]
fn changed_fingerprint_moves_priority() {
    let (_, tracker) = tracker();
    let rides = rides(&tracker);
    rides.submit(&Ride { version: 1, ..ride(2, 60) }).unwrap();
    assert_eq!(priority(&rides, 2), 60);
    rides.submit(&ride(2, 61)).unwrap();
    let mut running = rides.start(2_u32).unwrap();
    running.priority = 7;
    rides.submit(&Ride { version: 2, ..ride(2, 62) }).unwrap();
    running.succeed().unwrap();
    let record = rides.get(2_u32).unwrap().unwrap();
    assert_eq!((record.priority, record.task.priority, record.status), (62, 62, Status::Pending));
    sound(&tracker);
}

#[test]
fn untyped_replace_moves_priority() {
    let (_, tracker) = tracker();
    let rides = rides(&tracker);
    let untyped = tracker.untyped("ride").unwrap();
    let replace = |value: serde_json::Value| {
        let record = untyped.get(2_u32).unwrap().unwrap();
        let mut payload = serde_json::to_value(&record.task).unwrap();
        payload["priority"] = value;
        let payload: Payload = serde_json::from_value(payload).unwrap();
        untyped.replace(2_u32, record.revision, &payload)
    };
    replace(json!(70)).unwrap();
    assert_eq!(priority(&rides, 2), 70);
    let error = refused(replace(json!(300)), ErrorKind::Invalid);
    assert!(error.to_string().contains("0 to 255"), "{error}");
    assert_eq!(priority(&rides, 2), 70);
    sound(&tracker);
}

#[test]
fn import_takes_priority_from_the_type() {
    let (_, tracker) = tracker();
    let rides = rides(&tracker);
    let line = r#"{"id": 3, "payload": {"number": 3, "priority": 80, "version": 0, "seen": 0}}"#;
    tracker.import_with(line.as_bytes(), &ImportOptions::new().kind("ride")).unwrap();
    assert_eq!(priority(&rides, 3), 80);
    let line = r#"{"id": 4, "priority": 6, "payload": {"number": 4, "priority": 80, "version": 0, "seen": 0}}"#;
    tracker.import_with(line.as_bytes(), &ImportOptions::new().kind("ride")).unwrap();
    assert_eq!(priority(&rides, 4), 6);
}

fn is_own_id(error: &Error) {
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert_eq!(error.refusal().unwrap().reason, Reason::SubmitsItself);
    assert!(error.to_string().contains("snooze") && error.to_string().contains("new id"), "{error}");
}

#[test]
fn success_that_submits_its_own_id_is_refused() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["one"]);
    let mut one = tasks.start("one").unwrap();
    one.submit_next(&tasks, &job("two")).unwrap();
    one.submit_next(&tasks, &job("one")).unwrap();
    is_own_id(&one.succeed().unwrap_err());
    assert!(tasks.get("two").unwrap().is_none(), "nothing of the success is stored");
    one.snooze(MINUTE).unwrap();
    assert_eq!(status(&tasks, "one"), Status::Pending);
    sound(&tracker);
}

#[tokio::test]
async fn async_success_that_submits_its_own_id_is_refused() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["one"]);
    let mut one = tasks.asynchronous().start("one").await.unwrap();
    one.submit_next(&tasks, &job("one")).unwrap();
    is_own_id(&one.succeed().await.unwrap_err());
}

#[test]
fn worker_stores_refusal_of_own_id_as_failure() {
    let (_, tracker) = tracker();
    // One attempt only: the worker ends instead of waiting for a retry.
    let tasks = tracker.tasks::<Page>().unwrap();
    tasks.submit(&page("one", 1)).unwrap();
    let summary = tasks
        .worker()
        .run(|one| {
            one.submit_next(&tasks, &page("one", 1))?;
            Ok::<_, Error>(())
        })
        .unwrap();
    assert_eq!((summary.succeeded, summary.failed), (0, 1));
    let record = tasks.get("one").unwrap().unwrap();
    let failure = record.history[0].failure.clone().unwrap();
    assert!(failure.error.contains("snooze"), "{}", failure.error);
}

#[test]
fn transaction_that_submits_and_ends_a_task_is_refused() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["one"]);
    let mut one = tasks.start("one").unwrap();
    is_own_id(&one.succeed_with(|transaction| transaction.submit(&tasks, &job("one"))).unwrap_err());
    let before = tracker.transaction(|transaction| {
        transaction.submit(&tasks, &job("one"))?;
        transaction.succeed(&mut one)
    });
    is_own_id(&before.unwrap_err());
    let after = tracker.transaction(|transaction| {
        transaction.succeed(&mut one)?;
        transaction.submit(&tasks, &job("one"))
    });
    is_own_id(&after.unwrap_err());
    one.succeed_with(|transaction| transaction.submit(&tasks, &job("two"))).unwrap();
    assert_eq!((status(&tasks, "one"), status(&tasks, "two")), (Status::Succeeded, Status::Pending));
}

#[test]
fn success_may_submit_its_own_id_with_changed_fingerprint() {
    let (_, tracker) = tracker();
    let pages = tracker.tasks::<Page>().unwrap();
    pages.submit(&page("one", 1)).unwrap();
    let mut one = pages.claim().unwrap().unwrap();
    one.submit_next(&pages, &page("one", 2)).unwrap();
    one.succeed().unwrap();
    let again = pages.get("one").unwrap().unwrap();
    assert_eq!((again.status, again.task.version), (Status::Pending, 2));
    assert_eq!(pages.submit(&page("one", 2)).unwrap().submission, Submission::Existing);
}

#[test]
fn empty_list_of_statuses_matches_no_task() {
    let (_, tracker) = tracker();
    let tasks: Tasks<Job> = one_of_each(&tracker);
    let all = tasks.query().total().unwrap();
    assert!(all > 0);
    let none = || tasks.query().statuses([]);
    assert_eq!((none().total().unwrap(), none().fetch().unwrap().len(), none().ids().unwrap().len()), (0, 0, 0));
    assert_eq!(none().by_creation().fetch().unwrap().len(), 0);
    assert_eq!(none().index("host", "a").total().unwrap(), 0);
    assert_eq!(none().containing("e").fetch().unwrap().len(), 0);
    assert_eq!(none().page_with_total().unwrap().total, Some(0));
    assert_eq!((none().remove().unwrap(), none().requeue().unwrap()), (0, 0));
    assert_eq!((none().cancel().unwrap(), none().ignore("").unwrap()), (0, 0));
    assert_eq!(tasks.query().total().unwrap(), all, "a query without filters matches all");
    assert_eq!(none().status(Status::Failed).total().unwrap(), 1, "a further status counts");
    let untyped = tracker.untyped("job").unwrap();
    assert_eq!(untyped.prune_older_than(&[], std::time::Duration::ZERO).unwrap(), 0);
}
