//! A tracker per task: six statuses, a lease of 900 s, three attempts.

use std::{io, time::Duration};

use serde::{Deserialize, Serialize};
use tracker_core::{
    ErrorKind, TaskStatus, Tasks, TrackedTask, Tracker, error::Reason, execution::StartOptions, record::AttemptStatus,
    worker::RunError,
};

use crate::{
    kinds::{SECOND, fine, refused, sound, tracker},
    listener::told,
};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Pending = 0,
    InProgress = 10,
    Failed = 20,
    Exhausted = 30,
    Succeeded = 40,
    Ignored = 50,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[task(name = "invoice", status = Status, max_attempts = 3, lease = "15m")]
struct Invoice {
    #[task(id)]
    number: String,
    data: Option<u32>,
}

/// Trackers for these tasks.
fn invoices(tracker: &Tracker, numbers: &[&str]) -> Tasks<Invoice> {
    let invoices = tracker.tasks::<Invoice>().unwrap();
    invoices.submit_all(numbers.iter().map(|number| Invoice { number: (*number).to_owned(), data: None })).unwrap();
    invoices
}

/// Status code, attempts and whether it is locked.
fn state(invoices: &Tasks<Invoice>, number: &str) -> (i32, u32, bool) {
    let record = invoices.get(number).unwrap().unwrap();
    (record.status.code(), record.attempts, record.lease.is_some())
}

fn fail(invoices: &Tasks<Invoice>, number: &str) {
    let error = invoices.run(number, |_| Err::<(), _>(io::Error::other("no luck"))).unwrap_err();
    assert!(matches!(&error, RunError::Handler(own) if own.to_string() == "no luck"), "{error:?}");
}

#[test]
fn unknown_id_loads_nothing() {
    let (_, tracker) = tracker();
    let invoices = invoices(&tracker, &["a"]);
    assert!(invoices.get("nobody").unwrap().is_none());
    refused(invoices.start("nobody"), ErrorKind::NotFound);
    sound(&tracker);
}

#[test]
fn new_record_has_the_documented_defaults() {
    let (clock, tracker) = tracker();
    let invoices = invoices(&tracker, &["a"]);
    let codes = [0, 10, 20, 30, 40, 50].map(|code| Status::from_code(code).unwrap());
    assert_eq!(format!("{codes:?}"), "[Pending, InProgress, Failed, Exhausted, Succeeded, Ignored]");
    let record = invoices.get("a").unwrap().unwrap();
    assert_eq!((record.id.to_string().as_str(), record.status, record.attempts), ("a", Status::Pending, 0));
    assert_eq!((record.created_at, record.updated_at, record.task.data), (tracker.now(), tracker.now(), None));
    assert!(record.lease.is_none() && record.history.is_empty());
    clock.advance(SECOND);
    let held = invoices.worker_name("me").start("a").unwrap();
    let record = invoices.get("a").unwrap().unwrap();
    assert_eq!((record.updated_at - record.created_at).num_seconds(), 1);
    let lease = record.lease.unwrap();
    assert_eq!((lease.worker.as_str(), lease.since), ("me", tracker.now()));
    assert_eq!((lease.until - lease.since).num_seconds(), 900, "the default lock time");
    assert_eq!(held.lease(), Duration::from_secs(900));
    assert_eq!(Invoice::policy().max_attempts, Some(3));
    drop(held);
    sound(&tracker);
}

#[test]
fn second_worker_is_refused_while_the_first_runs() {
    let (_, tracker) = tracker();
    let invoices = invoices(&tracker, &["a"]);
    let (first, second) = (invoices.worker_name("first"), invoices.worker_name("second"));
    first
        .run("a", |invoice| {
            let error = second.run("a", |_| fine()).unwrap_err();
            let RunError::Refused(error) = error else { panic!("{error:?}") };
            let Some(Reason::Leased { worker, .. }) = error.refusal().map(|refusal| &refusal.reason) else {
                panic!("{error}")
            };
            assert_eq!(worker, "first");
            invoice.data = Some(1);
            fine()
        })
        .unwrap();
    assert_eq!(state(&invoices, "a"), (40, 1, false));
    assert_eq!(invoices.get("a").unwrap().unwrap().task.data, Some(1));
    sound(&tracker);
}

#[test]
fn only_the_same_token_reenters() {
    let (_, tracker) = tracker();
    let invoices = invoices(&tracker, &["a"]);
    let mut mine = invoices.start("a").unwrap();
    let with = |token| StartOptions::new().reenter(token);
    refused(invoices.start_with("a", &with(uuid::Uuid::new_v4())), ErrorKind::Leased);
    refused(invoices.start("a"), ErrorKind::Leased);
    let mut again = invoices.start_with("a", &with(mine.token())).unwrap();
    assert_eq!(state(&invoices, "a"), (10, 1, true), "no further attempt");
    refused(invoices.start_with("a", &with(mine.token())), ErrorKind::Leased);
    refused(mine.succeed(), ErrorKind::LeaseLost);
    again.succeed().unwrap();
    assert_eq!(state(&invoices, "a"), (40, 1, false));
    sound(&tracker);
}

#[test]
fn steal_lease_bypasses_only_the_lease() {
    let (_, tracker) = tracker();
    let invoices = invoices(&tracker, &["leased", "succeeded", "ignored", "exhausted"]);
    let ignoring = StartOptions::new().steal_lease();
    let mut old = invoices.start("leased").unwrap();
    invoices.start_with("leased", &ignoring).unwrap().succeed().unwrap();
    refused(old.succeed(), ErrorKind::LeaseLost);
    invoices.start("succeeded").unwrap().succeed().unwrap();
    invoices.start("ignored").unwrap().ignore("not wanted").unwrap();
    invoices.start("exhausted").unwrap().give_up("no use").unwrap();
    refused(invoices.start_with("succeeded", &ignoring), "AlreadySucceeded");
    refused(invoices.start_with("ignored", &ignoring), "Ignored");
    refused(invoices.start_with("exhausted", &ignoring), "Exhausted");
    sound(&tracker);
}

