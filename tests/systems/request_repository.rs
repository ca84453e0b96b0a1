//! A repository of requests with states, claims and correlation ids.

use std::{collections::BTreeSet, sync::Mutex, thread, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tracker_core::{
    ErrorKind, Execution, Record, Submission, TaskStatus, Tasks, TrackedTask, Tracker, events::Notification,
    submit::SubmittedRecord,
};

use crate::kinds::{MINUTE, SECOND, fine, refused, sound, tracker};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Pending = 1,
    #[status(in_progress)]
    Running = 2,
    #[status(succeeded)]
    Done = 3,
    #[status(exhausted)]
    Error = 4,
}

#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
enum Callback {
    None,
    Delivered,
    Failed,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[task(name = "request", status = Status, max_attempts = 1, lease = "1h", unique(client, number))]
struct Request {
    #[task(id)]
    correlation: String,
    #[task(index)]
    client: String,
    number: u32,
    url: String,
    callback: Callback,
    response: Option<Value>,
}

fn repository() -> (tracker_core::time::ManualClock, Tracker, Tasks<Request>) {
    let (clock, tracker) = tracker();
    let requests = tracker.tasks::<Request>().unwrap();
    (clock, tracker, requests)
}

fn insert(requests: &Tasks<Request>, client: &str, number: u32, url: &str) -> SubmittedRecord<Request, Status> {
    let correlation = uuid::Uuid::new_v4().simple().to_string()[..16].to_owned();
    let (client, url) = (client.to_owned(), url.to_owned());
    requests
        .submit_and_get(&Request { correlation, client, number, url, callback: Callback::None, response: None })
        .unwrap()
}

/// Done, or error if the response has one.
fn mark_done(request: &mut Execution<Request>, response: Value) -> tracker_core::Result<()> {
    let error = response.get("error").map(ToString::to_string);
    request.response = Some(response);
    match error {
        None => request.succeed(),
        Some(error) => request.fail_with_changes(error),
    }
}

fn of(requests: &Tasks<Request>, client: &str, number: u32) -> Record<Request, Status> {
    requests.get_by_key("client_number", &[&client, &number]).unwrap().unwrap()
}

#[test]
fn insert_is_idempotent_and_returns_the_stored_row() {
    let (_, tracker, requests) = repository();
    let SubmittedRecord { submission, record: first, .. } = insert(&requests, "ann", 1, "https://first");
    assert_eq!((submission, first.status), (Submission::New, Status::Pending));
    insert(&requests, "ann", 2, "https://ann");
    insert(&requests, "bob", 1, "https://bob");
    let again = |status| {
        let before = format!("{:?}", requests.get(&first.id).unwrap().unwrap());
        let SubmittedRecord { submission, record, .. } = insert(&requests, "ann", 1, "https://second");
        assert_eq!((submission, record.status), (Submission::Existing, status));
        assert_eq!(format!("{record:?}"), before);
        assert_eq!((&record.task.url, &record.id), (&first.task.url, &first.id), "the first one's");
    };
    again(Status::Pending);
    let mut held = requests.claim().unwrap().unwrap();
    again(Status::Running);
    mark_done(&mut held, json!({})).unwrap();
    again(Status::Done);
    requests
        .start_with(&first.id, &tracker_core::execution::StartOptions::new().force())
        .unwrap()
        .give_up("no")
        .unwrap();
    again(Status::Error);
    assert_eq!(requests.counts().unwrap().total(), 3, "another client's request of this number is another one");
    sound(&tracker);
}

#[test]
fn first_insert_is_found_by_its_correlation_id() {
    let (_, tracker, requests) = repository();
    let rows: Vec<_> = (0..20).map(|number| insert(&requests, "ann", number, "https://ann").record).collect();
    for row in &rows {
        let id = &row.task.correlation;
        assert!(id.len() == 16 && id.chars().all(|digit| digit.is_ascii_hexdigit()), "{id}");
        assert_eq!(requests.get(id.as_str()).unwrap().unwrap().task, row.task);
        assert_eq!(of(&requests, "ann", row.task.number).task, row.task);
    }
    assert_eq!(rows.iter().map(|row| &row.task.correlation).collect::<BTreeSet<_>>().len(), 20);
    assert!(requests.get("0123456789abcdef").unwrap().is_none());
    assert!(requests.get_by_key("client_number", &[&"bob", &1_u32]).unwrap().is_none());
    sound(&tracker);
}

#[test]
fn claims_are_oldest_first_and_exclusive() {
    let (clock, tracker, requests) = repository();
    for number in 0..200 {
        insert(&requests, "ann", number, "https://ann");
        clock.advance(SECOND);
    }
    let first: Vec<_> = (0..3).map(|_| requests.claim().unwrap().unwrap()).collect();
    assert_eq!(first.iter().map(|request| request.number).collect::<Vec<_>>(), [0, 1, 2]);
    let claimed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                // All requests stay claimed until the end.
                let mut held = Vec::new();
                while let Some(request) = requests.claim().unwrap() {
                    claimed.lock().unwrap().push(request.number);
                    held.push(request);
                }
                for mut request in held {
                    request.succeed().unwrap();
                }
            });
        }
    });
    let claimed = claimed.into_inner().unwrap();
    assert_eq!((claimed.len(), claimed.iter().collect::<BTreeSet<_>>().len()), (197, 197));
    drop(first);
    sound(&tracker);
}

