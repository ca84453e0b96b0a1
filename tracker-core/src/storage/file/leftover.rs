//! Temporary names of files under creation, and the removal of what crashed creations left. Called by `create` and `open`; deletes files in
//! the folder of the database file.

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

/// Age after which a temporary file is abandoned: its creator has crashed.
const ABANDONED: Duration = Duration::from_secs(60 * 60);

/// So many entries of the folder are looked at, lest a folder of a million files make each start slow.
const LOOKED_AT: usize = 10_000;

/// Names up to this length are part of the temporary name, which must fit into 255 bytes itself.
const LONG: usize = 200;

/// A name for a file while it is being created: next to `name`, hidden and unique.
pub(crate) fn temporary_name(name: &OsStr) -> OsString {
    let mut out = prefix(name);
    out.push(Uuid::new_v4().hyphenated().to_string());
    out.push(".new");
    out
}

/// Removes what crashed creations of the file at `path` have left. As far as it goes: nothing depends on it.
pub(crate) fn sweep(path: &Path) {
    let Some(name) = path.file_name() else { return };
    let prefix = prefix(name);
    let Ok(entries) = fs::read_dir(folder(path)) else { return };
    for entry in entries.take(LOOKED_AT).flatten() {
        if !is_temporary(&entry.file_name(), &prefix) {
            continue;
        }
        let Ok(found) = entry.metadata() else { continue };
        let abandoned = found.modified().ok().and_then(|at| at.elapsed().ok()).is_some_and(|passed| passed > ABANDONED);
        if found.is_file() && abandoned {
            let removed = fs::remove_file(entry.path());
            panics::log_guarded(|| match removed {
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
    if name.len() <= LONG {
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
