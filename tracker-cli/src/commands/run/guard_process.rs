//! `GuardProcess`: starts the process `guard`, which kills the process groups of commands when this process dies, and tells it which groups
//! exist. Called by `process_groups`; writes to a pipe.

use std::{
    collections::HashSet,
    env, io,
    io::Write,
    os::unix::process::CommandExt,
    process::{Child, ChildStdin, Command, Stdio},
};

use rustix::process::Pid;

use super::orphans::TAG;

/// Restarts the guard when a write to it fails.
pub struct GuardProcess {
    groups: HashSet<Pid>,
    process: Option<Process>,
    has_warned: bool,
}

struct Process {
    child: Child,
    input: ChildStdin,
}

impl GuardProcess {
    pub fn start() -> Self {
        let mut guard = Self { groups: HashSet::new(), process: None, has_warned: false };
        guard.restart();
        guard
    }

    /// A process group has begun.
    pub fn add(&mut self, group: Pid) {
        self.groups.insert(group);
        self.send('+', group);
    }

    /// A process group has ended.
    pub fn remove(&mut self, group: Pid) {
        self.groups.remove(&group);
        self.send('-', group);
    }

    fn send(&mut self, sign: char, group: Pid) {
        let sent = self.process.as_mut().map(|process| process.write(&line(sign, group)));
        if !matches!(sent, Some(Ok(()))) {
            self.restart();
        }
    }

    /// Starts a new guard process that knows all groups.
    fn restart(&mut self) {
        if let Some(mut old) = self.process.take() {
            // The old guard no longer reads its input: reap it.
            let _ = old.child.kill().and_then(|()| old.child.wait());
        }
        match Process::start(&self.groups) {
            Ok(process) => self.process = Some(process),
            Err(error) if !self.has_warned => {
                self.has_warned = true;
                eprintln!(
                    "tracker: cannot start the guard process ({error}): if this run is killed, its commands may continue"
                );
            }
            Err(_) => {}
        }
    }
}

impl Process {
    /// Starts it in a process group of its own, out of the reach of signals to the group of this process.
    fn start(groups: &HashSet<Pid>) -> io::Result<Self> {
        let mut command = Command::new(env::current_exe()?);
        command.arg("guard").process_group(0).env_remove(TAG);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        let input = child.stdin.take().ok_or_else(|| io::Error::other("the guard has no standard input"))?;
        let mut process = Self { child, input };
        process.write(&groups.iter().map(|group| line('+', *group)).collect::<String>())?;
        Ok(process)
    }

    /// Writes lines at once, so that the guard never reads half a line.
    fn write(&mut self, lines: &str) -> io::Result<()> {
        self.input.write_all(lines.as_bytes())
    }
}

fn line(sign: char, group: Pid) -> String {
    format!("{sign}{}\n", group.as_raw_nonzero())
}
