//! Tests starts by id and their options, and executions that end without an outcome.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use tracker_core::{ErrorKind, execution::StartOptions, record::AttemptStatus};

use crate::support::kinds::{DAY, SECOND, Status, fine, job, jobs, refused, sound, status, tracker};

const TINY: Duration = Duration::from_micros(1);

#[test]
fn only_steal_lease_takes_a_live_lease() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["a", "done"]);
    let mut old = tasks.start("a").unwrap();
    refused(tasks.start_with("a", &StartOptions::new().force()), ErrorKind::Leased);
    let mut new = tasks.start_with("a", &StartOptions::new().steal_lease()).unwrap();
    assert!(new.fence() > old.fence());
    refused(old.succeed(), ErrorKind::LeaseLost);
    new.fail("no luck").unwrap();
    let record = tasks.get("a").unwrap().unwrap();
    assert_eq!((record.attempts, record.failures, record.crashes, record.ended), (2, 1, 0, 2));
    assert_eq!(record.history[0].status, AttemptStatus::TakenOver);

    tasks.start("done").unwrap().succeed().unwrap();
    refused(tasks.start_with("done", &StartOptions::new().steal_lease()), "AlreadySucceeded");
    sound(&tracker);
}

#[test]
fn progress_lasts_as_long_as_its_attempt() {
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &["a"]);
    let told = || tasks.get("a").unwrap().unwrap().progress.map(|progress| progress.done);
    let tell = |held: &mut tracker_core::Execution<crate::support::kinds::Job>, done| {
        held.progress(done, Some(9), "on the way");
        tracker.flush().unwrap();
        assert_eq!(told(), Some(done));
    };
    let mut held = tasks.start("a").unwrap();
    tell(&mut held, 3);
    clock.advance(SECOND);
    held.renew().unwrap();
    held.result = Some(1);
    held.checkpoint().unwrap();
    assert_eq!(told(), Some(3));
    let again = tasks.start_with("a", &StartOptions::new().reenter(held.token())).unwrap();
    let again = tasks.resume_ticket(&again.detach().unwrap()).unwrap();
    assert_eq!((again.attempt(), told()), (1, Some(3)), "the same attempt, by another hand");

    let mut other = tasks.start_with("a", &StartOptions::new().steal_lease()).unwrap();
    assert_eq!((other.attempt(), told()), (2, None), "the next owner starts anew");
    tell(&mut other, 1);
    other.fail("no luck").unwrap();
    let mut last = tasks.start("a").unwrap();
    assert_eq!((last.attempt(), told()), (3, None));
    tell(&mut last, 2);
    last.succeed().unwrap();
    assert_eq!(told(), None);
    sound(&tracker);
}

#[test]
fn force_starts_terminal_tasks_with_reset_counters() {
    let (_, tracker) = tracker();
    let tasks = crate::support::kinds::one_of_each(&tracker);
    for (name, kind) in [
        ("succeeded", "AlreadySucceeded"),
        ("exhausted", "Exhausted"),
        ("ignored", "Ignored"),
        ("cancelled", "Cancelled"),
    ] {
        refused(tasks.start(name), kind);
        refused(
            tasks.run(name, |_| fine()).map_err(|error| match error {
                tracker_core::worker::RunError::Refused(error) => error,
                other => panic!("{other:?}"),
            }),
            kind,
        );
        let mut forced = tasks.start_with(name, &StartOptions::new().force()).unwrap();
        assert_eq!(tasks.get(name).unwrap().unwrap().failures, 0);
        forced.release().unwrap();
        assert_eq!(status(&tasks, name), Status::Pending, "released, it is startable and not terminal again");
    }
    refused(tasks.start("parked"), ErrorKind::NotStartable);
    let extra = StartOptions::new().startable([Status::OnHold]);
    refused(
        tasks.start_with("pending", &StartOptions::new().startable([])).and_then(|mut d| d.park(Status::Failed)),
        ErrorKind::NotStartable,
    );
    let mut parked = tasks.start_with("parked", &extra).unwrap();
    parked.release().unwrap();
    assert_eq!(status(&tasks, "parked"), Status::OnHold);
    assert_eq!(
        tasks.claim_with(&StartOptions::new().startable([Status::OnHold, Status::Ignored])).unwrap().unwrap().name,
        "succeeded"
    );
    sound(&tracker);
}

#[test]
fn owner_reenters_its_lease_by_token() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["a"]);
    let mut old = tasks.claim().unwrap().unwrap();
    let wrong = StartOptions::new().reenter(uuid::Uuid::new_v4());
    refused(tasks.start_with("a", &wrong), ErrorKind::Leased);
    let mut again = tasks.start_with("a", &StartOptions::new().reenter(old.token())).unwrap();
    assert_eq!(again.attempt(), 1);
    assert!(again.token() != old.token() && again.fence() > old.fence());
    refused(old.renew(), ErrorKind::LeaseLost);
    again.succeed().unwrap();
    assert_eq!(tasks.get("a").unwrap().unwrap().ended, 1);
    sound(&tracker);
}

