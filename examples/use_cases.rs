//! One file, many use cases: the same struct under several names, each with counts, queries and deletes of its own.
//!
//! Shown: `test` is not a prefix of `test1`; several steps in one row; refusals, generic or with their reason; statuses
//! to start from, call by call; data that is staged and data that is written at once; a history of errors that outlives
//! the success; who holds a task; what is unfinished, across statuses in one order; a final write that comes too late.
//!
//! Run it with `cargo run --example use_cases`; it works in a folder of its own, by a clock in its hand. With the name of a new
//! file, as in `cargo run --example use_cases -- use_cases.redb`, it leaves that behind, for the `tracker` program to look at.

use std::{env, fmt::Display, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};
use tracker_core::{
    ErrorKind, TaskStatus, Tasks, TrackedTask, Tracker, error::Reason, execution::StartOptions, time::ManualClock,
    worker::RunError,
};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
    Ignored = 50,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[task(name = "task", status = Status, max_attempts = 3, lease = "1m")]
struct Task {
    #[task(id)]
    id: String,
    data: u32,
}

/// Another use case in the same file, of two steps.
#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum BackupStatus {
    #[status(step = "copy")]
    CopyPending = 110,
    CopyInProgress = 120,
    CopyFailed = 130,
    CopySucceeded = 140,
    CopyIgnored = 150,
    #[status(step = "check")]
    CheckInProgress = 220,
    CheckFailed = 230,
    CheckSucceeded = 240,
    CheckIgnored = 250,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "backup", status = BackupStatus)]
struct Backup {
    #[task(id)]
    file: String,
}

const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = env::args_os().nth(1).map_or_else(|| folder.path().join("tasks.redb"), PathBuf::from);
    let clock = ManualClock::new();
    let tracker = Tracker::options().clock(clock.clone()).open(file)?;
    // Two use cases of one struct; the second one's name begins with the first one's.
    let (test, test1) = (tracker.tasks_as::<Task>("test")?, tracker.tasks_as::<Task>("test1")?);
    for id in ["a", "b", "c", "d", "e"] {
        test.submit(&task(id))?;
        test1.submit(&task(id))?;
        clock.advance(SECOND);
    }

    steps(&tracker.tasks()?)?;
    refusals(&test)?;
    staged_and_written(&test)?;
    call_by_call(&test, &clock)?;
    who_holds_it(&tracker, &test, &clock)?;
    lists(&test)?;
    by_use_case(&tracker, &test, &test1)
}

/// The second step of a use case starts from the first one's success.
fn steps(backups: &Tasks<Backup>) -> anyhow::Result<()> {
    println!("steps");
    backups.submit(&Backup { file: "a.txt".to_owned() })?;
    let (copy, check) = (backups.step("copy")?, backups.step("check")?);
    println!("  {}", error_of(check.start("a.txt")));
    for step in [copy, check] {
        step.run("a.txt", |_| Ok::<_, RunError>(()))?;
        println!("  {:?}", backups.get("a.txt")?.map(|record| record.status));
    }
    Ok(())
}

/// A refusal is one thing to a program that only wants to go on, and a reason to one that asks for it.
fn refusals(tasks: &Tasks<Task>) -> anyhow::Result<()> {
    println!("refusals");
    tasks.run("a", |_| Ok::<_, RunError>(()))?;
    for (id, started) in [("a", tasks.start("a")), ("nobody", tasks.start("nobody"))] {
        let Err(error) = started else { continue };
        let reason = error.refusal().map(|refusal| &refusal.reason);
        println!("  {id}: refused {}; reason {reason:?}", error.is_refusal());
    }
    let mut held = tasks.worker_name("me").start("b")?;
    match tasks.start("b").map_err(|error| error.refusal().map(|refusal| refusal.reason.clone())) {
        Err(Some(Reason::Leased { worker, until })) => println!("  b: {worker} has it until {until}"),
        other => println!("  b: {other:?}"),
    }
    held.fail("no luck")?;
    Ok(())
}

/// Staged data is dropped with a failure; a checkpoint survives it. After one failure and a success the failures are 0
/// and the history has the one error.
fn staged_and_written(tasks: &Tasks<Task>) -> anyhow::Result<()> {
    println!("staged and written");
    let failed = tasks.run("c", |task| -> anyhow::Result<()> {
        task.data = 1;
        task.checkpoint()?; // now, for every outcome of the attempt
        task.data = 2; // with the success, which does not come
        anyhow::bail!("half way")
    });
    println!("  {}", show(tasks, "c")?);
    println!("  raised: {:?}", failed.map_err(|error| error.to_string()));
    tasks.run("c", |task| {
        task.data += 10;
        Ok::<_, RunError>(())
    })?;
    println!("  {}", show(tasks, "c")?);
    Ok(())
}

