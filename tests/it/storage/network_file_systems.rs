//! A file on a network file system is refused, unless the options allow it. Mounts a folder through sshfs, where that is installed and allowed.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use tracker_core::{ErrorKind, Tracker};

use crate::support::kinds::{Job, job};

const SFTP_SERVER: &str = "/usr/lib/openssh/sftp-server";

/// A folder that is mounted through sshfs without a network: its server is a child process.
struct Mount(PathBuf);

impl Mount {
    /// Returns `None`, and says why, where nothing can be mounted.
    fn new(folder: &Path) -> Option<Self> {
        let [source, target, connect] = ["source", "target", "connect"].map(|name| folder.join(name));
        fs::create_dir(&source).unwrap();
        fs::create_dir(&target).unwrap();
        fs::write(&connect, format!("#!/bin/sh\nexec {SFTP_SERVER}\n")).unwrap();
        fs::set_permissions(&connect, fs::Permissions::from_mode(0o700)).unwrap();
        if !Path::new(SFTP_SERVER).exists() {
            println!("skipped: there is no {SFTP_SERVER}");
            return None;
        }
        let mounted = Command::new("sshfs")
            .arg("-o")
            .arg(format!("ssh_command={}", connect.display()))
            .arg(format!("local:{}", source.display()))
            .arg(&target)
            .output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self(target)),
            Ok(output) => {
                println!("skipped: {}", String::from_utf8_lossy(&output.stderr));
                None
            }
            Err(error) => {
                println!("skipped: sshfs: {error}");
                None
            }
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let unmounted = Command::new("fusermount3").arg("-u").arg(&self.0).status();
        assert!(unmounted.unwrap().success());
    }
}

#[test]
fn file_on_sshfs_is_refused_unless_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mount) = Mount::new(folder.path()) else { return };
    let path = mount.0.join("jobs.redb");
    let refused = Tracker::open(&path).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
    let text = refused.to_string();
    for part in [path.to_str().unwrap(), "fuse.sshfs", "local disk", "allow_network_file_system"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!path.exists(), "nothing is created");
    let allowed = || Tracker::options().allow_network_file_system(true);
    let tracker = allowed().open(&path).unwrap();
    tracker.tasks::<Job>().unwrap().submit(&job("a")).unwrap();
    tracker.close().unwrap();
    assert_eq!(Tracker::open(&path).unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(Tracker::inspect(&path).unwrap_err().kind(), ErrorKind::Unsupported);
    let seen = allowed().inspect(&path).unwrap();
    assert_eq!(seen.untyped("job").unwrap().counts().unwrap().total(), 1);
    // A backup to a network file system, and a salvage from one, stay possible.
    seen.backup(mount.0.join("copy.redb")).unwrap();
    Tracker::recover(&path, folder.path().join("recovered.redb")).unwrap();
}
