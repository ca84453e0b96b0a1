//! Defects of five other systems, one test each, that the tracker does not have.

use std::{
    collections::BTreeSet,
    io, mem,
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    thread,
};

use tracker_core::{
    ErrorKind, Execution, Submission, Tracker, error::Reason, execution::StartOptions, file::Sharing,
    record::AttemptStatus, redb_store::OptionsExt, time::ManualClock, worker::RunError,
};

use crate::{
    disk::{Disk, Fault, Operation},
    kinds::{Import, ImportStatus, Job, Mail, SECOND, Status, fine, job, jobs, mail, refused, sound, tracker},
};

fn unlucky() -> io::Result<()> {
    Err(io::Error::other("no luck"))
}

/// A worker that dies during its task: no outcome is stored.
pub fn die<T: tracker_core::TrackedTask>(execution: Execution<T>) {
    mem::forget(execution);
}

#[test]
fn status_is_checked_in_the_transaction_of_the_claim() {
    // 2. The status is not re-checked when the lock is taken: a finished job runs again.
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["a"]);
    let seen = tasks.get("a").unwrap().unwrap();
    assert_eq!(seen.status, Status::Pending, "one has looked");
    tasks.run("a", |_| fine()).unwrap(); // and another has done it meanwhile
    refused(tasks.start(&seen.id), "AlreadySucceeded");
    // Many threads that all saw it pending: one runs it.
    tasks.submit_all((0..50).map(|number| job(&number.to_string()))).unwrap();
    let runs = AtomicU32::new(0);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for number in 0..50 {
                    let ran = tasks.run(number.to_string(), |_| {
                        runs.fetch_add(1, SeqCst);
                        fine()
                    });
                    assert!(matches!(ran, Ok(()) | Err(RunError::Refused(_))), "{ran:?}");
                }
            });
        }
    });
    assert_eq!(runs.into_inner(), 50);
    sound(&tracker);
}

#[test]
fn claim_of_the_next_task_is_atomic() {
    // 6. No atomic claim-next: workers collide on the same oldest rows.
    let (_, tracker) = tracker();
    let mails = tracker.tasks::<Mail>().unwrap();
    mails.submit_all((0..400).map(mail)).unwrap();
    let claimed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                // No claim fails because of another: there is nothing to retry.
                while let Some(mut one) = mails.claim().unwrap() {
                    claimed.lock().unwrap().push(one.number);
                    one.succeed().unwrap();
                }
            });
        }
    });
    let claimed = claimed.into_inner().unwrap();
    assert_eq!((claimed.len(), claimed.iter().collect::<BTreeSet<_>>().len()), (400, 400));
    assert!(mails.query().fetch().unwrap().iter().all(|record| record.attempts == 1));
    sound(&tracker);
}

#[test]
fn page_limit_is_total_and_kind_name_is_no_prefix() {
    // 7. A limit applied per shard; counts and deletes by *prefix* take other use cases with them.
    let (_, tracker) = tracker();
    let [test, test1] = ["test", "test1"].map(|name| tracker.tasks_as::<Mail>(name).unwrap());
    for tasks in [&test, &test1] {
        tasks.submit_all((0..90).map(mail)).unwrap();
        for number in 0..60 {
            tasks
                .run(number, |_| if number % 2 == 0 { fine() } else { unlucky() })
                .or_else(RunError::skip_handler_error)
                .unwrap();
        }
    }
    let all = test.query().statuses([Status::Pending, Status::Failed, Status::Succeeded]);
    for limit in [0, 1, 7, 90, 1_000] {
        assert_eq!(all.ids().unwrap().iter().take(limit).count(), all.clone().limit(limit).ids().unwrap().len());
    }
    assert_eq!((test.counts().unwrap().total(), test1.counts().unwrap().total()), (90, 90));
    assert_eq!(test.query().remove().unwrap(), 90);
    assert_eq!((test.counts().unwrap().total(), test1.counts().unwrap().total()), (0, 90));
    sound(&tracker);
}

