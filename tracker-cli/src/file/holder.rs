//! `Holder`: another process that has the file open, found in `/proc` on Linux. Called for error messages, and by `status`, `doctor` and `run
//! --plan`.

use std::{fmt, path::Path};

use serde::Serialize;

/// A process that has the file open.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Holder {
    pub pid: u32,
    pub name: String,
    #[serde(rename = "sharing")]
    pub access: Access,
}

impl Holder {
    /// Returns whether the process may change tasks.
    pub fn can_write(&self) -> bool {
        self.access > Access::Inspecting
    }
}

/// How a process has the file open; later ones exclude more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    Inspecting,
    Writers,
    Readers,
    Exclusive,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} ({})", self.pid, self.name)
    }
}

/// Returns the other processes that have the file open and are visible to this user, the oldest first: a process that is
/// just being started has the files of its parent for a moment. Empty on systems other than Linux.
pub fn holders(path: &Path) -> Vec<Holder> {
    #[cfg(target_os = "linux")]
    return linux::holders(path);
    #[cfg(not(target_os = "linux"))]
    {
        let _ = path;
        Vec::new()
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{fs, os::unix::fs::MetadataExt, path::Path, process};

    use super::{Access, Holder};

    /// The offset of redb's locks on single bytes, far beyond the end of any file.
    const BASE: u64 = 1 << 62;

    pub fn holders(path: &Path) -> Vec<Holder> {
        let (Ok(file), Ok(processes)) = (fs::metadata(path), fs::read_dir("/proc")) else { return Vec::new() };
        let pids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let others = pids.filter(|pid| *pid != process::id());
        let holders = others.filter_map(|pid| Some(Holder { pid, name: name(pid), access: access(pid, &file)? }));
        let mut holders: Vec<_> = holders.collect();
        holders.sort_by_cached_key(|holder| started(holder.pid));
        holders
    }

    /// Returns the start time of the process in ticks since boot; the maximum if it has ended.
    fn started(pid: u32) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // The name before the last bracket may hold anything.
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        after_name.split_whitespace().nth(19).and_then(|ticks| ticks.parse().ok()).unwrap_or(u64::MAX)
    }

    fn name(pid: u32) -> String {
        fs::read_to_string(format!("/proc/{pid}/comm")).map_or_else(|_| "?".to_owned(), |name| name.trim_end().into())
    }

    /// Returns how the process has the file open, from the locks listed for each of its descriptors.
    fn access(pid: u32, file: &fs::Metadata) -> Option<Access> {
        let open = fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
        let same = open.flatten().filter(|entry| {
            fs::metadata(entry.path()).is_ok_and(|other| (other.dev(), other.ino()) == (file.dev(), file.ino()))
        });
        let info = |entry: fs::DirEntry| {
            let number = entry.file_name();
            fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("fdinfo").join(number)).ok()
        };
        same.filter_map(info).filter_map(|info| info.lines().filter_map(access_of).max()).max()
    }

    /// Returns the access that a line such as `lock: 2: OFDLCK ADVISORY WRITE -1 fe:00:10043453 0 EOF` stands for.
    fn access_of(line: &str) -> Option<Access> {
        let mut words = line.strip_prefix("lock:")?.split_whitespace().skip_while(|word| *word != "OFDLCK").skip(2);
        let (access, start) = (words.next()?, words.nth(2)?.parse::<u64>().ok()?);
        match (access, start.checked_sub(BASE)) {
            ("WRITE", None) => Some(Access::Exclusive),
            ("WRITE", Some(0)) => Some(Access::Readers),
            (_, Some(1)) => Some(Access::Writers),
            (_, Some(2)) => Some(Access::Inspecting),
            _ => None,
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn locks_of_a_process_tell_its_access() {
            for (lock, expected) in [
                ("WRITE -1 fe:00:1 0 4611686018427388799", Some(Access::Exclusive)),
                ("WRITE -1 fe:00:1 4611686018427387904 4611686018427387905", Some(Access::Readers)),
                ("READ -1 fe:00:1 4611686018427387905 4611686018427387905", Some(Access::Writers)),
                ("READ -1 fe:00:1 4611686018427387906 4611686018427387906", Some(Access::Inspecting)),
                ("READ -1 fe:00:1 4611686018427387908 4611686018427387909", None),
            ] {
                assert_eq!(access_of(&format!("lock:\t1: OFDLCK ADVISORY  {lock}")), expected, "{lock}");
            }
            assert_eq!(access_of("lock:\t1: FLOCK  ADVISORY  WRITE 25868 fe:00:1 0 EOF"), None);
            assert_eq!(access_of("pos:\t0"), None);
        }
    }
}