#[test]
fn response_with_an_error_ends_as_error() {
    let (_, tracker, requests) = repository();
    for number in 0..4 {
        insert(&requests, "ann", number, "https://ann");
    }
    let responses = [json!({ "answer": 42 }), json!({ "error": "no such account" })];
    for response in &responses {
        mark_done(&mut requests.claim().unwrap().unwrap(), response.clone()).unwrap();
    }
    // From elsewhere, by the text of a ticket.
    let ticket = requests.claim().unwrap().unwrap().detach().unwrap().to_string();
    requests.resume_ticket(&ticket.parse().unwrap()).unwrap().give_up("timed out").unwrap();
    let rows: Vec<_> = (0..4).map(|number| of(&requests, "ann", number)).collect();
    let statuses: Vec<_> = rows.iter().map(|row| row.status).collect();
    assert_eq!(statuses, [Status::Done, Status::Error, Status::Error, Status::Pending]);
    assert!(rows.iter().map(|row| &row.task.response).eq([
        &Some(responses[0].clone()),
        &Some(responses[1].clone()),
        &None,
        &None
    ]));
    let errors = |row: &Record<Request, Status>| row.history[0].failure.clone().map(|failure| failure.error);
    assert_eq!((errors(&rows[0]), errors(&rows[2])), (None, Some("timed out".to_owned())));
    assert_eq!(errors(&rows[1]), Some("\"no such account\"".to_owned()));
    sound(&tracker);
}

#[test]
fn callback_state_is_separate() {
    let (_, tracker, requests) = repository();
    for number in 0..3 {
        insert(&requests, "ann", number, "https://ann");
    }
    mark_done(&mut requests.claim().unwrap().unwrap(), json!({})).unwrap();
    mark_done(&mut requests.claim().unwrap().unwrap(), json!({ "error": 1 })).unwrap();
    for (number, status) in [(0, Status::Done), (1, Status::Error), (2, Status::Pending)] {
        for callback in [Callback::Failed, Callback::Delivered] {
            let before = of(&requests, "ann", number);
            requests.update(&before.id, |request| request.callback = callback).unwrap();
            let after = of(&requests, "ann", number);
            assert_eq!((after.task.callback, after.status), (callback, status));
            assert_eq!((after.updated_at, after.ended), (before.updated_at, before.ended));
        }
    }
    assert_eq!(requests.claim().unwrap().unwrap().number, 2);
    refused(requests.update("nobody", |_| ()), ErrorKind::NotFound);
    sound(&tracker);
}

