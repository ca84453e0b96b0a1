use std::{
    ffi::OsString,
    fs::File,
    io,
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use super::groups::{Cause, Groups};

/// A command that has ended.
pub struct Ended {
    pub status: ExitStatus,
    /// Why it was ended, if it was.
    pub cause: Option<Cause>,
    pub began: DateTime<Utc>,
    pub took: Duration,
    pub stdout: File,
    pub stderr: File,
}

/// Runs a command in a process group of its own, and waits until its first process has ended.
///
/// What it prints goes into files without a name: whoever it leaves in the background may keep them open, and nobody
/// waits for that.
pub fn run(
    command: &[OsString],
    environment: &[(&str, String)],
    groups: &Groups,
    limit: Option<Duration>,
) -> io::Result<Ended> {
    let (program, arguments) = command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let (stdout, stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
    let mut command = Command::new(program);
    command.args(arguments).envs(environment.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(stdout.try_clone()?).stderr(stderr.try_clone()?).process_group(0);
    let (began, start) = (Utc::now(), Instant::now());
    let mut child = command.spawn()?;
    let pid = Pid::from_child(&child);
    groups.enter(pid, limit);
    let waited = wait_without_reaping(pid);
    let took = start.elapsed();
    let cause = groups.leave(pid);
    waited?;
    let status = reap(&mut child)?;
    Ok(Ended { status, cause, began, took, stdout, stderr })
}

/// As long as the process is not reaped, its number, and that of its group, belong to nobody else.
fn wait_without_reaping(pid: Pid) -> io::Result<()> {
    loop {
        match waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn reap(child: &mut Child) -> io::Result<ExitStatus> {
    child.wait()
}
