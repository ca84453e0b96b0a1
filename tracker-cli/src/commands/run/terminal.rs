use std::{
    fs::{File, OpenOptions},
    io,
    process::Stdio,
};

use nix::sys::signal::{SigSet, SigmaskHow, Signal as BlockedSignal};
use rustix::{
    process::{Pid, Signal, getpgrp, kill_current_process_group, kill_process_group},
    termios::{OptionalActions, Termios, tcgetattr, tcsetattr, tcsetpgrp},
};

/// The terminal of this process, which one command at a time gets.
pub struct Terminal {
    device: File,
    /// The group of this process.
    own: Pid,
    /// The modes as they were before any command changed them.
    modes: Termios,
}

impl Terminal {
    /// Opens the controlling terminal.
    pub fn open() -> io::Result<Self> {
        let device = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
        let modes = tcgetattr(&device)?;
        Ok(Self { device, own: getpgrp(), modes })
    }

    /// The terminal as an input or output of a command.
    pub fn output(&self) -> io::Result<Stdio> {
        self.device.try_clone().map(Stdio::from)
    }

    /// Makes a command's group the one that may use the terminal. If this process is in the background, it is stopped
    /// until it is in the foreground.
    pub fn give(&self, group: Pid) -> io::Result<()> {
        Ok(tcsetpgrp(&self.device, group)?)
    }

    /// Makes this process's group the one that may use the terminal, with the modes from before.
    pub fn take_back(&self) {
        // From the background this call would stop this process, but for a thread that blocks the signal.
        let mut blocked = SigSet::empty();
        blocked.add(BlockedSignal::SIGTTOU);
        let before = blocked.thread_swap_mask(SigmaskHow::SIG_BLOCK);
        // A terminal that was closed has no use for either.
        let _ = tcsetpgrp(&self.device, self.own);
        let _ = tcsetattr(&self.device, OptionalActions::Drain, &self.modes);
        if let Ok(before) = before {
            let _ = before.thread_set_mask();
        }
    }

    /// Ctrl-Z was pressed while a command had the terminal: stops this process too, and lets the command go on with it.
    pub fn suspend(&self, group: Pid) -> io::Result<()> {
        self.take_back();
        kill_current_process_group(Signal::TSTP)?;
        self.give(group)?;
        Ok(kill_process_group(group, Signal::CONT)?)
    }
}
