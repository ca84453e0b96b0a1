//! Kills commands of an earlier, killed run, when the next run starts. Finds them by a tag in their environment. Called by `run/mod`; `logs`
//! finds a running command by its tag. Reads `/proc`, and kills processes.

use std::{
    env,
    ffi::{OsStr, OsString},
    fmt::Write,
    fs, io,
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        fs::MetadataExt,
    },
};

use tracker_core::{Execution, task::TaskKey};
use xxhash_rust::xxh3::xxh3_64;

use super::line::Line;
use crate::file::FileArg;

/// The environment variable that marks the processes of an attempt and is inherited by their children.
///
/// Its value is a list, separated by spaces, because a command may itself be a `tracker run`. Each entry is
/// `FILE:FENCE:ID`: device and inode of the tracker file in hexadecimal digits, or `server-` and a hash of the server's name; the number of the
/// claim; and the bytes of the task's key in hexadecimal digits.
pub const TAG: &str = "TRACKER_RUN";

/// The part of the tags that names the tracker.
pub struct AttemptTags {
    file: String,
}

impl AttemptTags {
    pub fn of(file: &FileArg) -> io::Result<Self> {
        let Some(path) = file.path() else {
            return Ok(Self { file: format!("server-{:x}", xxh3_64(file.name().as_bytes())) });
        };
        let file = fs::metadata(path)?;
        Ok(Self { file: format!("{:x}-{:x}", file.dev(), file.ino()) })
    }

    /// The value of [`TAG`] for the command of an attempt.
    pub fn value(&self, line: &Execution<Line>) -> OsString {
        let mut value = env::var_os(TAG).unwrap_or_default().into_vec();
        if !value.is_empty() {
            value.push(b' ');
        }
        value.extend_from_slice(self.entry(line.fence(), line.id()).as_bytes());
        OsString::from_vec(value)
    }

    fn entry(&self, fence: u64, id: &TaskKey) -> String {
        let mut entry = format!("{}:{fence}:", self.file);
        for byte in id.as_bytes() {
            // Writing to a string cannot fail.
            let _ = write!(entry, "{byte:02x}");
        }
        entry
    }

    /// Returns the attempts on tasks of this file in the value.
    fn attempts(&self, value: &OsStr) -> Vec<(u64, TaskKey)> {
        let entries = value.as_bytes().split(|byte| *byte == b' ').filter_map(|entry| str::from_utf8(entry).ok());
        let ours = entries.filter_map(|entry| entry.strip_prefix(self.file.as_str())?.strip_prefix(':'));
        ours.filter_map(|entry| {
            let (fence, id) = entry.split_once(':')?;
            Some((fence.parse().ok()?, TaskKey::from_bytes(&bytes(id)?)?))
        })
        .collect()
    }
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digit = |digit: &u8| char::from(*digit).to_digit(16);
    let pairs = hex.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => u8::try_from(digit(high)? << 4 | digit(low)?).ok(),
        _ => None,
    });
    pairs.collect()
}

#[cfg(target_os = "linux")]
pub use linux::{kill_orphans, process_of};

/// Only Linux mode the environment of processes.
#[cfg(not(target_os = "linux"))]
#[expect(clippy::unnecessary_wraps, reason = "on Linux it can fail")]
pub fn kill_orphans(_: &AttemptTags, _: &tracker_core::Tasks<Line>) -> Result<(), crate::error::CliError> {
    Ok(())
}