/// The statuses that a call starts from besides pending and failed, in place of the kind's.
fn call_by_call(tasks: &Tasks<Task>, clock: &ManualClock) -> anyhow::Result<()> {
    println!("call by call");
    tasks.ignore("d", "not wanted")?;
    println!("  {}", error_of(tasks.start("d")));
    let from_ignored = StartOptions::new().startable([Status::Ignored]);
    tasks.run_with("d", &from_ignored, |_| Err::<(), _>("not wanted indeed")).or_else(RunError::skip_handler_error)?;
    println!("  {}", show(tasks, "d")?);
    clock.advance(SECOND);
    Ok(())
}

/// `check_start` says whether a task is locked for a caller with this token at this time; and a write that comes after
/// the lease was taken over changes nothing.
fn who_holds_it(tracker: &Tracker, tasks: &Tasks<Task>, clock: &ManualClock) -> anyhow::Result<()> {
    println!("who holds it");
    let mut mine = tasks.worker_name("me").start("e")?;
    let locked = |options: &StartOptions<Status>| -> anyhow::Result<bool> {
        match tasks.check_start("e", options) {
            Ok(()) => Ok(false),
            Err(error) if error.kind() == ErrorKind::Leased => Ok(true),
            Err(error) => Err(error.into()),
        }
    };
    let with_token = StartOptions::new().reenter(mine.token());
    println!("  for others {}, for me {}", locked(&StartOptions::new())?, locked(&with_token)?);
    let lease = tasks.get("e")?.and_then(|record| record.lease);
    clock.advance(MINUTE);
    println!("  after a minute {}", lease.is_some_and(|lease| lease.is_live(tracker.now())));
    let mut theirs = tasks.start("e")?;
    mine.data = 1;
    println!("  {}", error_of(mine.succeed()));
    theirs.fail("no luck")?;
    println!("  {}", show(tasks, "e")?);
    Ok(())
}

/// By status or by code, one or many, oldest or newest first, and what is unfinished in one order over all statuses.
fn lists(tasks: &Tasks<Task>) -> anyhow::Result<()> {
    println!("lists");
    let ids = |ids: Vec<tracker_core::task::TaskKey>| ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    tasks.submit(&task("f"))?;
    tasks.run("b", |_| Err::<(), _>("no luck again")).or_else(RunError::skip_handler_error)?;
    println!("  succeeded, newest first: {}", ids(tasks.query().status(Status::Succeeded).newest_first().ids()?));
    let codes = [30, 40].into_iter().filter_map(Status::from_code);
    println!("  codes 30 and 40, at most 3: {}", ids(tasks.query().statuses(codes).limit(3).ids()?));
    println!("  unfinished, by last change: {}", ids(tasks.query().unfinished().ids()?));
    println!("  unfinished, by creation: {}", ids(tasks.query().unfinished().by_creation().ids()?));
    Ok(())
}

/// Counts and deletes are exact: they concern one use case only.
fn by_use_case(tracker: &Tracker, test: &Tasks<Task>, test1: &Tasks<Task>) -> anyhow::Result<()> {
    println!("by use case");
    println!("  {:?}: {} and {}", tracker.kinds()?, test.counts()?.total(), test1.counts()?.total());
    println!("  deleted {}", test.query().remove()?);
    println!("  {} and {}", test.counts()?.total(), test1.counts()?.total());
    Ok(())
}

fn task(id: &str) -> Task {
    Task { id: id.to_owned(), data: 0 }
}

fn show(tasks: &Tasks<Task>, id: &str) -> anyhow::Result<String> {
    let Some(record) = tasks.get(id)? else { anyhow::bail!("there is no {id}") };
    let errors = record.history.iter().filter_map(|attempt| attempt.failure.as_ref()).map(|failure| &failure.error);
    let errors: Vec<_> = errors.collect();
    Ok(format!("{id}: {:?}, failures {}, data {}, errors {errors:?}", record.status, record.failures, record.task.data))
}

fn error_of<T>(result: Result<T, impl Display>) -> String {
    result.err().map_or_else(|| "no error".to_owned(), |error| error.to_string())
}