#[test]
fn check_start_agrees_with_start() {
    let (clock, tracker) = tracker();
    let tasks = crate::support::kinds::one_of_each(&tracker);
    let options = [StartOptions::new(), StartOptions::new().force(), StartOptions::new().startable([Status::OnHold])];
    for name in ["failed", "succeeded", "exhausted", "ignored", "cancelled", "parked", "leased", "pending", "nobody"] {
        for options in &options {
            let before = format!("{:?}", tasks.get(name).unwrap());
            let answer = tasks.check_start(name, options).map_err(|error| error.to_string());
            assert_eq!(format!("{:?}", tasks.get(name).unwrap()), before, "to ask changes nothing");
            let start = tasks.start_with(name, options);
            assert_eq!(start.as_ref().map(drop).map_err(ToString::to_string), answer, "{name} {options:?}");
            if let Ok(mut held) = start {
                held.release().unwrap();
            }
        }
    }
    let mine = tasks.start("pending").unwrap();
    tasks.check_start("pending", &StartOptions::new().reenter(mine.token())).unwrap();
    let lease = tasks.get("pending").unwrap().unwrap().lease.unwrap();
    refused(tasks.check_start("pending", &StartOptions::new()), ErrorKind::Leased);
    clock.advance(crate::support::kinds::MINUTE);
    assert!(lease.is_live(tracker.now() - TINY) && !lease.is_live(tracker.now()), "free at the very instant");
    tasks.check_start("pending", &StartOptions::new()).unwrap();
    sound(&tracker);
}

#[test]
fn start_of_a_task_out_of_crashes_marks_it_exhausted() {
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &["a", "beside it"]);
    let beside = tasks.start_with("beside it", &StartOptions::new().lease(DAY)).unwrap();
    for _ in 0..3 {
        tasks.start("a").unwrap().detach().unwrap();
        clock.advance(crate::support::kinds::MINUTE);
    }
    let mut fourth = tasks.start("a").unwrap();
    clock.advance(crate::support::kinds::MINUTE);
    refused(tasks.start("a"), "Exhausted");
    let record = tasks.get("a").unwrap().unwrap();
    assert_eq!((record.status, record.crashes, record.attempts), (Status::Exhausted, 4, 4));
    assert_eq!((record.lease, record.history.len()), (None, 4));
    refused(fourth.succeed(), ErrorKind::LeaseLost);
    let change = tracker.change_number().unwrap();
    refused(tasks.start("a"), "Exhausted");
    assert_eq!(tracker.change_number().unwrap(), change, "another refusal writes nothing");
    assert_eq!(status(&tasks, "beside it"), Status::InProgress);
    drop(beside);
    sound(&tracker);
}

#[test]
fn refusal_after_an_expired_lease_stores_its_end() {
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &["a", "b"]);
    let mut late = tasks.start("a").unwrap();
    tasks.cancel("a").unwrap();
    clock.advance(crate::support::kinds::MINUTE);
    refused(tasks.cancel("a"), "Cancelled");
    assert_eq!(status(&tasks, "a"), Status::Cancelled);
    refused(late.succeed(), ErrorKind::LeaseLost);
    assert_eq!(status(&tasks, "a"), Status::Cancelled);
    // The same inside a transaction, which goes on after the refusal.
    let mut late = tasks.start("b").unwrap();
    tasks.cancel("b").unwrap();
    clock.advance(crate::support::kinds::MINUTE);
    tracker
        .transaction(|txn| {
            refused(txn.cancel(&tasks, "b"), "Cancelled");
            txn.submit(&tasks, &job("c"))
        })
        .unwrap();
    refused(late.succeed(), ErrorKind::LeaseLost);
    assert_eq!((status(&tasks, "b"), status(&tasks, "c")), (Status::Cancelled, Status::Pending));
    sound(&tracker);
}

#[test]
fn execution_dropped_without_outcome_fails() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["dropped", "panicked", "asked"]);
    drop(tasks.start("dropped").unwrap());
    let panic = catch_unwind(AssertUnwindSafe(|| {
        let _held = tasks.start("panicked").unwrap();
        panic!("ouch");
    }));
    assert!(panic.is_err());
    tasks.start("asked").unwrap().release().unwrap();
    tracker.flush().unwrap();
    let text = |name: &str| {
        let record = tasks.get(name).unwrap().unwrap();
        assert_eq!((record.status, record.failures), (Status::Failed, 1));
        record.history[0].failure.clone().unwrap()
    };
    assert!(text("dropped").error.contains("without an outcome"));
    assert!(text("panicked").panicked);
    assert_eq!(status(&tasks, "asked"), Status::Pending);
    sound(&tracker);
}

#[test]
fn panic_in_run_is_recorded_and_propagated() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["a"]);
    let panic = catch_unwind(AssertUnwindSafe(|| {
        tasks.run("a", |job| -> std::io::Result<()> {
            job.result = Some(1);
            panic!("number {}", job.name.len() + 6)
        })
    }));
    assert_eq!(panic.unwrap_err().downcast_ref::<String>().unwrap(), "number 7");
    let record = tasks.get("a").unwrap().unwrap();
    let failure = record.history[0].failure.clone().unwrap();
    assert_eq!((failure.error.as_str(), failure.panicked), ("number 7", true));
    assert_eq!((record.status, record.task.result), (Status::Failed, None));
    sound(&tracker);
}

#[test]
fn zero_lease_is_refused_before_any_write() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["a"]);
    for lease in [Duration::ZERO, TINY, Duration::from_micros(999)] {
        let options = StartOptions::new().lease(lease);
        refused(tasks.start_with("a", &options), ErrorKind::Invalid);
        refused(tasks.claim_with(&options), ErrorKind::Invalid);
    }
    assert_eq!(tasks.get("a").unwrap().unwrap().attempts, 0);
    let held = tasks.start_with("a", &StartOptions::new().lease(Duration::MAX)).unwrap();
    assert!(held.lease() > DAY * 365);
    let _ = tasks.get("a").unwrap().unwrap().lease.unwrap();
    sound(&tracker);
}
