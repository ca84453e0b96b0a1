//! Temporary names of files under creation, and the removal of what crashed creations left. Called by `create`, and by
//! `open`, which deletes those older than an hour in the folder of the database file.

use std::{
    ffi::{OsStr, OsString},
    fs,
    path::Path,
    time::Duration,
};

use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use super::folder::folder;
use crate::model::panics;

/// A temporary file older than this is taken for the rest of a crash.
const MAX_AGE: Duration = Duration::from_secs(60 * 60);

/// Number of entries of the folder that a start looks at, so that a huge folder does not slow it.
const MAX_ENTRIES: usize = 10_000;

/// Length in bytes above which a temporary name has the hash of the file's name, since a name may have at most 255 bytes.
const MAX_NAME: usize = 200;

/// A name for a file while it is being created: next to `name`, hidden and unique.
pub(crate) fn temporary_name(name: &OsStr) -> OsString {
    let mut out = prefix(name);
    out.push(Uuid::new_v4().hyphenated().to_string());
    out.push(".new");
    out
}

/// Removes what crashed creations of the file at `path` have left. Best effort: errors are ignored.
pub(crate) fn sweep(path: &Path) {
    let Some(name) = path.file_name() else { return };
    let prefix = prefix(name);
    let Ok(entries) = fs::read_dir(folder(path)) else { return };
    for entry in entries.take(MAX_ENTRIES).flatten() {
        if !is_temporary(&entry.file_name(), &prefix) {
            continue;
        }
        let Ok(found) = entry.metadata() else { continue };
        let is_old = found.modified().ok().and_then(|at| at.elapsed().ok()).is_some_and(|passed| passed > MAX_AGE);
        if found.is_file() && is_old {
            let removed = fs::remove_file(entry.path());
            panics::log_catching_panics(|| match removed {
                Ok(()) => tracing::info!(path = %entry.path().display(), "removed a file that a crashed creation left"),
                Err(error) => {
                    tracing::debug!(path = %entry.path().display(), %error, "a left-over file could not be removed");
                }
            });
        }
    }
}

fn prefix(name: &OsStr) -> OsString {
    let mut out = OsString::from(".");
    if name.len() <= MAX_NAME {
        out.push(name);
    } else {
        out.push(format!("{:016x}", xxh3_64(name.as_encoded_bytes())));
    }
    out.push(".");
    out
}

fn is_temporary(name: &OsStr, prefix: &OsStr) -> bool {
    name.as_encoded_bytes()
        .strip_prefix(prefix.as_encoded_bytes())
        .and_then(|rest| rest.strip_suffix(b".new"))
        .is_some_and(|id| id.len() == 36 && Uuid::try_parse_ascii(id).is_ok())
}
