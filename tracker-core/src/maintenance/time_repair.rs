//! Returns the time that a file has reached, and repairs it if a wrong clock set it ahead. Called by users and `tracker-cli`, and the first by
//! `tracker-web`; reads an open tracker. The repair opens the file without an engine, and writes it in one commit. Both call the user's clock.

use std::{path::Path, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};

use crate::api::options::Options;
use crate::{
    api::tracker::Tracker,
    engine::{FileDatabase, Retimed, repair_time},
    model::{
        error::{Error, ErrorKind, Result},
        panics::catch_panic,
        task::TaskKey,
        time::{Clock, micros_at, utc},
    },
    storage::file::{FileOptions, Location, Sharing},
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
    /// Returns how far the file's time is ahead of the clock; zero if it is not.
    ///
    /// Up to a few milliseconds are usual. Where it is minutes or more, a clock was or is wrong, and
    /// [`Options::repair_time`](crate::Options::repair_time) helps.
    #[must_use]
    pub fn ahead(&self) -> Duration {
        (self.stored - self.clock).to_std().unwrap_or_default()
    }
}

/// The changes that [`Options::repair_time`](crate::Options::repair_time) made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TimeRepair {
    /// The file's time before.
    pub before: DateTime<Utc>,
    /// The file's time after: that of the clock, or a few microseconds more.
    pub after: DateTime<Utc>,
    /// How many tasks had a time that lay ahead.
    pub tasks: u64,
    /// The first 1,000 of the tasks that wait for another due time now.
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
        let stored = engine.read(|rows| Ok(rows.file_state()?.clock_floor))?;
        Ok(FileTime { stored: utc(stored), clock: wall_time(&**engine.time().clock())? })
    }
}

impl Options {
    /// Sets back the time of a file that a wrong clock once set ahead, to that of these options' clock.
    ///
    /// A file's time never goes back by itself, so that a clock that was set ahead once stops the delays of all tasks
    /// while no process has the file open (see [`FileTime`](crate::maintenance::FileTime)). First make sure that the clock is right
    /// now, because a clock that is behind would move true times.
    ///
    /// The file is opened exclusively, so that no process works on it. One commit then replaces every time that lies
    /// after the clock's:
    /// - Times that have passed (of creation, changes, attempts, starts) become the clock's time, in their order.
    /// - Due times that were counted from such a time keep their delay. [`TimeRepair::redated`] names these tasks. A due
    ///   time that was set while the clock was right stays.
    /// - Leases of tickets last their whole length from now on. Other leases are free at the next open.
    ///
    /// Ids, order, fences, statuses and payloads stay as they are. Tables of the caller's own are not touched.
    ///
    /// ```
    /// # use tracker_core::Tracker;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let path = folder.path().join("jobs.redb");
    /// # Tracker::open(&path)?.close()?;
    /// let repair = Tracker::options().repair_time(&path)?;
    /// assert_eq!(repair.before, repair.after); // nothing lay ahead
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// - [`ErrorKind::Busy`](crate::ErrorKind::Busy) if a process has the file open, also for inspection.
    /// - [`ErrorKind::Corrupted`](crate::ErrorKind::Corrupted) if a row is damaged: recover the file first.
    /// - As [`Options::open`] otherwise; a missing file is not created.
    pub fn repair_time(self, path: impl AsRef<Path>) -> Result<TimeRepair> {
        repair(path.as_ref(), self.file, self.patience, &self.clock)
    }
}

/// The time of a clock, which may be the user's.
fn wall_time(clock: &dyn Clock) -> Result<DateTime<Utc>> {
    catch_panic(|| clock.now().wall).map_err(|panic| Error::invalid(format!("the clock panicked: {panic}")))
}

fn repair(path: &Path, options: FileOptions, patience: Duration, clock: &Arc<dyn Clock>) -> Result<TimeRepair> {
    if !path.exists() {
        return Err(Error::new(ErrorKind::Io, format!("{}: there is no file here; check the path", path.display())));
    }
    // Opened exclusively, so that every lease but those of tickets is one of a dead process, and no other process has a time in memory.
    let options = FileOptions { sharing: Sharing::Exclusive, ..options };
    let database = FileDatabase::open(Location::Path(path.to_owned()), options, false, patience)?;
    let now = micros_at(wall_time(&**clock)?);
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
