//! The time that a file has reached, and its repair where a wrong clock set it ahead.

use std::{path::Path, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};

use crate::{
    disk::file::{FileOptions, Place, Sharing},
    engine::{Database, Retimed, repair_time},
    error::{Error, ErrorKind, Result},
    task::TaskKey,
    time::{Clock, micros_at, utc},
    tracker::Tracker,
};

/// The time that a file has reached, beside that of the clock: what [`Tracker::file_time`](crate::Tracker::file_time)
/// returns.
///
/// The time of a tracker never goes back: it is at least the highest time that any process has stored in the file. So if
/// a clock was set ahead once, the file's time stays ahead. It then passes only while a process has the file open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileTime {
    /// The highest time that was stored in the file.
    pub stored: DateTime<Utc>,
    /// The time of the clock.
    pub clock: DateTime<Utc>,
}

impl FileTime {
    /// How far the file's time is ahead of the clock; zero where it is not.
    ///
    /// Up to a few milliseconds are usual. Where it is minutes or more, a clock was or is wrong, and
    /// [`Options::repair_time`](crate::Options::repair_time) helps.
    #[must_use]
    pub fn ahead(&self) -> Duration {
        (self.stored - self.clock).to_std().unwrap_or_default()
    }
}

/// What [`Options::repair_time`](crate::Options::repair_time) did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TimeRepair {
    /// The file's time before.
    pub before: DateTime<Utc>,
    /// The file's time after: that of the clock, or a few microseconds more.
    pub after: DateTime<Utc>,
    /// How many tasks had a time that lay ahead.
    pub tasks: u64,
    /// The tasks that wait for another due time now, at most the first 1,000.
    pub redated: Vec<RedatedTask>,
}

/// A task whose due time had been counted from a time that lay ahead.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RedatedTask {
    /// The kind's name.
    pub kind: String,
    /// The task's id.
    pub id: TaskKey,
    /// When the task was due before.
    pub before: DateTime<Utc>,
    /// When the task is due now.
    pub after: DateTime<Utc>,
}

impl Tracker {
    /// Returns the time that is stored in the file, and that of the clock.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] or [`ErrorKind::Corrupted`] if the file cannot be read.
    pub fn file_time(&self) -> Result<FileTime> {
        let engine = &self.shared.engine;
        let stored = engine.read(|rows| Ok(rows.pulse()?.mark))?;
        Ok(FileTime { stored: utc(stored), clock: engine.time().clock().now().wall })
    }
}

pub(crate) fn repair(
    path: &Path,
    options: FileOptions,
    patience: Duration,
    clock: &Arc<dyn Clock>,
) -> Result<TimeRepair> {
    if !path.exists() {
        return Err(Error::new(ErrorKind::Io, format!("{}: there is no file here; check the path", path.display())));
    }
    // Exclusively: then every lease but those of tickets is one of a dead process, and no other process has a time in memory.
    let options = FileOptions { sharing: Sharing::Exclusive, ..options };
    let database = Database::open(Place::Path(path.to_owned()), options, false, patience)?;
    let now = micros_at(clock.now().wall);
    let repaired = repair_time(&database, now);
    database.close()?;
    let Retimed { before, after, tasks, redated } = repaired?;
    let redated = redated.into_iter().map(|task| RedatedTask {
        kind: task.kind,
        id: task.id,
        before: utc(task.before),
        after: utc(task.after),
    });
    Ok(TimeRepair { before: utc(before), after: utc(after), tasks, redated: redated.collect() })
}
