//! Tests that user code that panics outside of the handler fails only its own attempt.

#[path = "../../fixtures/hostile.rs"]
pub(crate) mod hostile;

use tracker_core::{ErrorKind, worker::RunError};

use self::hostile::{FAULTS, Fault, Job, failure, handler, job};
use crate::support::{
    kinds::{Status, refused, sound},
    place,
};

#[test]
fn panic_of_user_code_fails_only_its_attempt() {
    for (fault, text) in FAULTS {
        for (threads, ahead) in [(1, 0), (2, 0), (2, 16)] {
            let tracker = place::in_memory().unwrap();
            let jobs = tracker.tasks::<Job>().unwrap();
            jobs.submit(&job(0, fault)).unwrap();
            jobs.submit_all((1..20).map(|number| job(number, Fault::None))).unwrap();
            let summary = jobs.worker().threads(threads).prefetch(ahead).run(|job| handler(job)).unwrap();
            assert_eq!((summary.succeeded, summary.failed), (19, 1), "{fault:?}: {summary}");
            let told = failure(&tracker);
            assert!(told.iter().any(|told| told.contains(text)), "{fault:?}: {told:?}");
            let panicked = !matches!(fault, Fault::BrokenDisplay | Fault::Unserializable);
            assert_eq!(summary.panicked == 1, panicked, "{fault:?}");
            sound(&tracker);
        }
    }
}

#[test]
fn panic_of_user_code_fails_a_single_run() {
    for (fault, text) in FAULTS {
        let tracker = place::in_memory().unwrap();
        let jobs = tracker.tasks::<Job>().unwrap();
        jobs.submit(&job(0, fault)).unwrap();
        if matches!(fault, Fault::PanicPayloadDrop | Fault::ErrorDrop) {
            // The caller gets the value, and drops it.
            continue;
        }
        let error = jobs.run(0u32, |job| handler(job)).unwrap_err();
        assert!(matches!(error, RunError::Handler(_)), "{fault:?}");
        std::mem::forget(error);
        let told = failure(&tracker);
        assert!(told.iter().any(|told| told.contains(text)), "{fault:?}: {told:?}");
        sound(&tracker);
    }
}

#[test]
fn unserializable_task_uses_up_its_attempts() {
    let tracker = place::in_memory().unwrap();
    let jobs = tracker.tasks::<Job>().unwrap();
    jobs.submit(&job(0, Fault::Unserializable)).unwrap();
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
    let tracker = place::in_memory().unwrap();
    let jobs = tracker.tasks::<Job>().unwrap();
    jobs.submit(&job(0, Fault::None)).unwrap();
    let workers = [
        jobs.worker().stop_after_failures(0),
        jobs.worker().stop_at_failure_rate(f64::NAN),
        jobs.worker().stop_at_failure_rate(2.0),
        jobs.worker().timeout(std::time::Duration::ZERO),
    ];
    for worker in workers {
        refused(worker.run(|job| handler(job)), ErrorKind::Invalid);
    }
    assert_eq!(jobs.counts().unwrap().get(Status::Pending), 1, "no handler has started");
}
