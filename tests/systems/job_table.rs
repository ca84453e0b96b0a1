//! A job table: integer codes, a pipeline in one row, staged changes.

use std::io;

use serde::{Deserialize, Serialize};
use tracker_core::{
    ErrorKind, TaskStatus, Tasks, TrackedTask, Tracker, execution::StartOptions, status::Role, worker::RunError,
};

use crate::{
    kinds::{SECOND, fine, refused, sound, tracker},
    listener::told,
};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    #[status(step = "one")]
    OnePending = 110,
    OneInProgress = 120,
    OneFailed = 130,
    OneSucceeded = 140,
    OneIgnored = 150,
    #[status(step = "two")]
    TwoInProgress = 220,
    TwoFailed = 230,
    TwoSucceeded = 240,
    TwoIgnored = 250,
    #[status(step = "three")]
    ThreeInProgress = 320,
    ThreeFailed = 330,
    ThreeSucceeded = 340,
    ThreeIgnored = 350,
}

const STEPS: [&str; 3] = ["one", "two", "three"];

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[task(name = "job", status = Status, max_attempts = 3)]
struct Job {
    #[task(id)]
    id: u32,
    value: u32,
}

fn jobs(tracker: &Tracker, ids: std::ops::Range<u32>) -> Tasks<Job> {
    let jobs = tracker.tasks::<Job>().unwrap();
    jobs.submit_all(ids.map(|id| Job { id, value: 0 })).unwrap();
    jobs
}

fn unlucky() -> io::Result<()> {
    Err(io::Error::other("no luck"))
}

/// Status, failures and value.
fn state(jobs: &Tasks<Job>, id: u32) -> (Status, u32, u32) {
    let record = jobs.get(id).unwrap().unwrap();
    (record.status, record.failures, record.task.value)
}

fn through(jobs: &Tasks<Job>, id: u32, steps: &[&str]) {
    for step in steps {
        jobs.step(step).unwrap().run(id, |_| fine()).unwrap();
    }
}

#[test]
fn three_steps_start_from_the_success_of_the_one_before() {
    let (_, tracker) = tracker();
    let jobs = jobs(&tracker, 1..3);
    refused(jobs.step("two").unwrap().start(1), "WrongStep");
    for (step, code) in STEPS.into_iter().zip([140, 240, 340]) {
        let (before, step) = (state(&jobs, 1).2, jobs.step(step).unwrap());
        step.run(1, |job| {
            job.value += 1;
            fine()
        })
        .unwrap();
        assert_eq!((state(&jobs, 1).0.code(), state(&jobs, 1).2), (code, before + 1));
    }
    assert_eq!(jobs.counts().unwrap().total(), 2, "one row, whatever the steps");
    assert_eq!(state(&jobs, 2), (Status::OnePending, 0, 0));
    sound(&tracker);
}

#[test]
fn changes_are_stored_on_success_and_dropped_on_error() {
    let (_, tracker) = tracker();
    let jobs = jobs(&tracker, 1..2);
    let one = jobs.step("one").unwrap();
    let error = one
        .run(1, |job| {
            job.value = 7;
            unlucky()
        })
        .unwrap_err();
    assert!(matches!(error, RunError::Handler(own) if own.to_string() == "no luck"), "raised to the caller");
    assert_eq!(state(&jobs, 1), (Status::OneFailed, 1, 0));
    let attempt = jobs.get(1).unwrap().unwrap().history.pop().unwrap();
    let failure = attempt.failure.unwrap();
    assert_eq!(failure.error, "no luck");
    assert!(failure.debug.contains("Custom"), "what its Debug says, with a backtrace where it has one: {failure:?}");
    one.run(1, |job| {
        job.value = 7;
        fine()
    })
    .unwrap();
    assert_eq!(state(&jobs, 1), (Status::OneSucceeded, 0, 7));
    sound(&tracker);
}

