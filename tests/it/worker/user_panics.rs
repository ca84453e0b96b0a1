//! User code that panics outside the handler fails its own attempt and nothing else.

use std::{
    any::Any,
    error::Error,
    fmt,
    panic::{panic_any, resume_unwind},
};

use serde::{Deserialize, Serialize, Serializer, ser::Error as _};
use tracker_core::{ErrorKind, Execution, TrackedTask, Tracker, worker::RunError};

use crate::support::kinds::{Status, refused, sound};

/// Where user code fails.
#[derive(Serialize, Deserialize, Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    /// Its `Display` returns `fmt::Error`, as that of chrono for a bad format.
    BrokenDisplay,
    Display,
    Debug,
    Source,
    CauseDisplay,
    ErrorDrop,
    /// The payload of a panic, which panics when it is dropped, and so does the payload of that panic.
    PanicPayloadDrop,
    Serialize,
    Unserializable,
    TaskDrop,
}

use Fault::{BrokenDisplay, CauseDisplay, Display, ErrorDrop, PanicPayloadDrop, Source, TaskDrop, Unserializable};

/// Every fault, and what the failure says of it.
const FAULTS: [(Fault, &str); 10] = [
    (BrokenDisplay, "half a text (the error's Display returned an error)"),
    (Display, "the error's Display panicked: ouch"),
    (Fault::Debug, "the error's Debug panicked: ouch"),
    (Source, "the error's source panicked: ouch"),
    (CauseDisplay, "a cause's Display panicked: ouch"),
    (ErrorDrop, "the error's Drop panicked: ouch"),
    (PanicPayloadDrop, "the panic payload's Drop panicked: the panic has no message"),
    (Fault::Serialize, "the task's serialization panicked: ouch"),
    (Unserializable, "its serialization failed: ouch"),
    (TaskDrop, "the task's Drop panicked: ouch"),
];

#[derive(TrackedTask, Serialize, Deserialize)]
#[task(name = "job", status = Status, max_attempts = 1)]
struct Job {
    #[task(id)]
    number: u32,
    field: Field,
}

/// A field whose `Serialize` and `Drop` fail once the handler has armed it.
#[derive(Deserialize)]
struct Field {
    fault: Fault,
    #[serde(default)]
    armed: bool,
}

impl Serialize for Field {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Stored {
            fault: Fault,
        }
        match self.fault {
            Fault::Serialize if self.armed => panic!("ouch"),
            Unserializable if self.armed => Err(S::Error::custom("ouch")),
            fault => Stored { fault }.serialize(serializer),
        }
    }
}

impl Drop for Field {
    fn drop(&mut self) {
        assert!(!self.armed || self.fault != TaskDrop, "ouch");
    }
}

struct Hostile(Fault);

impl fmt::Display for Hostile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            BrokenDisplay => f.write_str("half a text").and(Err(fmt::Error)),
            Display => panic!("ouch"),
            _ => f.write_str("no luck"),
        }
    }
}

impl fmt::Debug for Hostile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == Fault::Debug { panic!("ouch") } else { f.write_str("Hostile") }
    }
}

impl Error for Hostile {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self.0 {
            Source => panic!("ouch"),
            CauseDisplay => Some(const { &Self(Display) }),
            _ => None,
        }
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        assert!(self.0 != ErrorDrop, "ouch");
    }
}

struct Payload;

impl Drop for Payload {
    fn drop(&mut self) {
        resume_unwind(Box::new(Self) as Box<dyn Any + Send>);
    }
}

fn handler(job: &mut Execution<Job>) -> Result<(), Hostile> {
    job.field.armed = true;
    match job.field.fault {
        PanicPayloadDrop => panic_any(Payload),
        Fault::None | Fault::Serialize | Unserializable | TaskDrop => Ok(()),
        fault => Err(Hostile(fault)),
    }
}

fn job(number: u32, fault: Fault) -> Job {
    Job { number, field: Field { fault, armed: false } }
}

/// The texts of the only attempt of task 0.
fn failure(tracker: &Tracker) -> Vec<String> {
    let record = tracker.tasks::<Job>().unwrap().get(0u32).unwrap().unwrap();
    assert_eq!((record.status, record.history.len()), (Status::Exhausted, 1));
    let failure = record.history[0].failure.clone().unwrap();
    [failure.error].into_iter().chain(failure.causes).collect()
}

#[test]
fn panic_of_user_code_fails_only_its_attempt() {
    for (fault, text) in FAULTS {
        for (threads, ahead) in [(1, 0), (2, 0), (2, 16)] {
            let tracker = Tracker::in_memory().unwrap();
            let jobs = tracker.tasks::<Job>().unwrap();
            jobs.submit(&job(0, fault)).unwrap();
            jobs.submit_all((1..20).map(|number| job(number, Fault::None))).unwrap();
            let summary = jobs.worker().threads(threads).prefetch(ahead).run(handler).unwrap();
            assert_eq!((summary.succeeded, summary.failed), (19, 1), "{fault:?}: {summary}");
            let told = failure(&tracker);
            assert!(told.iter().any(|told| told.contains(text)), "{fault:?}: {told:?}");
            let panicked = !matches!(fault, BrokenDisplay | Unserializable);
            assert_eq!(summary.panicked == 1, panicked, "{fault:?}");
            sound(&tracker);
        }
    }
}

#[test]
fn panic_of_user_code_fails_a_single_run() {
    for (fault, text) in FAULTS {
        let tracker = Tracker::in_memory().unwrap();
        let jobs = tracker.tasks::<Job>().unwrap();
        jobs.submit(&job(0, fault)).unwrap();
        if matches!(fault, PanicPayloadDrop | ErrorDrop) {
            // The caller gets the value, and drops it.
            continue;
        }
        let error = jobs.run(0u32, handler).unwrap_err();
        assert!(matches!(error, RunError::Handler(_)), "{fault:?}");
        std::mem::forget(error);
        let told = failure(&tracker);
        assert!(told.iter().any(|told| told.contains(text)), "{fault:?}: {told:?}");
        sound(&tracker);
    }
}

#[test]
fn unserializable_task_uses_up_its_attempts() {
    let tracker = Tracker::in_memory().unwrap();
    let jobs = tracker.tasks::<Job>().unwrap();
    jobs.submit(&job(0, Unserializable)).unwrap();
    // The handler asks for the success itself, and passes the refusal on.
    let summary = jobs.worker().run(|job| {
        job.field.armed = true;
        job.succeed()
    });
    assert_eq!(summary.unwrap().failed, 1);
    assert!(failure(&tracker)[0].contains("its serialization failed: ouch"));
}

#[test]
fn settings_without_meaning_are_refused_by_run() {
    let tracker = Tracker::in_memory().unwrap();
    let jobs = tracker.tasks::<Job>().unwrap();
    jobs.submit(&job(0, Fault::None)).unwrap();
    let workers = [
        jobs.worker().stop_after_failures(0),
        jobs.worker().stop_at_failure_rate(f64::NAN),
        jobs.worker().stop_at_failure_rate(2.0),
        jobs.worker().timeout(std::time::Duration::ZERO),
    ];
    for worker in workers {
        refused(worker.run(handler), ErrorKind::Invalid);
    }
    assert_eq!(jobs.counts().unwrap().get(Status::Pending), 1, "no handler has started");
}
