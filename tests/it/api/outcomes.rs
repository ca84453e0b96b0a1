//! Tests the outcomes of attempts, and what is stored with each.

use std::{fmt, io, time::Duration};

use serde::{Deserialize, Serialize};
use tracker_core::{
    ErrorKind, Outcome, TaskStatus, Tasks, TrackedTask, record::AttemptStatus, time::ManualClock, worker::RunError,
};

use crate::support::kinds::{
    Job, MINUTE, SECOND, Status, fine, job, jobs, one_of_each, refused, sound, status, tracker,
};

#[test]
fn each_outcome_leads_to_its_status() {
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &["succeed", "fail", "give up", "ignore", "snooze", "park", "release", "fail in"]);
    let start = |name: &str| {
        let mut held = tasks.start(name).unwrap();
        held.result = Some(1);
        held
    };
    start("succeed").succeed().unwrap();
    start("fail").fail("no luck").unwrap();
    start("give up").give_up("no use").unwrap();
    start("ignore").ignore("not wanted").unwrap();
    start("snooze").snooze(MINUTE).unwrap();
    start("park").park(Status::OnHold).unwrap();
    start("release").release().unwrap();
    start("fail in").fail_retry_in("later", MINUTE * 9).unwrap();
    for (name, status, attempts, failures, result, wait) in [
        ("succeed", Status::Succeeded, 1, 0, Some(1), Duration::ZERO),
        ("fail", Status::Failed, 1, 1, None, SECOND * 10),
        ("give up", Status::Exhausted, 1, 1, None, Duration::ZERO),
        ("ignore", Status::Ignored, 1, 0, None, Duration::ZERO),
        ("snooze", Status::Pending, 0, 0, Some(1), MINUTE),
        ("park", Status::OnHold, 1, 0, Some(1), Duration::ZERO),
        ("release", Status::Pending, 0, 0, None, Duration::ZERO),
        ("fail in", Status::Failed, 1, 1, None, MINUTE * 9),
    ] {
        let record = tasks.get(name).unwrap().unwrap();
        assert_eq!(
            (record.status, record.attempts, record.failures, record.task.result, record.due_at),
            (status, attempts, failures, result, record.updated_at + wait),
            "{name}"
        );
        assert!(record.lease.is_none());
    }
    assert_eq!(tasks.claim().unwrap().unwrap().name, "release");
    tracker.flush().unwrap();
    clock.advance(SECOND * 10);
    assert_eq!(tasks.claim().unwrap().unwrap().name, "fail");
    sound(&tracker);
}

#[test]
fn handler_may_return_an_outcome() {
    let (_, tracker) = tracker();
    let outcomes = [
        (Outcome::Succeed, Status::Succeeded, AttemptStatus::Succeeded),
        (Outcome::Fail { retry_in: None }, Status::Failed, AttemptStatus::Failed),
        (Outcome::GiveUp, Status::Exhausted, AttemptStatus::GaveUp),
        (Outcome::Ignore, Status::Ignored, AttemptStatus::Ignored),
        (Outcome::Snooze { delay: SECOND }, Status::Pending, AttemptStatus::Snoozed),
        (Outcome::Park { code: Status::OnHold.code() }, Status::OnHold, AttemptStatus::Parked),
        (Outcome::Release, Status::Pending, AttemptStatus::Released),
    ];
    let tasks = jobs(&tracker, &["0", "1", "2", "3", "4", "5", "6"]);
    for (number, (outcome, status, attempt_status)) in outcomes.into_iter().enumerate() {
        let name = number.to_string();
        tasks
            .run(&name, |job| {
                job.note("was here");
                Ok::<_, io::Error>(outcome)
            })
            .unwrap();
        let record = tasks.get(&name).unwrap().unwrap();
        assert_eq!((record.status, record.history[0].status), (status, attempt_status));
        assert_eq!(record.history[0].notes, ["was here"]);
    }
    let wrong = Outcome::Park { code: Status::Succeeded.code() };
    let error = tasks.run("4", |_| Ok::<_, io::Error>(wrong)).unwrap_err();
    assert!(matches!(&error, RunError::Handler(_)), "{error:?}");
    let record = tasks.get("4").unwrap().unwrap();
    assert_eq!((record.status, record.failures), (Status::Failed, 1), "an outcome that is not to be had is a failure");
    sound(&tracker);
}

#[test]
fn outcome_stored_by_the_handler_is_the_only_one() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["a", "b"]);
    tasks
        .run("a", |job| {
            job.park(Status::OnHold)?;
            Ok::<_, tracker_core::Error>(())
        })
        .unwrap();
    assert_eq!(status(&tasks, "a"), Status::OnHold);
    let error = tasks.run("b", |job| {
        job.succeed()?;
        Err::<(), _>(tracker_core::Error::from(io_error()))
    });
    assert!(matches!(error, Err(RunError::Handler(_))));
    assert_eq!(status(&tasks, "b"), Status::Succeeded);
    sound(&tracker);
}