#[test]
fn submit_of_an_existing_task_never_resets_it() {
    // 8. Creating an existing task resets it, even while it runs.
    let (_, tracker) = tracker();
    let tasks = crate::kinds::one_of_each(&tracker);
    let mut held = tasks.start("pending").unwrap();
    let before = format!("{:?}", tasks.query().fetch().unwrap());
    for record in tasks.query().fetch().unwrap() {
        let again = Job { result: Some(666), ..record.task };
        assert_eq!(tasks.submit(&again).unwrap().submission, Submission::Existing);
    }
    assert_eq!(format!("{:?}", tasks.query().fetch().unwrap()), before);
    held.succeed().unwrap();
    sound(&tracker);
}

#[test]
fn success_that_cannot_be_stored_is_no_failure() {
    // 9. A success that cannot be stored is booked as a failure of the task.
    let (disk, clock) = (Disk::default(), ManualClock::new());
    // The next write fails with EIO, and does nothing.
    let fault = Fault { operation: Operation::Write, nth: 1, error: 5, done: false, lasting: false };
    let open = disk.clone();
    let options = Tracker::options().sharing(Sharing::Exclusive).clock(clock);
    let tracker = options.open_backend(move || open.open()).unwrap();
    let tasks = jobs(&tracker, &["a", "b"]);
    let mut held = tasks.start("a").unwrap();
    held.result = Some(7);
    tracker.flush().unwrap();
    disk.fail(fault);
    let error = held.succeed().unwrap_err();
    assert!(!error.is_refusal(), "{error}");
    let record = tasks.get("a").unwrap().unwrap();
    assert_eq!((record.status, record.failures, record.ended), (Status::InProgress, 0, 0), "the lease stands");
    held.succeed().unwrap();
    let record = tasks.get("a").unwrap().unwrap();
    assert_eq!((record.status, record.failures, record.task.result), (Status::Succeeded, 0, Some(7)));
    let ran = tasks.run("b", |_| {
        disk.fail(fault);
        fine()
    });
    assert!(matches!(ran, Err(RunError::Storage(_))), "{ran:?}");
    tracker.flush().unwrap();
    assert_eq!(tasks.get("b").unwrap().unwrap().failures, 0);
    sound(&tracker);
}

#[test]
fn failure_drops_partial_changes() {
    // 10. Half-done data is saved on failure.
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["error", "panic", "dropped", "kept"]);
    let half = |job: &mut Execution<Job>| job.result = Some(1);
    tasks
        .run("error", |job| {
            half(job);
            unlucky()
        })
        .unwrap_err();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        tasks.run("panic", |job| {
            half(job);
            assert!(job.result.is_none(), "ouch");
            fine()
        })
    }));
    assert!(panicked.is_err());
    half(&mut tasks.start("dropped").unwrap());
    tracker.flush().unwrap();
    for name in ["error", "panic", "dropped"] {
        let record = tasks.get(name).unwrap().unwrap();
        assert_eq!((record.status, record.task.result), (Status::Failed, None), "{name}");
    }
    let mut kept = tasks.start("kept").unwrap();
    half(&mut kept);
    kept.fail_with_changes("kept on purpose, by name").unwrap();
    assert_eq!(tasks.get("kept").unwrap().unwrap().task.result, Some(1));
    sound(&tracker);
}

#[test]
fn each_step_counts_its_own_failures() {
    // 11. Steps share one retry counter, one error list.
    let (_, tracker) = tracker();
    let imports = tracker.tasks::<Import>().unwrap();
    imports.submit_all((0..3).map(|number| Import { number, rows: None })).unwrap();
    let (fetch, load) = (imports.step("fetch").unwrap(), imports.step("load").unwrap());
    fetch.run(1, |_| unlucky()).unwrap_err();
    assert_eq!(imports.get(1).unwrap().unwrap().failures, 1, "one of two");
    fetch.run(1, |_| fine()).unwrap();
    load.run(1, |_| unlucky()).unwrap_err();
    let record = imports.get(1).unwrap().unwrap();
    assert_eq!((record.status, record.failures), (ImportStatus::LoadFailed, 1), "not the second of two");
    load.run(1, |_| fine()).unwrap();
    let history = imports.get(1).unwrap().unwrap().history;
    let steps: Vec<_> = history.iter().map(|attempt| (attempt.step, attempt.failure.is_some())).collect();
    assert_eq!(steps, [(0, true), (0, false), (1, true), (1, false)]);
    sound(&tracker);
}

