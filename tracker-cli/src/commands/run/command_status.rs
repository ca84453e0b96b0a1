//! `CommandStatus`: how a command ended: its exit code or signal, or why the run ended it. Made by `runner`, read by `exit_codes` and `joblog`;
//! plain data.

use std::{error::Error as StdError, fmt, os::unix::process::ExitStatusExt, time::Duration};

use super::{command::FinishedCommand, process_groups::Cause, stored_output::StoredOutput};
use crate::human_duration::HumanDuration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandStatus {
    Exit(i32),
    Signal(i32),
    /// Ended after this time.
    TimedOut(Duration),
    /// Ended together with the run.
    Stopped,
    /// Stopped by this signal because it used the terminal, and then ended.
    NeedsTerminal(i32),
}

impl CommandStatus {
    pub fn of(finished: &FinishedCommand, timeout: Option<Duration>) -> Self {
        match (finished.cause, finished.status.code()) {
            // The command finished its work when it was asked to end.
            (Some(Cause::Stopped), Some(0)) => Self::Exit(0),
            (Some(Cause::Stopped), _) => Self::Stopped,
            (Some(Cause::NeedsTerminal(signal)), _) => Self::NeedsTerminal(signal),
            (Some(Cause::TimedOut), _) => Self::TimedOut(timeout.unwrap_or_default()),
            (None, Some(code)) => Self::Exit(code),
            (None, None) => Self::Signal(finished.status.signal().unwrap_or_default()),
        }
    }

    /// Returns exit code and signal as GNU parallel logs them.
    pub fn logged(self) -> (i32, i32) {
        match self {
            Self::Exit(code) => (code, 0),
            Self::Signal(signal) | Self::NeedsTerminal(signal) => (0, signal),
            Self::TimedOut(_) | Self::Stopped => (-1, 15),
        }
    }
}

/// The error of a failed command. Its message is the same for all commands that fail in the same way; its cause is the last
/// line of the error output.
#[derive(Debug)]
pub struct CommandFailed {
    status: CommandStatus,
    last_line: Option<LastLine>,
}

/// The last line on the standard error output.
#[derive(Debug)]
struct LastLine(String);

impl CommandFailed {
    pub fn new(status: CommandStatus, stderr: &StoredOutput) -> Self {
        Self { status, last_line: stderr.last_line().map(LastLine) }
    }
}

impl fmt::Display for CommandFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            CommandStatus::Exit(code) => write!(f, "exit code {code}"),
            CommandStatus::Signal(signal) => write!(f, "killed by signal {signal}"),
            CommandStatus::TimedOut(limit) => write!(f, "timed out after {}", HumanDuration(limit)),
            CommandStatus::Stopped => f.write_str("ended with the run"),
            CommandStatus::NeedsTerminal(signal) => {
                write!(f, "the command uses the terminal and was ended (signal {signal}): --tty gives it the terminal")
            }
        }
    }
}

impl StdError for CommandFailed {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.last_line.as_ref().map(|last_line| last_line as _)
    }
}

impl fmt::Display for LastLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for LastLine {}
