//! Tests a file whose time was set ahead by a wrong clock.

use std::{path::PathBuf, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use tempfile::TempDir;
use tracker_core::{
    ErrorKind, Options, TaskStatus, TrackedTask, Tracker,
    batch::BatchOptions,
    file::Sharing,
    submit::SubmitOptions,
    time::{Clock, ManualClock},
};

use crate::support::kinds::{Job, MINUTE, SECOND, Status, job, jobs, sound, status};

/// Starts at most one task in ten seconds.
#[derive(TrackedTask, serde::Serialize, serde::Deserialize, Clone, Debug)]
#[task(name = "call", status = CallStatus, rate = "1/10s")]
struct Call {
    #[task(id)]
    number: u32,
    #[task(index, limit = 2)]
    host: String,
}

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum CallStatus {
    Pending = 1,
    InProgress = 2,
    Failed = 3,
    Succeeded = 4,
}

fn call(number: u32) -> Call {
    Call { number, host: "host".to_owned() }
}

fn at(clock: &ManualClock) -> Options {
    Tracker::options().clock(clock.clone())
}

struct Ahead {
    _folder: TempDir,
    path: PathBuf,
    /// The right clock.
    clock: ManualClock,
    /// A due time that was set while the clock was right.
    planned: DateTime<Utc>,
    fence: u64,
    ticket: tracker_core::execution::Ticket,
}

/// A file that was worked on while the clock was right, and then while it was 73 years ahead.
fn prefetch() -> Ahead {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    let clock = ManualClock::new();
    let tracker = at(&clock).open(&path).unwrap();
    let tasks = jobs(&tracker, &[]);
    let planned = tracker.now() + TimeDelta::days(30 * 365);
    tasks.submit_with(&job("planned"), &SubmitOptions::new().at(planned)).unwrap();
    drop(tasks);
    tracker.close().unwrap();

    let wrong = ManualClock::at(clock.now().wall + TimeDelta::days(73 * 365));
    let tracker = at(&wrong).open(&path).unwrap();
    let tasks = tracker.tasks::<Job>().unwrap();
    for name in ["first", "second", "fails", "held", "left"] {
        tasks.submit(&job(name)).unwrap();
        wrong.advance(SECOND);
    }
    tasks.submit_with(&job("delayed"), &SubmitOptions::new().delay(MINUTE)).unwrap();
    tasks.submit_batch("batch", [job("member")], &BatchOptions::new()).unwrap();
    tasks.run("second", |_| Ok::<_, std::io::Error>(())).unwrap();
    wrong.advance(SECOND);
    tasks.run("first", |_| Ok::<_, std::io::Error>(())).unwrap();
    tasks.run("member", |_| Ok::<_, std::io::Error>(())).unwrap();
    tasks.run("fails", |_| Err::<(), _>("no luck")).unwrap_err();
    let held = tasks.start("held").unwrap();
    let fence = held.fence();
    let ticket = held.detach().unwrap();
    std::mem::forget(tasks.start("left").unwrap());
    let calls = tracker.tasks::<Call>().unwrap();
    calls.submit_all([1, 2].map(call)).unwrap();
    calls.claim().unwrap().unwrap().succeed().unwrap();
    drop((tasks, calls));
    tracker.close().unwrap();
    Ahead { _folder: folder, path, clock, planned, fence, ticket }
}

#[test]
fn file_time_ahead_of_the_clock_is_reported() {
    let Ahead { path, clock, _folder, .. } = prefetch();
    let tracker = at(&clock).inspect(&path).unwrap();
    let time = tracker.file_time().unwrap();
    assert_eq!(time.clock, clock.now().wall);
    assert!(time.ahead() > Duration::from_secs(72 * 365 * 86_400), "{time:?}");
    let late = ManualClock::at(clock.now().wall + TimeDelta::days(100 * 365));
    assert_eq!(at(&late).inspect(&path).unwrap().file_time().unwrap().ahead(), Duration::ZERO);
}

#[test]
fn repair_sets_the_time_back_and_keeps_order() {
    let Ahead { path, clock, planned, fence, ticket, _folder } = prefetch();
    let repair = at(&clock).repair_time(&path).unwrap();
    assert!(repair.before > clock.now().wall + TimeDelta::days(72 * 365), "{repair:?}");
    assert!((Duration::ZERO..SECOND).contains(&(repair.after - clock.now().wall).to_std().unwrap()), "{repair:?}");
    let named: Vec<_> = repair.redated.iter().map(|task| (task.kind.as_str(), task.id.to_string())).collect();
    assert_eq!(named, [("job", "fails".to_owned()), ("job", "delayed".to_owned()), ("call", "2".to_owned())]);

    let tracker = at(&clock).open(&path).unwrap();
    sound(&tracker);
    assert!(tracker.now() < clock.now().wall + TimeDelta::seconds(1));
    let tasks = tracker.tasks::<Job>().unwrap();
    let due = |name: &str| tasks.get(name).unwrap().unwrap().due_at;
    assert_eq!(due("planned"), planned, "set while the clock was right");
    for (name, delay) in [("delayed", MINUTE), ("fails", 10 * SECOND)] {
        let left = (due(name) - clock.now().wall).to_std().unwrap();
        assert!((delay..delay + SECOND).contains(&left), "{name}: {left:?}");
    }
    let ended = tasks.query().status(Status::Succeeded).fetch().unwrap();
    let mut ended: Vec<_> = ended.into_iter().map(|record| (record.updated_at, record.task.name)).collect();
    ended.sort();
    assert_eq!(ended.iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>(), ["second", "first", "member"]);
    for record in tasks.query().fetch().unwrap() {
        let latest = tracker.now() + TimeDelta::seconds(1);
        assert!(record.created_at < latest && record.updated_at < latest, "{record:?}");
        assert!(record.history.iter().all(|attempt| attempt.ended_at < latest && attempt.started_at < latest));
    }
    let batch = tracker.batch("batch").unwrap().unwrap().info().unwrap();
    assert!(batch.created_at < tracker.now() + TimeDelta::seconds(1));
    assert_eq!(status(&tasks, "left"), Status::Failed, "its process is gone");

    // The ticket holds for its whole lease, and no fence comes twice.
    let mut held = tasks.resume_ticket(&ticket).unwrap();
    assert_eq!(held.fence(), fence);
    held.succeed().unwrap();
    clock.advance(MINUTE);
    let mut next = tasks.claim().unwrap().unwrap();
    assert!(next.fence() > fence);
    next.succeed().unwrap();
    let calls = tracker.tasks::<Call>().unwrap();
    calls.claim().unwrap().unwrap().succeed().unwrap();
    sound(&tracker);
}

#[test]
fn delays_pass_between_runs_after_the_repair() {
    let Ahead { path, clock, _folder, .. } = prefetch();
    let is_due = |clock: &ManualClock| {
        let tracker = at(clock).inspect(&path).unwrap();
        let record = tracker.tasks::<Job>().unwrap().get("delayed").unwrap().unwrap();
        record.due_at <= tracker.now()
    };
    clock.advance(2 * MINUTE);
    assert!(!is_due(&clock), "the file's time stands still while it is closed");
    at(&clock).repair_time(&path).unwrap();
    clock.advance(2 * MINUTE);
    assert!(is_due(&clock));
}

#[test]
fn repair_of_a_sound_time_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.redb");
    let clock = ManualClock::new();
    let tracker = at(&clock).open(&path).unwrap();
    drop(jobs(&tracker, &["a"]));
    let before = tracker.change_number().unwrap();
    tracker.close().unwrap();
    let repair = at(&clock).repair_time(&path).unwrap();
    assert_eq!((repair.before, repair.tasks, repair.redated.len()), (repair.after, 0, 0));
    assert_eq!(Tracker::inspect(&path).unwrap().change_number().unwrap(), before);
}

#[test]
fn repair_is_refused_while_the_file_is_open() {
    let Ahead { path, clock, _folder, .. } = prefetch();
    for sharing in [Sharing::Exclusive, Sharing::Readers, Sharing::Writers] {
        let tracker = at(&clock).sharing(sharing).open(&path).unwrap();
        assert_eq!(at(&clock).repair_time(&path).unwrap_err().kind(), ErrorKind::Busy);
        tracker.close().unwrap();
    }
    let looked = at(&clock).inspect(&path).unwrap();
    assert_eq!(at(&clock).repair_time(&path).unwrap_err().kind(), ErrorKind::Busy);
    drop(looked);
    let missing = path.with_extension("missing");
    assert_eq!(at(&clock).repair_time(&missing).unwrap_err().kind(), ErrorKind::Io);
    assert!(!missing.exists());
}
