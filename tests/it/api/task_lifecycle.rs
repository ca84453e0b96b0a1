//! Tests the whole life of a task in one piece.

use tracker_core::{ErrorKind, Submission, Tracker, time::ManualClock};

use crate::support::{
    kinds::{Job, Status, job},
    place::OpenInPlace as _,
};

#[test]
fn three_failures_exhaust_a_task_and_requeue_resets_it() {
    let clock = ManualClock::new();
    let tracker = Tracker::options().clock(clock.clone()).open_memory().unwrap();
    let jobs = tracker.tasks::<Job>().unwrap();
    assert_eq!(jobs.submit(&job("one")).unwrap().submission, Submission::New);
    assert_eq!(jobs.submit(&job("one")).unwrap().submission, Submission::Existing);
    for attempt in 1..=3 {
        let mut claimed = jobs.claim().unwrap().expect("it is due");
        assert_eq!(claimed.attempt(), attempt);
        claimed.fail("no luck").unwrap();
        assert!(jobs.claim().unwrap().is_none(), "it waits for its delay");
        clock.advance(std::time::Duration::from_secs(10));
    }
    assert_eq!(jobs.start("one").unwrap_err().kind(), ErrorKind::Ended);
    let record = jobs.get("one").unwrap().unwrap();
    assert_eq!((record.status, record.failures, record.history.len()), (Status::Exhausted, 3, 3));
    assert_eq!(jobs.counts().unwrap().get(Status::Exhausted), 1);
    jobs.requeue("one").unwrap();
    jobs.run("one", |job| {
        job.result = Some(7);
        Ok::<_, std::io::Error>(())
    })
    .unwrap();
    let record = jobs.get("one").unwrap().unwrap();
    assert_eq!((record.status, record.failures, record.task.result), (Status::Succeeded, 0, Some(7)));
    assert_eq!(tracker.verify().unwrap(), []);
}
