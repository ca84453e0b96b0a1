use std::fmt;

use tracker_core::{
    Tasks,
    task::{TaskId, TaskKey},
};

use crate::{
    file::{FileRecord, FileStatus, FileTask},
    report::error_of,
};

/// The action of a run on a file, and its reason.
enum Dependency {
    Unchanged,
    /// It failed, and has not changed since.
    Failed(String),
    /// It runs or waits for reasons that need no words of their own.
    New,
    Waiting,
    Running(String),
    Changed(String),
    /// It was gone when its turn came.
    Returned,
}

/// The result of a walk: the number of files for each action, and lines for files that need attention.
#[derive(Default)]
pub struct Plan {
    /// A line for every file that would run, not only for surprises.
    every: bool,
    retry_failed: bool,
    unchanged: u64,
    new: u64,
    changed: u64,
    waiting: u64,
    failed: u64,
    pub walk_errors: u64,
    returned: Vec<FileTask>,
}

/// How many lines there are at most about changed files in a run.
const LINES: u64 = 50;

impl Plan {
    /// Tells every file that would run.
    pub fn of_all(retry_failed: bool) -> Self {
        Self { every: true, retry_failed, ..Self::default() }
    }

    /// Tells the changed ones, up to a limit.
    pub fn of_changes() -> Self {
        Self::default()
    }

    pub fn add(&mut self, tasks: Option<&Tasks<FileTask>>, file: &FileTask) -> anyhow::Result<()> {
        let record = tasks.map(|tasks| tasks.get(&file.path)).transpose()?.flatten();
        let (count, why) = match Dependency::of(record.as_ref(), file) {
            Dependency::Unchanged => (&mut self.unchanged, None),
            Dependency::New => (&mut self.new, self.every.then(|| "new".to_owned())),
            Dependency::Waiting => (&mut self.waiting, self.every.then(|| "waits since an earlier run".to_owned())),
            Dependency::Running(who) => (&mut self.waiting, self.every.then(|| format!("is being read by {who}"))),
            Dependency::Failed(error) if self.retry_failed => {
                (&mut self.waiting, self.every.then(|| format!("failed, is tried again: {error}")))
            }
            Dependency::Failed(error) => (&mut self.failed, self.every.then(|| format!("skipped, it failed: {error}"))),
            Dependency::Returned => {
                self.returned.push(file.clone());
                (&mut self.changed, Some("it was gone and is back".to_owned()))
            }
            Dependency::Changed(how) => (&mut self.changed, Some(how)),
        };
        *count += 1;
        if let Some(why) = why
            && (self.every || *count <= LINES)
        {
            println!("{}: {why}", shown(file));
        }
        Ok(())
    }

    /// Something that the walk could not look at.
    pub fn unreadable(&mut self, error: &walkdir::Error) {
        self.walk_errors += 1;
        eprintln!("failed: {error}");
    }

    /// The ids of files that were gone and are back.
    pub fn returned(&self) -> impl Iterator<Item = TaskKey> {
        self.returned.iter().map(|file| file.path.to_key())
    }
}

impl Dependency {
    fn of(record: Option<&FileRecord>, file: &FileTask) -> Self {
        let Some(record) = record else { return Self::New };
        let done = &record.task;
        let ended = matches!(record.status, FileStatus::Succeeded | FileStatus::Exhausted | FileStatus::Ignored);
        if ended && done.size != file.size {
            return Self::Changed(format!("changed, its size was {} and is {}", done.size, file.size));
        }
        if ended && done.modified != file.modified {
            let direction = if done.modified < file.modified { "later" } else { "earlier" };
            return Self::Changed(format!("changed, its modification time is {direction} than it was"));
        }
        match record.status {
            FileStatus::Succeeded => Self::Unchanged,
            FileStatus::Exhausted => Self::Failed(error_of(record)),
            FileStatus::Ignored => Self::Returned,
            FileStatus::InProgress => {
                Self::Running(record.lease.as_ref().map_or_else(String::new, |l| l.worker.clone()))
            }
            FileStatus::Pending | FileStatus::Failed => Self::Waiting,
        }
    }
}

/// A path as text on one line, for any bytes.
pub fn shown(file: &FileTask) -> String {
    file.path.to_key().to_string().replace('\n', "\\n").replace('\r', "\\r")
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.new + self.changed + self.waiting == 0 {
            write!(f, "nothing to do: {} files are unchanged", self.unchanged)?;
        } else {
            write!(f, "{} new, {} changed, {} left from earlier", self.new, self.changed, self.waiting)?;
            write!(f, ", {} unchanged", self.unchanged)?;
        }
        if self.failed > 0 {
            write!(f, "; {} failed earlier and wait for --retry-failed", self.failed)?;
        }
        if self.walk_errors > 0 {
            write!(f, "; {} places could not be looked at", self.walk_errors)?;
        }
        Ok(())
    }
}