fn io_error() -> tracker_core::redb_store::redb::StorageError {
    tracker_core::redb_store::redb::StorageError::Io(io::Error::other("the disk"))
}

#[test]
fn run_returns_the_handler_error_and_stores_its_causes() {
    #[derive(Debug)]
    struct Outer(io::Error);
    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("outer")
        }
    }
    impl std::error::Error for Outer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["own", "anyhow", "long"]);
    let error = tasks.run("own", |_| Err::<(), _>(Outer(io::Error::other("inner")))).unwrap_err();
    let RunError::Handler(error) = error else { panic!("{error}") };
    assert!(error.downcast_ref::<Outer>().is_some());
    tasks.run("anyhow", |_| Err::<(), _>(anyhow::anyhow!("root").context("middle").context("top"))).unwrap_err();
    tasks.run("long", |_| Err::<(), _>("é".repeat(100_000))).unwrap_err();
    let failure = |name: &str| tasks.get(name).unwrap().unwrap().history[0].failure.clone().unwrap();
    let own = failure("own");
    assert_eq!((own.error.as_str(), own.causes.as_slice()), ("outer", &["inner".to_owned()][..]));
    assert!(own.debug.contains("Outer") && !own.panicked);
    assert_eq!(failure("anyhow").error, "top");
    assert_eq!(failure("anyhow").causes, ["middle", "root"]);
    let long = failure("long").error;
    assert!(long.len() < 17 << 10 && long.contains("200000 bytes"), "{}", long.len());
    sound(&tracker);
}

#[test]
fn checkpoint_survives_a_failure() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["dropped", "checkpoint", "kept"]);
    let result = |name: &str| tasks.get(name).unwrap().unwrap().task.result;
    let mut held = tasks.start("dropped").unwrap();
    held.result = Some(1);
    held.fail("no").unwrap();
    let mut held = tasks.start("checkpoint").unwrap();
    held.host = "b".to_owned();
    held.result = Some(1);
    held.checkpoint().unwrap();
    assert_eq!(result("checkpoint"), Some(1));
    assert_eq!(tasks.query().index("host", "b").total().unwrap(), 1);
    held.result = Some(2);
    held.fail("no").unwrap();
    let mut held = tasks.start("kept").unwrap();
    held.result = Some(1);
    held.fail_with_changes("no").unwrap();
    assert_eq!((result("dropped"), result("checkpoint"), result("kept")), (None, Some(1), Some(1)));
    sound(&tracker);
}

#[test]
fn history_keeps_the_last_attempts_and_counts_all() {
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &["a"]);
    for number in 0..12_u32 {
        let mut held = tasks.worker_name("w").start("a").unwrap();
        held.note(format!("note {number}"));
        held.metric("number", f64::from(number));
        clock.advance(SECOND);
        match number % 3 {
            0 => held.fail(format!("error {number}")).unwrap(),
            1 => held.snooze(SECOND).unwrap(),
            _ => held.succeed().unwrap(),
        }
        if number % 3 == 2 {
            tasks.requeue("a").unwrap();
        }
    }
    let record = tasks.get("a").unwrap().unwrap();
    assert_eq!((record.ended, record.history.len(), record.attempts), (12, 5, 8));
    for (attempt, number) in record.history.iter().zip(7_u32..) {
        assert_eq!(attempt.notes, [format!("note {number}")]);
        assert_eq!(attempt.metrics, [("number".to_owned(), f64::from(number))]);
        assert_eq!((attempt.worker.as_str(), attempt.duration), ("w", SECOND));
        assert_eq!(attempt.failure.is_some(), number % 3 == 0);
    }
    assert!(record.history.is_sorted_by_key(|attempt| attempt.fence));
    let mut held = tasks.start("a").unwrap();
    for number in 0..150_u32 {
        held.note("x".repeat(20_000));
        held.metric("m", f64::from(number));
    }
    held.progress(1, Some(2), "half");
    tracker.flush().unwrap();
    let progress = tasks.get("a").unwrap().unwrap().progress.unwrap();
    assert_eq!((progress.done, progress.total, progress.message.as_str()), (1, Some(2), "half"));
    held.succeed().unwrap();
    let record = tasks.get("a").unwrap().unwrap();
    let last = record.history.last().unwrap();
    assert_eq!((last.notes.len(), last.metrics.len()), (100, 100));
    assert!(record.progress.is_none());
    sound(&tracker);
}