#[test]
fn skip_handler_error_hides_no_refused_start() {
    let (_, tracker) = tracker();
    let jobs = jobs(&tracker, 1..2);
    let one = jobs.step("one").unwrap();
    one.run(1, |_| unlucky()).or_else(RunError::skip_handler_error).unwrap();
    assert_eq!(state(&jobs, 1), (Status::OneFailed, 1, 0), "it is booked all the same");
    let held = one.start(1).unwrap();
    let refused = |result: Result<(), RunError>| match result.or_else(RunError::skip_handler_error) {
        Err(RunError::Refused(error)) => error.kind(),
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(one.run(1, |_| unlucky())), ErrorKind::Leased);
    assert_eq!(refused(one.run(9, |_| unlucky())), ErrorKind::NotFound);
    drop(held);
    tracker.flush().unwrap();
    let lost = one.run(1, |_| {
        one.start_with(1, &StartOptions::new().steal_lease()).unwrap().succeed().unwrap();
        fine()
    });
    assert!(matches!(lost.or_else(RunError::skip_handler_error), Err(RunError::LeaseLost(_))));
    sound(&tracker);
}

#[test]
fn third_failure_of_three_ignores_the_job() {
    let (_, tracker) = tracker();
    let jobs = jobs(&tracker, 1..2);
    through(&jobs, 1, &["one"]);
    let two = jobs.step("two").unwrap();
    for (failures, code) in [(1, 230), (2, 230), (3, 250)] {
        two.run(1, |_| unlucky()).unwrap_err();
        assert_eq!((state(&jobs, 1).0.code(), state(&jobs, 1).1), (code, failures));
    }
    let refusal = refused(two.start(1), "Ignored");
    assert!(refusal.to_string().contains("ignored"), "{refusal}");
    sound(&tracker);
}

#[test]
fn succeeded_job_is_clean_and_does_not_run_again() {
    let (_, tracker) = tracker();
    let jobs = jobs(&tracker, 1..2);
    through(&jobs, 1, &["one", "two"]);
    let three = jobs.step("three").unwrap();
    three.run(1, |_| unlucky()).unwrap_err();
    three.run(1, |_| fine()).unwrap();
    assert_eq!(state(&jobs, 1), (Status::ThreeSucceeded, 0, 0));
    refused(three.start(1), "AlreadySucceeded");
    sound(&tracker);
}

#[test]
fn handler_cannot_change_status_lease_or_counters() {
    let (_, tracker) = tracker();
    let jobs = jobs(&tracker, 1..2);
    let one = jobs.step("one").unwrap();
    // All that a handler can set is the struct; not even the id of that.
    let all_of_it = one.run(1, |job| {
        *job.task_mut() = Job { id: 2, value: 9 };
        fine()
    });
    assert!(matches!(all_of_it, Err(RunError::Handler(_))), "{all_of_it:?}");
    one.run(1, |job| {
        *job.task_mut() = Job { id: 1, value: 9 };
        fine()
    })
    .unwrap();
    let record = jobs.get(1).unwrap().unwrap();
    assert_eq!((record.status, record.attempts, record.failures), (Status::OneSucceeded, 2, 0));
    assert_eq!((record.lease, record.task.value), (None, 9));
    sound(&tracker);
}

#[test]
fn one_query_retries_failed_jobs_of_all_steps() {
    let (clock, tracker) = tracker();
    let jobs = jobs(&tracker, 0..12);
    // The later their number, the earlier they fail; some in each step.
    for id in (0..9).rev() {
        let step = (id % 3) as usize;
        through(&jobs, id, &STEPS[..step]);
        jobs.step(STEPS[step]).unwrap().run(id, |_| unlucky()).unwrap_err();
        clock.advance(SECOND);
    }
    let failed = jobs.query().role(Role::Failed).oldest_first().limit(5).fetch().unwrap();
    assert_eq!(failed.iter().map(|record| record.task.id).collect::<Vec<_>>(), [8, 7, 6, 5, 4], "oldest first");
    for record in jobs.query().role(Role::Failed).fetch().unwrap() {
        let step = STEPS.into_iter().find(|step| jobs.step(step).unwrap().start(record.task.id).is_ok());
        assert!(step.is_some(), "each starts again in the step where it failed");
        tracker.flush().unwrap();
    }
    for step in STEPS {
        let step = jobs.step(step).unwrap();
        step.worker().run(|job| if job.id < 9 { fine() } else { unlucky() }).unwrap();
    }
    assert_eq!(jobs.query().role(Role::Failed).total().unwrap(), 0);
    let counts = jobs.counts().unwrap();
    assert_eq!((counts.get(Status::ThreeSucceeded), counts.get(Status::OneIgnored)), (9, 3));
    sound(&tracker);
}

