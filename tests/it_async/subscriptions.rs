//! Tests of subscriptions as streams.

use std::{task::Context, time::Duration};

use tracker_core::events::{EventKind, Notification};

use super::jobs;

fn done(notification: Option<Notification>) -> Option<u64> {
    match notification {
        Some(Notification::Event(event)) => match event.what {
            EventKind::Progress { done, .. } => Some(done),
            _ => None,
        },
        _ => None,
    }
}

#[tokio::test]
async fn stream_yields_events_and_ends_with_the_tracker() {
    let (tracker, _, tasks) = jobs(2);
    let mut events = tracker.subscription().without_progress().subscribe().stream();
    let consumer = tokio::spawn(async move {
        let mut all = Vec::new();
        while let Some(notification) = events.next().await {
            if let Notification::Event(event) = notification {
                all.push(event.id.to_string());
            }
        }
        all
    });
    tasks.asynchronous().cancel("1").await.unwrap();
    tokio::task::spawn_blocking(move || tracker.close().unwrap()).await.unwrap();
    assert_eq!(consumer.await.unwrap(), ["1"]);
}

#[tokio::test]
async fn stream_ends_when_its_subscription_is_closed() {
    let (_tracker, _, tasks) = jobs(0);
    let mut events = tasks.subscribe().stream();
    let handle = events.subscription().handle();
    let waits = tokio::spawn(async move { events.next().await });
    tokio::task::yield_now().await;
    handle.close();
    assert_eq!(waits.await.unwrap(), None);
}

#[tokio::test]
async fn stream_yields_withheld_progress_after_its_interval() {
    let (tracker, _, tasks) = jobs(1);
    let mut events = tasks.subscription().progress_interval(Duration::from_millis(20)).subscribe().stream();
    let mut held = tasks.asynchronous().claim().await.unwrap().unwrap();
    let mut seen = Vec::new();
    for number in 1..=3 {
        held.progress(number, None, "");
        tracker.flush().unwrap();
        if number == 1 {
            while seen.is_empty() {
                seen.extend(done(events.next().await));
            }
        }
    }
    while seen.last() != Some(&3) {
        seen.extend(done(events.next().await));
    }
    assert!(seen == [1, 3] || seen == [1, 2, 3], "{seen:?}");
}

#[tokio::test]
async fn stream_is_pending_while_nothing_happens() {
    use std::{future::Future as _, pin::pin, task::Waker};
    let (_tracker, _, tasks) = jobs(0);
    let mut events = tasks.subscribe().stream();
    let mut next = pin!(events.next());
    assert!(next.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    tasks.asynchronous().pause().await.unwrap();
    assert!(matches!(next.await, Some(Notification::KindPaused { .. })));
}
