//! `StartError`: why a command could not be started, and what follows for its line and for the run. Made by `command`, read by `runner`; plain
//! data.

use std::{env, error::Error as StdError, fmt, io};

use rustix::io::Errno;

use super::read_line::LINE_MAX;

#[derive(Debug)]
pub enum StartError {
    /// The system is short of processes, file descriptors or memory. A later start may succeed.
    Shortage(io::Error),
    /// The program cannot be executed.
    Program(io::Error),
    /// The arguments cannot be passed to any program: they are too long, or contain a zero byte.
    Words(io::Error),
    /// The line has this many bytes, more than are stored.
    Oversized(u64),
    /// The files for its output cannot be created.
    Output(io::Error),
    /// The files of machine slots.
    Slots(io::Error),
    /// The process of the command, or the terminal.
    System(io::Error),
}

impl StartError {
    pub fn of_output(error: io::Error) -> Self {
        Self::shortage_or(error, Self::Output)
    }

    pub fn of_system(error: io::Error) -> Self {
        Self::shortage_or(error, Self::System)
    }

    /// The process that becomes the command cannot be created.
    pub fn of_launcher(error: io::Error) -> Self {
        Self::shortage_or(error, |error| if is_about_words(&error) { Self::Words(error) } else { Self::System(error) })
    }

    pub fn of_program(error: io::Error) -> Self {
        Self::shortage_or(error, |error| if is_about_words(&error) { Self::Words(error) } else { Self::Program(error) })
    }

    fn shortage_or(error: io::Error, other: impl FnOnce(io::Error) -> Self) -> Self {
        if is_shortage(&error) { Self::Shortage(error) } else { other(error) }
    }
}

/// Returns whether the system is short of processes, file descriptors or memory.
pub fn is_shortage(error: &io::Error) -> bool {
    let shortages = [Errno::AGAIN, Errno::NOMEM, Errno::MFILE, Errno::NFILE];
    Errno::from_io_error(error).is_some_and(|errno| shortages.contains(&errno))
}

/// Returns whether the program may become executable: its file is being written.
pub fn is_passing(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::TXTBSY)
}

fn is_about_words(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidInput || Errno::from_io_error(error) == Some(Errno::TOOBIG)
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shortage(error) => write!(f, "the system is short of resources: {error}"),
            Self::Program(error) | Self::Words(error) => write!(f, "cannot execute the command: {error}"),
            Self::Oversized(bytes) => {
                write!(f, "the line has {bytes} bytes; the limit is {LINE_MAX}, and half of it for several values")
            }
            Self::Output(error) => {
                let folder = env::temp_dir();
                write!(
                    f,
                    "cannot create a file for the output of commands in {}: {error}: set TMPDIR to another folder",
                    folder.display()
                )
            }
            Self::Slots(error) => write!(f, "cannot use the files of --slots: {error}"),
            Self::System(error) => write!(f, "cannot start a process for the command: {error}"),
        }
    }
}

impl StdError for StartError {}