#[test]
fn extra_startable_statuses_work_for_one_and_many() {
    let (_, tracker) = tracker();
    let jobs = jobs(&tracker, 1..4);
    let (one, two) = (jobs.step("one").unwrap(), jobs.step("two").unwrap());
    for id in 1..4 {
        through(&jobs, id, &["one"]);
    }
    two.start(1).unwrap().ignore("not wanted").unwrap();
    through(&jobs, 2, &["two"]);
    let one_more = StartOptions::new().startable([Status::TwoIgnored]);
    two.start_with(1, &one_more).unwrap().succeed().unwrap();
    refused(two.start_with(2, &one_more), "AlreadySucceeded");
    let many = StartOptions::new().startable([Status::TwoIgnored, Status::TwoSucceeded]);
    two.start_with(2, &many).unwrap().succeed().unwrap();
    refused(one.start(3), "AlreadySucceeded");
    one.start_with(3, &StartOptions::new().startable([Status::OneSucceeded])).unwrap().succeed().unwrap();
    assert!((1..3).all(|id| state(&jobs, id).0 == Status::TwoSucceeded));
    sound(&tracker);
}

#[test]
fn report_of_statuses_equals_a_scan_of_every_row() {
    let (_, tracker) = tracker();
    let jobs = jobs(&tracker, 0..40);
    for id in 0..40 {
        through(&jobs, id, &STEPS[..(id % 4) as usize]);
        if id % 5 == 0 && id % 4 < 3 {
            jobs.step(STEPS[(id % 4) as usize]).unwrap().run(id, |_| unlucky()).unwrap_err();
        }
    }
    let rows = jobs.query().fetch().unwrap();
    let report: Vec<_> = jobs.counts().unwrap().iter().filter(|(_, count)| *count > 0).collect();
    assert_eq!(report.iter().map(|(_, count)| count).sum::<u64>(), 40);
    for (code, count) in report {
        let status = Status::from_code(code).unwrap();
        assert_eq!(rows.iter().filter(|row| row.status == status).count() as u64, count, "{status:?}");
    }
    sound(&tracker);
}

#[test]
fn run_log_of_a_start_has_both_banners() {
    let (_, tracker) = tracker();
    let jobs = jobs(&tracker, 1..2).worker_name("me");
    let (one, two) = (jobs.step("one").unwrap(), jobs.step("two").unwrap());
    let lines = told(|| {
        one.run(1, |_| fine()).unwrap();
        for _ in 1..=3 {
            two.run(1, |_| unlucky()).or_else(RunError::skip_handler_error).unwrap();
        }
        refused(two.start(1), "Ignored");
    });
    let said: Vec<_> = lines.iter().map(String::as_str).collect();
    assert_eq!(
        said[..6],
        [
            r#"+----- start job "1" (110 OnePending, attempt 1) "#,
            "| trying to lock it, with status 120 (OneInProgress)",
            "| locked by me until 2030-01-01 00:05:00 UTC, fence 1",
            "| succeeded: status 140 (OneSucceeded), unlocked",
            "| goes on at 2030-01-01 00:00:00 UTC",
            r#"+----- end job "1" (140 OneSucceeded) "#,
        ]
    );
    let ends: Vec<_> = said.iter().filter(|line| line.starts_with("| failed")).collect();
    assert_eq!(
        ends,
        [
            &"| failed 1 of 3: status 230 (TwoFailed), unlocked",
            &"| failed 2 of 3: status 230 (TwoFailed), unlocked",
            &"| failed 3 times already: status 250 (TwoIgnored), unlocked",
        ]
    );
    assert_eq!(
        said[said.len() - 3..],
        [
            r#"+----- start job "1" (refused) "#,
            "| it is ignored; requeue it or start it with force: nothing is done",
            r#"+----- end job "1" (unchanged) "#,
        ]
    );
    let (starts, ends) = (
        lines.iter().filter(|line| line.starts_with("+----- start")),
        lines.iter().filter(|line| line.starts_with("+----- end")),
    );
    assert_eq!((starts.count(), ends.count()), (5, 5), "every banner is closed");
    sound(&tracker);
}
