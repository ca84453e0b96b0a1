//! User code that panics in an attempt of an async handler fails only that attempt.

#[path = "../fixtures/hostile.rs"]
mod hostile;

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
};

use tracker_core::{Tracker, worker::RunError};

use self::hostile::{FAULTS, Fault, Job, failure, handler, job};
use super::Status;

/// A tracker with one task of this fault before nineteen without.
fn jobs_with(fault: Fault) -> Tracker {
    let tracker = Tracker::in_memory().unwrap();
    let jobs = tracker.tasks::<Job>().unwrap();
    jobs.submit(&job(0, fault)).unwrap();
    jobs.submit_all((1..20).map(|number| job(number, Fault::None))).unwrap();
    tracker
}

#[tokio::test]
async fn panic_of_user_code_fails_only_its_attempt() {
    for (fault, text) in FAULTS {
        for (concurrency, prefetch) in [(1, 0), (2, 0), (2, 16)] {
            let tracker = jobs_with(fault);
            let jobs = tracker.tasks::<Job>().unwrap();
            let worker = jobs.async_worker().concurrency(concurrency).prefetch(prefetch);
            let summary = worker
                .run(async |job| {
                    tokio::task::yield_now().await;
                    handler(job)
                })
                .await
                .unwrap();
            assert_eq!((summary.succeeded, summary.failed), (19, 1), "{fault:?}: {summary}");
            let texts = failure(&tracker);
            assert!(texts.iter().any(|stored| stored.contains(text)), "{fault:?}: {texts:?}");
            let panicked = !matches!(fault, Fault::BrokenDisplay | Fault::Unserializable);
            assert_eq!(summary.panicked == 1, panicked, "{fault:?}");
            assert_eq!(tracker.verify().unwrap(), []);
        }
    }
}

#[tokio::test]
async fn panic_of_user_code_fails_a_single_run() {
    for (fault, text) in FAULTS {
        if matches!(fault, Fault::PanicPayloadDrop | Fault::ErrorDrop) {
            // The caller gets the value, and drops it.
            continue;
        }
        let tracker = Tracker::in_memory().unwrap();
        let jobs = tracker.tasks::<Job>().unwrap();
        jobs.submit(&job(0, fault)).unwrap();
        let error = jobs.asynchronous().run(0u32, async |job| handler(job)).await.unwrap_err();
        assert!(matches!(error, RunError::Handler(_)), "{fault:?}");
        std::mem::forget(error);
        let texts = failure(&tracker);
        assert!(texts.iter().any(|stored| stored.contains(text)), "{fault:?}: {texts:?}");
    }
}

/// Where the future of a handler panics.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    FirstPoll,
    LaterPoll,
    Drop,
    DropAtTimeout,
    PollAndDrop,
}

/// Ends at its second poll, and panics where it is asked to.
struct HandlerFuture {
    place: Option<Place>,
    polls: usize,
}

impl Future for HandlerFuture {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.polls += 1;
        match (self.place, self.polls) {
            (Some(Place::FirstPoll | Place::PollAndDrop), 1) | (Some(Place::LaterPoll), 2) => panic!("ouch in a poll"),
            (Some(Place::DropAtTimeout), _) => Poll::Pending,
            (_, 1) => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
            _ => Poll::Ready(()),
        }
    }
}

impl Drop for HandlerFuture {
    fn drop(&mut self) {
        let drops = matches!(self.place, Some(Place::Drop | Place::DropAtTimeout));
        assert!(!drops, "ouch in a drop");
        assert!(self.place != Some(Place::PollAndDrop) || std::thread::panicking(), "a second panic");
    }
}

#[tokio::test]
async fn panic_of_a_handler_future_fails_only_its_attempt() {
    let places = [
        (Place::FirstPoll, "ouch in a poll"),
        (Place::LaterPoll, "ouch in a poll"),
        (Place::Drop, "ouch in a drop"),
        (Place::DropAtTimeout, "ouch in a drop"),
        (Place::PollAndDrop, "ouch in a poll"),
    ];
    for (place, text) in places {
        for prefetch in [0, 16] {
            let tracker = jobs_with(Fault::None);
            let jobs = tracker.tasks::<Job>().unwrap();
            let worker = jobs.async_worker().concurrency(2).prefetch(prefetch).timeout(super::ms(300));
            let summary = worker
                .run(async |job| {
                    let place = (job.number == 0).then_some(place);
                    let mut future = HandlerFuture { place, polls: 0 };
                    poll_fn(|context| Pin::new(&mut future).poll(context)).await;
                    Ok::<_, std::convert::Infallible>(())
                })
                .await
                .unwrap();
            let counts = (summary.succeeded, summary.failed, summary.panicked);
            assert_eq!(counts, (19, 1, 1), "{place:?}: {summary}");
            let texts = failure(&tracker);
            assert!(texts.iter().any(|stored| stored.contains(text)), "{place:?}: {texts:?}");
            assert_eq!(tracker.verify().unwrap(), []);
        }
    }
}
