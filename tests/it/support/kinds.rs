//! The kinds that most tests use, and a tracker in memory with a manual clock.

use std::{
    io,
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    thread,
    time::Duration,
};

use super::place::OpenInPlace as _;
use serde::{Deserialize, Serialize};
use tracker_core::{
    Error, ErrorKind, TaskStatus, Tasks, TrackedTask, Tracker,
    events::{EventKind, Notification},
    record::AttemptStatus,
    time::ManualClock,
};

pub const SECOND: Duration = Duration::from_secs(1);
pub const MINUTE: Duration = Duration::from_secs(60);
pub const DAY: Duration = Duration::from_secs(24 * 3600);

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
    Exhausted = 50,
    Ignored = 60,
    Cancelled = 70,
    #[status(parked)]
    OnHold = 80,
}

/// Retries after ten seconds, three times in all; gives up after four crashes.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[task(
    name = "job",
    status = Status,
    max_attempts = 3,
    max_crashes = 4,
    lease = "1m",
    backoff = "fixed(10s)",
    history = 5,
    retention(succeeded = "1d", cancelled = "2d")
)]
pub struct Job {
    #[task(id)]
    pub name: String,
    #[task(index)]
    pub host: String,
    pub result: Option<u32>,
}

/// Has keys that no two tasks share: one for ever, one while unfinished.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[task(name = "mail", status = Status, unique(client, request), unique(reference, while = unfinished))]
pub struct Mail {
    #[task(id)]
    pub number: u64,
    pub client: String,
    pub request: u32,
    pub reference: Option<String>,
}

/// Starts anew when its version changes.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[task(name = "page", status = Status, max_attempts = 1)]
pub struct Page {
    #[task(id)]
    pub url: String,
    #[task(fingerprint)]
    pub version: u32,
    pub bytes: Option<u64>,
}

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportStatus {
    #[status(step = "fetch")]
    FetchPending = 10,
    FetchInProgress = 11,
    FetchFailed = 12,
    FetchSucceeded = 13,
    #[status(step = "load")]
    LoadInProgress = 20,
    LoadFailed = 21,
    LoadSucceeded = 22,
}

/// Two steps in one row.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[task(name = "import", status = ImportStatus, max_attempts = 2, retention(succeeded = "1d"))]
pub struct Import {
    #[task(id)]
    pub number: u32,
    pub rows: Option<u32>,
}

pub fn job(name: &str) -> Job {
    Job { name: name.to_owned(), host: "a".to_owned(), result: None }
}

pub fn mail(number: u64) -> Mail {
    let request = u32::try_from(number).unwrap();
    Mail { number, client: "c".to_owned(), request, reference: Some(number.to_string()) }
}

pub fn page(url: &str, version: u32) -> Page {
    Page { url: url.to_owned(), version, bytes: None }
}

/// A tracker in memory, and its clock.
pub fn tracker() -> (ManualClock, Tracker) {
    let clock = ManualClock::new();
    let tracker = Tracker::options().clock(clock.clone()).open_memory().unwrap();
    (clock, tracker)
}

pub fn jobs(tracker: &Tracker, names: &[&str]) -> Tasks<Job> {
    let jobs = tracker.tasks::<Job>().unwrap();
    jobs.submit_all(names.iter().map(|name| job(name))).unwrap();
    jobs
}

/// The result of a handler that succeeds.
#[expect(clippy::unnecessary_wraps, reason = "handlers return results")]
pub fn fine() -> io::Result<()> {
    Ok(())
}

/// One task in every state: its id is the state's name, `leased` is running.
pub fn one_of_each(tracker: &Tracker) -> Tasks<Job> {
    let all = ["failed", "succeeded", "exhausted", "ignored", "cancelled", "parked", "leased", "pending"];
    let jobs = jobs(tracker, &all);
    jobs.start("failed").unwrap().fail("no luck").unwrap();
    jobs.start("succeeded").unwrap().succeed().unwrap();
    jobs.start("exhausted").unwrap().give_up("no use").unwrap();
    jobs.ignore("ignored", "not wanted").unwrap();
    jobs.cancel("cancelled").unwrap();
    jobs.move_to("parked", Status::OnHold).unwrap();
    jobs.start("leased").unwrap().detach().unwrap();
    jobs
}

pub fn status(jobs: &Tasks<Job>, name: &str) -> Status {
    jobs.get(name).unwrap().unwrap().status
}

#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "callers give a kind or a reason")]
pub fn refused<T>(result: Result<T, Error>, expected: impl Expected) -> Error {
    match result {
        Ok(_) => panic!("expected the error {expected:?}"),
        Err(error) => {
            assert!(expected.is(&error), "expected {expected:?}, got {error:?}");
            error
        }
    }
}

/// An expectation of [`refused`]: the kind of the error, the name of its reason, or a part of its message.
pub trait Expected: std::fmt::Debug {
    fn is(&self, error: &Error) -> bool;
}

impl Expected for ErrorKind {
    fn is(&self, error: &Error) -> bool {
        error.kind() == *self
    }
}

impl Expected for &str {
    fn is(&self, error: &Error) -> bool {
        match error.refusal() {
            Some(refusal) => format!("{:?}", refusal.reason).split(' ').next() == Some(self),
            None => error.to_string().contains(self),
        }
    }
}

#[track_caller]
pub fn sound(tracker: &Tracker) {
    tracker.flush().unwrap();
    assert_eq!(tracker.verify().unwrap(), []);
}

/// Lets time pass after every failure, until `work` is done.
pub fn with_time<R>(tracker: &Tracker, clock: &ManualClock, work: impl FnOnce() -> R) -> R {
    let (watch, done) = (tracker.subscribe(), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(SeqCst) {
                let heard = watch.next_within(Duration::from_millis(10));
                if let Some(Notification::Event(event)) = heard
                    && event.what == (EventKind::Ended { status: AttemptStatus::Failed })
                {
                    clock.advance(SECOND * 10);
                }
            }
        });
        let result = work();
        done.store(true, SeqCst);
        result
    })
}
