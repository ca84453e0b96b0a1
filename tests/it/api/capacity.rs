//! Tests how many tasks of a kind may wait (`max_waiting`) and be in progress (`max_in_progress`), and limits that kinds share.

use std::{
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    thread,
};

use serde::{Deserialize, Serialize};
use tracker_core::{
    ErrorKind, Execution, Submission, Tasks, TrackedTask, Tracker, batch::BatchOptions,
    dependency::OnDependencyFailure, inspect::Explanation, schedule::Schedule, submit::SubmitOptions,
    worker::WorkerPool,
};

use crate::support::kinds::{MINUTE, SECOND, Status, fine, refused, sound, tracker};

/// At most three wait, and at most two are in progress.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[task(name = "upload", status = Status, lease = "1m", max_waiting = 3, max_in_progress = 2)]
struct Upload {
    #[task(id)]
    number: u32,
    #[task(fingerprint)]
    version: u32,
}

fn upload(number: u32) -> Upload {
    Upload { number, version: 1 }
}

/// A tracker with a full kind.
fn full() -> (tracker_core::time::ManualClock, Tracker, Tasks<Upload>) {
    let (clock, tracker) = tracker();
    let tasks = tracker.tasks::<Upload>().unwrap();
    tasks.submit_all((0..3).map(upload)).unwrap();
    (clock, tracker, tasks)
}

#[test]
fn submit_to_a_full_kind_is_refused() {
    let (_, tracker, tasks) = full();
    let error = refused(tasks.submit(&upload(3)), "Full");
    assert_eq!(error.kind(), ErrorKind::Full);
    let text =
        "upload \"3\" was refused: 3 tasks of its kind wait, and no more may (max_waiting): submit it again later";
    assert_eq!(error.to_string(), text);
    refused(tasks.submit_with(&upload(3), &SubmitOptions::new().delay(MINUTE)), ErrorKind::Full);
    assert_eq!(tasks.submit(&upload(0)).unwrap().submission, Submission::Existing, "it waits already");
    let mut held = tasks.claim().unwrap().unwrap();
    assert_eq!(tasks.submit(&upload(3)).unwrap().submission, Submission::New);
    refused(tasks.submit(&upload(4)), ErrorKind::Full);
    held.succeed().unwrap();
    refused(tasks.submit(&upload(4)), ErrorKind::Full);
    tasks.move_to(1, Status::OnHold).unwrap();
    tasks.submit(&upload(4)).unwrap();
    sound(&tracker);
}

#[test]
fn delayed_and_dependent_tasks_wait_too() {
    let (_, tracker) = tracker();
    let tasks = tracker.tasks::<Upload>().unwrap();
    tasks.submit_with(&upload(0), &SubmitOptions::new().delay(MINUTE)).unwrap();
    tasks.submit_with(&upload(1), &SubmitOptions::new().after(&tasks, 0, OnDependencyFailure::Skip)).unwrap();
    tasks.submit(&upload(2)).unwrap();
    tasks.pause_task(2).unwrap();
    refused(tasks.submit(&upload(3)), ErrorKind::Full);
    sound(&tracker);
}

#[test]
fn bulk_submit_stores_the_tasks_that_have_room() {
    let (_, tracker) = tracker();
    let tasks = tracker.tasks::<Upload>().unwrap();
    refused(tasks.submit_all((0..10).map(upload)), ErrorKind::Full);
    let ids = |tasks: &Tasks<Upload>| tasks.query().ids().unwrap().iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(ids(&tasks), ["0", "1", "2"]);
    tasks.claim().unwrap().unwrap().succeed().unwrap();
    refused(tasks.submit_all((0..10).map(upload)), ErrorKind::Full);
    assert_eq!(ids(&tasks), ["0", "1", "2", "3"], "run again, it continues");
    sound(&tracker);
}

#[test]
fn group_without_room_for_all_is_refused() {
    let (_, tracker) = tracker();
    let tasks = tracker.tasks::<Upload>().unwrap();
    let mut group = tracker.group();
    for number in 0..4 {
        group.add(&tasks, &upload(number), &SubmitOptions::new()).unwrap();
    }
    refused(group.submit(), ErrorKind::Full);
    assert_eq!(tasks.query().total().unwrap(), 0);
    let result = tracker.transaction(|txn| (0..4).try_for_each(|number| txn.submit(&tasks, &upload(number)).map(drop)));
    assert_eq!(result.map_err(|error| error.kind()), Err(ErrorKind::Full));
    assert_eq!(tasks.query().total().unwrap(), 0);
    sound(&tracker);
}

