//! Tests of the ways in which a subscription delivers: waits, callbacks, its end, snapshots, and progress under load.

use std::{
    collections::BTreeMap,
    sync::{
        Barrier,
        mpsc::{RecvTimeoutError, channel},
    },
    thread,
    time::{Duration, Instant},
};

use tracker_core::{
    ErrorKind, TaskStatus as _, Tasks, Tracker,
    events::{EventKind, Notification},
};

use crate::support::kinds::{Job, MINUTE, job, jobs, refused, sound, tracker};

/// The progress of a notification.
fn done(notification: &Notification) -> Option<u64> {
    match notification {
        Notification::Event(event) => match event.what {
            EventKind::Progress { done, .. } => Some(done),
            _ => None,
        },
        _ => None,
    }
}

#[test]
fn mass_of_progress_displaces_no_event() {
    const UPDATES: u64 = 20_000;
    let (_, tracker) = tracker();
    let jobs = jobs(&tracker, &["a"]);
    let events = jobs.subscribe();
    let mut held = jobs.start("a").unwrap();
    for done in 1..=UPDATES {
        held.progress(done, Some(UPDATES), "");
    }
    tracker.flush().unwrap();
    held.succeed().unwrap();
    let notifications: Vec<_> = std::iter::from_fn(|| events.try_next()).collect();
    let [claimed, empty, progress, ended] = &notifications[..] else { panic!("{notifications:?}") };
    assert!(matches!(claimed, Notification::Event(event) if matches!(event.what, EventKind::Claimed { .. })));
    assert!(matches!(empty, Notification::QueueEmpty { running: 1, .. }));
    assert_eq!(done(progress), Some(UPDATES));
    assert!(matches!(ended, Notification::Event(event) if matches!(event.what, EventKind::Ended { .. })));
}

#[test]
fn progress_comes_at_most_once_in_its_interval() {
    let (_, tracker) = tracker();
    let jobs = jobs(&tracker, &["a"]);
    let interval = Duration::from_millis(30);
    let often = jobs.subscription().progress_interval(Duration::ZERO).subscribe();
    let seldom = jobs.subscription().progress_interval(interval).subscribe();
    let never = jobs.subscription().progress_interval(Duration::MAX).subscribe();
    let mut held = jobs.start("a").unwrap();
    let (mut all, mut times) = (Vec::new(), Vec::new());
    for number in 1..=3 {
        held.progress(number, None, "");
        tracker.flush().unwrap();
        all.extend(std::iter::from_fn(|| often.try_next()).filter_map(|event| done(&event)));
        times
            .extend(std::iter::from_fn(|| seldom.try_next()).filter_map(|event| Some((done(&event)?, Instant::now()))));
    }
    assert_eq!(all, [1, 2, 3]);
    while times.last().is_none_or(|(number, _)| *number < 3) {
        let event = seldom.next_within(MINUTE).unwrap();
        times.extend(done(&event).map(|number| (number, Instant::now())));
    }
    // The receiver takes its time after the delivery that the interval counts from.
    assert!(times.len() <= 3 && times[0].0 == 1, "{times:?}");
    let mut only: Vec<_> = std::iter::from_fn(|| never.try_next()).collect();
    held.progress(4, None, "");
    tracker.flush().unwrap();
    only.extend(std::iter::from_fn(|| never.try_next()));
    assert_eq!(only.iter().filter_map(done).collect::<Vec<_>>(), [3]);
}

#[test]
fn closed_subscription_returns_at_once_to_all() {
    let (_, tracker) = tracker();
    let (mut events, handle) = {
        let events = tracker.subscribe();
        let handle = events.handle();
        (events, handle)
    };
    let waits = thread::spawn(move || (events.next(), events.next_within(Duration::MAX), events.is_closed()));
    handle.close();
    assert_eq!(waits.join().unwrap(), (None, None, true));
    assert!(handle.is_closed());
    let unread = tracker.subscribe();
    jobs(&tracker, &["a"]);
    unread.close();
    assert_eq!(unread.try_next(), None, "what was not read is dropped");
    let dropped = tracker.subscribe().handle();
    assert!(dropped.is_closed());
}

#[test]
fn subscription_ends_with_the_tracker() {
    let (_, tracker) = tracker();
    let mut events = tracker.subscribe();
    jobs(&tracker, &["a"]);
    let other = tracker.clone();
    tracker.close().unwrap();
    assert!(events.is_closed());
    assert!(events.next().is_some(), "what was committed can be read");
    assert_eq!(events.next(), None);
    assert_eq!(other.subscribe().next(), None);
    refused(other.subscription().subscribe_with_snapshot(|| Ok(())), ErrorKind::Closed);
}

#[test]
fn capacity_of_zero_reports_only_that_something_changed() {
    let (_, tracker) = tracker();
    let events = tracker.subscription().capacity(0).subscribe();
    jobs(&tracker, &["a", "b"]);
    assert_eq!(events.try_next(), Some(Notification::Lagged(2)));
    assert_eq!(events.try_next(), None);
}

