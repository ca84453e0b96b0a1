//! Tests of attempts that end with their process: how they are stored, and where their tasks go.

use tracker_core::{
    Tasks, TrackedTask, Tracker,
    record::AttemptStatus,
    status::Role,
    task::{Policy, QueueEnd},
    time::ManualClock,
};

use serde::{Deserialize, Serialize};

use crate::support::kinds::{MINUTE, SECOND, Status, sound};

/// Keeps its place when its process ends.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[task(name = "upload", status = Status, interrupted = "front", lease = "1m", backoff = "fixed(10s)", max_crashes = 4)]
struct Upload {
    #[task(id)]
    name: String,
}

/// Interrupted tasks of this kind go to the back, the default.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[task(name = "mirror", status = Status, interrupted = "back", lease = "1m", backoff = "fixed(10s)")]
struct Mirror {
    #[task(id)]
    name: String,
}

fn claimed(uploads: &Tasks<Upload>) -> Option<String> {
    let execution = uploads.claim().unwrap()?;
    let name = execution.name.clone();
    // As in a process that ends: nothing is stored of the attempt.
    std::mem::forget(execution);
    Some(name)
}

#[test]
fn derive_sets_the_end_of_the_queue() {
    assert_eq!(Upload::policy().interrupted, QueueEnd::Front);
    assert_eq!(Mirror::policy().interrupted, QueueEnd::Back);
    assert_eq!(Policy::DEFAULT.interrupted, QueueEnd::Back);
    assert!(QueueEnd::ALL.into_iter().all(|end| QueueEnd::from_name(end.name()) == Some(end)));
}

#[test]
fn interrupted_tasks_start_first_in_their_former_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("uploads.redb");
    let clock = ManualClock::new();
    let open = || Tracker::options().clock(clock.clone()).open(&path).unwrap();
    let names = ["a", "b", "c", "d"];
    for session in 1..=3 {
        let tracker = open();
        let uploads = tracker.tasks::<Upload>().unwrap();
        uploads.submit_all(names.map(|name| Upload { name: name.to_owned() })).unwrap();
        clock.advance(SECOND);
        if session < 3 {
            assert_eq!([claimed(&uploads), claimed(&uploads)], [Some("a".to_owned()), Some("b".to_owned())]);
        } else {
            // Twice interrupted: both run alone, after their delay.
            assert_eq!(claimed(&uploads).as_deref(), Some("c"));
            let record = uploads.get("a").unwrap().unwrap();
            assert_eq!((record.status, record.crashes, record.failures), (Status::Failed, 2, 0));
            let statuses: Vec<_> = record.history.iter().map(|attempt| attempt.status).collect();
            assert_eq!(statuses, [AttemptStatus::Interrupted; 2]);
            assert!(record.history[0].failure.as_ref().unwrap().error.contains("the process of"));
        }
        if session == 2 {
            let record = uploads.get("c").unwrap().unwrap();
            assert_eq!((record.status, record.crashes), (Status::Pending, 0));
        }
        // The handles that were forgotten keep the file open: close it as the end of the process does.
        tracker.close().unwrap();
    }
    sound(&open());
}

#[test]
fn interrupted_task_is_shown_as_waiting_and_not_as_failed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("both.redb");
    let clock = ManualClock::new();
    let open = || Tracker::options().clock(clock.clone()).open(&path).unwrap();
    let tracker = open();
    let uploads = tracker.tasks::<Upload>().unwrap();
    let mirrors = tracker.tasks::<Mirror>().unwrap();
    uploads.submit(&Upload { name: "one".to_owned() }).unwrap();
    mirrors.submit(&Mirror { name: "one".to_owned() }).unwrap();
    std::mem::forget((uploads.claim().unwrap(), mirrors.claim().unwrap()));
    tracker.close().unwrap();
    let tracker = open();
    let (uploads, mirrors) = (tracker.tasks::<Upload>().unwrap(), tracker.tasks::<Mirror>().unwrap());
    assert_eq!(uploads.get("one").unwrap().unwrap().status, Status::Pending);
    assert_eq!(mirrors.get("one").unwrap().unwrap().status, Status::Failed);
    let roles = [Role::Pending, Role::Failed].map(|role| uploads.query().role(role).total().unwrap());
    assert_eq!(roles, [1, 0]);
    // A lease that runs out in this process is a crash.
    let held = uploads.claim().unwrap().unwrap();
    clock.advance(MINUTE * 2);
    assert_eq!(uploads.rescue().unwrap().len(), 1);
    drop(held);
    let record = uploads.get("one").unwrap().unwrap();
    let statuses: Vec<_> = record.history.iter().map(|attempt| attempt.status).collect();
    assert_eq!(statuses, [AttemptStatus::Interrupted, AttemptStatus::Crashed]);
    sound(&tracker);
}