#[test]
fn follow_up_and_restarted_tasks_are_not_refused() {
    let (_, tracker, tasks) = full();
    let mut held = tasks.start(0).unwrap();
    tasks.submit(&upload(3)).unwrap();
    held.submit_next(&tasks, &upload(10)).unwrap();
    held.succeed().unwrap();
    assert_eq!(tasks.count_of(Status::Pending), 4, "a success is not refused");
    tasks.submit_and_start(&upload(11)).unwrap().succeed().unwrap();
    tasks.requeue(0).unwrap();
    let changed = Upload { version: 2, ..upload(11) };
    assert_eq!(tasks.submit(&changed).unwrap().submission, Submission::Requeued);
    assert_eq!(tasks.count_of(Status::Pending), 6);
    let (after, label) = (BatchOptions::new().then(&tasks, &upload(12)).unwrap(), "empty");
    tasks.submit_batch(label, std::iter::empty::<Upload>(), &after).unwrap();
    assert_eq!(tasks.count_of(Status::Pending), 7, "the follow-up task of a batch");
    refused(tasks.submit(&upload(13)), ErrorKind::Full);
    sound(&tracker);
}

/// At most one waits.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "backup", status = Status, max_waiting = 1)]
struct Backup {
    #[task(id)]
    name: String,
}

#[test]
fn occurrences_and_imported_tasks_are_not_refused() {
    let (clock, tracker) = tracker();
    let backups = tracker.tasks::<Backup>().unwrap();
    let minutely = Schedule::every(MINUTE).unwrap();
    backups.schedule("minutely", &minutely, |occurrence| Backup { name: occurrence.id() }).unwrap();
    backups.submit(&Backup { name: "first".to_owned() }).unwrap();
    clock.advance(MINUTE);
    tracker.submit_due_occurrences().unwrap();
    let line = r#"{"kind": "backup", "id": "imported", "payload": {"name": "imported"}}"#;
    assert_eq!(tracker.import(line.as_bytes()).unwrap().new, 1);
    assert_eq!(backups.counts().unwrap().get(Status::Pending), 3);
    refused(backups.submit(&Backup { name: "second".to_owned() }), ErrorKind::Full);
    sound(&tracker);
}

/// The number of tasks in a status.
trait CountOf {
    fn count_of(&self, status: Status) -> u64;
}

impl CountOf for Tasks<Upload> {
    fn count_of(&self, status: Status) -> u64 {
        self.counts().unwrap().get(status)
    }
}