#[test]
fn rescue_takes_only_requests_that_run_too_long() {
    let (clock, tracker, requests) = repository();
    for number in 0..6 {
        insert(&requests, "ann", number, "https://ann");
    }
    let mut old: Vec<_> = (0..2).map(|_| requests.claim().unwrap().unwrap()).collect();
    requests.claim().unwrap().unwrap().succeed().unwrap();
    clock.advance(MINUTE * 10);
    let mut recent = requests.claim().unwrap().unwrap();
    let untouched = |requests: &Tasks<Request>| {
        let rows: Vec<_> = (2..6).map(|number| of(requests, "ann", number)).collect();
        format!("{rows:?}")
    };
    let before = untouched(&requests);
    let swept = requests.rescue_running_longer_than(MINUTE * 5).unwrap();
    assert_eq!(swept, old.iter().map(|request| request.id().clone()).collect::<Vec<_>>());
    assert_eq!(untouched(&requests), before, "recent, pending and done ones");
    for request in &mut old {
        let row = requests.get(request.id()).unwrap().unwrap();
        assert_eq!((row.status, row.attempts, row.crashes), (Status::Pending, 1, 1));
        refused(mark_done(request, json!({})), ErrorKind::LeaseLost);
    }
    assert!(requests.rescue_running_longer_than(MINUTE * 5).unwrap().is_empty());
    mark_done(&mut recent, json!({})).unwrap();
    assert_eq!(requests.start(&swept[0]).unwrap().attempt(), 2);
    sound(&tracker);
}

#[test]
fn queue_position_counts_pending_ahead_and_running() {
    let (clock, tracker, requests) = repository();
    let rows: Vec<_> = (0..10)
        .map(|number| {
            clock.advance(SECOND);
            insert(&requests, "ann", number, "https://ann").record
        })
        .collect();
    let place =
        |number: usize| requests.queue_position(&rows[number].id).unwrap().map(|place| (place.ahead, place.running));
    assert_eq!((place(0), place(9)), (Some((0, 0)), Some((9, 0))));
    let mut held: Vec<_> = (0..4).map(|_| requests.claim().unwrap().unwrap()).collect();
    assert_eq!((place(3), place(4), place(9)), (None, Some((0, 4)), Some((5, 4))));
    held[0].succeed().unwrap();
    assert_eq!((place(0), place(9)), (None, Some((5, 3))));
    refused(requests.queue_position("nobody"), ErrorKind::NotFound);
    for request in &mut held[1..] {
        request.release().unwrap();
    }
    sound(&tracker);
}

#[test]
fn listing_filters_by_client_and_statuses_in_pages() {
    let (clock, tracker, requests) = repository();
    for number in 0..30 {
        insert(&requests, ["ann", "bob"][number as usize % 2], number, "https://a");
        clock.advance(SECOND);
    }
    let mut expected = Vec::new();
    for number in 0..30 {
        let mut held = requests.claim().unwrap().unwrap();
        assert_eq!(held.number, number);
        match number % 3 {
            0 => held.release().unwrap(),
            1 => held.succeed().unwrap(),
            _ => held.give_up("no").unwrap(),
        }
        if number % 3 == 0 {
            requests.cancel(held.id()).unwrap_err();
            requests.start(held.id()).unwrap().detach().unwrap();
        } else if number % 2 == 0 {
            expected.insert(0, number);
        }
    }
    let mut found = Vec::new();
    let mut next = None;
    loop {
        let query = requests.query().index("client", "ann").statuses([Status::Done, Status::Error]);
        let page = query.by_creation().newest_first().limit(4).after(next).page_with_total().unwrap();
        assert_eq!(page.total, Some(expected.len() as u64));
        found.extend(page.items.iter().map(|record| record.task.number));
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    assert_eq!(found, expected);
    sound(&tracker);
}

#[test]
fn insert_wakes_a_waiting_worker() {
    let (_, tracker, requests) = repository();
    let worker = requests.worker().threads(3).keep_running();
    let (stop, watch) = (worker.stop_handle(), tracker.subscribe());
    thread::scope(|scope| {
        let working = scope.spawn(|| worker.run(|_| fine()).unwrap());
        for number in 0..20 {
            let id = insert(&requests, "ann", number, "https://ann").record.id;
            loop {
                match watch.next_within(Duration::from_secs(20)).unwrap() {
                    Notification::Event(event) if event.status == Some(Status::Done.code()) => {
                        assert_eq!(event.id, id);
                        break;
                    }
                    _ => {}
                }
            }
        }
        stop.stop();
        assert_eq!(working.join().unwrap().succeeded, 20);
    });
    sound(&tracker);
}
