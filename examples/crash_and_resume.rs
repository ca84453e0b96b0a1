//! Crashes in the middle of the work, again and again, and what the file says afterwards: nothing was lost, and nothing
//! succeeded twice.
//!
//! The program starts itself as a child that works with four threads and aborts at a random moment, until a child finds
//! nothing left to do. Run it with `cargo run --example crash_and_resume`; it works in a folder of its own.

use std::{
    collections::BTreeMap,
    env,
    path::Path,
    process::{self, Command},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};
use tracker_core::{TaskStatus, TrackedTask, Tracker, record::AttemptStatus};

const TASKS: u32 = 300;
/// A child aborts when it has begun so many attempts.
const ABORT_AT: u64 = 70;

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum JobStatus {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
    Exhausted = 50,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "square", status = JobStatus)]
struct Square {
    #[task(id)]
    number: u32,
    result: Option<u64>,
}

fn main() -> anyhow::Result<()> {
    let mut arguments = env::args_os().skip(1);
    if let Some(file) = arguments.next() {
        return child(Path::new(&file));
    }
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("squares.redb");
    submit(&file)?;
    for run in 1.. {
        let status = Command::new(env::current_exe()?).arg(&file).status()?;
        tell(run, &file)?;
        if status.success() {
            break;
        }
        ensure!(run < 100, "a hundred runs were not enough");
    }
    prove(&file)
}

fn submit(file: &Path) -> anyhow::Result<()> {
    let squares = Tracker::open(file)?.tasks::<Square>()?;
    let put = squares.submit_all((0..TASKS).map(|number| Square { number, result: None }))?;
    println!("{} tasks are in the file", put.new);
    Ok(())
}

/// Works until nothing is left, or the process breaks off with four tasks in its hands.
fn child(file: &Path) -> anyhow::Result<()> {
    let squares = Tracker::open(file)?.tasks::<Square>()?;
    let begun = AtomicU64::new(0);
    let summary = squares.worker().threads(4).run(|square| -> anyhow::Result<()> {
        if begun.fetch_add(1, Ordering::Relaxed) == ABORT_AT {
            process::abort();
        }
        thread::sleep(Duration::from_millis(2));
        square.result = Some(u64::from(square.number).pow(2));
        Ok(())
    })?;
    println!("  the worker returned: {summary}");
    Ok(())
}

/// Looks at the file as the child left it.
fn tell(run: u32, file: &Path) -> anyhow::Result<()> {
    let squares = Tracker::inspect(file)?.tasks::<Square>()?;
    let counts = squares.counts()?;
    println!(
        "run {run}: {} succeeded, {} still in the hands of the dead process, {} wait",
        counts.get(JobStatus::Succeeded),
        counts.get(JobStatus::InProgress),
        counts.get(JobStatus::Pending) + counts.get(JobStatus::Failed),
    );
    Ok(())
}

/// Reads the file, not the memory of a process.
fn prove(file: &Path) -> anyhow::Result<()> {
    let tracker = Tracker::open(file)?;
    let squares = tracker.tasks::<Square>()?;
    let mut attempts: BTreeMap<&str, u64> = BTreeMap::new();
    let records = squares.query().by_creation().fetch()?;
    ensure!(records.len() == usize::try_from(TASKS)?, "{} tasks are left of {TASKS}", records.len());
    for record in &records {
        let number = record.task.number;
        let result = record.task.result.with_context(|| format!("{number} has no result"))?;
        ensure!(result == u64::from(number).pow(2), "the square of {number} is not {result}");
        let successes = record.history.iter().filter(|attempt| attempt.status == AttemptStatus::Succeeded).count();
        ensure!(successes == 1, "{number} succeeded {successes} times");
        for attempt in &record.history {
            *attempts.entry(attempt.status.name()).or_default() += 1;
        }
    }
    let differences = tracker.verify()?;
    ensure!(differences.is_empty(), "the file is not sound: {differences:?}");
    println!("every task succeeded exactly once; attempts by their end:");
    for (status, count) in attempts {
        println!("  {count:>3} {status}");
    }
    println!("every index and counter of the file agrees with its tasks");
    Ok(())
}