#[test]
fn callback_gets_events_and_may_panic_block_and_call_back() {
    let (_, tracker) = tracker();
    let jobs = tracker.tasks::<Job>().unwrap();
    let (sender, received) = channel();
    let (release, wait) = channel::<()>();
    let inner = jobs.clone();
    let handle = jobs
        .subscribe()
        .spawn(move |notification| {
            let Notification::Event(event) = notification else { return };
            if event.what == EventKind::Submitted && event.id.to_string() == "a" {
                inner.submit(&job("from the callback")).unwrap();
                wait.recv().unwrap();
                panic!("the callback panics");
            }
            let _ = sender.send(event.id.to_string());
        })
        .unwrap();
    let (other, others) = channel();
    let second = jobs.subscribe().spawn(move |notification| drop(other.send(notification))).unwrap();
    jobs.submit(&job("a")).unwrap();
    jobs.submit(&job("b")).unwrap();
    for _ in 0..3 {
        others.recv_timeout(MINUTE).unwrap();
    }
    assert!(received.try_recv().is_err(), "the first callback blocks, the second one does not notice");
    release.send(()).unwrap();
    let mut ids = [received.recv_timeout(MINUTE).unwrap(), received.recv_timeout(MINUTE).unwrap()];
    ids.sort();
    assert_eq!(ids, ["b", "from the callback"]);
    handle.close();
    second.close();
    assert!(received.recv_timeout(MINUTE).is_err(), "the closed thread drops its callback");
    sound(&tracker);
}

#[test]
fn waker_is_called_when_a_drained_subscription_is_ready() {
    let (_, tracker) = tracker();
    let jobs = jobs(&tracker, &["a"]);
    let events = jobs.subscription().progress_interval(Duration::from_millis(20)).subscribe();
    let (sender, woken) = channel();
    let next = || woken.recv_timeout(MINUTE).unwrap();
    events
        .on_ready(move || {
            sender.send(()).unwrap();
            panic!("the waker panics");
        })
        .unwrap();
    let drain = || std::iter::from_fn(|| events.try_next()).collect::<Vec<_>>();
    let mut held = jobs.start("a").unwrap();
    next();
    held.progress(1, None, "");
    tracker.flush().unwrap();
    while drain().iter().all(|event| done(event) != Some(1)) {}
    while woken.try_recv().is_ok() {}
    held.progress(2, None, "");
    tracker.flush().unwrap();
    let mut progress = Vec::new();
    while progress.is_empty() {
        progress.extend(drain().iter().filter_map(done));
        if progress.is_empty() {
            next();
        }
    }
    assert_eq!(progress, [2], "the end of its interval wakes, too");
    drop(events);
    let end = std::iter::repeat_with(|| woken.recv_timeout(MINUTE)).find_map(Result::err);
    assert_eq!(end, Some(RecvTimeoutError::Disconnected), "the thread ends with the subscription");
}

/// Submits, ends and deletes a few tasks over and over.
fn change(tracker: &Tracker, jobs: &Tasks<Job>) {
    for number in 0..40 {
        let id = format!("{}", number % 7);
        jobs.submit(&job(&id)).unwrap();
        match number % 3 {
            0 => drop(jobs.start(id.as_str()).map(|mut held| held.succeed())),
            1 => drop(jobs.remove(id.as_str())),
            _ => drop(tracker.transaction(|tx| tx.submit(jobs, &job("in a transaction")))),
        }
    }
}

#[test]
fn snapshot_and_later_events_make_the_table_of_the_file() {
    for round in 0..20 {
        let (_, tracker) = tracker();
        let jobs = tracker.tasks::<Job>().unwrap();
        let read = || {
            let found = jobs.query().fetch()?;
            Ok(found.into_iter().map(|record| (record.id.to_string(), record.status.code())).collect())
        };
        let capacity = if round % 2 == 0 { 1024 } else { 1 };
        let begin = Barrier::new(2);
        thread::scope(|scope| {
            let writes = scope.spawn(|| {
                begin.wait();
                change(&tracker, &jobs);
            });
            begin.wait();
            for _ in 0..round {
                jobs.counts().unwrap();
            }
            let options = jobs.subscription().capacity(capacity);
            let (events, mut table): (_, BTreeMap<String, i32>) = options.subscribe_with_snapshot(read).unwrap();
            let mut apply = |notification| match notification {
                Notification::Event(event) => match event.status {
                    Some(code) => drop(table.insert(event.id.to_string(), code)),
                    None => drop(table.remove(&event.id.to_string())),
                },
                Notification::Lagged(_) => table = read().unwrap(),
                _ => {}
            };
            while !writes.is_finished() {
                events.next_within(Duration::from_millis(1)).map(&mut apply);
            }
            std::iter::from_fn(|| events.try_next()).for_each(apply);
            assert_eq!(table, read().unwrap(), "round {round}");
        });
    }
}
