use std::{env, error::Error as StdError, fmt, io};

use rustix::io::Errno;

use super::read_line::LONGEST_LINE;

/// Why a command could not be started.
#[derive(Debug)]
pub enum StartError {
    /// The system is short of processes, file descriptors or memory. A later try may succeed.
    Shortage(io::Error),
    /// The program cannot be executed.
    Program(io::Error),
    /// The word list cannot be given to any program: it is too long, or has a zero byte.
    Words(io::Error),
    /// The line has so many bytes, more than are kept of any line.
    Oversized(u64),
    /// The files for its output cannot be created.
    Output(io::Error),
    /// Anything around the command: its process, the terminal.
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
        let shortages = [Errno::AGAIN, Errno::NOMEM, Errno::MFILE, Errno::NFILE];
        let is_shortage = Errno::from_io_error(&error).is_some_and(|errno| shortages.contains(&errno));
        if is_shortage { Self::Shortage(error) } else { other(error) }
    }
}

/// Whether the program may be executable a moment later: its file is being written.
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
            Self::Program(error) | Self::Words(error) => write!(f, "the command cannot be run: {error}"),
            Self::Oversized(bytes) => write!(f, "the line has {bytes} bytes: the most is {LONGEST_LINE}"),
            Self::Output(error) => {
                let folder = env::temp_dir();
                write!(
                    f,
                    "cannot create a file for the output of commands in {}: {error}; TMPDIR chooses another folder",
                    folder.display()
                )
            }
            Self::System(error) => write!(f, "cannot start a process for the command: {error}"),
        }
    }
}

impl StdError for StartError {}
