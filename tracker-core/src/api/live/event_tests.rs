//! Tests of subscriptions of other processes: what they yield, their bounds, and their end.

use std::{io::Write as _, os::unix::net::UnixListener, thread};

use super::{
    Client, EventSelection, EventStream, LiveEvent, address,
    frame::{self, Answer, Reply},
    tests::{Fixture, Job, TEST_TIMEOUT},
};
use crate::{
    Result, Tracker,
    engine::{EventKind, Notification},
    model::{error::ErrorKind, transition::AttemptStatus},
};

fn subscribe(fixture: &Fixture, selection: &EventSelection) -> EventStream {
    fixture.client().unwrap().subscribe(selection).unwrap()
}

fn submit(tracker: &Tracker, names: impl IntoIterator<Item = String>) {
    tracker.tasks::<Job>().unwrap().submit_all(names.into_iter().map(|name| Job { name })).unwrap();
}

fn task_event(event: Result<LiveEvent>) -> (Option<String>, u32, Option<String>, EventKind) {
    let LiveEvent { notification: Notification::Event(event), status } = event.unwrap() else {
        panic!("a task's event")
    };
    (status.map(|status| status.name), event.attempt, event.error, event.what)
}

#[test]
fn live_event_has_status_attempt_and_error() {
    let mut fixture = Fixture::new();
    let mut events = subscribe(&fixture, &EventSelection::default());
    let jobs = fixture.job();
    let mut job = jobs.worker_name("w").claim().unwrap().unwrap();
    job.progress(1, Some(2), "half");
    fixture.tracker.flush().unwrap();
    job.fail("no\nmore").unwrap();
    jobs.remove("a").unwrap();
    let name = |name: &str| Some(name.to_owned());
    let (done, message) = (1, "half".to_owned());
    for expected in [
        (name("Pending"), 0, None, EventKind::Submitted),
        (name("InProgress"), 1, None, EventKind::Claimed { worker: "w".into() }),
        (None, 1, None, EventKind::Progress { done, total: Some(2), message }),
        (name("Failed"), 1, name("no\nmore"), EventKind::Ended { status: AttemptStatus::Failed }),
    ] {
        let event = events.find(|event| matches!(event, Ok(LiveEvent { notification: Notification::Event(_), .. })));
        assert_eq!(task_event(event.unwrap()), expected);
    }
    fixture.tracker.clone().close().unwrap();
    fixture.stop();
    let rest: Vec<_> = events.by_ref().map(|event| event.unwrap().notification).collect();
    assert!(
        matches!(&rest[..], [Notification::Event(deleted), Notification::QueueEmpty { .. }] if deleted.what == EventKind::Deleted),
        "events before the close are sent: {rest:?}"
    );
    assert!(events.next().is_none());
}

#[test]
fn selection_by_kind_and_without_progress_filters_events() {
    let mut fixture = Fixture::new();
    let jobs = fixture.job();
    let client = fixture.client().unwrap();
    let unknown = EventSelection { kind: Some("nothing".into()), ..EventSelection::default() };
    assert_eq!(client.subscribe(&unknown).unwrap_err().kind(), ErrorKind::Invalid);

    let others = fixture.tracker.tasks_as::<Job>("other").unwrap();
    let selection = EventSelection { kind: Some("other".into()), without_progress: true };
    let mut events = client.subscribe(&selection).unwrap();
    let mut job = jobs.claim().unwrap().unwrap();
    others.submit(&Job { name: "b".into() }).unwrap();
    let mut other = others.claim().unwrap().unwrap();
    other.progress(1, None, "");
    job.progress(1, None, "");
    fixture.tracker.flush().unwrap();
    other.succeed().unwrap();
    job.succeed().unwrap();
    fixture.tracker.clone().close().unwrap();
    fixture.stop();
    let seen: Vec<_> = events.by_ref().map(|event| event.unwrap()).collect();
    let of_tasks = seen.iter().filter_map(|event| match &event.notification {
        Notification::Event(event) => Some((&*event.kind, event.attempt)),
        _ => None,
    });
    assert_eq!(of_tasks.collect::<Vec<_>>(), [("other", 0), ("other", 1), ("other", 1)], "{seen:?}");
}

