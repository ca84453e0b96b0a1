use std::{error::Error as StdError, fmt, os::unix::process::ExitStatusExt, time::Duration};

use super::{child::Ended, groups::Cause, kept::Kept};
use crate::span::Span;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Exit(i32),
    Signal(i32),
    /// It was ended after this time.
    Overtime(Duration),
    /// With the whole run.
    Stopped,
    /// It was stopped by this signal because it used the terminal, and was ended.
    NeedsTerminal(i32),
}

impl End {
    pub fn of(ended: &Ended, limit: Option<Duration>) -> Self {
        match (ended.cause, ended.status.code()) {
            // It was asked to end, and ended its work: that is an end of its own.
            (Some(Cause::Stopped), Some(0)) => Self::Exit(0),
            (Some(Cause::Stopped), _) => Self::Stopped,
            (Some(Cause::NeedsTerminal(signal)), _) => Self::NeedsTerminal(signal),
            (Some(Cause::Overtime), _) => Self::Overtime(limit.unwrap_or_default()),
            (None, Some(code)) => Self::Exit(code),
            (None, None) => Self::Signal(ended.status.signal().unwrap_or_default()),
        }
    }

    /// Exit code and signal as GNU parallel logs them.
    pub fn logged(self) -> (i32, i32) {
        match self {
            Self::Exit(code) => (code, 0),
            Self::Signal(signal) | Self::NeedsTerminal(signal) => (0, signal),
            Self::Overtime(_) | Self::Stopped => (-1, 15),
        }
    }
}

/// A command that failed: its text is the same for all that failed in the same way, and its cause is what it said last.
#[derive(Debug)]
pub struct CommandFailed {
    end: End,
    said: Option<Said>,
}

/// The last line on the standard error output.
#[derive(Debug)]
struct Said(String);

impl CommandFailed {
    pub fn new(end: End, stderr: &Kept) -> Self {
        Self { end, said: stderr.last_line().map(Said) }
    }
}

impl fmt::Display for CommandFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.end {
            End::Exit(code) => write!(f, "exit code {code}"),
            End::Signal(signal) => write!(f, "killed by signal {signal}"),
            End::Overtime(limit) => write!(f, "took longer than {} and was ended", Span(limit)),
            End::Stopped => f.write_str("ended with the run"),
            End::NeedsTerminal(signal) => {
                write!(f, "the command uses the terminal and was ended (signal {signal}): --tty gives it the terminal")
            }
        }
    }
}

impl StdError for CommandFailed {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.said.as_ref().map(|said| said as _)
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Said {}