#[test]
fn cancel_ends_a_pending_task_and_notifies_a_running_one() {
    let (clock, tracker) = tracker();
    let tasks = one_of_each(&tracker);
    for (name, kind) in [
        ("succeeded", "AlreadySucceeded"),
        ("exhausted", "Exhausted"),
        ("ignored", "Ignored"),
        ("cancelled", "Cancelled"),
        ("nobody", "NotFound"),
    ] {
        refused(tasks.cancel(name), kind);
        refused(tasks.ignore(name, "why"), kind);
        refused(tasks.move_to(name, Status::OnHold), kind);
    }
    for name in ["failed", "pending", "parked"] {
        tasks.cancel(name).unwrap();
        assert_eq!(status(&tasks, name), Status::Cancelled);
    }
    tasks.cancel("leased").unwrap();
    assert!(tasks.get("leased").unwrap().unwrap().cancel_requested);
    clock.advance(MINUTE);
    tasks.rescue().unwrap();
    assert_eq!(status(&tasks, "leased"), Status::Cancelled, "a rescue of a cancelled task ends it");

    tasks.submit_all(["win", "fail", "drop", "snooze"].map(job)).unwrap();
    for name in ["win", "fail", "drop", "snooze"] {
        let mut held = tasks.start(name).unwrap();
        assert!(!held.is_cancelled());
        tasks.cancel(name).unwrap();
        held.renew().unwrap();
        assert!(held.is_cancelled());
        match name {
            "win" => held.succeed().unwrap(),
            "fail" => held.fail("no").unwrap(),
            "snooze" => held.snooze(SECOND).unwrap(),
            _ => drop(held),
        }
        tracker.flush().unwrap();
        let expected = if name == "win" { Status::Succeeded } else { Status::Cancelled };
        assert_eq!(status(&tasks, name), expected, "{name}");
    }
    tasks.requeue("fail").unwrap();
    tasks.run("fail", |_| fine()).unwrap();
    sound(&tracker);
}

#[test]
fn progress_reports_the_cancellation() {
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["a"]);
    let mut held = tasks.start("a").unwrap();
    tasks.cancel("a").unwrap();
    held.progress(1, None, "");
    tracker.flush().unwrap();
    held.progress(2, None, "");
    assert!(held.is_cancelled(), "the first progress was told");
    drop(held);
    sound(&tracker);
}

#[test]
fn move_to_leads_between_parked_and_startable() {
    let (_, tracker) = tracker();
    let tasks = one_of_each(&tracker);
    refused(tasks.move_to("leased", Status::OnHold), ErrorKind::Leased);
    refused(tasks.move_to("pending", Status::Succeeded), ErrorKind::NotStartable);
    refused(tasks.move_to("pending", Status::InProgress), ErrorKind::NotStartable);
    for (from, to) in [("parked", Status::Failed), ("pending", Status::OnHold), ("failed", Status::Pending)] {
        tasks.move_to(from, to).unwrap();
        assert_eq!(status(&tasks, from), to);
    }
    let claims: Vec<_> = std::iter::from_fn(|| tasks.claim().unwrap())
        .map(|held: tracker_core::Execution<Job>| held.name.clone())
        .collect();
    assert_eq!(claims.len(), 2, "{claims:?}");
    sound(&tracker);
}

/// Half of its delay is left to chance.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "call", status = Status, max_attempts = 9, lease = "1m", backoff = "fixed(10s)", jitter = 0.5)]
struct Call {
    #[task(id)]
    number: u32,
}

/// A way in which all tasks end at once.
type End<'e> = &'e dyn Fn(&Tasks<Call>, &ManualClock);

#[test]
fn jitter_spreads_retries() {
    let all = |tasks: &Tasks<Call>| std::iter::from_fn(|| tasks.claim().unwrap()).collect::<Vec<_>>();
    let fail = |tasks: &Tasks<Call>, _: &ManualClock| all(tasks).iter_mut().for_each(|held| held.fail("no").unwrap());
    let crash = |tasks: &Tasks<Call>, clock: &ManualClock| {
        for held in all(tasks) {
            held.detach().unwrap();
        }
        clock.advance(MINUTE);
    };
    let rescue = |tasks: &Tasks<Call>, clock: &ManualClock| {
        crash(tasks, clock);
        assert_eq!(tasks.rescue().unwrap().len(), 60);
    };
    let be_found = |tasks: &Tasks<Call>, clock: &ManualClock| {
        crash(tasks, clock);
        while tasks.counts().unwrap().get(Status::InProgress) > 0 {
            assert!(tasks.claim().unwrap().is_none());
        }
    };
    let ends: [End; 3] = [&fail, &rescue, &be_found];
    for end in ends {
        let (clock, tracker) = tracker();
        let tasks = tracker.tasks::<Call>().unwrap();
        tasks.submit_all((0..60).map(|number| Call { number })).unwrap();
        end(&tasks, &clock);
        let delays = tasks.query().fetch().unwrap().into_iter().map(|record| record.due_at - record.updated_at);
        let delays: std::collections::BTreeSet<_> = delays.map(|delay| delay.num_milliseconds()).collect();
        assert!(delays.iter().all(|delay| (5_000..=10_000).contains(delay)), "{delays:?}");
        assert!(delays.len() > 20, "{delays:?}");
        sound(&tracker);
    }
}
