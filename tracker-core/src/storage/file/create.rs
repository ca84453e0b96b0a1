//! Creates the file: completely or not at all, and never over another one. Where there are no hard links, a crash may leave an empty file.
//! Called by `open`; `copy` uses `Draft` and `publish` for backups. Writes, links and renames files in the folder of the database file.

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use redb::Database;

use super::{
    FileOptions,
    fault::Fault,
    folder::{self, folder},
    leftover::temporary_name,
};
use crate::model::{
    error::{ErrorKind, Result},
    panics,
};

/// Creates the file at `path` with the contents that `init` writes, all of it or nothing at all, and never over
/// another one. Returns false if another process was faster; its file stays.
///
/// It is made under another name, closed and flushed, and only then given its own, because a crash during redb's own
/// creation leaves a file that redb refuses for ever.
pub(crate) fn create(path: &Path, options: &FileOptions, init: &dyn Fn(&Database) -> Result<()>) -> Result<bool> {
    let draft = Draft::begin(path)?;
    let db =
        options.for_private_database().builder().create(&draft.path).map_err(|error| Fault::from(error).at(path))?;
    init(&db)?;
    db.close().map_err(|error| Fault::from(error).at(path))?;
    draft.file.sync_all().map_err(|error| Fault::from(error).at(path))?;
    let published =
        publish(&draft.path, path, |from, to| fs::hard_link(from, to)).map_err(|error| Fault::from(error).at(path))?;
    drop(draft);
    folder::sync(folder(path)).map_err(|error| Fault::from(error).at(path))?;
    Ok(published)
}

/// Gives the finished file its name; `false` if the name is taken.
///
/// A hard link is refused if the name exists, which a rename is not. Where the file system has no hard links (FAT, some
/// network shares), see [`reserve`].
pub(crate) fn publish(from: &Path, to: &Path, link: impl FnOnce(&Path, &Path) -> io::Result<()>) -> io::Result<bool> {
    match link(from, to) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => {
            panics::log_catching_panics(
                || tracing::debug!(path = %to.display(), %error, "no hard link here: reserving the name instead"),
            );
            reserve(from, to)
        }
    }
}

/// Reserves the name with an empty file, which only one process can create, then renames the finished file over it.
///
/// Another process that opens the empty file waits for a moment and then refuses it, so it does not write to it. A crash between
/// the two steps leaves the empty file: the next open reports that it is empty and can be deleted.
fn reserve(from: &Path, to: &Path) -> io::Result<bool> {
    match OpenOptions::new().write(true).create_new(true).open(to) {
        Ok(reservation) => drop(reservation),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
        Err(error) => return Err(error),
    }
    fs::rename(from, to).inspect_err(|_| {
        let _ = fs::remove_file(to);
    })?;
    Ok(true)
}

/// A new file under a temporary name, which is deleted on drop.
pub(crate) struct Draft {
    pub path: PathBuf,
    pub file: File,
}

impl Draft {
    pub fn begin(path: &Path) -> Result<Self> {
        let Some(name) = path.file_name() else {
            return Err(Fault::new(ErrorKind::Invalid, "the path has no file name at its end; add one").at(path));
        };
        let temporary = folder(path).join(temporary_name(name));
        let mut how = OpenOptions::new();
        how.read(true).write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut how, 0o600);
        match how.open(&temporary) {
            Ok(file) => Ok(Self { path: temporary, file }),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !folder(path).exists() => {
                let folder = folder(path).display();
                Err(Fault::caused(ErrorKind::Io, format!("there is no folder {folder}; create it first"), error)
                    .at(path))
            }
            Err(error) => Err(Fault::from(error).at(path)),
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            panics::log_catching_panics(
                || tracing::debug!(path = %self.path.display(), %error, "a temporary file could not be removed; a later start will"),
            );
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use tempfile::tempdir;

    use super::*;

    fn no_links(_: &Path, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    #[test]
    fn publish_without_hard_links_never_overwrites() {
        let folder = tempdir().unwrap();
        let (draft, path) = (folder.path().join("draft"), folder.path().join("jobs.redb"));
        fs::write(&draft, "first").unwrap();
        assert!(publish(&draft, &path, no_links).unwrap());
        assert!(!draft.exists());

        fs::write(&draft, "second").unwrap();
        assert!(!publish(&draft, &path, no_links).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "first");
        assert!(draft.exists());
    }

    #[test]
    fn a_reservation_that_leads_to_nothing_is_given_back() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("jobs.redb");
        publish(&folder.path().join("gone"), &path, no_links).unwrap_err();
        assert!(!path.exists());
        let draft = folder.path().join("draft");
        fs::write(&draft, "first").unwrap();
        publish(&draft, &folder.path().join("nowhere").join("jobs.redb"), no_links).unwrap_err();
    }

    #[test]
    fn a_hard_link_is_never_made_over_another_file() {
        let folder = tempdir().unwrap();
        let (draft, path) = (folder.path().join("draft"), folder.path().join("jobs.redb"));
        fs::write(&draft, "second").unwrap();
        fs::write(&path, "first").unwrap();
        assert!(!publish(&draft, &path, |from, to| fs::hard_link(from, to)).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "first");
    }
}
