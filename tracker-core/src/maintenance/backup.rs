//! `Tracker::backup` copies a file that is in use, and raises the next fence of the copy. Called by users and `tracker-cli`; flushes the tracker,
//! reads the open file, and writes only the copy.

use std::path::Path;

use crate::{
    api::tracker::Tracker,
    model::error::{Error, Result},
    storage::{
        file,
        tables::{Tables, Writing},
    },
};

/// A copy that [`Tracker::backup`] made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backup {
    /// The length of the copy, in bytes.
    pub bytes: u64,
    /// The fence of the first claim in the copy.
    pub next_fence: u64,
}

/// How many fences the source can still give out before it reaches those of the copy.
const FENCES: u64 = 1 << 40;

impl Tracker {
    /// Copies the file as it is at one moment into a new file at `into`, while tasks are worked on; also beside a process
    /// that writes, through [`Tracker::inspect`].
    ///
    /// Everything that was acknowledged before the call is in the copy, with the tables of the caller's own. Every page
    /// is verified. The copy appears whole under its name, or not at all. Its fences begin 2^40 above those of the
    /// source, so that a system that refuses old fences accepts those of the copy. Tasks that are in progress are in
    /// progress in the copy too, and are freed when it is opened.
    ///
    /// The file keeps the pages of that moment until they are copied: meanwhile commits take new pages, so that the file
    /// grows by about what is written during the copy. [`Tracker::compact`] gives the space back.
    ///
    /// ```
    /// # use tracker_core::Tracker;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let folder = tempfile::tempdir()?;
    /// let tracker = Tracker::open(folder.path().join("jobs.redb"))?;
    /// let backup = tracker.backup(folder.path().join("backup.redb"))?;
    /// assert!(backup.bytes > 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// - [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) if there is a file at `into`, or the tracker is in memory.
    /// - [`ErrorKind::FileReplaced`](crate::ErrorKind::FileReplaced) if the path no longer leads to the open file.
    /// - [`ErrorKind::Corrupted`](crate::ErrorKind::Corrupted) if a page of the source is damaged.
    /// - [`ErrorKind::Busy`](crate::ErrorKind::Busy) if another process commits without a pause for 10 s.
    /// - [`ErrorKind::Io`](crate::ErrorKind::Io) or [`ErrorKind::NoSpace`](crate::ErrorKind::NoSpace) if reading or writing fails.
    pub fn backup(&self, into: impl AsRef<Path>) -> Result<Backup> {
        backup(self, into.as_ref())
    }
}

fn backup(tracker: &Tracker, into: &Path) -> Result<Backup> {
    tracker.flush()?;
    let snapshot = tracker.shared.engine.file().snapshot()?;
    let mut next_fence = 0;
    let bytes = file::write_snapshot(snapshot, into, |db| {
        let txn = db.begin_write()?;
        let mut rows = Tables::new(Writing::File(&txn));
        let mut state = rows.file_state()?;
        let fence = state.next_fence.checked_add(FENCES);
        state.next_fence =
            fence.ok_or_else(|| Error::corrupted("tracker.meta", "file_state", "its next fence is near its end"))?;
        next_fence = state.next_fence;
        rows.put_file_state(&state)?;
        drop(rows);
        Ok(txn.commit()?)
    })?;
    Ok(Backup { bytes, next_fence })
}