#[test]
fn concurrent_submits_share_the_room() {
    let (_, tracker) = tracker();
    let tasks = tracker.tasks::<Upload>().unwrap();
    let new = thread::scope(|scope| {
        let submit = |thread: u32| (0..8).filter(|number| tasks.submit(&upload(thread * 8 + number)).is_ok()).count();
        let threads: Vec<_> = (0..8).map(|thread| scope.spawn(move || submit(thread))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum::<usize>()
    });
    assert_eq!((new, tasks.count_of(Status::Pending)), (3, 3));
    sound(&tracker);
}

#[test]
fn claims_stop_at_the_limit_of_tasks_in_progress() {
    let (clock, tracker, tasks) = full();
    let mut first = tasks.claim().unwrap().unwrap();
    let by_id = tasks.start(2).unwrap();
    assert!(tasks.claim().unwrap().is_none(), "a start by id is counted");
    let limited = Explanation::KindLimited { most: 2 };
    assert_eq!(tasks.explain(1).unwrap(), limited);
    assert_eq!(tasks.plan(1).unwrap().next[0].why, limited);
    assert_eq!(limited.to_string(), "it is limited: 2 tasks of its kind are in progress, and no more may be");
    assert_eq!(tasks.start(1).map(drop).map_err(|error| error.kind()), Ok(()), "a start by id passes");
    tracker.flush().unwrap();
    first.succeed().unwrap();
    assert!(tasks.claim().unwrap().is_some(), "the second was dropped, which has failed it");
    drop(by_id.detach().unwrap());
    clock.advance(MINUTE + SECOND);
    assert!(tasks.claim().unwrap().is_some(), "the lease of the third has expired");
    sound(&tracker);
}

#[test]
fn worker_runs_no_more_handlers_than_the_limit() {
    let (_, tracker) = tracker();
    let tasks = tracker.tasks::<Upload>().unwrap();
    let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let handler = |upload: &mut Execution<Upload>| {
        most.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
        // The next task keeps the queue full to the end.
        if upload.number < 40 {
            upload.submit_next(&tasks, &self::upload(upload.number + 3)).unwrap();
        }
        thread::yield_now();
        running.fetch_sub(1, SeqCst);
        fine()
    };
    tasks.submit_all((0..3).map(upload)).unwrap();
    let summary = tasks.worker().threads(4).prefetch(8).run(handler).unwrap();
    assert_eq!(summary.succeeded, 43);
    assert!(most.load(SeqCst) <= 2, "{most:?}");
    sound(&tracker);
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[task(name = "fetch", status = Status, shared_limit(network = 2))]
struct Fetch {
    #[task(id)]
    number: u32,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[task(name = "send", status = Status, shared_limit(network = 2, disk = 1))]
struct Send {
    #[task(id)]
    number: u32,
}

#[test]
fn kinds_share_the_limit_of_one_name() {
    let (_, tracker) = tracker();
    let (fetches, sends) = (tracker.tasks::<Fetch>().unwrap(), tracker.tasks::<Send>().unwrap());
    fetches.submit_all((0..5).map(|number| Fetch { number })).unwrap();
    sends.submit_all((0..5).map(|number| Send { number })).unwrap();
    let mut send = sends.claim().unwrap().unwrap();
    assert!(sends.claim().unwrap().is_none(), "the limit of the disk is reached");
    let why = Explanation::SharedLimit { name: "disk".to_owned(), most: 1 };
    assert_eq!(sends.explain(1).unwrap(), why);
    let mut fetch = fetches.claim().unwrap().unwrap();
    assert!(fetches.claim().unwrap().is_none(), "a task of the other kind uses the network too");
    let why = Explanation::SharedLimit { name: "network".to_owned(), most: 2 };
    assert_eq!(fetches.plan(1).unwrap().next[0].why, why);
    let text = "it is limited: 2 tasks that share the limit \"network\" are in progress, and no more may be";
    assert_eq!(fetches.explain(1).unwrap().to_string(), text);
    send.succeed().unwrap();
    let mut second = fetches.claim().unwrap().unwrap();
    assert!(sends.claim().unwrap().is_none(), "the disk is free, and the network is not");
    fetch.succeed().unwrap();
    assert!(sends.claim().unwrap().is_some());
    second.succeed().unwrap();
    sound(&tracker);
}

#[test]
fn start_by_id_is_counted_by_a_shared_limit() {
    let (_, tracker) = tracker();
    let (fetches, sends) = (tracker.tasks::<Fetch>().unwrap(), tracker.tasks::<Send>().unwrap());
    fetches.submit_all((0..3).map(|number| Fetch { number })).unwrap();
    sends.submit(&Send { number: 0 }).unwrap();
    let held: Vec<_> = (0..3).map(|number| fetches.start(number).unwrap()).collect();
    assert!(sends.claim().unwrap().is_none());
    for mut held in held {
        held.succeed().unwrap();
    }
    assert!(sends.claim().unwrap().is_some());
    sound(&tracker);
}

#[test]
fn workers_of_two_kinds_finish_under_a_shared_limit() {
    let (_, tracker) = tracker();
    let (fetches, sends) = (tracker.tasks::<Fetch>().unwrap(), tracker.tasks::<Send>().unwrap());
    fetches.submit_all((0..20).map(|number| Fetch { number })).unwrap();
    sends.submit_all((0..20).map(|number| Send { number })).unwrap();
    let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        most.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
        thread::yield_now();
        running.fetch_sub(1, SeqCst);
        fine()
    };
    let summary =
        WorkerPool::new().threads(4).prefetch(4).serve(&fetches, |_| work()).serve(&sends, |_| work()).run().unwrap();
    assert_eq!(summary.succeeded, 40, "{summary:?}");
    assert!(most.load(SeqCst) <= 2, "{most:?}");
    sound(&tracker);
}