#[test]
fn errors_name_worker_and_duration_and_are_bounded() {
    // 13. Errors without worker, start or duration; only the last kept, or an unbounded list.
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &["a"]).worker_name("worker 7");
    for round in 0..8 {
        let mut held = tasks.start_with("a", &StartOptions::new().force()).unwrap();
        let started = tracker.now();
        clock.advance(SECOND * 5);
        held.fail(io::Error::other(format!("error {round}"))).unwrap();
        let last = tasks.get("a").unwrap().unwrap().history.pop().unwrap();
        assert_eq!((last.worker.as_str(), last.started_at, last.ended_at), ("worker 7", started, tracker.now()));
        assert_eq!((last.duration, last.attempt, last.status), (SECOND * 5, round + 1, AttemptStatus::Failed));
        assert_eq!(last.failure.unwrap().error, format!("error {round}"));
    }
    let record = tasks.get("a").unwrap().unwrap();
    assert_eq!((record.ended, record.history.len()), (8, 5), "the last five, as the kind says, and the number of all");
    assert_eq!(record.history[0].failure.as_ref().unwrap().error, "error 3");
    sound(&tracker);
}

#[test]
fn times_come_from_the_injected_clock() {
    // 14. Wall clocks everywhere, no clock can be injected.
    let (clock, tracker) = tracker();
    let tasks = jobs(&tracker, &["a"]);
    let record = tasks.get("a").unwrap().unwrap();
    assert_eq!(record.created_at.to_rfc3339(), "2030-01-01T00:00:00+00:00");
    let mut held = tasks.start("a").unwrap();
    // A wall clock that is set back ends nothing early and orders nothing wrongly.
    clock.jump(chrono::TimeDelta::days(-1));
    assert!(tasks.rescue().unwrap().is_empty());
    clock.advance(SECOND);
    held.fail("no luck").unwrap();
    let record = tasks.get("a").unwrap().unwrap();
    assert!(record.updated_at > record.created_at);
    assert_eq!(record.history[0].duration, SECOND);
    sound(&tracker);
}

#[test]
fn refusal_states_the_reason_of_its_transaction() {
    // 15. Refusals that do not say why, or cost a second racy read.
    let (_, tracker) = tracker();
    let tasks = crate::kinds::one_of_each(&tracker).worker_name("other");
    let reason = |name: &str| tasks.start(name).map(drop).unwrap_err().refusal().unwrap().reason.clone();
    let lease = tasks.get("leased").unwrap().unwrap().lease.unwrap();
    assert_eq!(reason("leased"), Reason::Leased { worker: lease.worker, until: lease.until });
    assert_eq!(reason("succeeded"), Reason::AlreadySucceeded);
    assert_eq!(reason("exhausted"), Reason::Exhausted { failures: 1, crashes: 0 });
    assert_eq!((reason("ignored"), reason("cancelled")), (Reason::Ignored, Reason::Cancelled));
    assert_eq!(reason("parked"), Reason::NotStartable { status: "OnHold".to_owned() });
    assert_eq!(reason("nobody"), Reason::NotFound);
    sound(&tracker);
}

#[test]
fn outcome_of_a_missing_task_is_refused() {
    // 17. `end` of an id that the table does not have reports true.
    let (_, tracker) = tracker();
    let tasks = jobs(&tracker, &["a", "b"]);
    let ticket = tasks.start("a").unwrap().detach().unwrap();
    tasks.resume_ticket(&ticket).unwrap().succeed().unwrap();
    refused(tasks.resume_ticket(&ticket), ErrorKind::LeaseLost);
    let mut late = tasks.start("b").unwrap();
    tasks.start_with("b", &StartOptions::new().steal_lease()).unwrap().succeed().unwrap();
    for name in ["a", "b"] {
        tasks.remove(name).unwrap();
    }
    refused(tasks.resume_ticket(&ticket), ErrorKind::NotFound);
    refused(late.succeed(), ErrorKind::LeaseLost);
    refused(tasks.cancel("nobody"), ErrorKind::NotFound);
    assert_eq!(tasks.counts().unwrap().total(), 0);
    sound(&tracker);
}
