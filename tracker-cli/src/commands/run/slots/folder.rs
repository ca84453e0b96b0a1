//! The folder that has the slots of a name: private to this user, and the same for all runs of a session. Called by `slots`; creates and checks
//! folders.

use std::{
    env,
    fs::{self, DirBuilder},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use rustix::process::geteuid;

/// Makes the folder of a name. The error says which folder cannot be used, and why.
pub fn of_name(name: &str) -> Result<PathBuf, String> {
    let user = geteuid().as_raw();
    let session = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    let runtime = Path::new("/run/user").join(user.to_string());
    let is_own = |path: &PathBuf| fs::metadata(path).is_ok_and(|found| found.is_dir() && found.uid() == user);
    let mut folder = match session.into_iter().chain([runtime]).find(is_own) {
        Some(runtime) => runtime.join("tracker"),
        None => env::temp_dir().join(format!("tracker-{user}")),
    };
    make_private(&folder, user)?;
    for part in ["slots", name] {
        folder.push(part);
        make_private(&folder, user)?;
    }
    Ok(folder)
}

fn make_private(folder: &Path, user: u32) -> Result<(), String> {
    let refused = |reason: String| format!("{}: {reason}", folder.display());
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(refused(error.to_string())),
        _ => {}
    }
    let found = fs::symlink_metadata(folder).map_err(|error| refused(error.to_string()))?;
    check_access(found.is_dir(), found.uid(), found.mode(), user).map_err(refused)
}

/// Checks that a path is a folder to which only this user has access.
fn check_access(is_folder: bool, owner: u32, mode: u32, user: u32) -> Result<(), String> {
    if !is_folder {
        return Err("it is not a folder".to_owned());
    }
    if owner != user {
        return Err(format!("it belongs to the user {owner}, and this run to the user {user}"));
    }
    match mode & 0o777 {
        0o700 => Ok(()),
        other => Err(format!("its mode is {other:o}, and only 700 keeps other users out")),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn folder_of_another_user_or_mode_is_refused() {
        let checked = |is_folder, owner, mode| check_access(is_folder, owner, mode, 7).err().unwrap_or_default();
        assert_eq!(checked(true, 7, 0o40_700), "");
        assert!(checked(false, 7, 0o700).contains("not a folder"));
        assert!(checked(true, 0, 0o700).contains("belongs to the user 0"));
        for mode in [0o40_755, 0o701, 0o770, 0o1777, 0o500] {
            assert!(checked(true, 7, mode).contains("its mode is"), "{mode:o}");
        }
    }

    #[test]
    fn link_in_place_of_a_folder_is_refused() -> io::Result<()> {
        let (folder, user) = (tempfile::tempdir()?, geteuid().as_raw());
        let at = |name: &str| folder.path().join(name);
        assert_eq!(make_private(&at("made"), user), Ok(()));
        assert_eq!(make_private(&at("made"), user), Ok(()));
        symlink(at("made"), at("link"))?;
        assert!(make_private(&at("link"), user).is_err_and(|reason| reason.contains("link: it is not a folder")));
        assert!(make_private(&at("missing/made"), user).is_err_and(|reason| reason.contains("missing/made: No such")));
        Ok(())
    }
}
