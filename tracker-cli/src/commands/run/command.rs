//! Runs one command in a process group of its own, and waits for its end. Called by `runner`.

use std::{
    env,
    ffi::OsString,
    fs::File,
    io::{self, Read},
    os::{
        fd::OwnedFd,
        unix::{net::UnixStream, process::CommandExt},
    },
    path::{Path, PathBuf},
    process::{self, Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use rustix::{
    io::Errno,
    process::{Pid, Signal, WaitId, WaitIdOptions, waitid},
};

use super::{
    process_groups::{Cause, ProcessGroups},
    slots::HeldSlot,
    start_error::StartError,
    terminal::Terminal,
};
use crate::commands::launch::{self, Stdin};

/// A command to run, with its environment.
pub struct CommandSpec<'a> {
    pub command: &'a [OsString],
    pub environment: &'a [(&'a str, OsString)],
    /// The longest time that it may run.
    pub timeout: Option<Duration>,
    /// The terminal, if the command gets it.
    pub terminal: Option<&'a Terminal>,
    /// The machine slots that its processes hold beside this one.
    pub slots: &'a [HeldSlot],
}

/// A command that has ended, with its output.
pub struct FinishedCommand {
    pub status: ExitStatus,
    /// Why the run ended it.
    pub cause: Option<Cause>,
    pub started: DateTime<Utc>,
    pub took: Duration,
    pub stdout: File,
    pub stderr: File,
}

impl CommandSpec<'_> {
    /// Runs the command, and waits until its first process has ended.
    ///
    /// Without the terminal, the output goes to files without a name. Background processes of the command may keep them
    /// open; the run does not wait for these.
    pub fn run(&self, groups: &ProcessGroups) -> Result<FinishedCommand, StartError> {
        let output = || tempfile::tempfile().map_err(StartError::of_output);
        let (stdout, stderr) = (output()?, output()?);
        let (started, start) = (Utc::now(), Instant::now());
        let (mut child, socket) = self.launch(&stdout, &stderr)?;
        let pid = Pid::from_child(&child);
        groups.add(pid, self.timeout);
        let waited = self.release(pid, socket).and_then(|()| self.wait_without_reaping(pid, groups));
        let took = start.elapsed();
        if let Some(terminal) = self.terminal {
            terminal.take_back();
        }
        let cause = groups.remove(pid);
        if waited.is_err() {
            // The launcher did not become the program, or cannot be waited for.
            let _ = child.kill();
        }
        let status = child.wait().map_err(StartError::of_system)?;
        waited?;
        Ok(FinishedCommand { status, cause, started, took, stdout, stderr })
    }

    /// Starts the process that waits for [`Self::release`] and then becomes the program.
    fn launch(&self, stdout: &File, stderr: &File) -> Result<(Child, UnixStream), StartError> {
        let (ours, theirs) = UnixStream::pair().map_err(StartError::of_system)?;
        let mut launcher = Command::new(this_program().map_err(StartError::of_system)?);
        let stdin = if self.terminal.is_some() { Stdin::Terminal } else { Stdin::Null };
        launcher.arg0("tracker").arg(launch::NAME).arg(process::id().to_string()).arg(stdin.word());
        launcher.args(self.command).envs(self.environment.iter().map(|(name, value)| (name, value)));
        let output = |file: &File| match self.terminal {
            Some(terminal) => terminal.output(),
            None => file.try_clone().map(Stdio::from),
        };
        launcher.stdout(output(stdout).map_err(StartError::of_system)?);
        launcher.stderr(output(stderr).map_err(StartError::of_system)?);
        launcher.stdin(OwnedFd::from(theirs)).process_group(0);
        // The command's copies of the files and of the socket are closed when this returns.
        Ok((launcher.spawn().map_err(StartError::of_launcher)?, ours))
    }

    /// Lets the launched process execute the program, and waits until it has.
    fn release(&self, pid: Pid, mut socket: UnixStream) -> Result<(), StartError> {
        if let Some(terminal) = self.terminal {
            terminal.give(pid).map_err(StartError::of_system)?;
        }
        let mut error = String::new();
        // A launcher that was killed meanwhile neither reads nor writes; its status has the reason.
        let _ = launch::release(&socket, self.slots).and_then(|()| socket.read_to_string(&mut error));
        match error.parse() {
            Ok(number) => Err(StartError::of_program(io::Error::from_raw_os_error(number))),
            Err(_) => Ok(()),
        }
    }

    /// Waits for the end of the first process. Its number and that of its group stay reserved until it is reaped.
    fn wait_without_reaping(&self, pid: Pid, groups: &ProcessGroups) -> Result<(), StartError> {
        loop {
            match waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::STOPPED | WaitIdOptions::NOWAIT) {
                Ok(Some(status)) if status.stopped() => self.handle_stop(pid, status.stopping_signal(), groups)?,
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(StartError::of_system(error.into())),
            }
        }
    }

    /// Handles a stop of the first process. The kernel stops the whole group when a background process uses a terminal.
    fn handle_stop(&self, pid: Pid, signal: Option<i32>, groups: &ProcessGroups) -> Result<(), StartError> {
        // Consumes the stop, so that the next wait does not return it again. The process may continue meanwhile.
        let taken = waitid(WaitId::Pid(pid), WaitIdOptions::STOPPED | WaitIdOptions::NOHANG);
        match (self.terminal, signal) {
            _ if !matches!(taken, Ok(Some(_))) => {}
            (Some(terminal), _) => terminal.suspend(pid).map_err(StartError::of_system)?,
            (None, Some(signal)) if [Signal::TTIN.as_raw(), Signal::TTOU.as_raw()].contains(&signal) => {
                groups.end(pid, Cause::NeedsTerminal(signal));
            }
            // Stopped by another process, which may continue it.
            (None, _) => {}
        }
        Ok(())
    }
}

/// Returns the path of this program; on Linux it works after the file was replaced.
fn this_program() -> io::Result<PathBuf> {
    let running = Path::new("/proc/self/exe");
    if cfg!(target_os = "linux") && running.exists() { Ok(running.to_owned()) } else { env::current_exe() }
}
