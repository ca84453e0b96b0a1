//! Refuses known network file systems, on which locks and flushes are not reliable, unless the options allow them. Called by `engine/database`
//! once for each open; reads metadata and the table of mounted file systems.

use std::path::Path;

use super::{FileOptions, Location, fault::Fault};
use crate::model::error::{ErrorKind, Result};

/// Refuses a file on a network file system, unless the options allow it. A file system that cannot be determined is accepted.
pub(crate) fn refuse_network_file_system(location: &Location, options: &FileOptions) -> Result<()> {
    let Location::Path(path) = location else { return Ok(()) };
    match (!options.allow_network_file_system).then(|| network_file_system(path)).flatten() {
        Some(name) => Err(Fault::new(
            ErrorKind::Unsupported,
            format!(
                "the file is on a network file system ({name}): its locks do not reliably keep other computers out, and a flush may not reach a disk; \
                 move the file to a local disk, or allow this with Options::allow_network_file_system(true), for the program tracker with \
                 TRACKER_ALLOW_NETWORK_FILE_SYSTEM=1 in the environment"
            ),
        )
        .at(path)),
        None => Ok(()),
    }
}

/// Returns the name of the file system of the file if it is a network file system. A file that does not exist has that of its folder.
#[cfg(any(target_os = "linux", target_os = "macos"))]
fn network_file_system(path: &Path) -> Option<String> {
    use nix::sys::statfs::statfs;

    let found = statfs(path).or_else(|_| statfs(super::folder::folder(path))).ok()?;
    #[cfg(target_os = "linux")]
    {
        use std::{fs, os::unix::fs::MetadataExt};

        use nix::sys::stat::{major, minor};

        // The type of the id differs between architectures; the ids have 32 bits.
        let id = u32::try_from(i128::from(found.filesystem_type().0) & 0xFFFF_FFFF).ok()?;
        by_type(id, || {
            let device = fs::metadata(path).or_else(|_| fs::metadata(super::folder::folder(path))).ok()?.dev();
            let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
            mounts.lines().find_map(|line| mounted_type(line, major(device), minor(device)).map(ToOwned::to_owned))
        })
    }
    #[cfg(target_os = "macos")]
    {
        NETWORK_NAMES.contains(&found.filesystem_type_name()).then(|| found.filesystem_type_name().to_owned())
    }
}

/// Other systems are not examined.
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn network_file_system(_path: &Path) -> Option<String> {
    None
}

/// Ids of file systems in `statfs` on Linux (linux/magic.h).
#[cfg(target_os = "linux")]
const NETWORK_IDS: [(u32, &str); 9] = [
    (0x6969, "NFS"),
    (0x517B, "SMB"),
    (0xFF53_4D42, "SMB"),
    (0xFE53_4D42, "SMB"),
    (0x0102_1997, "9p"),
    (0x00C3_6400, "Ceph"),
    (0x5346_414F, "AFS"),
    (0x6B41_4653, "AFS"),
    (0x7375_7245, "Coda"),
];

#[cfg(target_os = "linux")]
const FUSE: u32 = 0x6573_5546;

/// File systems behind FUSE that reach other computers, by the type in the mount table after `fuse.`.
#[cfg(target_os = "linux")]
const NETWORK_FUSE: [&str; 12] = [
    "sshfs",
    "rclone",
    "s3fs",
    "gcsfuse",
    "goofys",
    "glusterfs",
    "ceph-fuse",
    "cephfs",
    "curlftpfs",
    "davfs",
    "juicefs",
    "smbnetfs",
];

/// Names of file systems in `statfs` on macOS.
#[cfg(target_os = "macos")]
const NETWORK_NAMES: [&str; 6] = ["nfs", "smbfs", "afpfs", "webdav", "ftp", "macfuse"];

/// Returns the name of a network file system with this id. `mounted` returns the type in the mount table, for FUSE.
#[cfg(target_os = "linux")]
fn by_type(id: u32, mounted: impl FnOnce() -> Option<String>) -> Option<String> {
    if id == FUSE {
        return mounted().filter(|name| name.strip_prefix("fuse.").is_some_and(|name| NETWORK_FUSE.contains(&name)));
    }
    NETWORK_IDS.iter().find(|(network, _)| *network == id).map(|(_, name)| (*name).to_owned())
}

/// Returns the type of the file system if a line of `/proc/self/mountinfo` describes this device:
/// `36 35 98:0 /root /mount options optional-fields - type source super-options`.
#[cfg(target_os = "linux")]
fn mounted_type(line: &str, major: u64, minor: u64) -> Option<&str> {
    let (mount, file_system) = line.split_once(" - ")?;
    let (found_major, found_minor) = mount.split(' ').nth(2)?.split_once(':')?;
    let is_device = found_major.parse() == Ok(major) && found_minor.parse() == Ok(minor);
    is_device.then(|| file_system.split(' ').next()).flatten()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_known_by_their_ids() {
        for (id, mounted, expected) in [
            (0x6969, "", Some("NFS")),
            (0xFF53_4D42, "", Some("SMB")),
            (0xFE53_4D42, "", Some("SMB")),
            (0x0102_1997, "", Some("9p")),
            (FUSE, "fuse.sshfs", Some("fuse.sshfs")),
            (FUSE, "fuse.rclone", Some("fuse.rclone")),
            // Local file systems behind FUSE.
            (FUSE, "fuseblk", None),
            (FUSE, "fuse.gocryptfs", None),
            (FUSE, "fuse", None),
            // ext4, XFS, Btrfs, tmpfs, overlay.
            (0xEF53, "", None),
            (0x5846_5342, "", None),
            (0x9123_683E, "", None),
            (0x0102_1994, "", None),
            (0x794C_7630, "", None),
        ] {
            assert_eq!(by_type(id, || Some(mounted.to_owned())).as_deref(), expected, "{id:x} {mounted}");
        }
        assert_eq!(by_type(FUSE, || None), None);
    }

    #[test]
    fn mount_table_has_the_type_of_a_device() {
        let line = "36 35 0:45 / /mnt/with\\040space rw,noatime shared:1 master:2 - fuse.sshfs me@host:/ rw,user_id=0";
        assert_eq!(mounted_type(line, 0, 45), Some("fuse.sshfs"));
        assert_eq!(mounted_type(line, 0, 4), None);
        assert_eq!(mounted_type("36 35 8:1 / / rw - ext4 /dev/sda1 rw", 8, 1), Some("ext4"));
        for line in ["", "36 35", "36 35 0:45 / / rw", "36 35 045 / / rw - ext4", " - "] {
            assert_eq!(mounted_type(line, 0, 45), None, "{line}");
        }
    }

    #[test]
    fn local_folder_is_no_network_file_system() {
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(network_file_system(&folder.path().join("new.redb")), None);
        assert_eq!(network_file_system(Path::new("/no-such-folder/file")), None);
    }
}