#[test]
fn force_starts_ended_tasks_and_keeps_leases() {
    let (_, tracker) = tracker();
    let invoices = invoices(&tracker, &["leased", "ignored", "exhausted"]);
    let force = StartOptions::new().force();
    let held = invoices.start("leased").unwrap();
    refused(invoices.start_with("leased", &force), ErrorKind::Leased);
    drop(held);
    invoices.start("ignored").unwrap().ignore("not wanted").unwrap();
    invoices.start("exhausted").unwrap().give_up("no use").unwrap();
    assert_eq!((state(&invoices, "ignored").0, state(&invoices, "exhausted").0), (50, 30), "two different things");
    refused(invoices.start("ignored"), "Ignored");
    refused(invoices.start("exhausted"), "Exhausted");
    for name in ["ignored", "exhausted"] {
        invoices.start_with(name, &force).unwrap().succeed().unwrap();
        assert_eq!(state(&invoices, name), (40, 2, false));
    }
    sound(&tracker);
}

#[test]
fn third_failure_exhausts_and_a_fourth_start_is_refused() {
    let (_, tracker) = tracker();
    let invoices = invoices(&tracker, &["a", "beside it"]);
    for (attempt, code) in [(1, 20), (2, 20), (3, 30)] {
        fail(&invoices, "a");
        assert_eq!(state(&invoices, "a"), (code, attempt, false));
    }
    refused(invoices.start("a"), "Exhausted");
    assert_eq!(state(&invoices, "a"), (30, 3, false), "a refusal writes nothing");
    invoices.run_with("a", &StartOptions::new().force(), |_| fine()).unwrap();
    assert_eq!(state(&invoices, "a"), (40, 4, false), "forced and good: succeeded, unlocked");
    let history = invoices.get("a").unwrap().unwrap().history;
    let endings: Vec<_> = history.iter().map(|attempt| attempt.status).collect();
    assert_eq!(
        endings,
        [AttemptStatus::Failed, AttemptStatus::Failed, AttemptStatus::Failed, AttemptStatus::Succeeded]
    );
    assert_eq!(state(&invoices, "beside it"), (0, 0, false));
    sound(&tracker);
}

#[test]
fn lease_is_free_exactly_at_its_expiry() {
    let (clock, tracker) = tracker();
    let invoices = invoices(&tracker, &["a"]);
    invoices.start("a").unwrap().detach().unwrap();
    clock.advance(Duration::from_micros(900 * 1_000_000 - 1));
    refused(invoices.start("a"), ErrorKind::Leased);
    clock.advance(Duration::from_micros(1));
    invoices.start("a").unwrap().succeed().unwrap();
    assert_eq!(state(&invoices, "a"), (40, 2, false));
    sound(&tracker);
}

#[test]
fn zero_lease_is_refused_before_any_write() {
    let (_, tracker) = tracker();
    let invoices = invoices(&tracker, &["a"]);
    let change = tracker.change_number().unwrap();
    // A negative one cannot be said: the argument has no sign.
    refused(invoices.start_with("a", &StartOptions::new().lease(Duration::ZERO)), ErrorKind::Invalid);
    assert_eq!((state(&invoices, "a"), tracker.change_number().unwrap()), ((0, 0, false), change));
    let held = invoices.start_with("a", &StartOptions::new().lease(SECOND)).unwrap();
    assert_eq!(held.lease(), SECOND, "a lease of the call's own");
    drop(held);
    sound(&tracker);
}

#[test]
fn run_log_shows_each_step_of_a_task() {
    let (_, tracker) = tracker();
    let invoices = invoices(&tracker, &["a"]).worker_name("me");
    let lines = told(|| {
        for _ in 1..=3 {
            fail(&invoices, "a");
        }
        refused(invoices.start("a"), "Exhausted");
        invoices.run_with("a", &StartOptions::new().force(), |_| fine()).unwrap();
    });
    let mut expected = Vec::new();
    let until = "2030-01-01 00:15:00 UTC";
    for (attempt, was) in [(1, "0 Pending"), (2, "20 Failed"), (3, "20 Failed"), (4, "30 Exhausted")] {
        expected.push(format!("+----- start invoice \"a\" ({was}, attempt {attempt}) "));
        expected.push("| trying to lock it, with status 10 (InProgress)".to_owned());
        expected.push(format!("| locked by me until {until}, fence {attempt}"));
        let (how, status) = match attempt {
            1 | 2 => (format!("failed {attempt} of 3"), "20 (Failed)"),
            3 => ("failed 3 times already".to_owned(), "30 (Exhausted)"),
            _ => ("succeeded".to_owned(), "40 (Succeeded)"),
        };
        expected.push(format!("| {how}: status {status}, unlocked"));
        if attempt < 4 {
            expected.push("| no luck".to_owned());
        }
        if attempt < 3 {
            expected.push("| due again at 2030-01-01 00:00:00 UTC".to_owned());
        }
        expected.push(format!("+----- end invoice \"a\" ({} ", status.replace('(', "")));
        if attempt == 3 {
            expected.push("+----- start invoice \"a\" (refused) ".to_owned());
            let reason = "it is exhausted after 3 failures and 0 crashes; requeue it or start it with force";
            expected.push(format!("| {reason}: nothing is done"));
            expected.push("+----- end invoice \"a\" (unchanged) ".to_owned());
        }
    }
    assert_eq!(lines, expected);
    sound(&tracker);
}
