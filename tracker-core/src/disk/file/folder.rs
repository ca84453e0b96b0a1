use std::{io, path::Path};

/// The folder in which `path` is.
pub(super) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// Makes the names in a folder durable, where the system and the file system know how.
pub(super) fn sync(folder: &Path) -> io::Result<()> {
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
