//! The terminal that `--tty` gives to one command at a time. Called by `command` and `runner`; opens `/dev/tty`.

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

pub struct Terminal {
    device: File,
    /// The process group of this process.
    own: Pid,
    /// The modes before the first command.
    modes: Termios,
}

impl Terminal {
    /// Opens the controlling terminal.
    pub fn open() -> io::Result<Self> {
        let device = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
        let modes = tcgetattr(&device)?;
        Ok(Self { device, own: getpgrp(), modes })
    }

    /// Returns the terminal as an input or output of a command.
    pub fn output(&self) -> io::Result<Stdio> {
        self.device.try_clone().map(Stdio::from)
    }

    /// Puts the group of a command into the foreground. The kernel stops this process while it is in the background.
    pub fn give(&self, group: Pid) -> io::Result<()> {
        Ok(tcsetpgrp(&self.device, group)?)
    }

    /// Puts the group of this process into the foreground, and restores the modes.
    pub fn take_back(&self) {
        // From the background, the call stops this process unless the signal is blocked.
        let mut blocked = SigSet::empty();
        blocked.add(BlockedSignal::SIGTTOU);
        let before = blocked.thread_swap_mask(SigmaskHow::SIG_BLOCK);
        // Both fail on a closed terminal.
        let _ = tcsetpgrp(&self.device, self.own);
        let _ = tcsetattr(&self.device, OptionalActions::Drain, &self.modes);
        if let Ok(before) = before {
            let _ = before.thread_set_mask();
        }
    }

    /// Handles Ctrl-Z of a command: stops this process too, and continues the command afterwards.
    pub fn suspend(&self, group: Pid) -> io::Result<()> {
        self.take_back();
        kill_current_process_group(Signal::TSTP)?;
        self.give(group)?;
        Ok(kill_process_group(group, Signal::CONT)?)
    }
}
