//! Files that the process may not write.

use std::{fs, path::Path};

use tracker_core::Tracker;

use super::damaged_files::{JOBS, Job, job};
use crate::support::child_process;

/// Runs a part without the capabilities of root. Returns false if the system does not allow it.
fn plays_without_powers(before: &[&str], role: &str, path: &Path) -> bool {
    let can = std::process::Command::new(before[0]).args(&before[1..]).arg("true").output();
    if !can.is_ok_and(|output| output.status.success()) {
        println!("{before:?} cannot be run here");
        return false;
    }
    let status = child_process::start(before, role, path).wait().unwrap();
    assert!(status.success(), "{}", child_process::errors(path));
    true
}

/// A clean file, an unclean one, and one without read permission.
fn files_in(folder: &Path) -> std::path::PathBuf {
    let path = folder.join("jobs.redb");
    let tracker = Tracker::open(&path).unwrap();
    tracker.tasks::<Job>().unwrap().submit_all((0..JOBS).map(job)).unwrap();
    fs::copy(&path, folder.join("unclean.redb")).unwrap();
    tracker.close().unwrap();
    fs::copy(&path, folder.join("secret.redb")).unwrap();
    // The child process writes its errors to this file: it cannot create one.
    fs::write(path.with_extension("errors"), "").unwrap();
    path
}

#[test]
fn read_only_file_system_allows_inspection_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = files_in(folder.path());
    let mount =
        format!("mount --bind {0} {0} && mount -o remount,ro,bind {0} && exec \"$0\" \"$@\"", folder.path().display());
    plays_without_powers(&["unshare", "--mount", "sh", "-c", &mount], "hostile: read-only", &path);
}

#[test]
fn missing_write_permission_allows_inspection_only() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let path = files_in(folder.path());
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    mode(&path, 0o400);
    mode(&folder.path().join("secret.redb"), 0o000);
    mode(folder.path(), 0o500);
    // In a user namespace of its own even root's processes have no power over files.
    plays_without_powers(&["unshare", "--user"], "hostile: no permission", &path);
    mode(folder.path(), 0o700);
}