/// Only Linux shows the processes of an attempt.
#[cfg(not(target_os = "linux"))]
pub fn process_of(_: &AttemptTags, _: u64, _: &TaskKey) -> Option<i32> {
    None
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        ffi::OsStr,
        fs,
        os::unix::ffi::OsStrExt,
        process, thread,
        time::{Duration, Instant},
    };

    use rustix::{
        io::Errno,
        process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal},
    };
    use tracker_core::{Tasks, record::AttemptStatus, task::TaskKey};

    use super::{AttemptTags, Line, TAG};
    use crate::error::CliError;

    /// The time that killed processes may take to end.
    const KILL_TIMEOUT: Duration = Duration::from_secs(10);

    /// Kills the processes of attempts that ended with an earlier run, and waits until they are gone. Processes that a
    /// command left in the background when it ended by itself stay.
    pub fn kill_orphans(tags: &AttemptTags, tasks: &Tasks<Line>) -> Result<(), CliError> {
        let deadline = Instant::now() + KILL_TIMEOUT;
        loop {
            let mut left = None;
            for pid in processes() {
                if kill_if_orphaned(pid, tags, tasks)? {
                    left = Some(pid);
                }
            }
            match left {
                None => return Ok(()),
                Some(pid) if Instant::now() >= deadline => {
                    return Err(CliError::file(format!(
                        "process {} of an earlier run does not end: kill it, so that its line does not run twice at once",
                        pid.as_raw_nonzero()
                    )));
                }
                // The killed processes may have started others.
                Some(_) => thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// Returns the first process of a running attempt, which has the output files of the run.
    pub fn process_of(tags: &AttemptTags, fence: u64, id: &TaskKey) -> Option<i32> {
        let ours = |pid: &Pid| tagged(*pid, tags).iter().any(|(number, task)| *number == fence && task == id);
        processes().filter(ours).map(|pid| pid.as_raw_nonzero().get()).min()
    }

    fn processes() -> impl Iterator<Item = Pid> {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids =
            entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok()).filter_map(Pid::from_raw);
        pids.filter(|pid| pid.as_raw_nonzero().get().unsigned_abs() != process::id())
    }

    /// Kills the process if its attempt crashed. Returns whether it did.
    fn kill_if_orphaned(pid: Pid, tags: &AttemptTags, tasks: &Tasks<Line>) -> Result<bool, CliError> {
        // Opened first, so that it names this process even if the number is reused.
        let handle = pidfd_open(pid, PidfdFlags::empty());
        if matches!(handle, Err(Errno::SRCH)) {
            return Ok(false);
        }
        for (fence, id) in tagged(pid, tags) {
            if !has_crashed(tasks, &id, fence)? {
                continue;
            }
            // The process may have ended already.
            let _ = match &handle {
                Ok(handle) => pidfd_send_signal(handle, Signal::KILL),
                Err(_) => kill_process(pid, Signal::KILL),
            };
            return Ok(true);
        }
        Ok(false)
    }

    /// Returns the attempts of this file that the process belongs to. The environment of a dead process is empty.
    fn tagged(pid: Pid, tags: &AttemptTags) -> Vec<(u64, TaskKey)> {
        let environment = fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero())).unwrap_or_default();
        let mut variables = environment.split(|byte| *byte == 0);
        let value = variables.find_map(|variable| variable.strip_prefix(TAG.as_bytes())?.strip_prefix(b"="));
        value.map(|value| tags.attempts(OsStr::from_bytes(value))).unwrap_or_default()
    }

    /// Returns whether the attempt ended with its run.
    fn has_crashed(tasks: &Tasks<Line>, id: &TaskKey, fence: u64) -> Result<bool, CliError> {
        let Some(record) = tasks.get(id)? else { return Ok(false) };
        let crashed = |status| matches!(status, AttemptStatus::Crashed | AttemptStatus::Interrupted);
        Ok(record.history.iter().any(|attempt| attempt.fence == fence && crashed(attempt.status)))
    }
}

#[cfg(test)]
mod tests {
    use tracker_core::task::TaskId;

    use super::*;

    #[test]
    fn tag_gives_back_the_attempts_of_its_file() {
        let tags = AttemptTags { file: "fe00-1a".into() };
        let id = "line with spaces, and ü".to_key();
        let other = AttemptTags { file: "fe00-1".into() };
        let value = format!("{} {} {}", other.entry(1, &id), tags.entry(7, &id), "noise");
        assert_eq!(tags.attempts(OsStr::new(&value)), [(7, id.clone())]);
        assert_eq!(other.attempts(OsStr::new(&value)), [(1, id)]);
        assert_eq!(tags.attempts(OsStr::new("fe00-1a:7:0")), []);
    }
}
