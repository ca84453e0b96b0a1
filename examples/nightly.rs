//! A nightly backup: a schedule in a time zone, a night with a change of the clock, a week off, and a backup that runs for too long.
//!
//! The clock is set by hand here, so that a week takes no time: `cargo run --example nightly`.

use std::{error::Error, time::Duration};

use serde::{Deserialize, Serialize};
use tracker_core::{
    TaskStatus, Tasks, TrackedTask, Tracker,
    schedule::{CatchUp, Overlap, Schedule},
    time::ManualClock,
};

#[derive(TaskStatus, Clone, Copy, Debug, PartialEq, Eq)]
enum BackupStatus {
    Pending = 10,
    InProgress = 20,
    Failed = 30,
    Succeeded = 40,
    Exhausted = 50,
    Cancelled = 60,
}

#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "backup", status = BackupStatus, max_attempts = 3)]
struct Backup {
    #[task(id)]
    id: String,
    /// The folder to write to.
    into: String,
}

const HOUR: Duration = Duration::from_secs(3_600);

/// Registers the schedule, as the program does at each start.
fn register(backups: &Tasks<Backup>) -> tracker_core::Result<tracker_core::schedule::ScheduleHandle> {
    let nightly =
        Schedule::cron("30 2 * * *")?.time_zone("Europe/Berlin")?.catch_up(CatchUp::Latest)?.overlap(Overlap::Skip);
    backups.schedule("nightly", &nightly, |occurrence| Backup {
        id: occurrence.id(),
        into: format!("/backups/{}", occurrence.scheduled_at().format("%Y-%m-%d")),
    })
}

/// Runs what is due, and prints it.
fn work(backups: &Tasks<Backup>) -> tracker_core::Result<()> {
    while let Some(mut backup) = backups.claim()? {
        let scheduled = backup.scheduled_at().map(|time| time.to_rfc3339()).unwrap_or_default();
        println!("  {} into {}, scheduled at {scheduled}", backup.id(), backup.into);
        backup.succeed()?;
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let clock = ManualClock::at("2026-03-27T12:00:00Z".parse()?);
    let tracker = Tracker::options().clock(clock.clone()).in_memory()?;
    let backups = tracker.tasks::<Backup>()?;
    let schedule = register(&backups)?;

    println!("the next nights in UTC; the clock is set ahead on 29 March, and 02:30 is left out:");
    for run in schedule.next_runs(4)? {
        println!("  {run}");
    }

    println!("three nights:");
    for _ in 0..3 {
        clock.advance(24 * HOUR);
        // The tracker does this by itself; here the program waits for it.
        tracker.submit_due_occurrences()?;
        work(&backups)?;
    }

    println!("a week later, as after a holiday: the latest missed night");
    clock.advance(7 * 24 * HOUR);
    tracker.submit_due_occurrences()?;
    register(&backups)?;
    work(&backups)?;

    println!("a backup that runs until the next night:");
    clock.advance(24 * HOUR);
    tracker.submit_due_occurrences()?;
    let mut slow = backups.claim()?.ok_or("a backup is due")?;
    clock.advance(24 * HOUR);
    tracker.submit_due_occurrences()?;
    println!("  skipped {} while {} ran", schedule.info()?.overlapped, slow.id());
    slow.succeed()?;

    let info = schedule.info()?;
    println!(
        "{} submitted, {} missed, {} overlapped, {} failed",
        info.submitted, info.missed, info.overlapped, info.failed
    );
    Ok(())
}
