//! Tests of debounced submits: single, in bulk, of running and ended tasks, after a restart, and wrong options.

use std::time::Duration;

use tracker_core::{ErrorKind, Submission, Tracker, submit::SubmitOptions, time::ManualClock};

use crate::support::{
    kinds::{Job, MINUTE, Page, SECOND, Status, job, jobs, page, refused, sound, tracker},
    place::OpenInPlace as _,
};

fn settled() -> SubmitOptions {
    SubmitOptions::new().debounce(5 * SECOND, MINUTE)
}

#[test]
fn burst_of_submits_runs_once_with_the_last_payload() {
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &[]);
    for result in 0..4 {
        let receipt = tasks.submit_with(&Job { result: Some(result), ..job("page") }, &settled()).unwrap();
        assert_eq!(receipt.submission, if result == 0 { Submission::New } else { Submission::Existing });
        clock.advance(4 * SECOND);
        assert!(tasks.claim().unwrap().is_none());
    }
    clock.advance(SECOND);
    let mut execution = tasks.claim().unwrap().unwrap();
    assert_eq!(execution.result, Some(3));
    execution.succeed().unwrap();
    assert!(tasks.claim().unwrap().is_none());
    sound(&tracker);
}

#[test]
fn endless_submits_run_after_the_longest_wait() {
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &[]);
    let mut waited = Duration::ZERO;
    loop {
        tasks.submit_all_with(&[job("page"), job("other")], &settled()).unwrap();
        if let Some(mut execution) = tasks.claim().unwrap() {
            execution.succeed().unwrap();
            break;
        }
        clock.advance(3 * SECOND);
        waited += 3 * SECOND;
    }
    assert_eq!(waited, MINUTE);
    sound(&tracker);
}

#[test]
fn running_and_ended_tasks_run_again_after_the_delay() {
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &["page"]);
    let mut execution = tasks.claim().unwrap().unwrap();
    tasks.submit_with(&Job { result: Some(7), ..job("page") }, &settled()).unwrap();
    clock.advance(SECOND);
    execution.succeed().unwrap();
    assert!(tasks.claim().unwrap().is_none());
    clock.advance(4 * SECOND);
    let mut execution = tasks.claim().unwrap().unwrap();
    assert_eq!(execution.result, Some(7));
    execution.succeed().unwrap();
    assert_eq!(tasks.submit_with(&job("page"), &settled()).unwrap().submission, Submission::Requeued);
    assert!(tasks.claim().unwrap().is_none());
    clock.advance(5 * SECOND);
    tasks.claim().unwrap().unwrap().succeed().unwrap();
    // An equal fingerprint says that nothing has changed since the end.
    let pages = tracker.tasks::<Page>().unwrap();
    pages.submit(&page("a", 1)).unwrap();
    pages.claim().unwrap().unwrap().succeed().unwrap();
    assert_eq!(pages.submit_with(&page("a", 1), &settled()).unwrap().submission, Submission::Existing);
    assert_eq!(pages.get("a").unwrap().unwrap().status, Status::Succeeded);
    assert_eq!(pages.submit_with(&page("a", 2), &settled()).unwrap().submission, Submission::Requeued);
    sound(&tracker);
}

#[test]
fn burst_goes_on_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    let clock = ManualClock::new();
    let open = || Tracker::options().clock(clock.clone()).open_at(&path).unwrap();
    for _ in 0..15 {
        let tracker = open();
        let tasks = jobs(&tracker, &[]);
        tasks.submit_with(&job("page"), &settled()).unwrap();
        assert!(tasks.claim().unwrap().is_none());
        tracker.close().unwrap();
        clock.advance(4 * SECOND);
    }
    let tracker = open();
    let tasks = jobs(&tracker, &[]);
    tasks.submit_with(&job("page"), &settled()).unwrap();
    assert!(tasks.claim().unwrap().is_some(), "a minute after the first submit");
}

#[test]
fn debounce_refuses_delays_that_cannot_hold() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &[]);
    for (delay, max_wait) in [(Duration::ZERO, MINUTE), (MINUTE, SECOND)] {
        let options = SubmitOptions::new().debounce(delay, max_wait);
        let error = refused(tasks.submit_with(&job("page"), &options), ErrorKind::Invalid).to_string();
        assert!(error.contains(&format!("by {delay:?} for at most {max_wait:?}")), "{error}");
    }
    assert_eq!(tasks.counts().unwrap().total(), 0);
    tasks.submit_with(&job("page"), &SubmitOptions::new().debounce(Duration::MAX, Duration::MAX)).unwrap();
    sound(&tracker);
}
