//! Finds the place of the socket of a file: a directory of the user's own, and a name derived from the identity of the file. Called by
//! `client` and `server`; creates and checks directories.

use std::{
    env,
    fs::{self, DirBuilder, Metadata},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use nix::unistd::geteuid;

use crate::{
    model::error::{Error, ErrorKind, Result},
    storage::file::FileId,
};

/// The most bytes of the path of a socket on every system; Linux allows 107, the BSDs 103.
const LONGEST_PATH: usize = 100;
/// Directories are readable and writable by their owner only.
const MODE: u32 = 0o700;

/// The directories that may hold sockets of this user, the preferred one first: the runtime directory of the session, that of the
/// user on systems with systemd, and one among the temporary files.
pub(super) fn directories() -> Vec<PathBuf> {
    let user = geteuid();
    let session = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    let runtime = Path::new("/run/user").join(user.to_string());
    let mut all: Vec<_> = session.into_iter().chain([runtime]).map(|path| path.join("tracker")).collect();
    all.dedup();
    all.push(env::temp_dir().join(format!("tracker-{user}")));
    all
}

/// The name of the socket of a file.
pub(super) fn socket_name(file: FileId) -> String {
    format!("{:016x}.sock", file.hash())
}

/// Makes the first of the directories that is private to this user, or can be made so, and fits the name of a socket.
pub(super) fn private_directory(directories: &[PathBuf], name: &str) -> Result<PathBuf> {
    let mut reasons = Vec::new();
    for directory in directories {
        match make_private(directory, name) {
            Ok(()) => return Ok(directory.clone()),
            Err(reason) => reasons.push(format!("{}: {reason}", directory.display())),
        }
    }
    Err(Error::new(
        ErrorKind::Io,
        format!("no private directory for the socket of live commands ({})", reasons.join("; ")),
    ))
}

/// The directories that are private to this user.
pub(super) fn existing(directories: Vec<PathBuf>) -> impl Iterator<Item = PathBuf> {
    directories.into_iter().filter(|directory| fs::symlink_metadata(directory).is_ok_and(|found| check(&found).is_ok()))
}

fn make_private(directory: &Path, name: &str) -> Result<(), String> {
    let bytes = directory.join(name).as_os_str().len();
    if bytes > LONGEST_PATH {
        return Err(format!("the path of a socket in it has {bytes} bytes, and {LONGEST_PATH} are possible"));
    }
    match DirBuilder::new().mode(MODE).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error.to_string()),
        _ => {}
    }
    check(&fs::symlink_metadata(directory).map_err(|error| error.to_string())?)
}

fn check(found: &Metadata) -> Result<(), String> {
    check_access(found.is_dir(), found.uid(), found.mode(), geteuid().as_raw())
}

/// Checks that a path is a directory to which only this user has access.
fn check_access(is_directory: bool, owner: u32, mode: u32, user: u32) -> Result<(), String> {
    if !is_directory {
        return Err("it is not a directory".to_owned());
    }
    if owner != user {
        return Err(format!("it belongs to the user {owner}, and this process runs as {user}"));
    }
    match mode & 0o777 {
        MODE => Ok(()),
        other => Err(format!("its mode is {other:o}, and only {MODE:o} keeps other users out")),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn directory_of_another_user_or_mode_is_refused() {
        assert_eq!(check_access(true, 7, 0o40_700, 7), Ok(()));
        let refused = |is_directory, owner, mode| check_access(is_directory, owner, mode, 7).unwrap_err();
        assert!(refused(false, 7, 0o700).contains("not a directory"));
        assert!(refused(true, 8, 0o700).contains("belongs to the user 8"));
        assert!(refused(true, 0, 0o700).contains("belongs to the user 0"));
        for mode in [0o40_755, 0o701, 0o770, 0o1777, 0o500] {
            assert!(refused(true, 7, mode).contains("its mode is"), "{mode:o}");
        }
    }

    #[test]
    fn unusable_directories_are_passed_over_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("open")).unwrap();
        fs::set_permissions(at("open"), PermissionsExt::from_mode(0o755)).unwrap();
        fs::create_dir(at("private")).unwrap();
        fs::set_permissions(at("private"), PermissionsExt::from_mode(0o700)).unwrap();
        symlink(at("private"), at("link")).unwrap();
        fs::write(at("file"), "").unwrap();
        let unusable = vec![at("missing/tracker"), at("open"), at("link"), at("file"), at(&"long".repeat(30))];
        let error = private_directory(&unusable, "name").unwrap_err().to_string();
        for reason in
            ["missing/tracker: No such", "open: its mode is 755", "link: it is not a directory", "100 are possible"]
        {
            assert!(error.contains(reason), "{reason}: {error}");
        }
        assert_eq!(existing(unusable.clone()).count(), 0);
        let directories = [unusable, vec![at("made"), at("private")]].concat();
        assert_eq!(private_directory(&directories, "name").unwrap(), at("made"));
        assert_eq!(existing(directories).collect::<Vec<_>>(), [at("made"), at("private")]);
    }

    #[test]
    fn default_directory_fits_the_longest_path() {
        let last = directories().pop().unwrap();
        assert!(last.starts_with(env::temp_dir()));
        assert_eq!(socket_name(FileId::of(&fs::metadata(".").unwrap())).len(), 21);
    }
}