#[test]
fn slow_reader_gets_the_number_of_missed_events() {
    const TASKS: usize = 20_000;
    let mut fixture = Fixture::new();
    let events = subscribe(&fixture, &EventSelection::default());
    for part in 0..2 {
        // No commit waits for the reader, which reads nothing yet.
        submit(&fixture.tracker, (0..TASKS / 2).map(|number| format!("{part}-{number}")));
    }
    let (mut seen, mut missed) = (0, 0);
    for event in events {
        match event.unwrap().notification {
            Notification::Event(_) => seen += 1,
            Notification::Lagged(number) => missed += usize::try_from(number).unwrap(),
            other => panic!("{other:?}"),
        }
        if seen + missed == TASKS {
            break;
        }
    }
    assert!(missed > 0, "{seen} events were kept");
    fixture.stop();
}

#[test]
fn reader_that_never_reads_does_not_delay_the_stop() {
    let mut fixture = Fixture::new();
    let events = subscribe(&fixture, &EventSelection::default());
    submit(&fixture.tracker, (0..5_000).map(|number| number.to_string()));
    fixture.stop();
    assert!(events.count() < 5_000, "the connection is closed");
}

#[test]
fn subscriptions_are_bounded_and_leave_room_for_calls() {
    let mut fixture = Fixture::new();
    let client = fixture.client().unwrap();
    let streams: Vec<_> = (0..32).map(|_| client.subscribe(&EventSelection::default()).unwrap()).collect();
    let error = client.subscribe(&EventSelection::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy);
    assert!(error.to_string().contains("32 other processes follow the events"), "{error}");
    assert!(client.now().is_ok());
    // A closed subscription makes room for another one.
    drop(streams);
    let again = (0..).find_map(|_| client.subscribe(&EventSelection::default()).ok());
    assert!(again.is_some());
    fixture.stop();
}

#[test]
fn handle_ends_a_stream_that_waits() {
    let mut fixture = Fixture::new();
    let mut events = subscribe(&fixture, &EventSelection::default());
    let handle = events.handle();
    let next = thread::scope(|scope| {
        let waiting = scope.spawn(|| events.next());
        handle.close();
        waiting.join().unwrap()
    });
    assert!(next.is_none(), "{next:?}");
    assert!(events.next().is_none());
    fixture.stop();
}

#[test]
fn stream_of_a_killed_process_ends_with_an_error() {
    let mut fixture = Fixture::new();
    fixture.stop();
    let listener = UnixListener::bind(fixture.socket()).unwrap();
    let server = thread::spawn(move || {
        let answer = |reply| frame::encode(&Answer::Ok(reply), frame::LONGEST_ANSWER).unwrap();
        for reply in [Reply::Time(chrono::DateTime::UNIX_EPOCH), Reply::Subscribed] {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(&frame::hello()).unwrap();
            std::io::Read::read_exact(&mut stream, &mut [0; frame::HELLO]).unwrap();
            frame::read(&mut stream, frame::LONGEST_CALL).unwrap();
            stream.write_all(&answer(reply)).unwrap();
        }
    });
    let directories = vec![fixture.socket().parent().unwrap().to_owned()];
    assert_eq!(fixture.socket().file_name().unwrap().to_str(), Some(address::socket_name(fixture.file()).as_str()));
    let client = Client::find_in(directories, fixture.file(), TEST_TIMEOUT).unwrap().unwrap();
    let mut events = client.subscribe(&EventSelection::default()).unwrap();
    server.join().unwrap();
    assert_eq!(events.next().unwrap().unwrap_err().kind(), ErrorKind::Closed);
    assert!(events.next().is_none());
}
