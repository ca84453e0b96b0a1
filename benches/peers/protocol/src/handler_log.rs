//! A file with a line for each begin and end of a handler, for the crash scenarios. It survives the kill of the process.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::Error;

/// Writes `b NUMBER NANOSECONDS` for a begin and `e …` for an end, each with one write, so that the page cache keeps it.
pub(crate) struct HandlerLog {
    file: File,
    hanging: std::ops::Range<u64>,
}

impl HandlerLog {
    /// `hanging`: the tasks whose handlers never end.
    pub(crate) fn create(dir: &Path, name: &str, hanging: std::ops::Range<u64>) -> Result<Self, Error> {
        let file = OpenOptions::new().create(true).append(true).open(dir.join(name))?;
        Ok(Self { file, hanging })
    }

    pub(crate) fn hangs(&self, number: u64) -> bool {
        self.hanging.contains(&number)
    }

    pub(crate) fn write(&self, event: char, number: u64) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos());
        let line = format!("{event} {number} {now}\n");
        // A write that fails shows as a task without a handler.
        let _ = (&self.file).write_all(line.as_bytes());
    }
}
