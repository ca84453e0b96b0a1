//! Finds the folder of a file and flushes it (`sync`), since a new name is durable only after that. Called by `create`, `copy`, `open`,
//! `leftover` and `file_system`.

use std::{io, path::Path};

/// The folder in which `path` is.
pub(crate) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// Makes the names in a folder durable, if the system and the file system can do so.
pub(crate) fn sync(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    match std::fs::File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error) if !cannot_sync(error.kind()) => return Err(error),
        _ => {}
    }
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// A folder may be one that cannot be read, or on a file system whose folders cannot be synced.
#[cfg(unix)]
fn cannot_sync(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported)
}

#[cfg(all(test, unix))]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn folder_sync_reports_failures_where_supported() {
        let folder = tempfile::tempdir().unwrap();
        sync(folder.path()).unwrap();
        assert_eq!(sync(&folder.path().join("nowhere")).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(cannot_sync(io::ErrorKind::PermissionDenied) && !cannot_sync(io::ErrorKind::StorageFull));
        // Its folders cannot be synced.
        #[cfg(target_os = "linux")]
        sync(Path::new("/proc")).unwrap();
    }
}
