//! `Identity` checks whether a path still leads to the file that was opened, and `FileId` identifies a file on its system. Used by
//! `engine/database`, by `copy`, and by `api/live`, whose socket `FileId` names. Reads metadata only, and calls log subscribers.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use super::{Location, fault::Fault};
use serde::{Deserialize, Serialize};

use crate::model::{
    error::{ErrorKind, Result},
    panics,
};

/// How often a process that writes all the time checks.
const INTERVAL: Duration = Duration::from_secs(1);

/// Which file a path led to when it was opened. A file that is removed, moved or replaced stays open, and takes all
/// writes; but the next program that opens the path does not find them.
#[derive(Debug)]
pub(crate) struct Identity {
    path: PathBuf,
    file: FileId,
    opened: Instant,
    /// When the next look is due, in milliseconds since the file was opened.
    due: AtomicU64,
    /// The path led elsewhere at the last look.
    is_lost: AtomicBool,
}

/// Identifies a file on its system.
#[cfg(unix)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
}

/// Where a file that is open can be neither removed nor replaced.
#[cfg(not(unix))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileId;

impl FileId {
    pub(crate) fn of(found: &fs::Metadata) -> Self {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            Self { device: found.dev(), inode: found.ino() }
        }
        #[cfg(not(unix))]
        {
            let _ = found;
            Self
        }
    }

    /// A number that differs between files with high probability.
    #[cfg(unix)]
    pub(crate) fn hash(self) -> u64 {
        let bytes = [self.device.to_le_bytes(), self.inode.to_le_bytes()].concat();
        xxhash_rust::xxh3::xxh3_64(&bytes)
    }
}

impl Identity {
    /// The file that was just opened at a location; `None` if it has no path.
    pub(crate) fn of(location: &Location) -> Result<Option<Self>> {
        let Location::Path(path) = location else { return Ok(None) };
        let at_path = |error: io::Error| Fault::from(error).at(path);
        // The process may change its folder.
        let absolute = std::path::absolute(path).map_err(at_path)?;
        let file = FileId::of(&fs::metadata(&absolute).map_err(at_path)?);
        let due = AtomicU64::new(u64::try_from(INTERVAL.as_millis()).unwrap_or(u64::MAX));
        Ok(Some(Self { path: absolute, file, opened: Instant::now(), due, is_lost: AtomicBool::new(false) }))
    }

    pub(crate) fn file(&self) -> FileId {
        self.file
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether an open file is this one.
    pub(crate) fn is(&self, found: &fs::Metadata) -> bool {
        FileId::of(found) == self.file
    }

    /// Returns an error if the path leads to another file or to none. Looks at most once a second, and at each call
    /// while the file is lost.
    pub(crate) fn check_now_and_then(&self) -> Result<()> {
        let passed = u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX);
        if passed < self.due.load(Ordering::Relaxed) && !self.is_lost.load(Ordering::Relaxed) {
            return Ok(());
        }
        let interval = u64::try_from(INTERVAL.as_millis()).unwrap_or(u64::MAX);
        self.due.store(passed.saturating_add(interval), Ordering::Relaxed);
        self.check()
    }

    /// Returns an error if the path leads to another file or to none.
    pub(crate) fn check(&self) -> Result<()> {
        let lost = match fs::metadata(&self.path) {
            Ok(found) => !self.is(&found),
            Err(error) => matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory),
        };
        let was_lost = self.is_lost.swap(lost, Ordering::Relaxed);
        if !lost {
            if was_lost {
                panics::log_catching_panics(
                    || tracing::info!(path = %self.path.display(), "the file is back under its path"),
                );
            }
            return Ok(());
        }
        let error = Fault::new(
            ErrorKind::FileReplaced,
            "the file was removed, moved or replaced while it was open, so that what is written is not found at the next open; put the file back, or close this tracker and open the path again",
        )
        .at(&self.path);
        if !was_lost {
            panics::log_catching_panics(|| tracing::warn!(path = %self.path.display(), "{error}"));
        }
        Err(error)
    }
}
