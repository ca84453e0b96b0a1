use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::Error;

/// What the bodies did, in a file that outlives the kill of the process: a line `b NUMBER NANOSECONDS` for each begin,
/// `e …` for each end. One write each; the page cache keeps it.
pub(crate) struct Diary {
    file: File,
    hanging: std::ops::Range<u64>,
}

impl Diary {
    /// `hanging`: the tasks whose bodies never end.
    pub(crate) fn create(dir: &Path, name: &str, hanging: std::ops::Range<u64>) -> Result<Self, Error> {
        let file = OpenOptions::new().create(true).append(true).open(dir.join(name))?;
        Ok(Self { file, hanging })
    }

    pub(crate) fn hangs(&self, number: u64) -> bool {
        self.hanging.contains(&number)
    }

    pub(crate) fn write(&self, what: char, number: u64) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos());
        let line = format!("{what} {number} {now}\n");
        // A diary that cannot be written shows as lost tasks.
        let _ = (&self.file).write_all(line.as_bytes());
    }
}
